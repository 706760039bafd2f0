//! OpenPGP's private keys (RFC 9580; RFC 4880 before it), armoured or as they are, and those that GnuPG keeps
//! (S-expressions in `private-keys-v1.d`).
//!
//! What a key holds tells its packets: a public key is none, and neither is one whose secret lies on a card.

use std::ops::Range;

use pratique_core::Severity;

use super::checks::{base64, varied};
use super::shapes::{CLOUD, Shape};

const KEY: Shape = Shape { rule: "private-key", ..CLOUD };

/// A key that anybody can use.
pub(super) const PGP: Shape = Shape {
    id: "pgp-key",
    what: "OpenPGP private key",
    literals: &["-----BEGIN PGP PRIVATE KEY BLOCK-----"],
    pattern: "-----BEGIN PGP PRIVATE KEY BLOCK-----(?:[^\\x00-]|-[^\\x00-])*",
    // Of a long one the first packets tell.
    reach: 15 << 10,
    check: |armoured| dearmoured(armoured).and_then(|key| lock(&key)) == Some(Lock::Open),
    ..KEY
};

/// A key that needs a passphrase.
pub(super) const PGP_PROTECTED: Shape = Shape {
    id: "pgp-key-protected",
    what: "OpenPGP private key with a passphrase",
    severity: Severity::Low,
    check: |armoured| dearmoured(armoured).and_then(|key| lock(&key)) == Some(Lock::Passphrase),
    ..PGP
};

/// A key that anybody can use, as GnuPG's agent keeps it (`agent/keyformat.txt`).
pub(super) const GNUPG: Shape = Shape {
    id: "gnupg-key",
    what: "private key of GnuPG's agent",
    literals: &["(private-key", "(11:private-key"],
    pattern: "\\((?:11:)?private-key\\s{0,4}\\((?:3:)?(?:ecc|rsa|dsa|elg)(?s:.)+?\\((?:1:d[0-9]{2,4}:|d\\s{1,4}#)([^#)]{16,})",
    reach: 8 << 10,
    check: varied,
    ..KEY
};

/// The same with a passphrase.
pub(super) const GNUPG_PROTECTED: Shape = Shape {
    id: "gnupg-key-protected",
    what: "private key of GnuPG's agent with a passphrase",
    severity: Severity::Low,
    literals: &["(protected-private-key", "(21:protected-private-key"],
    pattern: "\\((?:21:)?protected-private-key\\s{0,4}\\((?:3:)?(?:ecc|rsa|dsa|elg)(?s:.)+?\\((?:9:)?protected\\s{0,4}(?:[0-9]{1,2}:)?openpgp-s2k[0-9a-z-]+",
    ..GNUPG
};

/// How a key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    Open,
    Passphrase,
    /// The secret is not in it: it lies on a card, or was left out (GnuPG's S2K 101).
    Elsewhere,
}

/// Packets of one key that are looked at.
const MAX_PACKETS: usize = 100;
const SECRET_KEY: u8 = 5;
const SECRET_SUBKEY: u8 = 7;

/// The key at the start of a file that has no armour: id of its shape, and its first packet.
pub(super) fn binary(bytes: &[u8]) -> Option<(&'static str, Range<usize>)> {
    let mut rest = bytes;
    let (tag, _) = packet(&mut rest)?;
    let first = bytes.len() - rest.len();
    // Behind a key stand a signature, a trust packet, a user's id or image; then it is no accident.
    let (next, _) = packet(&mut rest).filter(|_| tag == SECRET_KEY)?;
    let shape = match lock(bytes).filter(|_| matches!(next, 2 | SECRET_SUBKEY | 12 | 13 | 17))? {
        Lock::Open => PGP.id,
        Lock::Passphrase => PGP_PROTECTED.id,
        Lock::Elsewhere => return None,
    };
    Some((shape, 0..first))
}

/// How the secrets of a key are kept, the least guarded counts; none if its first packet is no private key.
fn lock(mut bytes: &[u8]) -> Option<Lock> {
    let (tag, body) = packet(&mut bytes)?;
    let mut least = secret(body).filter(|_| tag == SECRET_KEY)?;
    for _ in 1..MAX_PACKETS {
        let Some((tag, body)) = packet(&mut bytes) else { break };
        least = match secret(body).filter(|_| matches!(tag, SECRET_KEY | SECRET_SUBKEY)) {
            Some(Lock::Open) => Lock::Open,
            Some(Lock::Passphrase) if least == Lock::Elsewhere => Lock::Passphrase,
            _ => least,
        };
    }
    Some(least)
}

