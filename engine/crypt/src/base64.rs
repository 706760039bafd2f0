//! crypt(3)'s base64: the alphabet `./0-9A-Za-z`, least significant six bits first.

/// The alphabet, by value.
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The value of one character.
pub(super) fn value(character: u8) -> Option<u32> {
    Some(match character {
        b'.' => 0,
        b'/' => 1,
        b'0'..=b'9' => u32::from(character - b'0') + 2,
        b'A'..=b'Z' => u32::from(character - b'A') + 12,
        b'a'..=b'z' => u32::from(character - b'a') + 38,
        _ => return None,
    })
}

/// The character of the lowest six bits.
pub(super) fn character(value: u32) -> char {
    char::from(ALPHABET[(value & 63) as usize])
}

/// Whether `text` consists of the alphabet alone.
pub(super) fn is_alphabet(text: &str) -> bool {
    text.bytes().all(|byte| value(byte).is_some())
}

/// A number written least significant character first; none if a character is foreign or there are more than five.
pub(super) fn number(text: &[u8]) -> Option<u32> {
    if text.len() > 5 {
        return None;
    }
    text.iter().rev().try_fold(0, |sum, byte| Some(sum << 6 | value(*byte)?))
}

/// Bytes of `digest` in the order of `groups`, where each group of one to three bytes has its most significant first.
pub(super) fn encode_groups(digest: &[u8], groups: &[&[usize]]) -> String {
    let mut text = String::new();
    for group in groups {
        let bits = group.iter().fold(0, |bits, at| bits << 8 | u32::from(digest[*at]));
        push(&mut text, bits, group.len());
    }
    text
}

/// Bytes in their own order, each group of three with its least significant first (yescrypt, scrypt).
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        push(&mut text, bits, group.len());
    }
    text
}

/// The reverse of [`encode`]; none if a character is foreign or bits are left over.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.as_bytes().chunks(4) {
        let bits = number(group)?;
        let length = group.len() * 6 / 8;
        if group.len() == 1 || bits >> (length * 8) != 0 {
            return None;
        }
        bytes.extend_from_slice(&bits.to_le_bytes()[..length]);
    }
    Some(bytes)
}

fn push(text: &mut String, bits: u32, bytes: usize) {
    text.extend((0..=bytes).map(|at| character(bits >> (6 * at))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_reverses_encoding() {
        for length in 0..40u8 {
            let bytes: Vec<u8> = (0..length).map(|at| at.wrapping_mul(37)).collect();
            assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
        assert_eq!(decode("z"), None);
        assert_eq!(decode("ab!d"), None);
        assert_eq!(number(b"z/"), Some(63 + 64));
        assert_eq!(number(b"zzzzzz"), None);
    }
}
