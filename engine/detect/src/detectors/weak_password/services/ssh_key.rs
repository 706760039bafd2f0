//! Private SSH keys of root: whether a passphrase protects them. The containers: RFC 7468, RFC 1421 (`Proc-Type`) and
//! OpenSSH's PROTOCOL.key.

use super::text::text;
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::crypt::base64;

/// The product.
pub(super) static SERVICE: Service =
    Service { id: "ssh-key", name: "SSH", globs: &["root/.ssh/*"], open: "ssh-key", read, ..Service::NEW };

/// Characters of base64 that every key has.
const SHORTEST: usize = 64;

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let Some((_, rest)) = text.split_once("-----BEGIN ") else { return };
    let Some((kind, rest)) = rest.split_once("-----") else { return };
    let Some((body, _)) = rest.split_once("-----END ") else { return };
    let encoded: String = body.lines().filter(|line| !line.contains(':')).map(str::trim).collect();
    let unprotected = match kind {
        "OPENSSH PRIVATE KEY" => base64(&encoded).is_some_and(|key| cipher(&key) == Some(b"none")),
        "RSA PRIVATE KEY" | "DSA PRIVATE KEY" | "EC PRIVATE KEY" => !body.contains("ENCRYPTED"),
        "PRIVATE KEY" => true,
        // Public keys, certificates, and keys whose name says that they are encrypted.
        _ => return,
    };
    if unprotected && encoded.len() >= SHORTEST && base64(&encoded).is_some() {
        reading.open("root", "a private key of root has no passphrase", Rank::Administrator, None);
    }
}

/// The name of the cipher of an OpenSSH key.
fn cipher(key: &[u8]) -> Option<&[u8]> {
    let (length, rest) = key.strip_prefix(b"openssh-key-v1\0")?.split_at_checked(4)?;
    rest.get(..u32::from_be_bytes(length.try_into().ok()?) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileMode;

    /// A file in the form of a key, its body of these bytes; not a key, and not in one piece in this source.
    fn pem(kind: &str, header: &str, body: &[u8]) -> String {
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode(body);
        let dashes = "-".repeat(5);
        format!("{dashes}BEGIN {kind}{dashes}\n{header}{body}\n{dashes}END {kind}{dashes}\n")
    }

    fn is_found(text: &str) -> bool {
        let mode = FileMode { permissions: 0o600, uid: 0, gid: 0 };
        let bytes = text.as_bytes().to_vec();
        let mut reading = Reading::default();
        read(&FileInput::in_memory(b"root/.ssh/id_key", mode, &bytes), &mut reading);
        !reading.finish().0.is_empty()
    }

    #[test]
    fn keys_without_a_passphrase_are_told_from_those_with_one_and_from_what_is_no_key() {
        let openssh = |cipher: &str| {
            let length = u32::try_from(cipher.len()).unwrap().to_be_bytes();
            [b"openssh-key-v1\0".as_slice(), &length, cipher.as_bytes(), &[7; 80]].concat()
        };
        let body = [7; 80];
        for (kind, header, body, expected) in [
            ("OPENSSH PRIVATE KEY", "", openssh("none").as_slice(), true),
            ("OPENSSH PRIVATE KEY", "", &openssh("aes256-ctr"), false),
            ("OPENSSH PRIVATE KEY", "", &body, false),
            ("RSA PRIVATE KEY", "", &body, true),
            ("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", &body, false),
            ("PRIVATE KEY", "", &body, true),
            ("PRIVATE KEY", "", &[7; 8], false),
            ("ENCRYPTED PRIVATE KEY", "", &body, false),
            ("PUBLIC KEY", "", &body, false),
            ("CERTIFICATE", "", &body, false),
        ] {
            assert_eq!(is_found(&pem(kind, header, body)), expected, "{kind} {header}");
        }
        assert!(!is_found("ssh-ed25519 AAAA invented") && !is_found(""));
    }
}
