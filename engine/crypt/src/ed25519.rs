//! What MariaDB's plugin ed25519 stores: the public key of RFC 8032 whose secret is the password, of whatever length
//! (<https://mariadb.com/kb/en/authentication-plugin-ed25519/>).

use curve25519_dalek::edwards::EdwardsPoint;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};

use super::{Cost, PasswordHash, Scheme, stored};

/// Estimated: one multiplication of the base point.
const NANOSECONDS: u64 = 40_000;
/// Bytes of a public key.
const KEY: usize = 32;

/// A public key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ed25519([u8; KEY]);

impl Ed25519 {
    /// Reads a key in base64; none if it is of another length.
    pub fn parse(text: &str) -> Option<Self> {
        stored::base64(text)?.try_into().ok().map(Self)
    }
}

impl PasswordHash for Ed25519 {
    fn scheme(&self) -> Scheme {
        Scheme::Ed25519
    }

    fn cost(&self) -> Cost {
        Cost::of(1, NANOSECONDS, 0)
    }

    fn verify(&self, guess: &[u8]) -> bool {
        let digest: [u8; 2 * KEY] = Sha512::digest(guess).into();
        let (scalar, _) = digest.split_at(KEY);
        let scalar: [u8; KEY] = scalar.try_into().unwrap_or_default();
        EdwardsPoint::mul_base_clamped(scalar).compress().to_bytes() == self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_mariadb() {
        // The first is the one in MariaDB's documents; all by the formulas of RFC 8032, section 5.1, in Python.
        for (password, key) in [
            ("secret", "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"),
            ("root", "qnSSAvMt6uoftEF487QSFHcSgz1Xs/jRNWxuQXbDGSA"),
            ("ferry2025", "3Wy1cs56Y1ws1TR1//J0UzSYXPVgPgNV/Vvxky/4GAA"),
        ] {
            let hash = Ed25519::parse(key).unwrap();
            assert!(hash.verify(password.as_bytes()) && !hash.verify(b"another"), "{password}");
        }
        assert!(
            Ed25519::parse("").is_none() && Ed25519::parse("AAAA").is_none() && Ed25519::parse("*").is_none()
        );
    }
}
