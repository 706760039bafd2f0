//! `$7$`: scrypt (RFC 7914) in Colin Percival's and Solar Designer's notation: one character for log2 N, five each for
//! r and p, the salt as it stands, `$`, the digest.

use scrypt::{Params, scrypt};

use super::{Cost, HashError, PasswordHash, Scheme, base64};

/// Measured: one of N * r * p blocks of 128 bytes, written and read back.
const NANOSECONDS_PER_BLOCK: u64 = 300;

/// A hash of this scheme.
pub(super) struct Scrypt7 {
    params: Params,
    salt: Vec<u8>,
    digest: String,
}

impl Scrypt7 {
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
        // Checked before the crate sees them: it multiplies r and p as they are.
        if r.checked_mul(p).is_none_or(|product| product == 0 || product >= 1 << 30) || log_n == 0 {
            return Err(malformed("its parameters are out of range"));
        }
        let params =
            Params::new(log_n as u8, r, p).map_err(|_| malformed("its parameters are out of range"))?;
        if digest.len() != 43 || !base64::is_alphabet(digest) {
            return Err(malformed("its digest has not 43 characters"));
        }
        Ok(Self { params, salt: salt.into(), digest: digest.into() })
    }
}

impl PasswordHash for Scrypt7 {
    fn scheme(&self) -> Scheme {
        Scheme::Scrypt
    }

    fn cost(&self) -> Cost {
        let (n, r, p) = (self.params.n(), u64::from(self.params.r()), u64::from(self.params.p()));
        let blocks = n.saturating_mul(r);
        Cost::of(
            blocks.saturating_mul(p),
            NANOSECONDS_PER_BLOCK,
            blocks.saturating_add(r * p).saturating_mul(128),
        )
    }

    fn verify(&self, guess: &[u8]) -> bool {
        let mut digest = [0; 32];
        // Refused only for an output of impossible length.
        scrypt(guess, &self.salt, &self.params, &mut digest).is_ok() && base64::encode(&digest) == self.digest
    }
}