/// Takes a whole packet (section 4.2): its type and body.
fn packet<'b>(bytes: &mut &'b [u8]) -> Option<(u8, &'b [u8])> {
    let head = number(bytes, 1)? as u8;
    let (tag, length) = match (head >> 6, head & 3) {
        (3, _) => {
            let length = match number(bytes, 1)? {
                short @ ..192 => short,
                high @ 192..224 => ((high - 192) << 8) + number(bytes, 1)? + 192,
                255 => number(bytes, 4)?,
                // Keys do not come in parts.
                _ => return None,
            };
            (head & 0x3f, length)
        }
        (2, kind @ 0..3) => (head >> 2 & 0xf, number(bytes, 1 << kind)?),
        _ => return None,
    };
    Some((tag, bytes.split_off(..length)?))
}

/// How the secret of a packet is kept (section 5.5.3); none if it is no private key.
fn secret(mut body: &[u8]) -> Option<Lock> {
    let version = number(&mut body, 1)?;
    number(&mut body, 4)?;
    match version {
        3 => number(&mut body, 2).map(drop)?,
        4..=6 => {}
        _ => return None,
    }
    let algorithm = number(&mut body, 1)?;
    if version < 5 {
        public(algorithm, &mut body)?;
    } else {
        let length = number(&mut body, 4)?;
        body.split_off(..length)?;
    }
    let usage = number(&mut body, 1)?;
    if version == 5 || version == 6 && usage > 0 {
        number(&mut body, 1)?;
    }
    if usage == 0 {
        let (material, sum) = body.split_last_chunk::<2>()?;
        let total = material.iter().fold(0_u16, |total, byte| total.wrapping_add(u16::from(*byte)));
        let is_whole = version > 4 || total == u16::from_be_bytes(*sum);
        return (is_whole && material.len() >= 16).then_some(Lock::Open);
    }
    if usage >= 253 {
        number(&mut body, if usage == 253 { 2 } else { 1 })?;
        if version == 6 {
            number(&mut body, 1)?;
        }
        let way = number(&mut body, 1)?;
        if way == 101 && body.get(1..4) == Some(b"GNU") {
            return Some(Lock::Elsewhere);
        }
    }
    (body.len() >= 16).then_some(Lock::Passphrase)
}

/// Takes the public numbers of a key of version 3 or 4 (section 5.5.5).
fn public(algorithm: usize, body: &mut &[u8]) -> Option<()> {
    let mpi = |body: &mut &[u8]| {
        let bits = number(body, 2)?;
        body.split_off(..bits.div_ceil(8)).map(drop)
    };
    let short = |body: &mut &[u8]| {
        let length = number(body, 1)?;
        body.split_off(..length).map(drop)
    };
    match algorithm {
        1..=3 => (0..2).try_for_each(|_| mpi(body)),
        16 | 20 => (0..3).try_for_each(|_| mpi(body)),
        17 => (0..4).try_for_each(|_| mpi(body)),
        18 => short(body).and_then(|()| mpi(body)).and_then(|()| short(body)),
        19 | 22 => short(body).and_then(|()| mpi(body)),
        25 | 27 => body.split_off(..32).map(drop),
        26 => body.split_off(..56).map(drop),
        28 => body.split_off(..57).map(drop),
        _ => None,
    }
}

/// Takes a big-endian number of so many bytes.
fn number(bytes: &mut &[u8], length: usize) -> Option<usize> {
    let taken = bytes.split_off(..length)?;
    Some(taken.iter().fold(0, |value, byte| value << 8 | usize::from(*byte)))
}

/// What stands in an armour (section 6.2), as far as it goes. Its lines may be escaped, as in JSON.
fn dearmoured(armoured: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(armoured).ok()?.replace("\\r", "").replace("\\n", "\n");
    let lines = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.contains(": "));
    base64(lines.take_while(|line| !line.starts_with(['=', '-'])).flat_map(str::bytes))
}
