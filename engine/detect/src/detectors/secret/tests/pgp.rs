//! OpenPGP's keys.

use super::super::pgp::binary;
use super::{HEX, base64, mixed};

/// What is done with the secret of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kept {
    Open,
    Passphrase,
    OnCard,
    /// There is none: it is a public key.
    Public,
    /// Its checksum is wrong.
    Damaged,
}

fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[0xc0 | tag, body.len() as u8], body].concat()
}

/// A key's packet of version 4, for Ed25519 as GnuPG writes it (RFC 4880bis).
fn key(kept: Kept) -> Vec<u8> {
    let public = [
        b"\x04\x6b\x08\x5a\x59\x16\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01\x01\x07\x40".as_slice(),
        &[7; 32],
    ]
    .concat();
    let secret = [b"\x01\x00".as_slice(), mixed(HEX, 32).as_bytes()].concat();
    let sum = secret.iter().map(|byte| u16::from(*byte)).sum::<u16>() ^ u16::from(kept == Kept::Damaged);
    let rest = match kept {
        Kept::Public => return packet(6, &public),
        Kept::Open | Kept::Damaged => [&[0], secret.as_slice(), &sum.to_be_bytes()].concat(),
        Kept::Passphrase => [b"\xfe\x07\x03\x02saltsalt\xff".as_slice(), &[9; 16], &[5; 54]].concat(),
        Kept::OnCard => [b"\xff\x00\x65\x00GNU\x02\x10".as_slice(), &[9; 16]].concat(),
    };
    packet(5, &[public, rest].concat())
}

fn with_user(kept: Kept) -> Vec<u8> {
    [key(kept), packet(13, b"Ann <ann@example.org>")].concat()
}

pub(super) fn armoured(kept: Kept) -> String {
    let body = base64(&with_user(kept)).replace('-', "+").replace('_', "/");
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let label = "PGP PRIVATE KEY BLOCK";
    format!(
        "-----BEGIN {label}-----\nComment: of a test\n\n{}\n=AbCd\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// As GnuPG's agent keeps it.
pub(super) fn agents(passphrase: bool) -> String {
    let secret = mixed(&HEX.to_uppercase(), 64);
    match passphrase {
        false => {
            format!("Key: (private-key (ecc (curve Ed25519)(flags eddsa)(q #40AA#)\n (d #{secret}#)))\n")
        }
        true => {
            format!(
                "(21:protected-private-key(3:ecc(5:curve7:Ed25519)(1:q2:ab)(9:protected25:openpgp-s2k3-ocb-aes({secret})))"
            )
        }
    }
}

#[test]
fn a_key_without_armour_is_told_by_its_packets() {
    let id = |bytes: &[u8]| binary(bytes).map(|(id, _)| id);
    assert_eq!(id(&with_user(Kept::Open)), Some("pgp-key"));
    assert_eq!(binary(&with_user(Kept::Open)).unwrap().1, 0..key(Kept::Open).len());
    assert_eq!(id(&with_user(Kept::Passphrase)), Some("pgp-key-protected"));
    // The main key is elsewhere, and a subkey is not.
    let subkey = |kept| [vec![0xc7], key(kept)[1..].to_vec()].concat();
    let with_subkey = |kept| [with_user(Kept::OnCard), subkey(kept)].concat();
    assert_eq!(id(&with_subkey(Kept::Open)), Some("pgp-key"));
    assert_eq!(id(&with_subkey(Kept::Passphrase)), Some("pgp-key-protected"));
    for kept in [Kept::Public, Kept::OnCard, Kept::Damaged] {
        assert_eq!(id(&with_user(kept)), None, "{kept:?}");
    }
    // Nothing follows it, or no packet does.
    assert_eq!(id(&key(Kept::Open)), None);
    assert_eq!(id(&[key(Kept::Open), vec![0xff; 40]].concat()), None);
    for length in 0..key(Kept::Open).len() {
        assert_eq!(id(&with_user(Kept::Open)[..length]), None, "{length}");
    }
}

/// Version 6 (RFC 9580) says how long its numbers are, and has no checksum.
#[test]
fn a_key_of_version_6_is_told_by_its_lengths() {
    let head = [b"\x06\x6b\x08\x5a\x59\x1b\0\0\0\x20".as_slice(), &[7; 32]].concat();
    let user = packet(13, b"Ann");
    let of =
        |rest: &[u8]| binary(&[packet(5, &[&head, rest].concat()), user.clone()].concat()).map(|(id, _)| id);
    assert_eq!(of(&[&[0][..], &[8; 32]].concat()), Some("pgp-key"));
    let protected = [b"\xfd\x26\x09\x02\x14\x04".as_slice(), &[3; 19], &[9; 15], &[5; 48]].concat();
    assert_eq!(of(&protected), Some("pgp-key-protected"));
}
