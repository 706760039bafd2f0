//! Tar headers: ustar, GNU and PAX.
//!
//! Where the formats leave room, this reads what Go's archive/tar reads, as runtimes unpack with it: a reader that saw
//! other names or sizes could be shown a harmless layer. See <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html>
//! and <https://www.gnu.org/software/tar/manual/html_node/Standard.html>.

/// Size of a header and unit of everything in a tar.
pub(crate) const BLOCK: usize = 512;

/// One raw header block.
pub(crate) type Block = [u8; BLOCK];

/// The fields of one header block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawHeader {
    pub(crate) kind: u8,
    pub(crate) name: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) mode: u64,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) device: (u64, u64),
}

/// Reads a header block; an error says what is wrong with it.
pub(crate) fn parse(block: &Block) -> Result<RawHeader, &'static str> {
    check_sum(block)?;
    let magic = &block[257..265];
    let gnu = magic == b"ustar  \0";
    let posix = !gnu && &magic[..6] == b"ustar\0";
    let mut name = text(&block[0..100]).to_vec();
    if posix {
        let prefix = text(&block[345..500]);
        if !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
    }
    let unsigned = |field: &[u8], what: &'static str| {
        number(field).and_then(|value| u64::try_from(value).ok()).ok_or(what)
    };
    let device = if gnu || posix {
        (
            unsigned(&block[329..337], "its device number is no number")?,
            unsigned(&block[337..345], "its device number is no number")?,
        )
    } else {
        (0, 0)
    };
    Ok(RawHeader {
        kind: block[156],
        name,
        link: text(&block[157..257]).to_vec(),
        mode: unsigned(&block[100..108], "its mode is no number")?,
        uid: unsigned(&block[108..116], "its owner is no number")?,
        gid: unsigned(&block[116..124], "its group is no number")?,
        size: unsigned(&block[124..136], "its size is no number")?,
        mtime: number(&block[136..148]).ok_or("its time is no number")?,
        device,
    })
}

/// The sum over the block with the sum's own field as blanks, as unsigned or (old programs) signed bytes.
fn check_sum(block: &Block) -> Result<(), &'static str> {
    let claimed = number(&block[148..156]).ok_or("its checksum is no number")?;
    let (mut unsigned, mut signed) = (0_i64, 0_i64);
    for (place, byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&place) { b' ' } else { *byte };
        unsigned += i64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    if claimed == unsigned || claimed == signed { Ok(()) } else { Err("its checksum does not fit") }
}

/// A field up to its first zero byte.
fn text(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or_default()
}

/// A number in octal digits, or (first bit set) in base 256.
pub(crate) fn number(field: &[u8]) -> Option<i64> {
    let (&first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let negative = first & 0x40 != 0;
        let start = if negative { i128::from(first) - 256 } else { i128::from(first & 0x7f) };
        let mut value = start;
        for byte in rest {
            value = value.checked_mul(256)?.checked_add(i128::from(*byte))?;
        }
        return i64::try_from(value).ok();
    }
    let digits = field.trim_ascii_start();
    let digits = digits.iter().position(|b| matches!(b, 0 | b' ')).map_or(digits, |end| &digits[..end]);
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// Pieces of a sparse file: offset in the file and length, in order, none overlapping.
pub(crate) type Pieces = Vec<(u64, u64)>;

/// Whether pieces are in order and within the file, and how many bytes of data they take.
pub(crate) fn check_pieces(pieces: &Pieces, size: u64) -> Option<u64> {
    let (mut end, mut data) = (0_u64, 0_u64);
    for (offset, length) in pieces {
        if *offset < end {
            return None;
        }
        end = offset.checked_add(*length)?;
        data = data.checked_add(*length)?;
    }
    (end <= size).then_some(data)
}

/// Adds the pieces of an array of 24-byte descriptors of GNU's old sparse format, up to the first empty one.
pub(crate) fn old_pieces(array: &[u8], pieces: &mut Pieces) -> Result<(), &'static str> {
    for slot in array.chunks_exact(24) {
        if slot[0] == 0 {
            break;
        }
        let field =
            |field| number(field).and_then(|value| u64::try_from(value).ok()).ok_or("its map is no number");
        pieces.push((field(&slot[..12])?, field(&slot[12..])?));
    }
    Ok(())
}

/// What an overlay's own attributes start with, by the kind of its mount.
const OVERLAY_ATTRIBUTES: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// What PAX records say of the next entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pax {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
    pub(crate) mtime: Option<i64>,
    /// The name of an attribute that an overlay takes for its own, if the entry has one.
    pub(crate) overlay: Option<Vec<u8>>,
    /// The attribute `security.capability`.
    pub(crate) capability: Option<Box<[u8]>>,
    pub(crate) sparse: PaxSparse,
}

