//! The table pg_authid as it lies on the disk: pages of a heap
//! (<https://www.postgresql.org/docs/current/storage-page-layout.html>), rows with the columns of
//! <https://www.postgresql.org/docs/current/catalog-pg-authid.html>. Files of other tables are told by their rows.

use pratique_core::GapKind;
use pratique_core::inspect::FileInput;

use super::super::store::{beginning, trimmed};
use super::super::{Rank, Reading};
use super::stored;

/// Bytes read, and of a page.
const LIMIT: usize = 16 << 20;
const PAGE: usize = 8192;
/// Bytes of a page before its list of rows, and of one entry of that.
const PAGE_HEADER: usize = 24;
const ENTRY: usize = 4;
/// State of an entry whose row is there.
const NORMAL: u32 = 1;
/// Columns, and whether the first is the oid: since version 12; from 9.5 to 11 it is none.
const COLUMNS: [(u16, bool); 2] = [(12, true), (11, false)];
/// Bits of a row: columns may be NULL; who deleted it did not, or only locked it.
const HAS_NULLS: u16 = 0x0001;
const KEPT: u16 = 0x0800 | 0x0080;
/// Bytes of oid, and of rolname behind it.
const OID: usize = 4;
const NAME: usize = 64;
/// Flags behind the name: super, inherit, create role, create database, log in, replicate, bypass row security.
const FLAGS: usize = 7;
const SUPER: usize = 0;
const LOGIN: usize = 4;

pub(super) fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let bytes = beginning(file, LIMIT, reading);
    let (pages, _) = bytes.as_chunks::<PAGE>();
    for page in pages {
        let end = usize::from(u16::from_le_bytes([page[12], page[13]])).min(PAGE);
        for place in (PAGE_HEADER..end.saturating_sub(ENTRY - 1)).step_by(ENTRY) {
            let entry = u32::from_le_bytes([page[place], page[place + 1], page[place + 2], page[place + 3]]);
            let (start, state, length) = ((entry & 0x7fff) as usize, entry >> 15 & 3, (entry >> 17) as usize);
            if let (NORMAL, Some(row)) = (state, page.get(start..start + length)) {
                role(row, reading);
            }
        }
    }
}

/// Notes the role of a row, if it is one that can log in by a password.
fn role(row: &[u8], reading: &mut Reading) {
    let Some(header) = row.first_chunk::<23>() else { return };
    let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let (deleted_by, columns, bits, start) =
        (&header[4..8], short(18) & 0x07ff, short(20), usize::from(header[22]));
    // An older version of a row is not in force.
    let is_gone = deleted_by != [0; 4] && bits & KEPT == 0;
    let Some((_, has_oid)) = COLUMNS.into_iter().find(|(number, _)| *number == columns && !is_gone) else {
        return;
    };
    let (before, password_bit) = if has_oid { (OID, 4) } else { (0, 2) };
    let data = row.get(start..).unwrap_or_default();
    let (Some(name), Some(flags)) =
        (data.get(before..before + NAME), data.get(before + NAME..before + NAME + FLAGS))
    else {
        return;
    };
    // Behind the flags, at a multiple of four: the limit of connections, then the password.
    let field = data.get((before + NAME + FLAGS).next_multiple_of(4) + 4..).unwrap_or_default();
    let name = trimmed(name);
    let plausible =
        flags.iter().all(|flag| *flag <= 1) && !name.is_empty() && !name.contains(char::is_control);
    let password_is_null = bits & HAS_NULLS != 0 && header.len() < start && row[23 + 1] & password_bit == 0;
    if !plausible || password_is_null || flags[LOGIN] == 0 {
        return;
    }
    let Some(password) = variable(field) else { return };
    let text = String::from_utf8_lossy(password);
    match stored(&name, &text) {
        Some(stored) => reading.stored(&name, stored, Rank::of(flags[SUPER] == 1), None),
        None => reading.problem(
            GapKind::Unsupported,
            format!("the password of role {name} is in a form that is not known"),
        ),
    }
}

/// A value of variable length: one byte of length, or four behind up to three that align them.
fn variable(field: &[u8]) -> Option<&[u8]> {
    let first = *field.first()?;
    if first & 1 == 1 {
        return field.get(1..usize::from(first >> 1));
    }
    let length = u32::from_le_bytes(*field.first_chunk::<4>()?);
    // The bits below say that it is compressed.
    (length & 3 == 0).then(|| field.get(4..(length >> 2) as usize)).flatten()
}
