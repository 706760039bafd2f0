//! Content digests as the OCI image specification writes them: `algorithm:hex`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

/// A digest such as `sha256:3f2a…`, checked when it is made: a known algorithm and the right number of lower-case
/// hexadecimal digits (<https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests>).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no digest: {reason}; write it as sha256:<64 hexadecimal digits>")]
pub struct InvalidDigest {
    text: String,
    reason: &'static str,
}

impl Digest {
    /// The digest of a SHA-256 sum.
    pub fn sha256(sum: [u8; 32]) -> Self {
        Self::written("sha256", &sum)
    }

    /// The SHA-256 digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::sha256(Sha256::digest(bytes).into())
    }

    fn written(algorithm: &str, sum: &[u8]) -> Self {
        let mut text = format!("{algorithm}:");
        for byte in sum {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
            }
        }
        Self(text)
    }

    /// The whole text, `algorithm:hex`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The algorithm, `sha256` or `sha512`.
    pub fn algorithm(&self) -> &str {
        self.0.split_once(':').map_or("", |(algorithm, _)| algorithm)
    }

    /// The hexadecimal digits without the algorithm.
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// The first 12 hexadecimal digits, as people quote image IDs.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidDigest { text: text.chars().take(160).collect(), reason };
        let (algorithm, hex) = text.split_once(':').ok_or_else(|| invalid("it has no colon"))?;
        let length = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            _ => return Err(invalid("its algorithm is neither sha256 nor sha512")),
        };
        if hex.len() != length {
            return Err(invalid("it has the wrong number of digits"));
        }
        if !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(invalid("it has characters other than 0-9 and a-f"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hashes what comes piece by piece with the algorithm of a digest, to be compared with it.
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
}

impl Hasher {
    /// A hasher of the digest's algorithm that has seen nothing yet.
    pub fn like(digest: &Digest) -> Self {
        if digest.algorithm() == "sha512" { Self::Sha512(Sha512::new()) } else { Self::Sha256(Sha256::new()) }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of what was taken so far.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest::written("sha256", &hasher.clone().finalize()),
            Self::Sha512(hasher) => Digest::written("sha512", &hasher.clone().finalize()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_becomes_the_text_that_parses_back() {
        let digest = Digest::sha256([0xab; 32]);
        assert_eq!(digest.to_string(), format!("sha256:{}", "ab".repeat(32)));
        assert_eq!(digest.to_string().parse(), Ok(digest.clone()));
        assert_eq!((digest.algorithm(), digest.short()), ("sha256", "abababababab"));
    }

    #[test]
    fn bytes_are_hashed_by_the_algorithm_that_is_wanted() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").as_str(), empty);
        for (wanted, length) in
            [(Digest::of(b"ab"), 64), (format!("sha512:{}", "0".repeat(128)).parse().unwrap(), 128)]
        {
            let mut hasher = Hasher::like(&wanted);
            hasher.update(b"a");
            hasher.update(b"b");
            let digest = hasher.digest();
            assert_eq!((digest.algorithm(), digest.hex().len()), (wanted.algorithm(), length));
            assert_eq!(digest.to_string().parse(), Ok(digest));
        }
    }

    #[test]
    fn what_is_no_digest_is_refused_with_the_reason() {
        let upper = format!("sha256:{}", "AB".repeat(32));
        for (text, reason) in [
            ("sha256", "no colon"),
            ("md5:d41d8cd98f00b204e9800998ecf8427e", "algorithm"),
            ("sha256:abc", "number of digits"),
            (upper.as_str(), "characters other"),
        ] {
            let error = text.parse::<Digest>().expect_err(text).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
