//! CouchDB: administrators in the section `admins` of its ini files
//! (<https://docs.couchdb.org/en/stable/config/auth.html>), as they are typed or as the server rewrites them, and the users in the
//! file of its database `_users` (<https://docs.couchdb.org/en/stable/intro/security.html#authentication-database>).

mod store;

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, SaltedDigest, Stored, hex};

use super::text::{ini, text, unquoted};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "couchdb",
    name: "CouchDB",
    globs: &["**/couchdb/**/*.ini", "**/couchdb*.ini"],
    stores: &["**/_users.couch", "**/_users.*.couch"],
    words: &["couchdb", "couch", "admin", "mysecretpassword"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    if file.path.ends_with(b".couch") {
        return store::read(file, reading);
    }
    let text = text(file);
    let settings: Vec<_> = ini(&text, reading).collect();
    for (section, name, value, number) in settings {
        let value = unquoted(value);
        match (section, name) {
            ("admins", _) if value.is_empty() => {}
            ("admins", _) if value.starts_with('-') => match stored(value) {
                Some(stored) => reading.stored(name, stored, Rank::Administrator, Some(number)),
                None => {
                    let reason = format!(
                        "line {number}, administrator {}: its hash is in a form that is not known",
                        word(name)
                    );
                    reading.problem(GapKind::Unsupported, reason);
                }
            },
            ("admins", _) => reading.plain(name, value, Rank::Administrator, Some(number)),
            _ => {}
        }
    }
}

/// `-hashed-digest,salt`; `-pbkdf2-key,salt,rounds`, and since 3.4 `-pbkdf2:sha256-key,salt,rounds`.
fn stored(value: &str) -> Option<Stored> {
    let (scheme, rest) = value.strip_prefix('-')?.split_once('-')?;
    let fields: Vec<&str> = rest.split(',').collect();
    match (scheme.split_once(':').unwrap_or((scheme, "sha")), fields.as_slice()) {
        (("hashed", _), [digest, salt]) => simple(digest, salt),
        (("pbkdf2", function), [key, salt, rounds]) => pbkdf2(function, key, salt, rounds.parse().ok()?),
        _ => None,
    }
}

/// SHA-1 of the password and the salt, whose digits are taken as they stand.
fn simple(digest: &str, salt: &str) -> Option<Stored> {
    let after = salt.as_bytes().to_vec();
    let digest = hex(digest).filter(|digest| digest.len() == Algorithm::Sha1.length())?;
    Some(Stored::Digest(SaltedDigest { after, ..SaltedDigest::plain(Algorithm::Sha1, digest) }))
}

/// A key as long as the digests of what it is derived with. The salt's digits are taken as they stand.
fn pbkdf2(function: &str, key: &str, salt: &str, rounds: u32) -> Option<Stored> {
    let algorithm = match function {
        "sha" => Algorithm::Sha1,
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        _ => return None,
    };
    let digest = hex(key).filter(|key| key.len() == algorithm.length())?;
    Stored::pbkdf2(algorithm, salt.as_bytes().to_vec(), rounds, digest)
}
