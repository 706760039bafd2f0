//! MySQL and MariaDB: option files (<https://dev.mysql.com/doc/refman/8.4/en/option-files.html>), and the table of users in
//! each of the three engines that kept it.

mod aria;
mod innodb;
mod myisam;

use pratique_crypt::{Algorithm, CachingSha2, Ed25519, SaltedDigest, Stored, hex};

use super::text::{ini, text, unquoted};
use super::{Rank, Reading, Service};
use crate::FileInput;
use pratique_core::GapKind;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "mysql",
    name: "MySQL",
    globs: &["**/my.cnf", "**/.my.cnf", "**/mysql/**/*.cnf", "**/mariadb.cnf", "**/my.cnf.d/*.cnf"],
    stores: &["**/mysql/user.MYD", "**/mysql.ibd", "**/mysql/global_priv.MAD"],
    words: &["mysql", "mariadb", "root", "my-secret-pw"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    match file.path.rsplit(|byte| *byte == b'.').next() {
        Some(b"MYD") => myisam::read(file, reading),
        Some(b"ibd") => innodb::read(file, reading),
        Some(b"MAD") => aria::read(file, reading),
        _ => options(file, reading),
    }
}

/// A row of the table of users.
struct Row<'a> {
    host: &'a str,
    user: &'a str,
    plugin: &'a str,
    /// What the plugin compares with.
    stored: &'a [u8],
}

/// Bytes of `*` and the hexadecimal digits of a native hash.
const NATIVE: usize = 41;
/// What the accounts of the server itself have: no password digests to it.
const IMPOSSIBLE: &[u8] = b"$A$005$THISISACOMBINATION";

/// Notes who a row lets in.
fn account(row: &Row<'_>, reading: &mut Reading) {
    let Row { host, user, plugin, stored } = row;
    let name = if user.is_empty() { "(anonymous)" } else { user };
    // Its own machine is its own container.
    let rank = Rank::of(*user == "root");
    match *plugin {
        "" | "mysql_native_password" | "mysql_old_password" | "caching_sha2_password" | "ed25519" => {}
        // Those ask the system, or let nobody in.
        "unix_socket" | "auth_socket" | "pam" | "auth_pam" | "gssapi" | "named_pipe" | "mysql_no_login" => {
            return;
        }
        other => {
            let reason = format!("the password of user {name}@{host}: {other} cannot be verified");
            return reading.problem(GapKind::Unsupported, reason);
        }
    }
    if stored.is_empty() {
        return reading.open(name, format!("its user {name}@{host} needs no password"), rank, None);
    }
    if *plugin == "ed25519" {
        return match std::str::from_utf8(stored).ok().and_then(Ed25519::parse) {
            Some(key) => reading.stored(name, Stored::Ed25519(key), rank, None),
            None => {
                let reason = format!("the password of user {name}@{host} is no key of ed25519");
                reading.problem(GapKind::Malformed, reason);
            }
        };
    }
    let digits = stored.strip_prefix(b"*").and_then(|digits| std::str::from_utf8(digits).ok());
    if let Some(digest) = digits.and_then(hex).filter(|digest| digest.len() == Algorithm::Sha1.length()) {
        let twice = SaltedDigest { again: 1, ..SaltedDigest::plain(Algorithm::Sha1, digest) };
        reading.stored(name, Stored::Digest(twice), rank, None);
    } else if let Some(hash) = CachingSha2::parse(stored).filter(|_| !stored.starts_with(IMPOSSIBLE)) {
        reading.stored(name, Stored::CachingSha2(hash), rank, None);
    } else if stored.len() == 16 && stored.iter().all(u8::is_ascii_hexdigit) {
        let reason =
            format!("the password of user {name}@{host}: hashes from before MySQL 4.1 cannot be verified");
        reading.problem(GapKind::Unsupported, reason);
    }
}

fn options(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    // Whoever writes a password for a client into the image has it in the server, too.
    let (mut user, mut password) = ("root", None);
    for (section, key, value, number) in ini(&text, reading) {
        let key = key.replace('_', "-");
        let is_server = matches!(section, "mysqld" | "server" | "mariadb" | "mariadbd");
        match key.as_str() {
            "user" if !is_server => user = unquoted(value),
            "password" if !is_server && !value.is_empty() => password = Some((unquoted(value), number)),
            "skip-grant-tables" if is_server && !matches!(value, "0" | "OFF" | "off" | "false") => {
                let reason = "it asks nobody for a password: skip-grant-tables is set";
                reading.open("", reason, Rank::Administrator, Some(number));
            }
            _ => {}
        }
    }
    if let Some((password, number)) = password {
        reading.plain(user, password, Rank::of(user == "root"), Some(number));
    }
}
