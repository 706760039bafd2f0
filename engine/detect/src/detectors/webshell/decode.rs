//! Decoders that programs hide texts with.

use std::io::Read;

use super::value::MAX_TEXT;

/// RFC 4648 base64, of either alphabet; foreign bytes are passed over, as PHP and others do.
pub(super) fn base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

/// RFC 4648 base64 of bytes.
pub(super) fn to_base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            text.push(if at <= group.len() { ALPHABET[(bits >> (18 - 6 * at)) as usize & 63] } else { b'=' });
        }
    }
    text
}

/// Pairs of hexadecimal digits; none if there is anything else.
pub(super) fn hex(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    text.chunks(2).map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8)).collect()
}

pub(super) fn to_hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

/// Letters 13 places further.
pub(super) fn rot13(text: &[u8]) -> Vec<u8> {
    let turn = |byte: u8, first: u8| (byte - first + 13) % 26 + first;
    let turned = text.iter().map(|byte| match byte {
        b'a'..=b'z' => turn(*byte, b'a'),
        b'A'..=b'Z' => turn(*byte, b'A'),
        _ => *byte,
    });
    turned.collect()
}

/// `%41`, and `+` as a blank if `plus`.
pub(super) fn percent(text: &[u8], plus: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'%' if text.get(at + 1..at + 3).is_some_and(|pair| hex(pair).is_some()) => {
                bytes.extend(hex(&text[at + 1..at + 3]).unwrap_or_default());
                at += 2;
            }
            b'+' if plus => bytes.push(b' '),
            byte => bytes.push(byte),
        }
        at += 1;
    }
    bytes
}

/// How a text is compressed.
#[derive(Clone, Copy)]
pub(super) enum Packing {
    /// RFC 1951.
    Deflate,
    /// RFC 1950.
    Zlib,
    /// RFC 1952.
    Gzip,
}

/// As much as there is of the text, if that is not too long.
pub(super) fn unpack(bytes: &[u8], packing: Packing) -> Option<Vec<u8>> {
    let limit = MAX_TEXT as u64 + 1;
    let mut text = Vec::new();
    let read = match packing {
        Packing::Deflate => flate2::read::DeflateDecoder::new(bytes).take(limit).read_to_end(&mut text),
        Packing::Zlib => flate2::read::ZlibDecoder::new(bytes).take(limit).read_to_end(&mut text),
        Packing::Gzip => flate2::read::GzDecoder::new(bytes).take(limit).read_to_end(&mut text),
    };
    // What breaks off is read as far as it goes.
    let is_read = read.is_ok() || !text.is_empty();
    (is_read && text.len() <= MAX_TEXT).then_some(text)
}

/// uuencoded lines, as PHP's `convert_uuencode` writes them.
pub(super) fn uudecode(text: &[u8]) -> Vec<u8> {
    let value = |byte: u8| u32::from(byte.wrapping_sub(32) & 63);
    let mut bytes = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Some((length, line)) = line.split_first() else { continue };
        let length = value(*length) as usize;
        let mut decoded: Vec<u8> = Vec::new();
        for group in line.chunks(4) {
            let bits = (0..4).fold(0, |bits, at| bits << 6 | value(group.get(at).copied().unwrap_or(b'`')));
            decoded.extend_from_slice(&bits.to_be_bytes()[1..]);
        }
        decoded.truncate(length);
        bytes.extend(decoded);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for length in 0..20_u8 {
            let bytes: Vec<u8> = (0..length).map(|at| at.wrapping_mul(41)).collect();
            assert_eq!(base64(&to_base64(&bytes)), bytes);
            assert_eq!(hex(&to_hex(&bytes)), Some(bytes));
        }
        assert_eq!(base64(b"aGVs bG8="), b"hello");
        assert_eq!(rot13(b"Uryyb, 1"), b"Hello, 1");
        assert_eq!(percent(b"%41+%4", true), b"A %4");
        assert_eq!(uudecode(b"%:&5L;&\\\n`\n"), b"hello");
    }

    #[test]
    fn what_unpacks_to_too_much_is_not_unpacked() {
        use std::io::Write;
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&vec![0; MAX_TEXT + 1]).unwrap();
        let packed = encoder.finish().unwrap();
        assert!(unpack(&packed, Packing::Deflate).is_none());
    }
}
