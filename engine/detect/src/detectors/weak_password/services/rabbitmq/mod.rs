//! RabbitMQ: the first user in rabbitmq.conf and rabbitmq.config, users in exported definitions
//! (<https://www.rabbitmq.com/docs/passwords>), and the broker's own store of them.

mod store;

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, SaltedDigest, Stored, base64};
use serde_json::Value;

use super::text::{ini, text, unquoted};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "rabbitmq",
    name: "RabbitMQ",
    globs: &[
        "**/rabbitmq*.conf",
        "**/rabbitmq/conf.d/*.conf",
        "**/rabbitmq*.config",
        "**/rabbitmq/advanced.config",
        "**/*definitions.json",
        "**/rabbitmq/*.json",
    ],
    stores: &[
        "**/rabbit_user.DCD",
        "**/rabbit_user.DCL",
        "**/mnesia/*/LATEST.LOG",
        "**/coordination/**/*.segment",
        "**/coordination/**/*.wal",
        "**/coordination/**/snapshot.dat",
    ],
    words: &["rabbitmq", "rabbit", "guest"],
    read,
    ..Service::NEW
};

/// Bytes of salt before a digest.
const SALT: usize = 4;

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    if [&b".DCD"[..], b".DCL", b".LOG"].iter().any(|ending| file.path.ends_with(ending)) {
        return store::mnesia(file, reading);
    }
    if [&b".segment"[..], b".wal", b".dat"].iter().any(|ending| file.path.ends_with(ending)) {
        return store::khepri(file, reading);
    }
    let text = text(file);
    if file.path.ends_with(b".json") {
        match serde_json::from_str::<Value>(&text) {
            Ok(root) => {
                root["users"].as_array().into_iter().flatten().for_each(|user| definition(user, reading));
            }
            // Other programs' files are called so, too.
            Err(error) if text.contains("\"password_hash\"") => {
                reading.problem(GapKind::Malformed, format!("no JSON: {error}"));
            }
            Err(_) => {}
        }
    } else if file.path.ends_with(b".config") {
        let (mut user, mut password) = ("guest", None);
        for line in text.lines() {
            let line = line.split('%').next().unwrap_or_default();
            user = term(line, "default_user").unwrap_or(user);
            password = term(line, "default_pass").or(password);
        }
        if let Some(password) = password {
            reading.plain(user, password, Rank::Administrator, None);
        }
    } else {
        let (mut user, mut password) = ("guest", None);
        for (_, key, value, number) in ini(&text, reading) {
            match key {
                "default_user" => user = unquoted(value),
                "default_pass" => password = Some((unquoted(value), number)),
                _ => {}
            }
        }
        if let Some((password, number)) = password {
            reading.plain(user, password, Rank::Administrator, Some(number));
        }
    }
}

/// The text in `{key, <<"text">>}`.
fn term<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(key)?;
    rest.trim_start()
        .strip_prefix(',')?
        .trim_start()
        .strip_prefix("<<\"")?
        .split_once("\">>")
        .map(|(text, _)| text)
}

/// A user of `definitions.json`. An empty hash: it cannot log in by a password.
fn definition(user: &Value, reading: &mut Reading) {
    let Some(name) = user["name"].as_str() else { return };
    let is_administrator = match &user["tags"] {
        Value::String(tags) => tags.split([',', ' ']).any(|tag| tag == "administrator"),
        Value::Array(tags) => tags.iter().any(|tag| tag == "administrator"),
        _ => false,
    };
    let rank = Rank::of(is_administrator);
    if let Some(password) = user["password"].as_str() {
        return reading.plain(name, password, rank, None);
    }
    let Some(hash) = user["password_hash"].as_str().filter(|hash| !hash.is_empty()) else { return };
    hashed(name, rank, user["hashing_algorithm"].as_str(), base64(hash), reading);
}

/// A user by salt and digest; none: what should be these is something else.
fn hashed(name: &str, rank: Rank, algorithm: Option<&str>, hash: Option<Vec<u8>>, reading: &mut Reading) {
    let algorithm = match algorithm {
        Some("rabbit_password_hashing_sha512") => Algorithm::Sha512,
        // What it was before 3.6 named it.
        Some("rabbit_password_hashing_md5") | None => Algorithm::Md5,
        Some("rabbit_password_hashing_sha256") => Algorithm::Sha256,
        Some(other) => {
            let reason =
                format!("the password of user {}: hashes of {} cannot be verified", word(name), word(other));
            return reading.problem(GapKind::Unsupported, reason);
        }
    };
    match hash.filter(|bytes| bytes.len() == SALT + algorithm.length()) {
        Some(mut before) => {
            let digest = before.split_off(SALT);
            let stored = SaltedDigest { before, ..SaltedDigest::plain(algorithm, digest) };
            reading.stored(name, Stored::Digest(stored), rank, None);
        }
        None => reading.problem(
            GapKind::Malformed,
            format!("the password hash of user {} is none of its algorithm", word(name)),
        ),
    }
}
