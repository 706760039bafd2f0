//! Password hashes: which scheme a string is, what one guess costs, whether a guess is right.
//!
//! Formats: crypt(5) of libxcrypt, and what services store ([`Stored`]). One file per scheme; each recomputes the hash
//! and compares it with the stored one.
//! Nothing here is meant for storing passwords: comparisons are not constant-time, for the hash is known to the reader.

mod argon2;
mod base64;
mod bcrypt;
mod des;
mod digest;
mod ed25519;
mod md5;
mod mysql;
mod pbkdf2;
mod scrypt;
mod sha2;
mod stored;
mod yescrypt;

use std::time::Duration;

pub use des::decrypt_block;
pub use digest::{Algorithm, SaltedDigest};
pub use ed25519::Ed25519;
pub use mysql::CachingSha2;
pub use pbkdf2::Pbkdf2;
pub use scrypt::Scrypt;
pub use stored::{Stored, base64, hex};

/// A hash that guesses can be checked against.
pub trait PasswordHash: Send + Sync {
    /// Its scheme.
    fn scheme(&self) -> Scheme;

    /// What one call of [`PasswordHash::verify`] costs, estimated from the parameters alone.
    fn cost(&self) -> Cost;

    /// Whether `guess` is the password. May take as long and as much memory as [`PasswordHash::cost`] says, so ask first.
    fn verify(&self, guess: &[u8]) -> bool;
}

/// What one guess takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Time on one core of a 2020s server, measured there and scaled by the parameters; within a factor of about two.
    pub time: Duration,
    /// Memory in bytes; zero where it does not matter.
    pub memory: u64,
}

impl Cost {
    /// `units` steps of `nanoseconds` each, with `memory` bytes.
    fn of(units: u64, nanoseconds: u64, memory: u64) -> Self {
        Self { time: Duration::from_nanos(units.saturating_mul(nanoseconds)), memory }
    }
}

/// A scheme that can be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Traditional DES, 13 characters.
    Des,
    /// `$1$`.
    Md5,
    /// `$5$`.
    Sha256,
    /// `$6$`.
    Sha512,
    /// `$2a$`, `$2b$`, `$2x$`, `$2y$`.
    Bcrypt,
    /// `$y$`.
    Yescrypt,
    /// `$gy$`.
    GostYescrypt,
    /// A key derived by scrypt, `$7$` or a service's.
    Scrypt,
    /// `$apr1$`, Apache's own form of `$1$`.
    Apr1,
    /// `$argon2id$` and its brothers.
    Argon2,
    /// A digest, salted or not.
    Digest(Algorithm),
    /// A key derived by PBKDF2.
    Pbkdf2,
    /// SCRAM-SHA-256.
    Scram,
    /// SCRAM-SHA-1.
    ScramSha1,
    /// `$A$`, MySQL's caching_sha2_password.
    CachingSha2,
    /// A public key, MariaDB's ed25519.
    Ed25519,
    /// None: the password is stored as it is typed.
    Plain,
    /// One of several that look alike.
    Unclear,
}

impl Scheme {
    /// The name used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Des => "des",
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Bcrypt => "bcrypt",
            Self::Yescrypt => "yescrypt",
            Self::GostYescrypt => "gost-yescrypt",
            Self::Scrypt => "scrypt",
            Self::Apr1 => "apr1",
            Self::Argon2 => "argon2",
            Self::Digest(Algorithm::Md4) => "md4-digest",
            Self::Digest(Algorithm::Md5) => "md5-digest",
            Self::Digest(Algorithm::Sha1) => "sha1-digest",
            Self::Digest(Algorithm::Sha224) => "sha224-digest",
            Self::Digest(Algorithm::Sha256) => "sha256-digest",
            Self::Digest(Algorithm::Sha384) => "sha384-digest",
            Self::Digest(Algorithm::Sha512) => "sha512-digest",
            Self::Pbkdf2 => "pbkdf2",
            Self::Scram => "scram-sha-256",
            Self::ScramSha1 => "scram-sha-1",
            Self::CachingSha2 => "caching-sha2",
            Self::Ed25519 => "ed25519",
            Self::Plain => "plain",
            Self::Unclear => "unclear",
        }
    }
}

