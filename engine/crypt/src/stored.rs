//! What programs keep of a password, whatever the program: a value that can be noted, and guessed against later.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use super::digest::{Algorithm, SaltedDigest};
use super::ed25519::Ed25519;
use super::mysql::CachingSha2;
use super::pbkdf2::{MAX_DIGEST, Pbkdf2};
use super::scrypt::Scrypt;
use super::{Cost, HashError, PasswordHash, Scheme};

/// What a program compares a password with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stored {
    /// A string that [`super::parse`] reads, or a reason why it cannot.
    Crypt(String),
    /// The password itself. Kept here as its SHA-256 alone: what is noted of a file lies in a cache.
    Plain(Vec<u8>),
    /// A digest.
    Digest(SaltedDigest),
    /// A derived key.
    Pbkdf2(Pbkdf2),
    /// A key derived by scrypt.
    Scrypt(Scrypt),
    /// MySQL's default since 8.0.
    CachingSha2(CachingSha2),
    /// MariaDB's ed25519.
    Ed25519(Ed25519),
    /// MongoDB's SCRAM-SHA-1: the key is derived from a digest of name and password.
    MongoScram {
        /// Whose password it is.
        user: String,
        /// The derived key.
        key: Pbkdf2,
    },
    /// One of these: the stored form does not tell which.
    OneOf(Vec<Self>),
}

impl Stored {
    /// A password that is stored as it is typed.
    pub fn plain(password: &[u8]) -> Self {
        Self::Plain(Algorithm::Sha256.digest(&[password]))
    }

    /// A digest without salt, written in hexadecimal digits.
    pub fn hex_digest(algorithm: Algorithm, text: &str) -> Option<Self> {
        let digest = hex(text).filter(|digest| digest.len() == algorithm.length())?;
        Some(Self::Digest(SaltedDigest::plain(algorithm, digest)))
    }

    /// A key that PBKDF2 derives; none if it is derived no times.
    pub fn pbkdf2(algorithm: Algorithm, salt: Vec<u8>, iterations: u32, digest: Vec<u8>) -> Option<Self> {
        let key = Pbkdf2 { algorithm, salt, iterations, scram: false, digest };
        (iterations > 0).then_some(Self::Pbkdf2(key))
    }

