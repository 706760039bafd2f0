//! `mysql.ibd` of MySQL 8: rows of the table `user` in pages of InnoDB
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_INNODB_PAGE.html>). The tablespace holds many tables; a row is
//! one of `user` if the name of a plugin for passwords stands where that table has it.

use pratique_core::GapKind;
use pratique_core::inspect::FileInput;

use super::super::Reading;
use super::super::store::{find, piece, trimmed};
use super::{CachingSha2, NATIVE, Row, account};

/// Bytes of a page, unless the server was told otherwise.
const PAGE: usize = 16 << 10;
/// Types of pages: of an index; compressed or encrypted ones.
const INDEX: u16 = 17855;
const SEALED: std::ops::RangeInclusive<u16> = 14..=18;
/// Where the list of a page's rows begins and ends.
const INFIMUM: usize = 99;
const SUPREMUM: usize = 112;
/// Rows of a page: each has five bytes at least.
const MAX_ROWS: usize = PAGE / 5;
/// Bytes of the columns Host, User and plugin; names of other than ASCII characters may have more.
const HOST: usize = 255;
const USER: usize = 32;
const PLUGIN: usize = 64;
/// Bytes of a row in which the plugin is looked for.
const REACH: usize = 2048;

const PLUGINS: [&str; 5] =
    ["caching_sha2_password", "mysql_native_password", "sha256_password", "auth_socket", "mysql_no_login"];

pub(super) fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let (mut rows, mut sealed) = (0, false);
    let mut offset = 0;
    while offset < file.size {
        let page = piece(file, offset, PAGE, reading);
        offset += PAGE as u64;
        let number =
            |at: usize| page.get(at..at + 2).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        sealed |= SEALED.contains(&number(24));
        // Leaves alone have rows.
        if page.len() == PAGE && number(24) == INDEX && number(64) == 0 {
            rows += origins(&page).into_iter().filter(|origin| user(&page, *origin, reading)).count();
        }
    }
    if rows == 0 {
        let why = if sealed {
            "its pages are compressed or encrypted"
        } else {
            "no page of it holds the table of users"
        };
        reading.problem(GapKind::Unsupported, format!("MySQL's accounts were not read: {why}"));
    }
}

/// Where the rows of a page begin that are not deleted.
fn origins(page: &[u8]) -> Vec<usize> {
    let (mut at, mut origins) = (INFIMUM, Vec::new());
    for _ in 0..MAX_ROWS {
        let next = i16::from_be_bytes([page[at - 2], page[at - 1]]);
        // Relative, and around the page's end.
        at = at.wrapping_add_signed(isize::from(next)) & 0xffff;
        if next == 0 || at <= SUPREMUM || at >= PAGE {
            break;
        }
        let (is_deleted, status) = (page[at - 5] & 0x20 != 0, page[at - 3] & 7);
        if !is_deleted && status == 0 {
            origins.push(at);
        }
    }
    origins
}

/// Notes the row that begins at `origin`; whether it is one of a user.
fn user(page: &[u8], origin: usize, reading: &mut Reading) -> bool {
    let row = &page[origin..PAGE.min(origin + REACH)];
    let Some((host, user)) = row.get(..HOST + USER).map(|names| names.split_at(HOST)) else { return false };
    let behind = &row[HOST + USER..];
    let found = PLUGINS.iter().filter_map(|name| {
        let field = [name.as_bytes(), &vec![b' '; PLUGIN - name.len()]].concat();
        find(behind, &field).map(|at| (at, *name))
    });
    let Some((at, plugin)) = found.min() else { return false };
    let rest = &behind[at + PLUGIN..];
    let stored = match rest {
        [b'$', b'A', b'$', ..] => rest.get(..CachingSha2::LENGTH).unwrap_or_default(),
        [b'*', ..] => rest.get(..NATIVE).unwrap_or_default(),
        _ => &[],
    };
    // password_expired, password_last_changed and password_lifetime, the latter two only if they are not NULL, which the
    // byte before the row's header tells; then whether the account is locked.
    let nulls = page[origin - 6];
    let skipped = 1 + if nulls & 2 == 0 { 4 } else { 0 } + if nulls & 4 == 0 { 2 } else { 0 };
    let is_locked = rest.get(stored.len() + skipped) == Some(&2);
    let (host, user) = (trimmed(host), trimmed(user));
    let is_name = |text: &str| !text.contains(char::is_control);
    if host.is_empty() || !is_name(&host) || !is_name(&user) {
        return false;
    }
    if !is_locked {
        account(&Row { host: &host, user: &user, plugin, stored }, reading);
    }
    true
}
