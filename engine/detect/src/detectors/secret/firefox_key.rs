//! Firefox's `key4.db`, the database of keys of NSS: whether a primary password protects what `logins.json` beside it holds.
//!
//! Its table `metaData` has a text that is sealed with the password, to try one: by PBES2 (RFC 8018) with PBKDF2, HMAC-SHA-256 and
//! AES-256 (`sftkdb_passwordToKey` of NSS; its older versions took triple DES). The password is first digested with a salt of the database.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, KeyInit};
use asn1_rs::{Any, FromDer};
use pbkdf2::pbkdf2_hmac;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// Bytes of a block.
const BLOCK: usize = 16;
/// What the sealed text says, filled up by PKCS #7.
const TEXT: &[u8; BLOCK] = b"password-check\x02\x02";
/// RFC 8018: PBES2, PBKDF2, HMAC with SHA-256, AES-256 in CBC mode; as DER has them.
const PBES2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d";
const PBKDF2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
const HMAC_SHA256: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x02\x09";
const AES_256_CBC: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x01\x2a";
/// NSS takes 10,000, and one where there is no password.
const MAX_ROUNDS: u32 = 100_000;
/// With which the initial vector begins: NSS takes the octet string's head for a part of it.
const VECTOR_HEAD: &[u8] = &[0x04, 14];

/// Whether the empty password opens the text in a row's two columns; none if it is sealed in another way.
pub(super) fn is_open(salt: &[u8], sealed: &[u8]) -> Option<bool> {
    let [all] = members(sealed)?;
    let [algorithm, text] = members(all)?;
    let [scheme, parameters] = members(algorithm)?;
    let [derivation, encryption] = members(parameters)?;
    let [function, settings] = members(derivation)?;
    let [own_salt, rounds, _, digest] = members(settings)?;
    let [digest] = members(digest)?;
    let [cipher, vector] = members(encryption)?;
    let rounds =
        rounds.iter().try_fold(0_u32, |number, byte| number.checked_mul(256)?.checked_add((*byte).into()))?;
    let known = scheme == PBES2 && function == PBKDF2 && digest == HMAC_SHA256 && cipher == AES_256_CBC;
    if !known || !(1..=MAX_ROUNDS).contains(&rounds) {
        return None;
    }
    let mut key = [0; 32];
    // The salt and no password.
    pbkdf2_hmac::<Sha256>(&Sha1::digest(salt), own_salt, rounds, &mut key);
    let mut block = <[u8; BLOCK]>::try_from(text).ok()?.into();
    Aes256::new(&key.into()).decrypt_block(&mut block);
    let vector = [VECTOR_HEAD, vector].concat();
    (vector.len() == BLOCK)
        .then(|| block.iter().zip(vector).map(|(byte, before)| byte ^ before).eq(TEXT.iter().copied()))
}

/// What the members of a sequence in DER hold, if they are so many.
fn members<const N: usize>(mut content: &[u8]) -> Option<[&[u8]; N]> {
    let mut all = [[].as_slice(); N];
    for member in &mut all {
        let (rest, any) = Any::from_der(content).ok()?;
        (content, *member) = (rest, any.data);
    }
    content.is_empty().then_some(all)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use pratique_crypt::hex;

    /// Rows of NSS 3.87 (`certutil -N`): without a password, and with one.
    pub(in super::super) const OPEN: [&str; 2] = [
        "ca358d3019694020ef748042e19431f711b14e53",
        "308181306d06092a864886f70d01050d3060304106092a864886f70d01050c3034042077587dc4e03c51cc28687377770f739a26e3f92bcef23e839dba809c0fd98ebc020101020120300a06082a864886f70d0209301b060960864801650304012a040e85a7473f8e7a8ffe9d41825b19c50410d62e8311aa05d5112b12ffa21dcf799b",
    ];
    pub(in super::super) const PROTECTED: [&str; 2] = [
        "cd8e084cc988276379899ee27c31dbf3dc489f0e",
        "308182306e06092a864886f70d01050d3061304206092a864886f70d01050c30350420f7d8f802921a7e5a1b855072b58ddbdee3bf6f895bb0a1f9cadcb51bda24c59802022710020120300a06082a864886f70d0209301b060960864801650304012a040eaf89ea40e2e5b83f7842dcadd8f304102bc6edde528eeadf470590f093400779",
    ];

    fn judged([salt, sealed]: [&str; 2]) -> Option<bool> {
        is_open(&hex(salt).unwrap(), &hex(sealed).unwrap())
    }

    #[test]
    fn whether_a_primary_password_is_needed_is_told() {
        assert_eq!((judged(OPEN), judged(PROTECTED)), (Some(true), Some(false)));
        assert_eq!(judged([PROTECTED[0], OPEN[1]]), Some(false), "another salt makes another key");
    }

    #[test]
    fn what_is_sealed_in_another_way_is_not_judged() {
        for length in (0..OPEN[1].len()).step_by(2) {
            assert_eq!(judged([OPEN[0], &OPEN[1][..length]]), None, "{length}");
        }
        // More rounds than any program takes, none, and another digest.
        for (from, to) in [("02022710", "02027fffff"), ("02022710", "02020000"), ("0209301b", "020a301b")] {
            let changed = PROTECTED[1].replacen(from, to, 1);
            assert_ne!(changed, PROTECTED[1]);
            assert_eq!(judged([PROTECTED[0], &changed]), None, "{to}");
        }
    }
}
