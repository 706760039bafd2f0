//! Private SSH keys of root: whether a passphrase protects them. The containers: RFC 7468, RFC 1421 (`Proc-Type`) and
//! OpenSSH's PROTOCOL.key.

use pratique_crypt::base64;

use super::text::text;
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service =
    Service { id: "ssh-key", name: "SSH", globs: &["root/.ssh/*"], open: "ssh-key", read, ..Service::NEW };

/// Characters of base64 that every key has.
const SHORTEST: usize = 64;

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    // A key may stand behind its certificate.
    if text.split("-----BEGIN ").skip(1).any(is_unprotected) {
        reading.open("root", "a private key of root has no passphrase", Rank::Administrator, None);
    }
}

/// Whether what follows `-----BEGIN ` is a private key that anybody can use.
fn is_unprotected(text: &str) -> bool {
    let Some((kind, rest)) = text.split_once("-----") else { return false };
    let Some((body, _)) = rest.split_once("-----END ") else { return false };
    let encoded: String = body.lines().filter(|line| !line.contains(':')).map(str::trim).collect();
    if encoded.len() < SHORTEST {
        return false;
    }
    let Some(key) = base64(&encoded) else { return false };
    match kind {
        "OPENSSH PRIVATE KEY" => cipher(&key) == Some(b"none"),
        "RSA PRIVATE KEY" | "DSA PRIVATE KEY" | "EC PRIVATE KEY" => !body.contains("ENCRYPTED"),
        "PRIVATE KEY" => true,
        // Public keys, certificates, and keys whose name says that they are encrypted.
        _ => false,
    }
}

/// The name of the cipher of an OpenSSH key.
fn cipher(key: &[u8]) -> Option<&[u8]> {
    let (length, rest) = key.strip_prefix(b"openssh-key-v1\0")?.split_at_checked(4)?;
    rest.get(..u32::from_be_bytes(length.try_into().ok()?) as usize)
}

/// A file with a key for golden cases: `openssh`, `rsa`, `pkcs8`, each also with `-passphrase` behind it, or `certified`. Its
/// form is that of the programs, its numbers are none of a key. Not in one piece in this source, lest it be taken for one.
#[cfg(test)]
pub(in super::super) fn made_key(kind: &str) -> String {
    use tests::{openssh, pem};
    let body = [7; 80];
    match kind {
        "openssh" => pem("OPENSSH PRIVATE KEY", "", &openssh("none", "none")),
        "openssh-passphrase" => pem("OPENSSH PRIVATE KEY", "", &openssh("aes256-ctr", "bcrypt")),
        "rsa" => pem("RSA PRIVATE KEY", "", &body),
        "rsa-passphrase" => {
            pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", &body)
        }
        "pkcs8" => pem("PRIVATE KEY", "", &body),
        "pkcs8-passphrase" => pem("ENCRYPTED PRIVATE KEY", "", &body),
        "certified" => pem("CERTIFICATE", "", &body) + &pem("EC PRIVATE KEY", "", &body),
        other => panic!("no key is called {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileMode;

    pub(super) fn pem(kind: &str, header: &str, body: &[u8]) -> String {
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode(body);
        let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        let dashes = "-".repeat(5);
        format!("{dashes}BEGIN {kind}{dashes}\n{header}{}\n{dashes}END {kind}{dashes}\n", lines.join("\n"))
    }

    /// The fields before the keys themselves, and something in their place.
    pub(super) fn openssh(cipher: &str, derivation: &str) -> Vec<u8> {
        let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
        let options =
            if derivation == "none" { vec![] } else { [field(&[7; 16]), vec![0, 0, 0, 16]].concat() };
        let fields = [cipher.as_bytes(), derivation.as_bytes(), &options].map(field).concat();
        [b"openssh-key-v1\0".as_slice(), &fields, &[0, 0, 0, 1], &[7; 200]].concat()
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
        for kind in ["openssh", "rsa", "pkcs8", "certified"] {
            assert!(is_found(&made_key(kind)), "{kind}");
        }
        for kind in ["openssh-passphrase", "rsa-passphrase", "pkcs8-passphrase"] {
            assert!(!is_found(&made_key(kind)), "{kind}");
        }
        for (kind, body) in [
            ("OPENSSH PRIVATE KEY", [7; 80].as_slice()),
            ("PRIVATE KEY", &[7; 8]),
            ("PUBLIC KEY", &[7; 80]),
            ("CERTIFICATE", &[7; 80]),
        ] {
            assert!(!is_found(&pem(kind, "", body)), "{kind}");
        }
        assert!(
            !is_found("ssh-ed25519 AAAA invented") && !is_found("") && !is_found("-----BEGIN PRIVATE KEY")
        );
    }
}
