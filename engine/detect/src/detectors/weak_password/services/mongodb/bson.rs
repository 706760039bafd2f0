//! Documents of BSON (<https://bsonspec.org/spec.html>): their elements, one after the other.

/// A document's elements: type, name and value. Ends where the document does, or is damaged.
pub(super) struct Elements<'a>(&'a [u8]);

pub(super) const STRING: u8 = 2;
pub(super) const DOCUMENT: u8 = 3;
pub(super) const ARRAY: u8 = 4;

/// The document with which `bytes` begin, none if it does not end where it says.
pub(super) fn document(bytes: &[u8]) -> Option<&[u8]> {
    let length = length(bytes)?;
    let document = bytes.get(..length)?;
    (length > 4 && document.last() == Some(&0)).then_some(document)
}

/// What a document's first four bytes, or a text's, say of its length.
fn length(bytes: &[u8]) -> Option<usize> {
    usize::try_from(i32::from_le_bytes(*bytes.first_chunk()?)).ok()
}

/// The elements of a document, or of an array, whose names are numbers.
pub(super) fn elements(document: &[u8]) -> Elements<'_> {
    Elements(document.get(4..document.len().saturating_sub(1)).unwrap_or_default())
}

/// The value of the element that is called so and of this type.
pub(super) fn member<'a>(document: &'a [u8], wanted: u8, name: &str) -> Option<&'a [u8]> {
    elements(document)
        .find(|(kind, own, _)| (*kind, *own) == (wanted, name.as_bytes()))
        .map(|(_, _, value)| value)
}

/// That as text.
pub(super) fn text<'a>(document: &'a [u8], name: &str) -> Option<&'a str> {
    let value = member(document, STRING, name)?;
    std::str::from_utf8(value.get(4..value.len().checked_sub(1)?)?).ok()
}

/// That as a whole number, of whichever of the three types.
pub(super) fn number(document: &[u8], name: &str) -> Option<u32> {
    elements(document).filter(|(_, own, _)| *own == name.as_bytes()).find_map(|(kind, _, value)| match kind {
        1 => Some(f64::from_le_bytes(*value.first_chunk()?) as u32),
        16 => u32::try_from(i32::from_le_bytes(*value.first_chunk()?)).ok(),
        18 => u32::try_from(i64::from_le_bytes(*value.first_chunk()?)).ok(),
        _ => None,
    })
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, rest) = std::mem::take(&mut self.0).split_first()?;
        let end = memchr::memchr(0, rest)?;
        let (name, rest) = (&rest[..end], &rest[end + 1..]);
        let size = match kind {
            // Nothing: undefined, null, the smallest and the largest value.
            6 | 10 | 0x7f | 0xff => 0,
            8 => 1,
            16 => 4,
            1 | 9 | 17 | 18 => 8,
            7 => 12,
            19 => 16,
            // Texts: their length does not count itself; documents: it does; bytes: neither itself nor their type.
            2 | 13 | 14 => length(rest)?.checked_add(4)?,
            3 | 4 | 15 => length(rest)?,
            5 => length(rest)?.checked_add(5)?,
            11 => {
                let pattern = memchr::memchr(0, rest)? + 1;
                pattern + memchr::memchr(0, &rest[pattern..])? + 1
            }
            12 => length(rest)?.checked_add(16)?,
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(size)?;
        self.0 = rest;
        Some((*kind, name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_passed_over() {
        let mut bytes = vec![0; 4];
        for (kind, value) in [
            (1, &1.5_f64.to_le_bytes()[..]),
            (2, b"\x02\0\0\0a\0"),
            (3, b"\x05\0\0\0\0"),
            (4, b"\x05\0\0\0\0"),
            (5, b"\x02\0\0\0\x04ab"),
            (6, b""),
            (7, b"0123456789ab"),
            (8, b"\x01"),
            (9, b"01234567"),
            (10, b""),
            (11, b"a.b\0i\0"),
            (12, b"\x02\0\0\0a\x000123456789ab"),
            (13, b"\x02\0\0\0a\0"),
            (15, b"\x0f\0\0\0\x02\0\0\0a\0\x05\0\0\0\0"),
            (16, b"\x07\0\0\0"),
            (17, b"01234567"),
            (18, b"\x07\0\0\0\0\0\0\0"),
            (19, b"0123456789abcdef"),
            (0x7f, b""),
            (0xff, b""),
        ] {
            bytes.push(kind);
            bytes.extend(b"n\0");
            bytes.extend(value);
        }
        bytes.extend(b"\x02end\0\x03\0\0\0no\0\0");
        let length = bytes.len() as i32;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes.extend(b"behind");
        let whole = document(&bytes).unwrap();
        assert_eq!(elements(whole).count(), 21);
        assert_eq!(
            (text(whole, "end"), text(whole, "n"), number(whole, "n")),
            (Some("no"), Some("a"), Some(1))
        );
        for cut in 0..whole.len() {
            assert!(document(&whole[..cut]).is_none());
            elements(&whole[..cut]).for_each(|_| ());
        }
    }
}
