//! Identifiers made from content: the same report gives the same ones.

use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A UUID of version 8 over a value's JSON (SHA-256, <https://www.rfc-editor.org/rfc/rfc9562#section-5.8>).
pub(crate) fn uuid(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut hasher = Hasher(Sha256::new());
    serde_json::to_writer(&mut hasher, value)?;
    let mut sum = hasher.0.finalize();
    sum[6] = sum[6] & 0x0f | 0x80;
    sum[8] = sum[8] & 0x3f | 0x80;
    let hex = hex(&sum[..16]);
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

/// The SHA-256 over parts that are kept apart, as hexadecimal digits.
pub(crate) fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Hashes what is written to it: the document is never held whole.
struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_version_8_and_depends_on_the_value_alone() {
        let one = uuid(&["a", "b"]).unwrap();
        assert_eq!(one, uuid(&["a", "b"]).unwrap());
        assert_ne!(one, uuid(&["ab"]).unwrap());
        let marks = (one.len(), &one[14..15], matches!(&one[19..20], "8" | "9" | "a" | "b"));
        assert_eq!(marks, (36, "8", true), "{one}");
    }

    #[test]
    fn parts_of_a_fingerprint_do_not_run_together() {
        assert_ne!(fingerprint(["a", "bc"]), fingerprint(["ab", "c"]));
        assert_eq!(fingerprint(["a"]).len(), 64);
    }
}
