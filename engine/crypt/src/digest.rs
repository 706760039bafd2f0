//! One or several rounds of a plain message digest, salted or not: MySQL's native form, PostgreSQL's `md5`, LDAP's
//! `{SSHA}`, RabbitMQ, Redis, Tomcat, Jupyter, Windows' NT hash.

use md4::Md4;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::{Cost, PasswordHash, Scheme};

/// Measured: one digest of a short text, the dearest of them.
const NANOSECONDS: u64 = 400;

/// A message digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// RFC 1320.
    Md4,
    /// RFC 1321.
    Md5,
    /// FIPS 180-4.
    Sha1,
    /// FIPS 180-4.
    Sha224,
    /// FIPS 180-4.
    Sha256,
    /// FIPS 180-4.
    Sha384,
    /// FIPS 180-4.
    Sha512,
}

impl Algorithm {
    /// The one whose digests have this many bytes; MD5 of those with 16.
    pub fn of_length(bytes: usize) -> Option<Self> {
        [Self::Md5, Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.length() == bytes)
    }

    /// Bytes of a digest.
    pub fn length(self) -> usize {
        match self {
            Self::Md4 | Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The digest of the parts behind each other.
    pub(super) fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        fn of<D: md5::Digest>(parts: &[&[u8]]) -> Vec<u8> {
            parts.iter().fold(D::new(), |digest, part| digest.chain_update(part)).finalize().to_vec()
        }
        match self {
            Self::Md4 => of::<Md4>(parts),
            Self::Md5 => of::<Md5>(parts),
            Self::Sha1 => of::<Sha1>(parts),
            Self::Sha224 => of::<Sha224>(parts),
            Self::Sha256 => of::<Sha256>(parts),
            Self::Sha384 => of::<Sha384>(parts),
            Self::Sha512 => of::<Sha512>(parts),
        }
    }
}

/// `H(… H(before ‖ password ‖ after))`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SaltedDigest {
    /// Of all rounds.
    pub algorithm: Algorithm,
    /// Digested before the password.
    pub before: Vec<u8>,
    /// Digested behind it.
    pub after: Vec<u8>,
    /// Whether the password is digested as UTF-16, its least significant bytes first.
    pub wide: bool,
    /// How often the digest is digested once more.
    pub again: u32,
    /// What comes of it, or its beginning where the program keeps no more.
    pub digest: Vec<u8>,
}

impl SaltedDigest {
    /// One round without salt.
    pub fn plain(algorithm: Algorithm, digest: Vec<u8>) -> Self {
        Self { algorithm, before: Vec::new(), after: Vec::new(), wide: false, again: 0, digest }
    }
}

impl PasswordHash for SaltedDigest {
    fn scheme(&self) -> Scheme {
        Scheme::Digest(self.algorithm)
    }

    fn cost(&self) -> Cost {
        Cost::of(u64::from(self.again) + 1, NANOSECONDS, 0)
    }

    fn verify(&self, guess: &[u8]) -> bool {
        let wide: Vec<u8>;
        let guess = if self.wide {
            wide = String::from_utf8_lossy(guess).encode_utf16().flat_map(u16::to_le_bytes).collect();
            &wide
        } else {
            guess
        };
        let mut digest = self.algorithm.digest(&[&self.before, guess, &self.after]);
        for _ in 0..self.again {
            digest = self.algorithm.digest(&[&digest]);
        }
        digest == self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        super::super::stored::hex(text).unwrap()
    }

    #[test]
    fn digests_are_those_of_the_programs() {
        let plain = |algorithm, digest| SaltedDigest::plain(algorithm, hex(digest));
        // MySQL's PASSWORD('password'), Samba's NT hash of it, PostgreSQL's md5 of role `pier`; by Python's hashlib.
        for hash in [
            SaltedDigest { again: 1, ..plain(Algorithm::Sha1, "2470c0c06dee42fd1618bb99005adca2ec9d1e19") },
            SaltedDigest { wide: true, ..plain(Algorithm::Md4, "8846f7eaee8fb117ad06bdd830b7586c") },
            SaltedDigest {
                after: b"pier".to_vec(),
                ..plain(Algorithm::Md5, "feee334a7edc35fed8809aef460166fc")
            },
            plain(Algorithm::Sha256, "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"),
        ] {
            assert!(hash.verify(b"password"), "{:?}", hash.algorithm);
            assert!(!hash.verify(b"Password"), "{:?}", hash.algorithm);
        }
    }

    #[test]
    fn lengths_tell_the_algorithm() {
        for algorithm in [
            Algorithm::Md5,
            Algorithm::Sha1,
            Algorithm::Sha224,
            Algorithm::Sha256,
            Algorithm::Sha384,
            Algorithm::Sha512,
        ] {
            assert_eq!(Algorithm::of_length(algorithm.digest(&[b"x"]).len()), Some(algorithm));
        }
        assert_eq!(Algorithm::of_length(15), None);
    }
}
