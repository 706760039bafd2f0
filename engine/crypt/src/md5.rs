//! `$1$`: Poul-Henning Kamp's MD5 scheme of FreeBSD 2, 1,000 rounds; and `$apr1$`, the same but for the name in it
//! (<https://httpd.apache.org/docs/2.4/misc/password_encryptions.html>).

use md5::{Digest, Md5};

use super::{Cost, HashError, PasswordHash, Scheme, base64};

/// Measured: one of the 1,000 rounds.
const NANOSECONDS_PER_ROUND: u64 = 150;
const ROUNDS: usize = 1000;
/// crypt(3) cuts the salt here.
const MAX_SALT: usize = 8;
const ORDER: [&[usize]; 6] = [&[0, 6, 12], &[1, 7, 13], &[2, 8, 14], &[3, 9, 15], &[4, 10, 5], &[11]];

/// A hash of this scheme.
pub(super) struct Md5Crypt {
    scheme: Scheme,
    salt: Vec<u8>,
    digest: String,
}

impl Md5Crypt {
    /// Reads what follows `$1$` or `$apr1$`.
    pub(super) fn parse(scheme: Scheme, rest: &str) -> Result<Self, HashError> {
        let malformed = |reason| HashError::Malformed { scheme, reason };
        let (salt, digest) = rest.split_once('$').ok_or_else(|| malformed("no digest follows the salt"))?;
        if salt.len() > MAX_SALT {
            return Err(malformed("its salt is longer than eight characters"));
        }
        if digest.len() != 22 || !base64::is_alphabet(digest) {
            return Err(malformed("its digest has not 22 characters"));
        }
        Ok(Self { scheme, salt: salt.into(), digest: digest.into() })
    }

    fn magic(&self) -> &'static [u8] {
        if self.scheme == Scheme::Apr1 { b"$apr1$" } else { b"$1$" }
    }
}

impl PasswordHash for Md5Crypt {
    fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn cost(&self) -> Cost {
        Cost::of(ROUNDS as u64, NANOSECONDS_PER_ROUND, 0)
    }

    fn verify(&self, guess: &[u8]) -> bool {
        base64::encode_groups(&md5_crypt(guess, self.magic(), &self.salt), &ORDER) == self.digest
    }
}

fn md5_crypt(password: &[u8], magic: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();

    let mut first = Md5::new().chain_update(password).chain_update(magic).chain_update(salt);
    for at in (0..password.len()).step_by(16) {
        first.update(&inner[..16.min(password.len() - at)]);
    }
    let mut length = password.len();
    while length > 0 {
        // A zero byte for each set bit of the length, else the password's first: an accident that became the format.
        if length & 1 == 1 {
            first.update([0]);
        } else {
            first.update(&password[..1]);
        }
        length >>= 1;
    }

    let mut digest: [u8; 16] = first.finalize().into();
    for round in 0..ROUNDS {
        let mut next = Md5::new();
        if round & 1 == 1 {
            next.update(password);
        } else {
            next.update(digest);
        }
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        if round & 1 == 1 {
            next.update(digest);
        } else {
            next.update(password);
        }
        digest = next.finalize().into();
    }
    digest
}
