//! Parser of passwd(5), shadow(5), group(5) and gshadow(5): lines of fields separated by colons.
//!
//! It reads as glibc and musl do, and where the two differ as the more lenient does. Lines that no program takes for
//! an account are skipped, but for those that could hide one: these are told as problems.

use std::fmt::Write as _;

use pratique_core::GapKind;
use pratique_crypt::HashError;
use serde::{Deserialize, Serialize};

/// A longer line is not read; getpwnam(3) gives up long before.
const MAX_LINE: usize = 64 << 10;
/// The longest name of an account; useradd(8) stops at 32.
const MAX_NAME: usize = 256;
/// Entries read of one file.
const MAX_ENTRIES: usize = 20_000;
/// Problems told of one file.
const MAX_PROBLEMS: usize = 16;
/// Endings of neighbours that hold no accounts as text: locks, editors' and compressed files.
const NO_COPIES: [&str; 10] = ["lock", "swp", "swo", "swn", "gz", "bz2", "xz", "zst", "zip", "gpg"];

/// Which of the four files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Table {
    Passwd,
    Shadow,
    Group,
    Gshadow,
}

impl Table {
    /// What the file at `path` (relative to the root) is, and whether it is a copy that nothing reads at login.
    pub(super) fn of(path: &[u8]) -> Option<(Self, bool)> {
        let name = std::str::from_utf8(path.strip_prefix(b"etc/")?).ok()?;
        let end = name.find(['-', '+', '~', '.']).unwrap_or(name.len());
        let (stem, ending) = name.split_at(end);
        let table = match stem {
            "passwd" => Self::Passwd,
            "shadow" => Self::Shadow,
            "group" => Self::Group,
            "gshadow" => Self::Gshadow,
            _ => return None,
        };
        match ending.strip_prefix('.') {
            Some(ending) if NO_COPIES.iter().any(|none| ending.eq_ignore_ascii_case(none)) => None,
            _ => Some((table, !ending.is_empty())),
        }
    }

    /// Whether its lines are groups.
    pub(super) fn is_of_groups(self) -> bool {
        matches!(self, Self::Group | Self::Gshadow)
    }

    /// Whether `x` in its password field points to another file, and numbers follow.
    fn is_public(self) -> bool {
        matches!(self, Self::Passwd | Self::Group)
    }
}

/// The fact noted of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Accounts {
    pub(super) table: Table,
    /// Not the file that logins use, but a copy of it.
    pub(super) backup: bool,
    /// In the file's order.
    pub(super) entries: Vec<Entry>,
}

/// One account or group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its name, with bytes that are no UTF-8 and control characters as `\xNN`.
    pub(super) name: String,
    /// uid or gid, where the file has it.
    pub(super) id: Option<u32>,
    /// Login shell, where the file has it; empty means `/bin/sh`.
    pub(super) shell: Option<String>,
    pub(super) password: Password,
}

/// What the password field says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Password {
    /// None is asked for.
    Empty,
    /// Nothing that is typed can match: `*`, `!`, `!hash`, `*LK*`, any word that is no hash.
    Locked,
    /// In the shadow file.
    Elsewhere,
    /// What crypt(3) made of it, or may have made: schemes that cannot be verified are told when judging.
    Hash(String),
}

/// Reads a whole file. The second result says which lines could not be understood, by number.
pub(super) fn parse(table: Table, backup: bool, bytes: &[u8]) -> (Accounts, Vec<(GapKind, String)>) {
    let mut entries = Vec::new();
    let mut problems = Problems::default();
    let mut lines_with_text = 0;
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
        // Comments, and the lines by which glibc's `compat` includes accounts from NIS.
        if matches!(line.first(), None | Some(b'#' | b'+' | b'-')) {
            continue;
        }
        lines_with_text += 1;
        if entries.len() == MAX_ENTRIES {
            problems.add(GapKind::Limit, format!("only its first {MAX_ENTRIES} entries were read"));
            break;
        }
        match entry(table, line) {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => {}
            Err((kind, reason)) => problems.add(kind, format!("line {}: {reason}", at + 1)),
        }
    }
    if entries.is_empty() && lines_with_text > 0 && !backup && problems.all.is_empty() {
        problems.add(GapKind::Malformed, "it has text, but not one line is an account".into());
    }
    (Accounts { table, backup, entries }, problems.finish())
}

