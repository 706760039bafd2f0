//! Password files of web servers and proxies: htpasswd (<https://httpd.apache.org/docs/2.4/misc/password_encryptions.html>; nginx knows
//! `{SHA}`, `{SSHA}` and `{PLAIN}` beside) and htdigest.

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, HashError, SaltedDigest, Stored, hex};

use super::text::{lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "htpasswd",
    name: "the web server",
    globs: &[
        "**/.htpasswd*",
        "**/htpasswd",
        "**/htpasswd.*",
        "**/*.htpasswd",
        "**/.htdigest",
        "**/htdigest",
        "**/*.htdigest",
        "**/nginx/*passwd",
        "**/nginx/*passwords",
        "**/apache2/*passwd",
        "**/apache2/*passwords",
        "**/httpd/*passwd",
        "**/httpd/*passwords",
        "**/squid/*passwd",
        "**/squid/*passwords",
        "**/squid/users",
    ],
    words: &["htpasswd", "nginx", "apache", "httpd", "squid", "proxy"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let lines: Vec<(u32, &str)> = lines(&text, &['#'], reading).collect();
    // Programs are called htpasswd as well: what is empty counts where all else is an account.
    let are_accounts = lines.iter().all(|(_, line)| is_account(line));
    for (number, line) in lines {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, second, rest @ ..] = fields.as_slice() else { continue };
        if let [digest] = rest
            && let Some(digest) = hex(digest).filter(|digest| digest.len() == 16)
        {
            let before = format!("{name}:{second}:").into_bytes();
            let stored = SaltedDigest { before, ..SaltedDigest::plain(Algorithm::Md5, digest) };
            reading.stored(name, Stored::Digest(stored), Rank::User, Some(number));
        } else if are_accounts || !second.is_empty() {
            account(name, second, number, reading);
        }
    }
}

fn is_account(line: &str) -> bool {
    line.split_once(':').is_some_and(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace))
}

/// Notes a user by what htpasswd writes; a word that is no hash locks the account.
pub(super) fn account(name: &str, field: &str, number: u32, reading: &mut Reading) {
    let stored = if field.is_empty() {
        return reading.open(
            name,
            format!("its user {} needs no password", word(name)),
            Rank::User,
            Some(number),
        );
    } else if let Some(password) = field.strip_prefix("{PLAIN}") {
        Ok(Stored::plain(password.as_bytes()))
    } else if field.starts_with('{') {
        Stored::ldap(field)
    } else {
        match pratique_crypt::parse(field) {
            Err(HashError::NotAHash) => return,
            // What cannot be verified is told when it is judged.
            _ => Ok(Stored::Crypt(field.to_owned())),
        }
    };
    match stored {
        Ok(stored) => reading.stored(name, stored, Rank::User, Some(number)),
        Err(error) => {
            reading.problem(GapKind::Unsupported, format!("line {number}, user {}: {error}", word(name)))
        }
    }
}
