//! Neo4j's files of users: `auth`, `auth.ini` with the first one's password, and `roles` has no passwords. A line is
//! `name:SHA-256,digest,salt,rounds:flags`; without rounds it is of before 4.0, one digest.

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, SaltedDigest, Stored, hex};

use super::text::{lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "neo4j",
    name: "Neo4j",
    globs: &["**/dbms/auth", "**/dbms/auth.ini", "**/neo4j.conf"],
    words: &["neo4j", "password", "graph"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let is_configuration = file.path.ends_with(b".conf");
    for (number, line) in lines(&text, &['#'], reading) {
        if is_configuration {
            configuration(line, number, reading);
            continue;
        }
        let Some((name, rest)) = line.split_once(':') else { continue };
        let rank = Rank::of(name == "neo4j");
        match rest.split_once(':').and_then(|(credential, _)| stored(credential)) {
            Some(stored) => reading.stored(name, stored, rank, Some(number)),
            None => {
                let reason =
                    format!("line {number}, user {}: its hash is in a form that is not known", word(name));
                reading.problem(GapKind::Unsupported, reason);
            }
        }
    }
}

fn stored(credential: &str) -> Option<Stored> {
    let fields: Vec<&str> = credential.split(',').collect();
    let (digest, salt, rounds) = match fields.as_slice() {
        ["SHA-256", digest, salt] => (digest, salt, 1),
        ["SHA-256", digest, salt, rounds] => (digest, salt, rounds.parse().ok()?),
        _ => return None,
    };
    let (algorithm, digest) = (Algorithm::Sha256, hex(digest)?);
    let again = u32::checked_sub(rounds, 1).filter(|_| digest.len() == algorithm.length())?;
    Some(Stored::Digest(SaltedDigest { before: hex(salt)?, again, ..SaltedDigest::plain(algorithm, digest) }))
}

fn configuration(line: &str, number: u32, reading: &mut Reading) {
    let Some((key, value)) = line.split_once('=') else { return };
    if key.trim() == "dbms.security.auth_enabled" && value.trim() == "false" {
        let reason = "it asks nobody for a password (dbms.security.auth_enabled)";
        reading.open("", reason, Rank::Administrator, Some(number));
    }
}
