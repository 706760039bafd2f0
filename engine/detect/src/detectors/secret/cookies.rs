//! Sessions that browsers keep: cookies that let whoever has them into a service, without a password.
//!
//! Chromium's `Cookies` and Firefox's `cookies.sqlite` are databases of SQLite. Firefox keeps a value as it is; Chromium seals it
//! as it does passwords ([`super::browser`]), so that of its cookies the host and the name tell. What else cookies are for
//! (what was seen, chosen and consented to) is no secret.

use std::collections::BTreeSet;

use pratique_core::Severity;
use pratique_core::database::{Problem, sqlite};
use pratique_core::inspect::FileInput;

use super::notes::Search;
use super::shapes::{LOGIN, Shape};

pub(super) const OPEN: Shape = Shape {
    id: "browser-session-open",
    what: "session that a browser keeps, sealed with nothing or with a password that is the same everywhere",
    severity: Severity::Medium,
    ..LOGIN
};
pub(super) const KEYRING: Shape = Shape {
    id: "browser-session-keyring",
    what: "session that a browser keeps, sealed with a key of the desktop's keyring",
    severity: Severity::Low,
    ..LOGIN
};

/// A cookie that a service gives to who has logged in, and knows them by. What it gives to any visitor, as GitLab does its
/// `_gitlab_session`, is none.
struct Session {
    /// Whose it is: this host, or one below.
    host: &'static str,
    name: &'static str,
    /// Whether it can be its value.
    is_value: fn(&[u8]) -> bool,
}

const SESSIONS: &[Session] = &[
    Session {
        host: "github.com",
        name: "user_session",
        is_value: |value| value.len() == 48 && is_word(value),
    },
    Session {
        host: "google.com",
        name: "__Secure-1PSID",
        is_value: |value| value.starts_with(b"g.a0") && value.len() > 60,
    },
    Session {
        host: "linkedin.com",
        name: "li_at",
        is_value: |value| value.starts_with(b"AQED") && value.len() > 100,
    },
    Session {
        host: "slack.com",
        name: "d",
        is_value: |value| value.starts_with(b"xoxd-") && value.len() > 40,
    },
    Session { host: "twitter.com", name: "auth_token", is_value: |value| is_hex(value, 40) },
    Session { host: "x.com", name: "auth_token", is_value: |value| is_hex(value, 40) },
];

fn is_word(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn is_hex(value: &[u8], length: usize) -> bool {
    value.len() == length && value.iter().all(u8::is_ascii_hexdigit)
}

impl Session {
    fn of(host: &[u8], name: &[u8]) -> Option<&'static Self> {
        SESSIONS.iter().find(|session| {
            let above = host.strip_suffix(session.host.as_bytes());
            name == session.name.as_bytes()
                && above.is_some_and(|above| above.is_empty() || above.ends_with(b"."))
        })
    }
}

/// Notes the sessions of a `Cookies` of Chromium, one for each service.
pub(super) fn chromium(file: &FileInput<'_>, search: &mut Search) -> Result<(), Problem> {
    let columns = ["host_key", "name", "value", "encrypted_value"];
    let mut met = BTreeSet::new();
    sqlite::rows(file, "cookies", &columns, &mut |row| {
        let Some(session) = session(row) else { return };
        let (shape, value) = match (row[2], row[3]) {
            (Some(value), _) if (session.is_value)(value) => (&OPEN, value),
            (None, Some(sealed)) if sealed.starts_with(b"v10") => (&OPEN, sealed),
            (None, Some(sealed)) if sealed.starts_with(b"v11") => (&KEYRING, sealed),
            _ => return,
        };
        if met.insert(session.host) {
            search.note_login(shape, session.host.to_owned(), value);
        }
    })
}

/// The same of a `cookies.sqlite` of Firefox.
pub(super) fn firefox(file: &FileInput<'_>, search: &mut Search) -> Result<(), Problem> {
    let mut met = BTreeSet::new();
    sqlite::rows(file, "moz_cookies", &["host", "name", "value"], &mut |row| {
        if let Some(session) = session(row)
            && let Some(value) = row[2].filter(|value| (session.is_value)(value))
            && met.insert(session.host)
        {
            search.note_login(&OPEN, session.host.to_owned(), value);
        }
    })
}

/// The session that a row is about, whose first columns are host and name.
fn session(row: &sqlite::Row<'_>) -> Option<&'static Session> {
    Session::of(row[0]?, row[1]?)
}
