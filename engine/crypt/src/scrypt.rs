//! scrypt (RFC 7914): as services store its key, and as crypt(3) writes it, `$7$` in Colin Percival's and Solar Designer's
//! notation: one character for log2 N, five each for r and p, the salt as it stands, `$`, the digest.

use scrypt::{Params, scrypt};
use serde::{Deserialize, Serialize};

use super::{Cost, HashError, PasswordHash, Scheme, base64};

/// Measured: one of N * r * p blocks of 128 bytes, written and read back.
const NANOSECONDS_PER_BLOCK: u64 = 300;
/// Longer keys are not derived: nobody stores them.
const MAX_DIGEST: usize = 128;
/// Bytes of the digest that crypt(3) writes.
const CRYPT_DIGEST: usize = 32;

/// A key derived from the password, of parameters that scrypt takes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scrypt {
    log_n: u8,
    r: u32,
    p: u32,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl Scrypt {
    /// A key by 2 to the power of `log_n` rounds on blocks of `r`, `p` times; none if scrypt has no such parameters, or nobody
    /// keys of this length.
    pub fn new(log_n: u32, r: u32, p: u32, salt: Vec<u8>, digest: Vec<u8>) -> Option<Self> {
        let log_n = u8::try_from(log_n).ok().filter(|log_n| *log_n > 0)?;
        // Checked before the crate sees them: it multiplies r and p as they are.
        r.checked_mul(p).filter(|product| (1..1 << 30).contains(product))?;
        Params::new(log_n, r, p).ok()?;
        (1..=MAX_DIGEST).contains(&digest.len()).then_some(Self { log_n, r, p, salt, digest })
    }

    /// Reads what follows `$7$`.
    pub(super) fn parse(rest: &str) -> Result<Self, HashError> {
        let malformed = |reason| HashError::Malformed { scheme: Scheme::Scrypt, reason };
        let (setting, digest) =
            rest.rsplit_once('$').ok_or_else(|| malformed("no digest follows the salt"))?;
        let (Some(parameters), Some(salt)) = (setting.as_bytes().get(..11), setting.as_bytes().get(11..))
        else {
            return Err(malformed("its parameters have not eleven characters"));
        };
        let number = |text| base64::number(text).ok_or_else(|| malformed("its parameters are no numbers"));
        let (log_n, r, p) =
            (number(&parameters[..1])?, number(&parameters[1..6])?, number(&parameters[6..])?);
        let digest = base64::decode(digest)
            .filter(|digest| digest.len() == CRYPT_DIGEST)
            .ok_or_else(|| malformed("its digest is no 32 bytes in 43 characters"))?;
        Self::new(log_n, r, p, salt.into(), digest)
            .ok_or_else(|| malformed("its parameters are out of range"))
    }
}

impl PasswordHash for Scrypt {
    fn scheme(&self) -> Scheme {
        Scheme::Scrypt
    }

    fn cost(&self) -> Cost {
        let (n, r, p) = (1_u64 << self.log_n.min(63), u64::from(self.r), u64::from(self.p));
        let blocks = n.saturating_mul(r);
        Cost::of(
            blocks.saturating_mul(p),
            NANOSECONDS_PER_BLOCK,
            blocks.saturating_add(r * p).saturating_mul(128),
        )
    }

    fn verify(&self, guess: &[u8]) -> bool {
        let mut digest = vec![0; self.digest.len()];
        // Refused only for parameters that [`Self::new`] refuses.
        let derived = Params::new(self.log_n, self.r, self.p)
            .is_ok_and(|params| scrypt(guess, &self.salt, &params, &mut digest).is_ok());
        derived && digest == self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::hex;
    use super::*;

    #[test]
    fn the_key_is_that_of_the_specification() {
        // RFC 7914, section 12, the second.
        let digest = hex(
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
        );
        let key = Scrypt::new(10, 8, 16, b"NaCl".to_vec(), digest.unwrap()).unwrap();
        assert!(key.verify(b"password") && !key.verify(b"Password"));
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        for (log_n, r, p, length) in [
            (0, 8, 1, 32),
            (64, 8, 1, 32),
            (300, 8, 1, 32),
            (4, 0, 1, 32),
            (4, 1 << 20, 1 << 20, 32),
            (4, 8, 1, 0),
            (4, 8, 1, 129),
        ] {
            assert!(
                Scrypt::new(log_n, r, p, Vec::new(), vec![0; length]).is_none(),
                "{log_n} {r} {p} {length}"
            );
        }
    }
}
