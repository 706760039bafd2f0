//! PBKDF2 (RFC 8018) with HMAC, and what SCRAM (RFC 5802, RFC 7677) stores of it: Grafana, Tomcat, LDAP, PostgreSQL,
//! MongoDB.

use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::digest::Algorithm;
use super::{Cost, PasswordHash, Scheme};

/// Measured: one iteration for one block, with some more for processors without SHA instructions.
const NANOSECONDS_PER_ITERATION: u64 = 600;

/// A key derived from the password.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pbkdf2 {
    /// SHA-1, SHA-256 or SHA-512; no others are derived with.
    pub algorithm: Algorithm,
    /// Its salt.
    pub salt: Vec<u8>,
    /// How often.
    pub iterations: u32,
    /// Whether `digest` is SCRAM's stored key, `H(HMAC(key, "Client Key"))`, and not the key itself; with SHA-1 or SHA-256.
    pub scram: bool,
    /// What is compared, at most [`MAX_DIGEST`] bytes of it.
    pub digest: Vec<u8>,
}

/// Longer keys are not derived: nobody stores them.
pub(super) const MAX_DIGEST: usize = 128;

impl Pbkdf2 {
    fn derive(&self, guess: &[u8], key: &mut [u8]) {
        match self.algorithm {
            Algorithm::Sha1 => pbkdf2_hmac::<Sha1>(guess, &self.salt, self.iterations, key),
            Algorithm::Sha512 => pbkdf2_hmac::<Sha512>(guess, &self.salt, self.iterations, key),
            _ => pbkdf2_hmac::<Sha256>(guess, &self.salt, self.iterations, key),
        }
    }
}

impl PasswordHash for Pbkdf2 {
    fn scheme(&self) -> Scheme {
        match (self.scram, self.algorithm) {
            (false, _) => Scheme::Pbkdf2,
            (true, Algorithm::Sha1) => Scheme::ScramSha1,
            (true, _) => Scheme::Scram,
        }
    }

    fn cost(&self) -> Cost {
        let blocks = if self.scram { 1 } else { self.digest.len().div_ceil(self.algorithm.length()) as u64 };
        Cost::of(u64::from(self.iterations).saturating_mul(blocks), NANOSECONDS_PER_ITERATION, 0)
    }

    fn verify(&self, guess: &[u8]) -> bool {
        if !self.scram {
            let mut key = vec![0; self.digest.len()];
            self.derive(guess, &mut key);
            return key == self.digest;
        }
        let mut key = vec![0; self.algorithm.length()];
        self.derive(guess, &mut key);
        let client = match self.algorithm {
            Algorithm::Sha1 => client_key::<Hmac<Sha1>>(&key),
            _ => client_key::<Hmac<Sha256>>(&key),
        };
        client.is_some_and(|client| self.algorithm.digest(&[&client]) == self.digest)
    }
}

/// What SCRAM makes of the derived key for the client to prove that it has it (RFC 5802, section 3).
fn client_key<M: Mac + KeyInit>(key: &[u8]) -> Option<Vec<u8>> {
    let mac = <M as KeyInit>::new_from_slice(key).ok()?;
    Some(mac.chain_update(b"Client Key").finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::stored::hex;
    use super::*;

    #[test]
    fn keys_are_those_of_the_specifications() {
        // RFC 6070, test 2; RFC 7914, section 11; RFC 7677, the example's password and salt, the stored key by Python's hashlib.
        let sha1 = Pbkdf2 {
            algorithm: Algorithm::Sha1,
            salt: b"salt".to_vec(),
            iterations: 2,
            scram: false,
            digest: hex("ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957").unwrap(),
        };
        let sha256 = Pbkdf2 {
            algorithm: Algorithm::Sha256,
            salt: b"salt".to_vec(),
            iterations: 1,
            digest: hex("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783").unwrap(),
            ..sha1.clone()
        };
        let scram = Pbkdf2 {
            algorithm: Algorithm::Sha256,
            salt: hex("5b6d99689d12358eeca04b141236fa81").unwrap(),
            iterations: 4096,
            scram: true,
            digest: hex("586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6").unwrap(),
        };
        // RFC 5802, section 5: the example's password and salt, the stored key by Python's hashlib.
        let scram_sha1 = Pbkdf2 {
            algorithm: Algorithm::Sha1,
            salt: hex("4125c247e43ab1e93c6dff76").unwrap(),
            digest: hex("e9d94660c39d65c38fbad91c358f14da0eef2bd6").unwrap(),
            ..scram.clone()
        };
        for (hash, password) in
            [(sha1, "password"), (sha256, "passwd"), (scram, "pencil"), (scram_sha1, "pencil")]
        {
            assert!(hash.verify(password.as_bytes()), "{password}");
            assert!(!hash.verify(b"other"), "{password}");
        }
    }
}