/// Reads one line; nothing if it cannot be an account to any program and hides no hash.
fn entry(table: Table, line: &[u8]) -> Result<Option<Entry>, (GapKind, String)> {
    let malformed = |reason: &str| Err((GapKind::Malformed, reason.to_owned()));
    if line.len() > MAX_LINE {
        return Err((GapKind::Limit, format!("it is longer than {MAX_LINE} bytes")));
    }
    if line.contains(&0) {
        return malformed("it holds a zero byte, and programs differ in what follows from it");
    }
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
    let &[name, field, ..] = fields.as_slice() else {
        return if line.contains(&b'$') {
            malformed("it has no colon, but may hold a hash")
        } else {
            Ok(None)
        };
    };
    let password = password(table, field)?;
    let opens = matches!(password, Password::Empty | Password::Hash(_));
    if name.is_empty() || name.len() > MAX_NAME {
        return if opens { malformed("its name is empty or too long") } else { Ok(None) };
    }
    let mut entry = Entry { name: printable(name), id: None, shell: None, password };
    if table.is_public() {
        entry.id = fields.get(2).and_then(|id| std::str::from_utf8(id).ok()?.trim().parse().ok());
        if entry.id.is_none() {
            return if opens { malformed("it has no number, but an open password field") } else { Ok(None) };
        }
    }
    if table == Table::Passwd {
        entry.shell = fields.get(6).map(|shell| printable(shell.trim_ascii()));
    }
    Ok(Some(entry))
}

fn password(table: Table, field: &[u8]) -> Result<Password, (GapKind, String)> {
    match field {
        b"" => return Ok(Password::Empty),
        b"x" if table.is_public() => return Ok(Password::Elsewhere),
        // No password to glibc's login, but BusyBox looks into the shadow file.
        b"*" if table == Table::Passwd => return Ok(Password::Elsewhere),
        [b'#', b'#', ..] if table.is_public() => return Ok(Password::Elsewhere),
        _ => {}
    }
    if field.len() > pratique_crypt::MAX_LENGTH {
        return match field.first() {
            Some(b'$') => {
                Err((GapKind::Malformed, "its hash is longer than any that crypt(3) writes".into()))
            }
            _ => Ok(Password::Locked),
        };
    }
    // Hashes are of printable ASCII; `!` and `*` begin none.
    let Ok(text) = std::str::from_utf8(field) else { return Ok(Password::Locked) };
    Ok(match pratique_crypt::parse(text) {
        Err(HashError::NotAHash) => Password::Locked,
        Ok(_) | Err(HashError::Unsupported(_) | HashError::Malformed { .. }) => {
            Password::Hash(text.to_owned())
        }
    })
}