    /// A key that argon2 derives, for those that keep its parts apart; `setting` is as `argon2id$v=19$m=7168,t=5,p=1`.
    pub fn argon2(setting: &str, salt: &[u8], digest: &[u8]) -> Self {
        let (salt, digest) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(digest));
        Self::Crypt(format!("${setting}${salt}${digest}"))
    }

    /// A key that scrypt derives in `rounds` rounds, a power of two; none if [`Scrypt::new`] has none.
    pub fn scrypt(rounds: u64, r: u32, p: u32, salt: Vec<u8>, digest: Vec<u8>) -> Option<Self> {
        let log_n = rounds.is_power_of_two().then(|| rounds.ilog2())?;
        Scrypt::new(log_n, r, p, salt, digest).map(Self::Scrypt)
    }

    /// `SCRAM-SHA-256$iterations:salt$stored key:server key`, as PostgreSQL and PgBouncer write it; none if it is not of
    /// this form (<https://www.postgresql.org/docs/current/catalog-pg-authid.html>).
    pub fn scram(text: &str) -> Option<Self> {
        let (parameters, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let digest = base64(keys.split_once(':')?.0)?;
        let iterations = iterations.parse().ok().filter(|iterations| *iterations > 0)?;
        let (salt, algorithm) = (base64(salt)?, Algorithm::Sha256);
        (digest.len() == 32).then_some(Self::Pbkdf2(Pbkdf2 {
            algorithm,
            salt,
            iterations,
            scram: true,
            digest,
        }))
    }

    /// `{SCHEME}…` as LDAP servers, Tomcat and htpasswd write it (RFC 2307, and what OpenLDAP adds); a text without a
    /// scheme is the password itself.
    ///
    /// # Errors
    /// [`HashError`], if the scheme is known and what follows is not what it writes, or is not known.
    pub fn ldap(text: &str) -> Result<Self, HashError> {
        let Some((scheme, rest)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) else {
            return Ok(Self::plain(text.as_bytes()));
        };
        let name = scheme.to_ascii_uppercase();
        let algorithm = match name.as_str() {
            "CRYPT" | "ARGON2" => return Ok(Self::Crypt(rest.to_owned())),
            "CLEARTEXT" | "CLEAR" => return Ok(Self::plain(rest.as_bytes())),
            "MD5" | "SMD5" => Algorithm::Md5,
            "SHA" | "SSHA" => Algorithm::Sha1,
            "SHA256" | "SSHA256" => Algorithm::Sha256,
            "SHA384" | "SSHA384" => Algorithm::Sha384,
            "SHA512" | "SSHA512" => Algorithm::Sha512,
            _ => return Self::derived(&name, rest),
        };
        let wrong = HashError::Malformed {
            scheme: Scheme::Digest(algorithm),
            reason: "what follows is no digest of it in base64",
        };
        let Some(mut digest) = base64(rest).filter(|bytes| bytes.len() >= algorithm.length()) else {
            return Err(wrong);
        };
        let after = digest.split_off(algorithm.length());
        let salted = name.starts_with("SS") || name == "SMD5";
        if after.is_empty() == salted {
            return Err(wrong);
        }
        Ok(Self::Digest(SaltedDigest { after, ..SaltedDigest::plain(algorithm, digest) }))
    }

    /// `{PBKDF2-SHA256}iterations$salt$key` of OpenLDAP's module pw-pbkdf2.
    fn derived(name: &str, rest: &str) -> Result<Self, HashError> {
        let algorithm = match name {
            "PBKDF2" | "PBKDF2-SHA1" => Algorithm::Sha1,
            "PBKDF2-SHA256" => Algorithm::Sha256,
            "PBKDF2-SHA512" => Algorithm::Sha512,
            _ => return Err(HashError::Unsupported(format!("{{{}}}", super::printable(name)))),
        };
        let fields: Vec<&str> = rest.split('$').collect();
        // Passlib's base64: no padding, and a dot for the plus.
        let bytes = |text: &str| base64(&text.replace('.', "+"));
        if let [iterations, salt, key] = fields.as_slice()
            && let (Ok(iterations), Some(salt), Some(digest)) = (iterations.parse(), bytes(salt), bytes(key))
            && (1..=MAX_DIGEST).contains(&digest.len())
            && let Some(stored) = Self::pbkdf2(algorithm, salt, iterations, digest)
        {
            return Ok(stored);
        }
        Err(HashError::Malformed {
            scheme: Scheme::Pbkdf2,
            reason: "what follows is not rounds, salt and key",
        })
    }

    /// What guesses are checked against.
    ///
    /// # Errors
    /// Those of [`super::parse`].
    pub fn open(&self) -> Result<Box<dyn PasswordHash>, HashError> {
        Ok(match self {
            Self::Crypt(text) => return super::parse(text),
            Self::Plain(sha256) => Box::new(Plain(sha256.clone())),
            Self::Digest(digest) => Box::new(digest.clone()),
            Self::Pbkdf2(key) => Box::new(key.clone()),
            Self::Scrypt(key) => Box::new(key.clone()),
            Self::CachingSha2(hash) => Box::new(hash.clone()),
            Self::Ed25519(key) => Box::new(key.clone()),
            Self::MongoScram { user, key } => Box::new(MongoScram { user: user.clone(), key: key.clone() }),
            Self::OneOf(all) => Box::new(OneOf(all.iter().map(Self::open).collect::<Result<_, _>>()?)),
        })
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the hash: what is printed may be read by anyone.
        f.write_str("Stored(…)")
    }
}

/// A password that is stored as it is typed.
struct Plain(Vec<u8>);

impl PasswordHash for Plain {
    fn scheme(&self) -> Scheme {
        Scheme::Plain
    }

    fn cost(&self) -> Cost {
        Cost::of(1, 400, 0)
    }

