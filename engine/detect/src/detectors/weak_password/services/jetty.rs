//! Files of users as Jetty's HashLoginService and ActiveMQ have them, `name: password, role, …`: ActiveMQ's console and
//! broker, Artemis, Rundeck
//! (<https://jetty.org/docs/jetty/12/programming-guide/security/index.html>, <https://activemq.apache.org/components/classic/documentation/security>).

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, Stored, hex};

use super::text::{lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "jetty",
    name: "ActiveMQ or Jetty",
    globs: &[
        "**/jetty-realm.properties",
        "**/realm.properties",
        "**/activemq*/conf/users.properties",
        "**/artemis-users.properties",
    ],
    words: &["activemq", "artemis", "jetty", "rundeck", "admin", "manager", "system"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    for (number, line) in lines(&text, &['#', '!'], reading) {
        let Some((name, rest)) = line.split_once([':', '=']) else { continue };
        let (name, rest) = (name.trim(), rest.trim());
        let (password, roles) = rest.split_once(',').unwrap_or((rest, ""));
        let password = password.trim();
        let administers = name == "admin" || roles.split(',').any(|role| role.trim().contains("admin"));
        if password.is_empty() || super::is_placeholder(password) {
            continue;
        }
        match stored(password) {
            Some(stored) => reading.stored(name, stored, Rank::of(administers), Some(number)),
            None => {
                let reason = format!(
                    "line {number}, user {}: its password is in a form that is not known",
                    word(name)
                );
                reading.problem(GapKind::Unsupported, reason);
            }
        }
    }
}

fn stored(password: &str) -> Option<Stored> {
    if let Some(digest) = password.strip_prefix("MD5:") {
        return Stored::hex_digest(Algorithm::Md5, digest);
    }
    if let Some(hash) = password.strip_prefix("CRYPT:").or_else(|| password.strip_prefix("BCRYPT:")) {
        return Some(Stored::Crypt(hash.to_owned()));
    }
    if let Some(masked) = password.strip_prefix("ENC(") {
        return artemis(masked.strip_suffix(')')?);
    }
    // Jetty's own way to hide a password; it can be undone, but is no password as it stands.
    (!password.starts_with("OBF:")).then(|| Stored::plain(password.as_bytes()))
}

/// `rounds:salt:key` of Artemis, PBKDF2 with SHA-1.
fn artemis(text: &str) -> Option<Stored> {
    let fields: Vec<&str> = text.split(':').collect();
    let [rounds, salt, key] = fields.as_slice() else { return None };
    let (salt, digest) = (hex(salt)?, hex(key).filter(|key| key.len() == ARTEMIS_KEY)?);
    Stored::pbkdf2(Algorithm::Sha1, salt, rounds.parse().ok()?, digest)
}

/// Bytes of Artemis' keys.
const ARTEMIS_KEY: usize = 64;
