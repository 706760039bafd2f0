//! Terms of Erlang in its external format (<https://www.erlang.org/doc/apps/erts/erl_ext_dist.html>), as much of it as
//! records of users need: RabbitMQ's and CouchDB's.

/// Tuples within lists within tuples… are read to this depth.
const MAX_DEPTH: usize = 32;
/// Terms read of one record; a user has some twenty.
const MAX_TERMS: usize = 20_000;
/// With which a term begins that stands alone.
const VERSION: u8 = 131;

/// A term.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Term<'a> {
    Atom(&'a [u8]),
    Binary(&'a [u8]),
    /// An integer of at most 32 bits that is not negative.
    Number(u32),
    Tuple(Vec<Self>),
    List(Vec<Self>),
    /// Other numbers, maps, processes: nothing of a user.
    Other,
}

impl<'a> Term<'a> {
    /// The term that stands alone in `bytes`; none if it is damaged, compressed, or larger than users are.
    pub(super) fn alone(bytes: &'a [u8]) -> Option<Self> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => Self::first(rest),
            _ => None,
        }
    }

    /// The term with which `bytes` begin.
    pub(super) fn first(bytes: &'a [u8]) -> Option<Self> {
        Reader { rest: bytes, left: MAX_TERMS }.term(0)
    }

    /// Shows the term and all within it, outer ones first; a tuple of which `visit` says so is not looked into.
    pub(super) fn walk(&self, visit: &mut dyn FnMut(&[Self]) -> bool) {
        match self {
            Self::Tuple(members) if visit(members) => {}
            Self::Tuple(members) | Self::List(members) => {
                members.iter().for_each(|member| member.walk(visit))
            }
            Self::Atom(_) | Self::Binary(_) | Self::Number(_) | Self::Other => {}
        }
    }

    pub(super) fn is_atom(&self, name: &str) -> bool {
        matches!(self, Self::Atom(text) if *text == name.as_bytes())
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Terms that may still come.
    left: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        self.rest.split_off(..length)
    }

    /// A number of so many bytes, the most significant first.
    fn number(&mut self, length: usize) -> Option<usize> {
        Some(self.bytes(length)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// Bytes behind their length.
    fn counted(&mut self, length: usize) -> Option<&'a [u8]> {
        let count = self.number(length)?;
        self.bytes(count)
    }

    fn terms(&mut self, count: usize, depth: usize) -> Option<Vec<Term<'a>>> {
        // As many as there are bytes, at most: memory is taken as they come.
        (0..count).map(|_| self.term(depth + 1)).collect()
    }

    fn term(&mut self, depth: usize) -> Option<Term<'a>> {
        self.left = self.left.checked_sub(1)?;
        if depth > MAX_DEPTH {
            return None;
        }
        let skipped = match self.number(1)? {
            // Atoms, in Latin-1 or UTF-8, short or long.
            100 | 118 => return Some(Term::Atom(self.counted(2)?)),
            115 | 119 => return Some(Term::Atom(self.counted(1)?)),
            109 => return Some(Term::Binary(self.counted(4)?)),
            tag @ (104 | 105) => {
                let count = self.number(if tag == 104 { 1 } else { 4 })?;
                return Some(Term::Tuple(self.terms(count, depth)?));
            }
            106 => return Some(Term::List(Vec::new())),
            108 => {
                let count = self.number(4)?;
                let list = self.terms(count, depth)?;
                // What it ends in: the empty list.
                self.term(depth + 1)?;
                return Some(Term::List(list));
            }
            116 => {
                let count = self.number(4)?.checked_mul(2)?;
                return self.terms(count, depth).map(|_| Term::Other);
            }
            // A small integer, an integer.
            97 => return u32::try_from(self.number(1)?).ok().map(Term::Number),
            98 => {
                let number = u32::try_from(self.number(4)?).ok()?;
                return Some(i32::try_from(number).map_or(Term::Other, |_| Term::Number(number)));
            }
            // A float, one as text, a list of small integers.
            70 => self.bytes(8),
            99 => self.bytes(31),
            107 => self.counted(2),
            // Integers of any length, behind a sign.
            110 => self.number(1).and_then(|length| self.bytes(length + 1)),
            111 => self.number(4).and_then(|length| self.bytes(length.checked_add(1)?)),
            // Bits.
            77 => self.number(4).and_then(|length| self.bytes(length.checked_add(1)?)),
            // A process, older and newer; a port likewise; references: the node, and numbers.
            103 => self.term(depth + 1).and_then(|_| self.bytes(9)),
            88 => self.term(depth + 1).and_then(|_| self.bytes(12)),
            102 => self.term(depth + 1).and_then(|_| self.bytes(5)),
            89 => self.term(depth + 1).and_then(|_| self.bytes(8)),
            120 => self.term(depth + 1).and_then(|_| self.bytes(12)),
            101 => self.term(depth + 1).and_then(|_| self.bytes(5)),
            tag @ (114 | 90) => {
                let words = self.number(2)?;
                self.term(depth + 1)?;
                self.bytes(4 * words + if tag == 114 { 1 } else { 4 })
            }
            // A function: by its name, or by value, whose size counts itself.
            113 => return self.terms(3, depth).map(|_| Term::Other),
            112 => self.number(4).and_then(|size| self.bytes(size.checked_sub(4)?)),
            _ => None,
        };
        skipped.map(|_| Term::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_as_they_are_specified() {
        // `{a, <<"b">>, [c, 7], #{d => 1.5}, <0.1.0>, 2^70}`: what follows shows that every length was right.
        let bytes =
            b"\x83h\x07w\x01am\0\0\0\x01bl\0\0\0\x02d\0\x01ca\x07jt\0\0\0\x01w\x01dF\x3f\xf8\0\0\0\0\0\0\
            Xw\x01n\0\0\0\x01\0\0\0\0\0\0\0\0n\x09\0\0\0\0\0\0\0\0\0\x40w\x03end";
        let Some(Term::Tuple(members)) = Term::alone(bytes) else { panic!() };
        assert_eq!(members[..2], [Term::Atom(b"a"), Term::Binary(b"b")]);
        assert_eq!(members[2], Term::List(vec![Term::Atom(b"c"), Term::Number(7)]));
        assert!(members[3..6].iter().all(|member| *member == Term::Other));
        assert!(members[6].is_atom("end"));
        for length in 0..bytes.len() {
            assert_eq!(Term::alone(&bytes[..length]), None, "{length}");
        }
    }

    #[test]
    fn deep_and_long_terms_end() {
        assert_eq!(Term::first(&b"h\x01".repeat(100_000)), None);
        assert_eq!(Term::first(b"l\xff\xff\xff\xffj"), None);
        let wide = [&b"l\0\x0f\xff\xff"[..], &vec![b'j'; 1 << 20]].concat();
        assert_eq!(Term::first(&wide), None);
    }
}