    fn verify(&self, guess: &[u8]) -> bool {
        Algorithm::Sha256.digest(&[guess]) == self.0
    }
}

/// SCRAM-SHA-1 of the hexadecimal digits of `MD5(user:mongo:password)`
/// (<https://github.com/mongodb/specifications/blob/master/source/auth/auth.md#scram-sha-1>).
struct MongoScram {
    user: String,
    key: Pbkdf2,
}

impl PasswordHash for MongoScram {
    fn scheme(&self) -> Scheme {
        self.key.scheme()
    }

    fn cost(&self) -> Cost {
        self.key.cost()
    }

    fn verify(&self, guess: &[u8]) -> bool {
        let digest = Algorithm::Md5.digest(&[self.user.as_bytes(), b":mongo:", guess]);
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.key.verify(digits.as_bytes())
    }
}

/// Several readings of one text.
struct OneOf(Vec<Box<dyn PasswordHash>>);

impl PasswordHash for OneOf {
    fn scheme(&self) -> Scheme {
        Scheme::Unclear
    }

    fn cost(&self) -> Cost {
        let costs = || self.0.iter().map(|hash| hash.cost());
        Cost {
            time: costs().map(|cost| cost.time).sum(),
            memory: costs().map(|cost| cost.memory).max().unwrap_or_default(),
        }
    }

    fn verify(&self, guess: &[u8]) -> bool {
        self.0.iter().any(|hash| hash.verify(guess))
    }
}

/// Bytes written in hexadecimal digits of either case; none if it is anything else.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// Bytes in the usual base64, padded or not.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifies(stored: &Stored, password: &str) -> bool {
        let hash = stored.open().unwrap();
        assert!(!hash.verify(b"another"));
        hash.verify(password.as_bytes())
    }

    #[test]
    fn a_plain_password_is_not_kept() {
        let stored = Stored::plain(b"correct horse");
        assert!(verifies(&stored, "correct horse"));
        let text = serde_json::to_string(&stored).unwrap();
        assert!(!text.contains("correct"), "{text}");
        assert_eq!(format!("{stored:?}"), "Stored(…)");
    }

    #[test]
    fn ldap_schemes() {
        // By Python's hashlib: password `mooring`, salt `saltsalt` where there is one.
        for text in LDAP {
            assert!(verifies(&Stored::ldap(text).unwrap(), "mooring"), "{text}");
        }
        for text in [
            "{SSHA}short",
            "{SHA}*",
            "{UNKNOWN}x",
            "{PBKDF2-SHA256}0$AA$AA",
            "{PBKDF2-SHA256}x",
            "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        ] {
            assert!(Stored::ldap(text).is_err(), "{text}");
        }
    }

    const LDAP: [&str; 7] = [
        "mooring",
        "{CLEARTEXT}mooring",
        "{SHA}eFVMy7Y3Btx+Bu5j0smbxUEITxQ=",
        "{SSHA}xwUCsb5SqJIzv6RGkZKIfDtrRPBzYWx0c2FsdA==",
        "{smd5}5z9cmjVqF1pt85Lnwc+jZ3NhbHRzYWx0",
        "{SSHA512}PZyPIDJImWyA47VoRiHfM/B/1g4LiQlAyve60JLT4yD3XR2E/9rs8wxIchPx86QNAd4nJGvK8VEqokGrATrvhXNhbHRzYWx0",
        "{PBKDF2-SHA256}10$c2FsdHNhbHQ$jhd7iVLq2xAK7RpnCwcB5oKSc8aoEzI4WJ2wDcZn/SI",
    ];

    #[test]
    fn hexadecimal_digits() {
        assert_eq!(hex("00fFa0"), Some(vec![0, 255, 160]));
        assert_eq!((hex("0"), hex("0g"), hex("é")), (None, None, None));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(\\{[A-Z0-9-]{0,12}\\}|SCRAM-SHA-256\\$)?.{0,60}") {
            let _ = Stored::scram(&text);
            if let Ok(stored) = Stored::ldap(&text) {
                let _ = stored.open();
            }
        }
    }
}
