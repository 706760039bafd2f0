//! `$A$005$`: what MySQL's plugin caching_sha2_password stores. SHA-crypt with SHA-256 as in
//! <https://www.akkadia.org/drepper/SHA-crypt.txt>, but for a salt of 20 bytes where that cuts at 16 (MySQL's
//! `my_crypt_genhash`, documented in the source of sha2_password).

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Cost, PasswordHash, Scheme, base64, sha2::ORDER_256};

/// Measured: one round, as of `$5$`.
const NANOSECONDS_PER_ROUND: u64 = 200;
/// Bytes of its salt.
const SALT: usize = 20;
/// Characters of its digest.
const DIGEST: usize = 43;

/// A hash of this scheme.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CachingSha2 {
    /// In thousands.
    kilorounds: u16,
    salt: Vec<u8>,
    digest: String,
}

impl CachingSha2 {
    /// Bytes of the whole: `$A$`, three hexadecimal digits, `$`, salt, digest.
    pub const LENGTH: usize = 7 + SALT + DIGEST;

    /// Reads the whole of a stored hash; none if it is not of this form.
    pub fn parse(stored: &[u8]) -> Option<Self> {
        let rest = stored.strip_prefix(b"$A$")?;
        let (rounds, rest) = rest.split_at_checked(3)?;
        let kilorounds = u16::from_str_radix(std::str::from_utf8(rounds).ok()?, 16).ok()?;
        let (salt, digest) = rest.strip_prefix(b"$")?.split_at_checked(SALT)?;
        let digest = std::str::from_utf8(digest).ok()?;
        let valid = kilorounds > 0 && digest.len() == DIGEST && base64::is_alphabet(digest);
        valid.then(|| Self { kilorounds, salt: salt.to_vec(), digest: digest.to_owned() })
    }
}

impl PasswordHash for CachingSha2 {
    fn scheme(&self) -> Scheme {
        Scheme::CachingSha2
    }

    fn cost(&self) -> Cost {
        Cost::of(u64::from(self.kilorounds) * 1000, NANOSECONDS_PER_ROUND, 0)
    }

    fn verify(&self, guess: &[u8]) -> bool {
        let digest = sha256_crypt(guess, &self.salt, u32::from(self.kilorounds) * 1000);
        base64::encode_groups(&digest, &ORDER_256) == self.digest
    }
}

fn sha256_crypt(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let repeated =
        |digest: [u8; 32], length: usize| -> Vec<u8> { digest.into_iter().cycle().take(length).collect() };
    let second = Sha256::new().chain_update(password).chain_update(salt).chain_update(password).finalize();

    let mut first = Sha256::new().chain_update(password).chain_update(salt);
    first.update(repeated(second.into(), password.len()));
    let mut length = password.len();
    while length > 0 {
        if length & 1 == 1 {
            first.update(second);
        } else {
            first.update(password);
        }
        length >>= 1;
    }
    let mut digest: [u8; 32] = first.finalize().into();

    let mut of_password = Sha256::new();
    for _ in 0..password.len() {
        of_password.update(password);
    }
    let p = repeated(of_password.finalize().into(), password.len());
    let mut of_salt = Sha256::new();
    for _ in 0..16 + usize::from(digest[0]) {
        of_salt.update(salt);
    }
    let s = repeated(of_salt.finalize().into(), salt.len());

    for round in 0..rounds {
        let mut next = Sha256::new();
        if round & 1 == 1 {
            next.update(&p)
        } else {
            next.update(digest)
        }
        if round % 3 != 0 {
            next.update(&s);
        }
        if round % 7 != 0 {
            next.update(&p);
        }
        if round & 1 == 1 {
            next.update(digest)
        } else {
            next.update(&p)
        }
        digest = next.finalize().into();
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_salt_of_16_bytes_it_is_sha_crypt() {
        for (password, salt) in [
            ("", "0123456789abcdef"),
            ("harbour", "saltstringsaltst"),
            (&"long".repeat(40), "0123456789abcdef"),
        ] {
            let params = sha_crypt::Params::new(5000).unwrap();
            assert_eq!(
                sha256_crypt(password.as_bytes(), salt.as_bytes(), 5000),
                sha_crypt::sha256_crypt(password.as_bytes(), salt.as_bytes(), params)
            );
        }
    }

    #[test]
    fn what_is_of_another_form_is_refused() {
        let good = [b"$A$005$".as_slice(), &[7; 20], &[b'a'; 43]].concat();
        assert_eq!(good.len(), CachingSha2::LENGTH);
        assert!(CachingSha2::parse(&good).is_some());
        for end in 0..good.len() {
            assert!(CachingSha2::parse(&good[..end]).is_none());
        }
        assert!(CachingSha2::parse(&[good.as_slice(), b"a"].concat()).is_none());
        assert!(CachingSha2::parse(&[b"$A$000$".as_slice(), &good[7..]].concat()).is_none());
    }
}
