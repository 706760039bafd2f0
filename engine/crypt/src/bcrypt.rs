//! `$2a$`, `$2b$`, `$2x$`, `$2y$`: bcrypt by Provos and Mazières, as crypt_blowfish writes it.
//!
//! All four are the same for passwords of ASCII characters. `$2x$` marks hashes made by an old version that extended
//! the sign of each byte; that is done again here. `$2a$` differs from `$2b$` only for passwords with the byte 0xFF,
//! which no UTF-8 guess has.

use super::{Cost, HashError, PasswordHash, Scheme};

/// Measured: one of the 2^cost expansions of the key schedule.
const NANOSECONDS_PER_EXPANSION: u64 = 70_000;
/// The cipher uses this much of the password and its final zero byte.
const MAX_KEY: usize = 72;

/// A hash of this scheme.
pub(super) struct Bcrypt {
    sign_extended: bool,
    cost: u32,
    salt: [u8; 16],
    digest: [u8; 23],
}

impl Bcrypt {
    /// Reads a whole hash, which begins with `$2`.
    pub(super) fn parse(text: &str) -> Result<Self, HashError> {
        let malformed = |reason| HashError::Malformed { scheme: Scheme::Bcrypt, reason };
        let fields: Vec<&str> = text.split('$').collect();
        let &["", version, cost, rest] = fields.as_slice() else {
            return Err(malformed("it has not the form `$2b$cost$salt and digest`"));
        };
        let sign_extended = match version {
            "2x" => true,
            "2a" | "2b" | "2y" => false,
            _ => return Err(HashError::Unsupported(format!("${}$", super::printable(version)))),
        };
        let cost = match cost.as_bytes() {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => u32::from(tens - b'0') * 10 + u32::from(ones - b'0'),
            _ => return Err(malformed("its cost is no number of two digits")),
        };
        if !(4..=31).contains(&cost) {
            return Err(malformed("its cost is not between 4 and 31"));
        }
        let wrong = || malformed("salt and digest have not 53 characters");
        if rest.len() != 53 || !rest.is_ascii() {
            return Err(wrong());
        }
        let (salt, digest) = rest.split_at(22);
        Ok(Self {
            sign_extended,
            cost,
            salt: decode(salt).ok_or_else(wrong)?,
            digest: decode(digest).ok_or_else(wrong)?,
        })
    }

    /// The cipher's key for a password.
    fn key(&self, password: &[u8]) -> Vec<u8> {
        let mut key = password.to_vec();
        key.push(0);
        if self.sign_extended {
            let mut bytes = key.iter().cycle();
            let mut words = Vec::with_capacity(MAX_KEY);
            for _ in 0..MAX_KEY / 4 {
                let word = bytes
                    .by_ref()
                    .take(4)
                    .fold(0u32, |word, byte| word << 8 | i32::from(byte.cast_signed()).cast_unsigned());
                words.extend_from_slice(&word.to_be_bytes());
            }
            return words;
        }
        key.truncate(MAX_KEY);
        key
    }
}

impl PasswordHash for Bcrypt {
    fn scheme(&self) -> Scheme {
        Scheme::Bcrypt
    }

    fn cost(&self) -> Cost {
        Cost::of(1 << self.cost, NANOSECONDS_PER_EXPANSION, 0)
    }

    fn verify(&self, guess: &[u8]) -> bool {
        bcrypt::bcrypt(self.cost, self.salt, &self.key(guess))[..23] == self.digest
    }
}

/// bcrypt's own base64: another alphabet, most significant bits first, surplus bits ignored.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (mut bits, mut held, mut at) = (0u32, 0, 0);
    for character in text.bytes() {
        let value = match character {
            b'.' => 0,
            b'/' => 1,
            b'A'..=b'Z' => character - b'A' + 2,
            b'a'..=b'z' => character - b'a' + 28,
            b'0'..=b'9' => character - b'0' + 54,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 && at < N {
            held -= 8;
            bytes[at] = (bits >> held & 0xff) as u8;
            at += 1;
        }
    }
    (at == N).then_some(bytes)
}
