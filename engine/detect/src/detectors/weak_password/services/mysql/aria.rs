//! `mysql/global_priv.MAD` of MariaDB since 10.4: host, user and a JSON document a row, in pages of Aria
//! (<https://mariadb.com/kb/en/mysqlglobal_priv-table/>; the layout of pages is in storage/maria/ma_blockrec.c).

use pratique_core::GapKind;
use pratique_core::inspect::FileInput;
use serde_json::Value;

use super::super::Reading;
use super::super::store::piece;
use super::{Row, account};

/// Bytes of a page, unless the table was made otherwise.
const PAGE: usize = 8 << 10;
/// The type, in the lowest bits of the eighth byte, of pages with beginnings of rows.
const HEAD: u8 = 1;
/// Bytes at a page's end behind its directory, and of one entry of that.
const SUFFIX: usize = 4;
const ENTRY: usize = 4;
/// Bytes before a row's columns; they depend on which transactions see the row.
const MAX_FLAGS: usize = 32;

pub(super) fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let (mut offset, mut rows) = (0, 0);
    while offset < file.size {
        let page = piece(file, offset, PAGE, reading);
        offset += PAGE as u64;
        if page.len() < PAGE || page[7] & 7 != HEAD {
            continue;
        }
        for entry in 1..=usize::from(page[8]) {
            let Some(place) = PAGE.checked_sub(SUFFIX + ENTRY * entry) else { break };
            let (start, length) = (short(&page, place), short(&page, place + 2));
            // Rows that are gone begin nowhere.
            let row = page.get(start..start.saturating_add(length)).filter(|_| start > 0);
            let Some(row) = row else { continue };
            match columns(row) {
                Some((host, user, json)) => {
                    rows += 1;
                    privileges(host, user, &json, reading);
                }
                None => reading.problem(GapKind::Unsupported, "a row is no user, or lies in several pages"),
            }
        }
    }
    if rows == 0 {
        reading.problem(
            GapKind::Unsupported,
            "MariaDB's accounts were not read: no page of it holds the table of users",
        );
    }
}

fn short(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 2).map_or(0, |bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
}

/// Host, user and document: their lengths stand behind the row's flags, then they themselves.
fn columns(row: &[u8]) -> Option<(&str, &str, Value)> {
    (0..MAX_FLAGS).find_map(|at| {
        let (host, user) = (short(row, at), short(row, at + 2));
        let json = short(row, at + 4);
        let (start, middle, end) = (at + 8, at + 8 + host, at + 8 + host + user);
        // The longest document that fits into a page has a length of two bytes.
        let is_short = row.get(at + 6..at + 8)? == [0, 0];
        let document = row.get(end..end + json).filter(|document| is_short && document.starts_with(b"{"))?;
        let text = |range| std::str::from_utf8(row.get(range)?).ok();
        let json = serde_json::from_slice(document).ok()?;
        Some((text(start..middle)?, text(middle..end)?, json))
    })
}

/// A document may name several ways to log in; an empty one among them stands for its own fields.
fn privileges(host: &str, user: &str, json: &Value, reading: &mut Reading) {
    if json["account_locked"] == true {
        return;
    }
    let own = [json.clone()];
    let ways = json["auth_or"].as_array().map_or(own.as_slice(), Vec::as_slice);
    for way in ways {
        let way = if way.as_object().is_some_and(serde_json::Map::is_empty) { json } else { way };
        let plugin = way["plugin"].as_str().unwrap_or_default();
        let stored = way["authentication_string"].as_str().unwrap_or_default().as_bytes();
        account(&Row { host, user, plugin, stored }, reading);
    }
}
