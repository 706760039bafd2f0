//! CouchDB: administrators in the section `admins` of its ini files
//! (<https://docs.couchdb.org/en/stable/config/auth.html>), as they are typed or as the server rewrites them.

use pratique_core::GapKind;

use super::text::{ini, text, unquoted};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::crypt::{Algorithm, SaltedDigest, Stored, hex};
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "couchdb",
    name: "CouchDB",
    globs: &["**/couchdb/**/*.ini", "**/couchdb*.ini"],
    words: &["couchdb", "couch", "admin", "mysecretpassword"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
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

/// `-hashed-digest,salt`, SHA-1 of password and salt; `-pbkdf2-key,salt,rounds`, with SHA-1, and since 3.4
/// `-pbkdf2:sha256-key,salt,rounds`. The salt's digits are taken as they stand.
fn stored(value: &str) -> Option<Stored> {
    let (scheme, rest) = value.strip_prefix('-')?.split_once('-')?;
    let fields: Vec<&str> = rest.split(',').collect();
    let digest = hex(fields.first()?)?;
    let algorithm = match scheme {
        "hashed" | "pbkdf2" | "pbkdf2:sha" => Algorithm::Sha1,
        "pbkdf2:sha256" => Algorithm::Sha256,
        "pbkdf2:sha512" => Algorithm::Sha512,
        _ => return None,
    };
    if digest.len() != algorithm.length() {
        return None;
    }
    match (scheme, fields.as_slice()) {
        ("hashed", [_, salt]) => {
            let after = salt.as_bytes().to_vec();
            Some(Stored::Digest(SaltedDigest { after, ..SaltedDigest::plain(algorithm, digest) }))
        }
        (_, [_, salt, rounds]) if scheme != "hashed" => {
            Stored::pbkdf2(algorithm, salt.as_bytes().to_vec(), rounds.parse().ok()?, digest)
        }
        _ => None,
    }
}