/// The `GNU.sparse.*` records of the formats 0.0, 0.1 and 1.0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PaxSparse {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) pieces: Option<Pieces>,
}

/// Reads the records of a PAX header: `length key=value\n`, the length counting all of it.
pub(crate) fn pax(mut body: &[u8]) -> Result<Pax, &'static str> {
    let mut pax = Pax::default();
    let mut offsets: Vec<u64> = Vec::new();
    let mut lengths: Vec<u64> = Vec::new();
    while !body.is_empty() {
        let space = body.iter().position(|b| *b == b' ').ok_or("a PAX record has no length")?;
        let length = decimal(&body[..space]).ok_or("a PAX record's length is no number")?;
        let length = usize::try_from(length).map_err(|_| "a PAX record is too long")?;
        if length <= space + 1 || length > body.len() || body[length - 1] != b'\n' {
            return Err("a PAX record's length does not fit");
        }
        let (key, value) = split(&body[space + 1..length - 1]).ok_or("a PAX record has no `=`")?;
        body = &body[length..];
        // An attribute may be empty; any other record without a value takes one back.
        if let Some(attribute) = key.strip_prefix(b"SCHILY.xattr.")
            && OVERLAY_ATTRIBUTES.iter().any(|prefix| attribute.starts_with(prefix))
        {
            pax.overlay = Some(attribute.to_vec());
        }
        if value.is_empty() {
            continue;
        }
        let count = || decimal(value).ok_or("a PAX record's value is no number");
        match key {
            b"path" => pax.path = Some(named(value)?),
            b"linkpath" => pax.link = Some(named(value)?),
            b"size" => pax.size = Some(count()?),
            b"uid" => pax.uid = Some(count()?),
            b"gid" => pax.gid = Some(count()?),
            b"mtime" => pax.mtime = seconds(value),
            b"SCHILY.xattr.security.capability" => pax.capability = Some(value.into()),
            b"GNU.sparse.major" => pax.sparse.major = count()?,
            b"GNU.sparse.minor" => pax.sparse.minor = count()?,
            b"GNU.sparse.name" => pax.sparse.name = Some(named(value)?),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => pax.sparse.size = Some(count()?),
            b"GNU.sparse.offset" => offsets.push(count()?),
            b"GNU.sparse.numbytes" => lengths.push(count()?),
            b"GNU.sparse.map" => {
                let numbers = value.split(|b| *b == b',').map(decimal).collect::<Option<Vec<_>>>();
                let numbers =
                    numbers.filter(|n| n.len() % 2 == 0).ok_or("a sparse map is no list of pairs")?;
                pax.sparse.pieces = Some(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect());
            }
            _ => {}
        }
    }
    if !offsets.is_empty() {
        if offsets.len() != lengths.len() {
            return Err("a sparse map lacks offsets or lengths");
        }
        pax.sparse.pieces = Some(offsets.into_iter().zip(lengths).collect());
    }
    Ok(pax)
}

fn split(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = record.iter().position(|b| *b == b'=')?;
    Some((&record[..equals], &record[equals + 1..]))
}

fn named(value: &[u8]) -> Result<Vec<u8>, &'static str> {
    if value.contains(&0) { Err("a PAX record's name has a zero byte") } else { Ok(value.to_vec()) }
}

/// A number in decimal digits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// The whole seconds of a time with an optional fraction and sign.
fn seconds(value: &[u8]) -> Option<i64> {
    let whole = value.split(|b| *b == b'.').next()?;
    let (negative, digits) = match whole {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let value = i64::try_from(decimal(digits)?).ok()?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   755 \0"), Some(0o755));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]), Some(1 << 32));
        assert_eq!(number(&[0xff; 12]), Some(-1));
        assert_eq!(number(&[0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(number(b"12x4567\0"), None);
    }

    #[test]
    fn pax_records_are_read_by_their_length() {
        let read = pax(b"20 path=etc/sh\nadow\n12 size=123\n").expect("records");
        assert_eq!((read.path.as_deref(), read.size), (Some(&b"etc/sh\nadow"[..]), Some(123)));
        for wrong in [&b"5 a=b\n"[..], b"99 a=b\n", b"x a=b\n", b"6 abc\n", b"11 size=1x\n", b"11 path=a\0\n"]
        {
            assert!(pax(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn a_sparse_map_is_in_order_and_within_the_file() {
        assert_eq!(check_pieces(&vec![(0, 10), (20, 5)], 25), Some(15));
        assert_eq!(check_pieces(&vec![(0, 10), (5, 5)], 25), None);
        assert_eq!(check_pieces(&vec![(20, 6)], 25), None);
        assert_eq!(check_pieces(&vec![(u64::MAX, 2)], u64::MAX), None);
    }
}
