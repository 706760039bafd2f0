//! Snappy's raw format (<https://github.com/google/snappy/blob/main/format_description.txt>).

/// Appends what `packed` unpacks to, unless that would give more than `limit` bytes in all; none if it is damaged.
pub(super) fn unpack(packed: &[u8], content: &mut Vec<u8>, limit: usize) -> Option<()> {
    let start = content.len();
    let (mut length, mut rest) = (0_u64, packed);
    for place in 0_u32.. {
        let byte = *rest.split_off_first()?;
        length |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte < 0x80 {
            break;
        }
    }
    let end = start.checked_add(usize::try_from(length).ok()?).filter(|end| *end <= limit)?;
    while content.len() < end {
        let tag = *rest.split_off_first()?;
        let high = usize::from(tag >> 2);
        let (offset, length) = match tag & 3 {
            0 => {
                // A literal; a long one has its length in one to four bytes behind the tag.
                let length = if high < 60 { high } else { number(rest.split_off(..high - 59)?) };
                let literal = rest.split_off(..length.checked_add(1)?)?;
                content.extend(literal);
                continue;
            }
            1 => (usize::from(tag >> 5) << 8 | usize::from(*rest.split_off_first()?), (high & 7) + 4),
            2 => (number(rest.split_off(..2)?), high + 1),
            _ => (number(rest.split_off(..4)?), high + 1),
        };
        // Copies may reach into what they write.
        let from = content.len().checked_sub(offset).filter(|from| *from >= start && offset > 0)?;
        for place in from..from + length {
            content.push(content[place]);
        }
    }
    (content.len() == end).then_some(())
}

/// A number, its least significant byte first.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8], limit: usize) -> Option<Vec<u8>> {
        let mut content = b"before".to_vec();
        unpack(packed, &mut content, limit).map(|()| content[6..].to_vec())
    }

    #[test]
    fn literals_and_copies_of_each_kind() {
        // `abc`, two copies of it that overlap what they write, one of each longer kind, and a long literal.
        let long = [b'x'; 100];
        let mut packed = vec![3 + 9 + 2 + 1 + 100];
        packed.extend(b"\x08abc");
        packed.extend([(9 - 4) << 2 | 1, 3]);
        packed.extend([(2 - 1) << 2 | 2, 12, 0]);
        packed.extend([3, 1, 0, 0, 0]);
        packed.extend([60 << 2, 99]);
        packed.extend(long);
        let expected = [b"abcabcabcabc", &b"abb"[..], &long].concat();
        assert_eq!(unpacked(&packed, 200), Some(expected));
        assert_eq!(unpacked(&packed, 100), None, "more than is wanted");
        for cut in 0..packed.len() {
            assert_eq!(unpacked(&packed[..cut], 200), None, "{cut}");
        }
    }

    #[test]
    fn what_reaches_before_the_start_is_damaged() {
        assert_eq!(unpacked(b"\x05\0a\x01\x02", 100), None);
        assert_eq!(unpacked(b"\x05\0a\x01\0", 100), None);
        assert_eq!(unpacked(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 100), None);
        assert_eq!(unpacked(b"", 100), None);
    }
}
