//! Elasticsearch's file realm: `users`, a name and a hash a line
//! (<https://www.elastic.co/guide/en/elasticsearch/reference/current/file-realm.html>).

use pratique_core::GapKind;
use pratique_crypt::Stored;

use super::text::{lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "elasticsearch",
    name: "Elasticsearch",
    globs: &["**/elasticsearch*/users", "**/elasticsearch*/config/users", "**/elasticsearch*/**/users"],
    words: &["elastic", "elasticsearch", "changeme", "elasticpassword"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    for (number, line) in lines(&text, &['#'], reading) {
        let Some((name, hash)) = line.split_once(':') else { continue };
        let stored = match hash.strip_prefix("{PBKDF2}") {
            // Its PBKDF2 is with SHA-512.
            Some(rest) => Stored::ldap(&format!("{{PBKDF2-SHA512}}{rest}")),
            None if hash.starts_with('$') => Ok(Stored::Crypt(hash.to_owned())),
            None if hash.starts_with('{') => Stored::ldap(hash),
            None => continue,
        };
        match stored {
            Ok(stored) => reading.stored(name, stored, Rank::Administrator, Some(number)),
            Err(error) => {
                reading.problem(GapKind::Unsupported, format!("line {number}, user {}: {error}", word(name)))
            }
        }
    }
}
