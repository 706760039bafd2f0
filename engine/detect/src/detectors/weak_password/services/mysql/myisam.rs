//! `mysql/user.MYD` of MySQL to 5.7 and MariaDB to 10.3: rows of MyISAM's dynamic format
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/>, storage/myisam/mi_dynrec.cc). Columns are told by what they
//! hold, for each version has others.

use pratique_core::GapKind;
use pratique_core::inspect::FileInput;

use super::super::Reading;
use super::super::store::{beginning, find};
use super::{NATIVE, Row, account};

/// Bytes read.
const LIMIT: usize = 16 << 20;
/// Blocks are as long as a multiple of this.
const ALIGNMENT: usize = 4;
/// Bits before the first column, which say how the others are packed, take no more bytes.
const MAX_BITS: usize = 12;

/// Plugins by name, as far as rows have one.
const PLUGINS: [&str; 9] = [
    "mysql_native_password",
    "mysql_old_password",
    "sha256_password",
    "unix_socket",
    "auth_socket",
    "auth_pam",
    "ed25519",
    "gssapi",
    "mysql_no_login",
];

pub(super) fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let bytes = beginning(file, LIMIT, reading);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let Some(block) = Block::of(rest) else {
            return reading.problem(
                GapKind::Malformed,
                format!("byte {} begins no block of rows", bytes.len() - rest.len()),
            );
        };
        match block.row {
            Some(row) if !user(row, reading) => {
                reading.problem(GapKind::Malformed, "a row is no user");
            }
            None if block.is_split => {
                reading.problem(GapKind::Unsupported, "a row lies in several pieces and was not read");
            }
            _ => {}
        }
        rest = &rest[block.length.min(rest.len())..];
    }
}

/// A block of the file.
struct Block<'a> {
    /// Its whole length, more than zero.
    length: usize,
    /// A whole row; none in a block that is free or holds a part.
    row: Option<&'a [u8]>,
    /// Whether it is the first part of a row.
    is_split: bool,
}

impl<'a> Block<'a> {
    /// The block that begins here. Its type says how many bytes its lengths have.
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let number = |at: usize, length: usize| {
            bytes
                .get(at..at + length)
                .map(|bytes| bytes.iter().fold(0, |value, byte| value << 8 | usize::from(*byte)))
        };
        let (header, data, unused, is_whole) = match bytes.first()? {
            // A deleted row, its length with the header.
            0 => {
                let length = number(1, 3).filter(|length| *length >= 20)?;
                return Some(Self { length, row: None, is_split: false });
            }
            1 => (3, number(1, 2)?, 0, true),
            2 => (4, number(1, 3)?, 0, true),
            3 => (4, number(1, 2)?, number(3, 1)?, true),
            4 => (5, number(1, 3)?, number(4, 1)?, true),
            5 => (13, number(3, 2)?, 0, false),
            6 => (15, number(4, 3)?, 0, false),
            7 => (3, number(1, 2)?, 0, false),
            8 => (4, number(1, 3)?, 0, false),
            9 => (4, number(1, 2)?, number(3, 1)?, false),
            10 => (5, number(1, 3)?, number(4, 1)?, false),
            11 => (11, number(1, 2)?, 0, false),
            12 => (12, number(1, 3)?, 0, false),
            13 => (16, number(5, 3)?, 0, false),
            _ => return None,
        };
        let length = (header + data + unused).next_multiple_of(ALIGNMENT);
        let row = if is_whole { Some(bytes.get(header..header + data)?) } else { None };
        Some(Self { length, row, is_split: matches!(bytes[0], 5 | 6 | 13) })
    }
}

/// Notes a row; whether it is one of a user.
fn user(row: &[u8], reading: &mut Reading) -> bool {
    let Some((host, user, rest)) = (1..=MAX_BITS).find_map(|at| names(row.get(at..)?)) else { return false };
    let plugin =
        PLUGINS.into_iter().find(|plugin| find(rest, plugin.as_bytes()).is_some()).unwrap_or_default();
    let star = rest
        .windows(NATIVE)
        .position(|window| window[0] == b'*' && window[1..].iter().all(u8::is_ascii_alphanumeric));
    let old = rest.first() == Some(&16) && rest.len() > 16;
    let stored = match star {
        Some(at) => &rest[at..at + NATIVE],
        // The column Password of a row with a hash from before 4.1.
        None if old && rest[1..17].iter().all(u8::is_ascii_hexdigit) => &rest[1..17],
        None => &[],
    };
    // As authentication_string, a text with its length, it is of 5.7, whose last column says whether the account is locked.
    let is_text = star.is_some_and(|at| at >= 2 && rest[at - 2..at] == [41, 0]);
    if !(is_text && rest.last() == Some(&2)) {
        account(&Row { host: &host, user: &user, plugin, stored }, reading);
    }
    true
}

/// Host and user, each with its length before it, and what follows.
fn names(bytes: &[u8]) -> Option<(String, String, &[u8])> {
    let (host, rest) = counted(bytes)?;
    let (user, rest) = counted(rest)?;
    let plausible = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_graphic())
        && user.chars().count() <= 80
        // Then a password, plain or with its length, or the first of the enumerations.
        && matches!(rest.first(), Some(0 | 1 | 2 | 16 | b'*'));
    plausible.then(|| (host.to_owned(), user.to_owned(), rest))
}

fn counted(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    let text = std::str::from_utf8(text).ok().filter(|text| !text.contains(char::is_control))?;
    Some((text, rest))
}