impl std::fmt::Display for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a string cannot be guessed against.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// No hash at all: crypt(3) can return this for no password, so nobody can log in with it.
    #[error("this is no password hash")]
    NotAHash,
    /// A hash of a scheme, or with a parameter, that cannot be verified here.
    #[error("hashes of scheme {0} cannot be verified")]
    Unsupported(String),
    /// It names a scheme, but is not what the scheme writes: cut or changed.
    #[error("it names the scheme {scheme}, but {reason}")]
    Malformed {
        /// The scheme its prefix names.
        scheme: Scheme,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Longest string crypt(3) writes (`CRYPT_OUTPUT_SIZE`).
pub const MAX_LENGTH: usize = 384;

/// Schemes of crypt(3) that are known by prefix and not verified.
const UNVERIFIED: [(&str, &str); 7] = [
    ("$3$", "nt"),
    ("$md5$", "sunmd5"),
    ("$md5,", "sunmd5"),
    ("$sha1$", "sha1crypt"),
    ("$sm3$", "sm3crypt"),
    ("$sm3y$", "sm3-yescrypt"),
    ("_", "bsdicrypt"),
];

/// Reads a hash.
///
/// # Errors
/// [`HashError`]: it is none, its scheme cannot be verified, or it is broken.
pub fn parse(text: &str) -> Result<Box<dyn PasswordHash>, HashError> {
    if let Some(rest) = text.strip_prefix("$1$") {
        return Ok(Box::new(md5::Md5Crypt::parse(Scheme::Md5, rest)?));
    }
    if let Some(rest) = text.strip_prefix("$apr1$") {
        return Ok(Box::new(md5::Md5Crypt::parse(Scheme::Apr1, rest)?));
    }
    if text.starts_with("$argon2") {
        return Ok(Box::new(argon2::Argon2Hash::parse(text)?));
    }
    if let Some(rest) = text.strip_prefix("$5$") {
        return Ok(Box::new(sha2::ShaCrypt::parse(Scheme::Sha256, rest)?));
    }
    if let Some(rest) = text.strip_prefix("$6$") {
        return Ok(Box::new(sha2::ShaCrypt::parse(Scheme::Sha512, rest)?));
    }
    if let Some(rest) = text.strip_prefix("$y$") {
        return Ok(Box::new(yescrypt::Yescrypt::parse(Scheme::Yescrypt, rest)?));
    }
    if let Some(rest) = text.strip_prefix("$gy$") {
        return Ok(Box::new(yescrypt::Yescrypt::parse(Scheme::GostYescrypt, rest)?));
    }
    if let Some(rest) = text.strip_prefix("$7$") {
        return Ok(Box::new(scrypt::Scrypt::parse(rest)?));
    }
    if text.starts_with("$2") {
        return Ok(Box::new(bcrypt::Bcrypt::parse(text)?));
    }
    if let Some((_, name)) = UNVERIFIED.iter().find(|(prefix, _)| text.starts_with(prefix)) {
        // `_` alone is a word; the extended DES hash has 20 characters.
        if *name != "bsdicrypt" || (text.len() == 20 && base64::is_alphabet(&text[1..])) {
            return Err(HashError::Unsupported((*name).into()));
        }
    }
    match text.strip_prefix('$').and_then(|rest| rest.split_once('$')) {
        Some((id, _)) => Err(HashError::Unsupported(format!("${}$", printable(id)))),
        None => {
            des::Des::parse(text).map(|des| Box::new(des) as Box<dyn PasswordHash>).ok_or(HashError::NotAHash)
        }
    }
}

/// The start of a scheme's name, for a message.
fn printable(id: &str) -> String {
    id.chars().filter(char::is_ascii_graphic).take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scheme<TAB>password as hex<TAB>hash`, see the file's head for how it was made.
    const VECTORS: &str = include_str!("../testdata/vectors.tsv");

    fn vectors() -> Vec<(&'static str, Vec<u8>, &'static str)> {
        VECTORS
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                let password = fields[1]
                    .as_bytes()
                    .chunks(2)
                    .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                    .collect();
                (fields[0], password, fields[2])
            })
            .collect()
    }

    #[test]
    fn every_hash_of_the_real_programs_is_verified_and_its_neighbours_are_refused() {
        let mut seen = std::collections::BTreeMap::new();
        for (scheme, password, text) in vectors() {
            let hash = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(hash.scheme().as_str(), scheme, "{text}");
            assert!(hash.verify(&password), "{text} is not recognised");
            let mut wrong = password.clone();
            match wrong.first_mut() {
                Some(first) => *first ^= 2,
                None => wrong.push(b'x'),
            }
            // The defect that `$2x$` stands for: a byte above 127 hides the three before it.
            if password.is_ascii() || !text.starts_with("$2x$") {
                assert!(!hash.verify(&wrong), "{text} accepts a wrong password");
            }
            *seen.entry(scheme).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 10, "a scheme has no vector: {seen:?}");
        assert!(seen.values().all(|count| *count >= 8), "{seen:?}");
    }

    #[test]
    fn a_changed_last_character_is_another_hash() {
        for (_, password, text) in vectors().into_iter().step_by(5) {
            // The third from the end carries six bits of the digest in every scheme.
            let at = text.len() - 3;
            let other = if &text[at..=at] == "." { "/" } else { "." };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            match parse(&changed) {
                Ok(hash) => assert!(!hash.verify(&password), "{changed}"),
                Err(error) => assert!(matches!(error, HashError::Malformed { .. }), "{changed}: {error}"),
            }
        }
    }

    #[test]
    fn what_is_no_hash_and_what_is_unknown_are_told_apart() {
        for locked in [
            "",
            "*",
            "!",
            "!!",
            "x",
            "NP",
            "*LK*",
            "!$6$a$b",
            "LOCKED",
            "no such hash",
            "$",
            "$$",
            "_",
            "_LOCKED",
        ] {
            match parse(locked) {
                Err(HashError::NotAHash) => {}
                Err(HashError::Unsupported(_)) if locked == "$$" => {}
                other => panic!("{locked}: {:?}", other.map(|hash| hash.scheme())),
            }
        }
        for (text, name) in [
            ("$sha1$1000$salt$91xEa0TCSk6jnl996QgXUA8913Xy", "sha1crypt"),
            ("$3$$8846f7eaee8fb117ad06bdd830b7586c", "nt"),
            ("$md5,rounds=10$salt$$JU0hvx/RJNok1i2biy.a40", "sunmd5"),
            ("_J9..rasmEedsvB6g8/6", "bsdicrypt"),
            ("$pbkdf2-sha256$1$a$b", "$pbkdf2-sha256$"),
        ] {
            assert_eq!(parse(text).err(), Some(HashError::Unsupported(name.into())), "{text}");
        }
    }

    #[test]
    fn a_cut_hash_is_malformed_and_never_a_panic() {
        for (scheme, _, text) in vectors() {
            // A digest of argon2 has the length it has.
            let whole = if scheme == "argon2" { text.rfind('$').unwrap() + 1 } else { text.len() };
            for end in 3..whole {
                if let Ok(hash) = parse(&text[..end]) {
                    panic!("{} reads as {}", &text[..end], hash.scheme());
                }
            }
        }
    }

    #[test]
    fn costs_rise_with_the_parameters() {
        let cost = |text: &str| parse(text).unwrap().cost();
        let tail = "$salt$".to_owned() + &"a".repeat(86);
        assert!(cost(&format!("$6$rounds=999999999{tail}")).time > Duration::from_secs(120));
        assert!(cost(&format!("$6{tail}")).time < Duration::from_millis(20));
        assert!(cost(&format!("$2b$31${}", "a".repeat(53))).time > Duration::from_secs(3600));
        let huge = format!("$7$SU..../....salt${}.", "a".repeat(42));
        assert!(cost(&huge).memory > 1 << 30, "{:?}", cost(&huge));
    }

    proptest::proptest! {
        #[test]
        fn any_text_parses_or_is_refused(
            prefix in proptest::sample::select(vec!["", "$1$", "$5$rounds=", "$6$", "$2b$", "$2x$04$", "$y$", "$gy$", "$7$", "$y$j"]),
            rest in ".{0,120}",
        ) {
            if let Ok(hash) = parse(&format!("{prefix}{rest}")) {
                let _ = hash.cost();
            }
        }

        /// Parameters from a foreign file reach the crates only if they are cheap, and then must not make them panic.
        #[test]
        fn any_affordable_parameters_can_be_verified(
            prefix in proptest::sample::select(vec!["$y$j", "$y$.", "$y$/", "$gy$j", "$7$"]),
            parameters in "[./0-9]{2,4}[.-z]{0,7}|[./0-9][./0-4]{2}\\.\\.\\.[./0-3]\\.{4}",
            salt in "[./0-9A-Za-z]{0,12}",
        ) {
            let separator = if prefix == "$7$" { "" } else { "$" };
            let text = format!("{prefix}{parameters}{separator}{salt}${}.", "a".repeat(42));
            if let Ok(hash) = parse(&text) {
                let cost = hash.cost();
                if cost.time < Duration::from_millis(5) && cost.memory < 8 << 20 {
                    proptest::prop_assert!(!hash.verify(b"guess"), "{}", text);
                }
            }
        }
    }
}
