//! Grafana: the administrator in grafana.ini, anonymous access
//! (<https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/#security>), and the users in grafana.db: PBKDF2
//! with SHA-256, 10,000 iterations, 50 bytes (its `EncodePassword`).

use pratique_core::GapKind;
use pratique_core::database::sqlite;
use pratique_crypt::{Algorithm, Pbkdf2, Stored, hex};

use super::store::{column, is_set};
use super::text::{ini, text, unquoted};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "grafana",
    name: "Grafana",
    globs: &["**/grafana*.ini", "**/grafana/conf/custom.ini", "**/grafana/custom.ini"],
    stores: &["**/grafana.db"],
    words: &["grafana", "admin", "prom-operator", "strongpassword"],
    read,
    ..Service::NEW
};

/// How often a password is digested.
const ITERATIONS: u32 = 10_000;
/// Bytes of the key.
const KEY: usize = 50;

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    if file.path.ends_with(b".db") { database(file, reading) } else { configuration(file, reading) }
}

fn database(file: &FileInput<'_>, reading: &mut Reading) {
    let columns = ["login", "password", "salt", "is_admin", "is_disabled"];
    let read = sqlite::rows(file, "user", &columns, &mut |row| {
        // Without a password it is an account of a service, or one that another program vouches for.
        let (Some(login), Some(password), Some(salt)) = (column(row, 0), column(row, 1), column(row, 2))
        else {
            return;
        };
        if is_set(row, 4) {
            return;
        }
        match hex(password).filter(|digest| digest.len() == KEY) {
            Some(digest) => {
                let (algorithm, salt) = (Algorithm::Sha256, salt.as_bytes().to_vec());
                let key = Pbkdf2 { algorithm, salt, iterations: ITERATIONS, scram: false, digest };
                reading.stored(login, Stored::Pbkdf2(key), Rank::of(is_set(row, 3)), None);
            }
            None => reading.problem(
                GapKind::Malformed,
                format!("the password of user {} is no key in hexadecimal digits", word(login)),
            ),
        }
    });
    if let Err((kind, reason)) = read {
        reading.problem(kind, reason);
    }
}

fn configuration(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let (mut user, mut password) = ("admin", None);
    let (mut anonymous, mut role) = (None, "Viewer");
    for (section, key, value, number) in ini(&text, reading) {
        match (section, key) {
            ("security", "admin_user") if !value.is_empty() => user = unquoted(value),
            ("security", "admin_password") => password = Some((unquoted(value), number)),
            ("auth.anonymous", "enabled") => anonymous = (value == "true").then_some(number),
            ("auth.anonymous", "org_role") => role = unquoted(value),
            _ => {}
        }
    }
    if let Some((password, number)) = password.filter(|(password, _)| !password.is_empty()) {
        reading.plain(user, password, Rank::Administrator, Some(number));
    }
    // Whoever may only look needs no password on purpose.
    if let (Some(number), "Admin" | "Editor") = (anonymous, role) {
        let reason = format!("everybody is its {role} without a password (auth.anonymous)");
        reading.open("", reason, Rank::of(role == "Admin"), Some(number));
    }
}
