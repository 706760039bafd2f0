//! Logins that browsers store: whose they are and where they lead is told, the password is not looked at.
//!
//! Chromium's `Login Data` is a database of SQLite. On Linux a password begins with what seals it (components/os_crypt): `v10` a
//! password that is the same everywhere, `v11` one of the desktop's keyring. Firefox's `logins.json` names hosts; passwords and
//! names of users are sealed by a key in `key4.db` beside it, which a primary password protects if there is one (see [`firefox_key`]).

use pratique_core::Severity;
use pratique_core::database::{Problem, malformed, sqlite};
use pratique_core::inspect::FileInput;
use serde::Deserialize;

use super::notes::Search;
use super::shapes::{LOGIN, Shape};
use super::{cookies, firefox_key};
use crate::signs::word;

/// Where Firefox and its kin keep logins.
pub(super) const FIREFOX: &[&str] = &["**/logins.json", "**/logins-backup.json"];
/// Bytes of such a file that are read.
pub(super) const MAX_SIZE: u64 = 16 << 20;

pub(super) const OPEN: Shape = Shape {
    id: "browser-login-open",
    what: "login that a browser stores, sealed with nothing or with a password that is the same everywhere",
    ..LOGIN
};
pub(super) const KEYRING: Shape = Shape {
    id: "browser-login-keyring",
    what: "login that a browser stores, sealed with a key of the desktop's keyring",
    severity: Severity::Low,
    ..LOGIN
};
pub(super) const PRIMARY: Shape = Shape {
    id: "browser-login",
    what: "login that Firefox stores, open to whoever has key4.db, too, unless a primary password protects that",
    severity: Severity::Medium,
    ..LOGIN
};
pub(super) const PROTECTED: Shape = Shape {
    id: "browser-login-protected",
    what: "login that Firefox stores, protected by a primary password",
    severity: Severity::Low,
    ..LOGIN
};

/// What is told of a login of this kind, once it is known whether the empty password opens the key beside it.
pub(super) fn with_key(shape: &str, is_open: Option<bool>) -> &str {
    match is_open.filter(|_| shape == PRIMARY.id) {
        Some(true) => OPEN.id,
        Some(false) => PROTECTED.id,
        None => shape,
    }
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Whether a file of this path is one of [`FIREFOX`].
pub(super) fn is_firefox(path: &[u8]) -> bool {
    matches!(name(path), b"logins.json" | b"logins-backup.json")
}

/// Notes the logins and sessions that a browser's store holds, if the file is one by its name.
///
/// # Errors
/// If it is none by what it holds.
pub(super) fn note(file: &FileInput<'_>, search: &mut Search) -> Result<(), Problem> {
    let noted = match name(file.path) {
        b"Login Data" | b"Login Data For Account" => chromium(file, search),
        b"Cookies" => cookies::chromium(file, search),
        b"cookies.sqlite" => cookies::firefox(file, search),
        b"key4.db" => key(file, search),
        _ if is_firefox(file.path) => firefox(file, search),
        _ => Ok(()),
    };
    noted.map_err(|(kind, reason)| (kind, format!("as a browser's store: {reason}")))
}

fn chromium(file: &FileInput<'_>, search: &mut Search) -> Result<(), Problem> {
    let columns = ["origin_url", "username_value", "password_value"];
    sqlite::rows(file, "logins", &columns, &mut |row| {
        let text = |at: usize| String::from_utf8_lossy(row[at].unwrap_or_default()).into_owned();
        // Without one it is a site where nothing is to be stored.
        let Some(password) = row[2] else { return };
        let shape = if password.starts_with(b"v11") { &KEYRING } else { &OPEN };
        search.note_login(shape, opens(&text(1), &text(0)), password);
    })
}

#[derive(Deserialize)]
struct Logins {
    logins: Vec<Login>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Login {
    hostname: String,
    encrypted_password: String,
}

fn firefox(file: &FileInput<'_>, search: &mut Search) -> Result<(), Problem> {
    let bytes =
        pratique_core::database::pages::read(file, 0, usize::try_from(file.size).unwrap_or_default())?;
    // Others may call a file so.
    if !bytes.windows(17).any(|window| window == b"encryptedPassword") {
        return Ok(());
    }
    let stored: Logins = serde_json::from_slice(&bytes).or_else(|error| {
        // Never the text itself.
        malformed(format!("it is no JSON of its form, line {}", error.line()))
    })?;
    for login in stored.logins {
        search.note_login(&PRIMARY, opens("", &login.hostname), login.encrypted_password.as_bytes());
    }
    Ok(())
}

/// Notes whether the empty password opens Firefox's key. Other programs of NSS have such databases, too: it tells only where
/// there are logins.
fn key(file: &FileInput<'_>, search: &mut Search) -> Result<(), Problem> {
    let read = sqlite::rows_if_any(file, "metaData", &["id", "item1", "item2"], &mut |row| {
        if let (Some(b"password"), Some(salt), Some(sealed)) = (row[0], row[1], row[2])
            && let Some(is_open) = firefox_key::is_open(salt, sealed)
        {
            search.note_key(is_open);
        }
    });
    read.map(|_| ())
}

/// Whom a login is for, and where: nothing behind the host, which may be secret itself.
fn opens(user: &str, url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") };
    match user {
        "" => word(&host),
        user => format!("{} at {}", word(user), word(&host)),
    }
}
