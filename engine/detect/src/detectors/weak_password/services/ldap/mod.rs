//! OpenLDAP: `rootpw` in slapd.conf(5), `olcRootPW` and `userPassword` in LDIF (RFC 2849), and the entries of its databases.
//! Those of Berkeley DB, which it made up to 2.4, are not read: they are a gap.

mod database;

use pratique_core::GapKind;
use pratique_crypt::{HashError, Stored, base64};

use super::text::{arguments, lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "ldap",
    name: "the LDAP directory",
    globs: &["**/slapd.conf", "**/*.ldif"],
    stores: &["**/ldap/**/data.mdb", "**/openldap*/**/data.mdb", "**/slapd*/**/data.mdb", "**/id2entry.bdb"],
    words: &["ldap", "openldap", "slapd", "secret", "admin", "manager"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    if file.path.ends_with(b".mdb") {
        return database::read(file, reading);
    }
    if file.path.ends_with(b".bdb") {
        return reading
            .problem(GapKind::Unsupported, "the accounts in a Berkeley DB of OpenLDAP are not read");
    }
    let text = text(file);
    if file.path.ends_with(b".ldif") { ldif(&text, reading) } else { configuration(&text, reading) }
}

fn configuration(text: &str, reading: &mut Reading) {
    let mut root = String::new();
    for (number, line) in lines(text, &['#'], reading) {
        match arguments(line).as_slice() {
            [key, name, ..] if key.eq_ignore_ascii_case("rootdn") => root.clone_from(name),
            [key, value, ..] if key.eq_ignore_ascii_case("rootpw") => {
                root_password(&root, value, number, reading);
            }
            _ => {}
        }
    }
}

fn ldif(text: &str, reading: &mut Reading) {
    let mut entry = String::new();
    let mut numbered = text.lines().enumerate().peekable();
    while let Some((at, line)) = numbered.next() {
        let interesting = ["dn:", "userpassword:", "olcrootpw:", "olcrootdn:"];
        if !interesting
            .iter()
            .any(|name| line.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)))
        {
            continue;
        }
        let mut whole = line.to_owned();
        // A line that begins with a space goes on with the one before.
        while let Some((_, more)) = numbered.next_if(|(_, next)| next.starts_with(' ')) {
            whole.push_str(&more[1..]);
        }
        let Some((name, value)) = whole.split_once(':') else { continue };
        let value = match value.strip_prefix(':') {
            Some(encoded) => base64(encoded.trim())
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default(),
            None => value.trim().to_owned(),
        };
        match name.to_ascii_lowercase().as_str() {
            "dn" | "olcrootdn" => entry = value,
            "olcrootpw" => root_password(&entry, &value, number(at), reading),
            _ => password(&entry, &value, Some(number(at)), reading),
        }
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

/// Notes the password of whom the configuration calls root.
fn root_password(entry: &str, value: &str, number: u32, reading: &mut Reading) {
    note(entry, value, Rank::Administrator, Some(number), reading);
}

/// Notes the password of an entry, of which its first name tells what it may do.
fn password(entry: &str, value: &str, number: Option<u32>, reading: &mut Reading) {
    let name = entry.to_ascii_lowercase();
    let administers = ["cn=admin", "cn=manager", "cn=root"].iter().any(|start| name.starts_with(start));
    note(entry, value, Rank::of(administers), number, reading);
}

fn note(entry: &str, value: &str, rank: Rank, number: Option<u32>, reading: &mut Reading) {
    if value.is_empty() || super::is_placeholder(value) {
        return;
    }
    // `uid=anna,ou=people` is called anna.
    let account =
        entry.split(',').next().and_then(|part| part.split_once('=')).map_or(entry, |(_, name)| name);
    match Stored::ldap(value) {
        // `{CRYPT}*`: locked.
        Ok(Stored::Crypt(text)) if matches!(pratique_crypt::parse(&text), Err(HashError::NotAHash)) => {}
        Ok(stored) => reading.stored(account, stored, rank, number),
        Err(error) => {
            let place = number.map_or_else(|| word(account), |number| format!("line {number}"));
            reading.problem(GapKind::Unsupported, format!("{place}: {error}"));
        }
    }
}
