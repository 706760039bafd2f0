//! The collection `admin.system.users`, in whichever file of WiredTiger it lies: documents that have `user`, `db` and `credentials`
//! (<https://www.mongodb.com/docs/manual/reference/system-users-collection/>), taken out of its leaves by how documents begin.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use memchr::memmem;
use pratique_core::GapKind;
use pratique_core::inspect::FileInput;
use pratique_crypt::{Algorithm, Pbkdf2, Stored, base64};

use super::super::{Rank, Reading};
use super::bson::{ARRAY, DOCUMENT, document, elements, member, number, text};
use super::wiredtiger;
use crate::signs::word;

/// Users that are noted; the rest is a gap of [`Reading`].
const MAX_USERS: usize = 10_001;
/// With which every user's document begins, behind its length: the identifier, a text.
const BEGIN: &[u8] = b"\x02_id\0";
/// Roles whose holders may do everything, or give themselves what they lack.
const ADMINISTRATORS: [&str; 7] = [
    "root",
    "__system",
    "userAdminAnyDatabase",
    "dbAdminAnyDatabase",
    "readWriteAnyDatabase",
    "clusterAdmin",
    "restore",
];
/// Those that do so in the database `admin`.
const OWNERS: [&str; 2] = ["dbOwner", "userAdmin"];

/// What is kept of a user until the whole file was read.
struct User {
    /// Of the page that it is of.
    generation: u64,
    name: String,
    rank: Rank,
    /// None: another program vouches for the user.
    password: Option<Result<Stored, String>>,
}

pub(super) fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let mut users: BTreeMap<String, User> = BTreeMap::new();
    let result = wiredtiger::leaves(file, &mut |leaf| {
        let mut any = false;
        for at in memmem::find_iter(&leaf.content, BEGIN) {
            let start = at.checked_sub(4).and_then(|start| leaf.content.get(start..));
            let Some((id, user)) = start.and_then(document).and_then(|found| user(found, leaf.generation))
            else {
                continue;
            };
            any = true;
            let is_newer = users.get(&id).is_none_or(|known| known.generation <= user.generation);
            if is_newer && users.len() < MAX_USERS {
                users.insert(id, user);
            }
        }
        // Another collection: every document of this one is a user.
        if leaf.entries > 0 && !any { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if let Err((kind, reason)) = result {
        reading.problem(kind, reason);
    }
    for user in users.into_values() {
        match user.password {
            Some(Ok(stored)) => reading.stored(&user.name, stored, user.rank, None),
            Some(Err(reason)) => {
                reading.problem(
                    GapKind::Unsupported,
                    format!("the password of user {}: {reason}", word(&user.name)),
                );
            }
            None => {}
        }
    }
}

/// Identifier and content of a user's document; none if it is another's.
fn user(found: &[u8], generation: u64) -> Option<(String, User)> {
    let id = text(found, "_id")?.to_owned();
    let (name, database) = (text(found, "user")?, text(found, "db")?);
    let credentials = member(found, DOCUMENT, "credentials")?;
    let is_administrator = member(found, ARRAY, "roles").is_some_and(|roles| {
        elements(roles).any(|(_, _, role)| {
            let name = text(role, "role").unwrap_or_default();
            ADMINISTRATORS.contains(&name) || OWNERS.contains(&name) && text(role, "db") == Some("admin")
        })
    });
    let password = match (
        member(credentials, DOCUMENT, "SCRAM-SHA-256"),
        member(credentials, DOCUMENT, "SCRAM-SHA-1"),
    ) {
        // The password is the same in both.
        (Some(keys), _) => Some(scram(keys, Algorithm::Sha256).map(Stored::Pbkdf2)),
        (None, Some(keys)) => {
            Some(scram(keys, Algorithm::Sha1).map(|key| Stored::MongoScram { user: name.to_owned(), key }))
        }
        // `MONGODB-CR`, of servers before 3.0.
        (None, None) if text(credentials, "MONGODB-CR").is_some() => {
            Some(Err("hashes of MONGODB-CR cannot be verified".to_owned()))
        }
        (None, None) => None,
    };
    let name = if database == "$external" { id.clone() } else { name.to_owned() };
    Some((id, User { generation, name, rank: Rank::of(is_administrator), password }))
}

fn scram(keys: &[u8], algorithm: Algorithm) -> Result<Pbkdf2, String> {
    let bytes = |name| text(keys, name).and_then(base64);
    let (salt, digest, iterations) = (bytes("salt"), bytes("storedKey"), number(keys, "iterationCount"));
    match (salt, digest, iterations) {
        (Some(salt), Some(digest), Some(iterations))
            if iterations > 0 && digest.len() == algorithm.length() =>
        {
            Ok(Pbkdf2 { algorithm, salt, iterations, scram: true, digest })
        }
        _ => Err("its keys are none of SCRAM".to_owned()),
    }
}