/// Text for people: what is no UTF-8, control characters and the backslash as `\xNN`.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '\\' {
                let mut buffer = [0; 4];
                escape(&mut text, character.encode_utf8(&mut buffer).as_bytes());
            } else {
                text.push(character);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// The problems of a file: the first ones whole, the rest as a number.
#[derive(Default)]
struct Problems {
    all: Vec<(GapKind, String)>,
    more: usize,
}

impl Problems {
    fn add(&mut self, kind: GapKind, reason: String) {
        if self.all.len() < MAX_PROBLEMS { self.all.push((kind, reason)) } else { self.more += 1 }
    }

    fn finish(mut self) -> Vec<(GapKind, String)> {
        if self.more > 0 {
            self.all.push((GapKind::Malformed, format!("{} more lines could not be understood", self.more)));
        }
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$1$salt$qJH7.N4xYta3aEG/dfqo/0";

    fn read(table: Table, text: &[u8]) -> (Vec<(String, Password)>, Vec<GapKind>) {
        let (accounts, problems) = parse(table, false, text);
        (
            accounts.entries.into_iter().map(|entry| (entry.name, entry.password)).collect(),
            problems.into_iter().map(|(kind, _)| kind).collect(),
        )
    }

    #[test]
    fn names_of_files_tell_table_and_copy() {
        for (path, expected) in [
            ("etc/shadow", Some((Table::Shadow, false))),
            ("etc/shadow-", Some((Table::Shadow, true))),
            ("etc/shadow~", Some((Table::Shadow, true))),
            ("etc/shadow.bak", Some((Table::Shadow, true))),
            ("etc/shadow.dpkg-old", Some((Table::Shadow, true))),
            ("etc/gshadow.rpmsave", Some((Table::Gshadow, true))),
            ("etc/passwd", Some((Table::Passwd, false))),
            ("etc/group-", Some((Table::Group, true))),
            ("etc/.shadow.swp", None),
            ("etc/shadow.lock", None),
            ("etc/passwd.GZ", None),
            ("etc/passwords", None),
            ("shadow", None),
            ("home/etc/shadow", None),
        ] {
            assert_eq!(Table::of(path.as_bytes()), expected, "{path}");
        }
        assert_eq!(Table::of(b"etc/shadow.\xff"), None);
    }

    #[test]
    fn password_fields_are_read_as_login_reads_them() {
        let locked = [
            "*",
            "!",
            "!!",
            "*LK*",
            "NP",
            "x",
            "LOCKED",
            "!$1$salt$qJH7.N4xYta3aEG/dfqo/0",
            "disabled",
            "\u{e9}",
        ];
        for field in locked {
            let (entries, problems) = read(Table::Shadow, format!("u:{field}:1:0:99999:7:::\n").as_bytes());
            assert_eq!(entries, [("u".into(), Password::Locked)], "{field}");
            assert!(problems.is_empty(), "{field}");
        }
        assert_eq!(read(Table::Shadow, b"u::::::::").0, [("u".into(), Password::Empty)]);
        let line = format!("u:{HASH}:::::::");
        assert_eq!(read(Table::Shadow, line.as_bytes()).0, [("u".into(), Password::Hash(HASH.into()))]);
        assert_eq!(read(Table::Passwd, b"u:x:1:1::/:/bin/sh").0, [("u".into(), Password::Elsewhere)]);
        assert_eq!(read(Table::Passwd, b"u:*:1:1::/:/bin/sh").0, [("u".into(), Password::Elsewhere)]);
        assert_eq!(read(Table::Passwd, b"u:!:1:1::/:/bin/sh").0, [("u".into(), Password::Locked)]);
        assert_eq!(read(Table::Passwd, b"u:##u:1:1::/:/bin/sh").0, [("u".into(), Password::Elsewhere)]);
        assert_eq!(read(Table::Group, b"g:x:5:a,b").0, [("g".into(), Password::Elsewhere)]);
    }

    #[test]
    fn line_ends_comments_and_nis_lines() {
        let text = format!("# root::0\r\n\r\n \t\n+::::::\n-bad::\n+@netgroup:::::\n  u:{HASH}\r\nlast:*");
        let (entries, problems) = read(Table::Shadow, text.as_bytes());
        assert_eq!(entries, [("u".into(), Password::Hash(HASH.into())), ("last".into(), Password::Locked)]);
        assert!(problems.is_empty());
        let (accounts, _) = parse(Table::Passwd, false, b"u::7:7::/:/bin/bash\r\n");
        assert_eq!(
            (accounts.entries[0].id, accounts.entries[0].shell.as_deref()),
            (Some(7), Some("/bin/bash"))
        );
    }

    #[test]
    fn what_could_hide_an_account_is_a_problem() {
        let long = [b"u:".as_slice(), &vec![b'a'; 1 << 20]].concat();
        let long_hash = format!("u:$6${}", "a".repeat(1000));
        let many_lines = "a$b\n".repeat(100);
        for (table, text, kind) in [
            (Table::Shadow, b"root:\0:::".as_slice(), GapKind::Malformed),
            (Table::Shadow, b"no colon $6$salt$abc", GapKind::Malformed),
            (Table::Shadow, b"::::::::", GapKind::Malformed),
            (Table::Passwd, b"root::zero:0::/:/bin/sh", GapKind::Malformed),
            (Table::Shadow, b"some words\nof another file", GapKind::Malformed),
            (Table::Shadow, &long, GapKind::Limit),
            (Table::Shadow, long_hash.as_bytes(), GapKind::Malformed),
        ] {
            let (entries, problems) = read(table, text);
            assert!(entries.is_empty());
            assert_eq!(problems, [kind], "{}", String::from_utf8_lossy(&text[..text.len().min(40)]));
        }
        assert_eq!(read(Table::Shadow, many_lines.as_bytes()).1.len(), MAX_PROBLEMS + 1);
        assert_eq!(read(Table::Shadow, b"\n\n#\n"), (vec![], vec![]));
        assert_eq!(read(Table::Shadow, b""), (vec![], vec![]));
    }

    #[test]
    fn names_are_escaped_and_entries_bounded() {
        let (entries, _) = read(Table::Shadow, b"a\xff\x1b[2J\\:*:");
        assert_eq!(entries[0].0, r"a\xff\x1b[2J\x5c");
        let (entries, problems) = read(Table::Shadow, "u:*\n".repeat(MAX_ENTRIES + 5).as_bytes());
        assert_eq!((entries.len(), problems), (MAX_ENTRIES, vec![GapKind::Limit]));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300), public: bool) {
            let table = if public { Table::Passwd } else { Table::Shadow };
            let (accounts, _) = parse(table, false, &bytes);
            let json = serde_json::to_vec(&accounts).unwrap();
            proptest::prop_assert_eq!(serde_json::from_slice::<Accounts>(&json).unwrap(), accounts);
        }
    }
}
