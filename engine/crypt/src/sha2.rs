//! `$5$` and `$6$`: Ulrich Drepper's SHA-crypt, <https://www.akkadia.org/drepper/SHA-crypt.txt>.

use sha_crypt::{Params, sha256_crypt, sha512_crypt};

use super::{Cost, HashError, PasswordHash, Scheme, base64};

/// Measured: one round of `$5$`, with some more for processors without SHA instructions.
const NANOSECONDS_PER_ROUND_256: u64 = 200;
/// Measured: one round of `$6$`.
const NANOSECONDS_PER_ROUND_512: u64 = 300;
/// crypt(3) cuts the salt here.
const MAX_SALT: usize = 16;

#[rustfmt::skip]
pub(super) const ORDER_256: [&[usize]; 11] = [
    &[0, 10, 20], &[21, 1, 11], &[12, 22, 2], &[3, 13, 23], &[24, 4, 14], &[15, 25, 5],
    &[6, 16, 26], &[27, 7, 17], &[18, 28, 8], &[9, 19, 29], &[31, 30],
];

#[rustfmt::skip]
const ORDER_512: [&[usize]; 22] = [
    &[0, 21, 42], &[22, 43, 1], &[44, 2, 23], &[3, 24, 45], &[25, 46, 4], &[47, 5, 26], &[6, 27, 48], &[28, 49, 7],
    &[50, 8, 29], &[9, 30, 51], &[31, 52, 10], &[53, 11, 32], &[12, 33, 54], &[34, 55, 13], &[56, 14, 35], &[15, 36, 57],
    &[37, 58, 16], &[59, 17, 38], &[18, 39, 60], &[40, 61, 19], &[62, 20, 41], &[63],
];

/// A hash of either scheme.
pub(super) struct ShaCrypt {
    scheme: Scheme,
    rounds: u32,
    params: Params,
    salt: Vec<u8>,
    digest: String,
}

impl ShaCrypt {
    /// Reads what follows `$5$` or `$6$`.
    pub(super) fn parse(scheme: Scheme, rest: &str) -> Result<Self, HashError> {
        let malformed = |reason| HashError::Malformed { scheme, reason };
        let (rounds, rest) = match rest.strip_prefix("rounds=") {
            None => (Params::RECOMMENDED_ROUNDS, rest),
            Some(rest) => {
                let (rounds, rest) =
                    rest.split_once('$').ok_or_else(|| malformed("no salt follows its rounds"))?;
                if !rounds.bytes().all(|byte| byte.is_ascii_digit()) || rounds.starts_with('0') {
                    return Err(malformed("its rounds are no number"));
                }
                (rounds.parse().map_err(|_| malformed("its rounds are out of range"))?, rest)
            }
        };
        let params = Params::new(rounds).map_err(|_| malformed("its rounds are out of range"))?;
        let (salt, digest) = rest.split_once('$').ok_or_else(|| malformed("no digest follows the salt"))?;
        if salt.len() > MAX_SALT {
            return Err(malformed("its salt is longer than 16 characters"));
        }
        let length = if scheme == Scheme::Sha256 { 43 } else { 86 };
        if digest.len() != length || !base64::is_alphabet(digest) {
            return Err(malformed("its digest has the wrong length or characters"));
        }
        Ok(Self { scheme, rounds, params, salt: salt.into(), digest: digest.into() })
    }
}

impl PasswordHash for ShaCrypt {
    fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn cost(&self) -> Cost {
        let per_round =
            if self.scheme == Scheme::Sha256 { NANOSECONDS_PER_ROUND_256 } else { NANOSECONDS_PER_ROUND_512 };
        Cost::of(u64::from(self.rounds), per_round, 0)
    }

    fn verify(&self, guess: &[u8]) -> bool {
        let digest = if self.scheme == Scheme::Sha256 {
            base64::encode_groups(&sha256_crypt(guess, &self.salt, self.params), &ORDER_256)
        } else {
            base64::encode_groups(&sha512_crypt(guess, &self.salt, self.params), &ORDER_512)
        };
        digest == self.digest
    }
}
