//! All that lies in a database: the values of all rows, and what deleted ones left.

use std::borrow::Cow;

use super::super::pages::{Pages, at, read};
use super::super::{MAX_ENTRY, Problem};
use super::log::{LOG_HEADS, log_values};
use super::record::{columns, integer, value};
use super::tree::{Met, Record, Tree};
use super::{HEAD, Header, header};
use crate::GapKind;
use crate::inspect::FileInput;

/// Tables and indices of one database that are read as such.
const MAX_TREES: usize = 1 << 16;
/// Bytes of a table's name that are kept.
const MAX_NAME: usize = 128;
/// Rows and tables of the database's own.
const SCHEMA: &str = "sqlite_schema";

/// A text or a blob, or bytes that no row holds.
#[derive(Debug)]
pub struct Value<'a> {
    /// What it says; a text in UTF-8, whatever the database has.
    pub bytes: &'a [u8],
    /// Whether more of it should be there. Of what no row holds nobody knows.
    pub is_cut: bool,
    /// Byte of the file at which its row, or itself, begins.
    pub offset: u64,
    /// Who holds it.
    pub place: Place<'a>,
}

/// Who holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A row.
    Row {
        /// Its table; none where that is not known.
        table: Option<&'a str>,
        /// Its number; none in an index, and in a table without such.
        key: Option<i64>,
    },
    /// None that is known: a row that was deleted or changed, or one that could not be reached.
    Remains,
}

/// What is handed values.
pub(super) type EachValue<'e> = dyn FnMut(&Value<'_>) + 'e;

/// Hands over all texts and blobs of all rows, entries of indices among them, and all bytes that no row holds: of a database, or
/// of the write-ahead log beside one, as the file begins. None: it is neither, by [`HEAD`] and [`LOG_HEADS`].
///
/// Of a value on several pages all is put together, of one in UTF-16 its text. Which table has a row, a log does not know, and a
/// value that goes on on a page that did not change is handed over as far as the log has it; the database has all of it.
///
/// # Errors
/// The first problem: if the file is not what it begins as, nothing is handed over; otherwise what lies in broken parts is
/// handed over as what no row holds.
pub fn contents(file: &FileInput<'_>, each: &mut EachValue<'_>) -> Option<Result<(), Problem>> {
    if file.bytes.starts_with(HEAD) {
        return Some(values(file, each));
    }
    LOG_HEADS.iter().any(|head| file.bytes.starts_with(head)).then(|| log_values(file, each))
}

/// See [`contents`].
fn values(file: &FileInput<'_>, each: &mut EachValue<'_>) -> Result<(), Problem> {
    let Header { size, usable, wide } = header(file)?;
    let mut tree = Tree { pages: Pages::new(file, size)?, usable };
    let mut roots: Vec<(u64, String)> = Vec::new();
    let mut all = true;
    let mut result = tree.walk(1, &mut |met| {
        if let Met::Record(record) = &met {
            let root = value(record.bytes, 3).map_or(0, integer);
            all &= roots.len() < MAX_TREES;
            // A view has none.
            if root > 1 && root <= u64::from(u32::MAX) && all {
                let name = value(record.bytes, 2).unwrap_or_default();
                let name = utf8(&name[..name.len().min(MAX_NAME)], wide);
                roots.push((root, String::from_utf8_lossy(&name).into_owned()));
            }
        }
        hand_over(met, Some(SCHEMA), wide, each);
    });
    if !all {
        result = result.and(Err((
            GapKind::Limit,
            format!("it has more than {MAX_TREES} tables and indices; the rest is read as what no row holds"),
        )));
    }
    for (root, table) in &roots {
        result = result.and(tree.walk(*root, &mut |met| hand_over(met, Some(table), wide, each)));
    }
    result = result.and(left(&mut tree, wide, each));
    let whole = tree.pages.count() * u64::from(size);
    let rest = read(file, whole, usize::try_from(file.size - whole).unwrap_or_default())?;
    remains(&rest, whole, each);
    result
}

/// Hands over what is met, by its values.
pub(super) fn hand_over(met: Met<'_>, table: Option<&str>, wide: Option<Wide>, each: &mut EachValue<'_>) {
    match met {
        Met::Record(record) => row(&record, Place::Row { table, key: record.key }, wide, each),
        Met::Remains(bytes, offset) => remains(bytes, offset, each),
    }
}

/// Hands over the texts and blobs of a record.
pub(super) fn row(record: &Record<'_>, place: Place<'_>, wide: Option<Wide>, each: &mut EachValue<'_>) {
    for column in columns(record.bytes).filter(|column| column.kind >= 12) {
        let is_text = column.kind % 2 == 1;
        let bytes = utf8(column.bytes, wide.filter(|_| is_text));
        each(&Value { bytes: &bytes, is_cut: column.is_cut, offset: record.offset, place });
    }
}

/// Hands over bytes that no row holds.
pub(super) fn remains(bytes: &[u8], offset: u64, each: &mut EachValue<'_>) {
    if bytes.iter().any(|byte| *byte != 0) {
        each(&Value { bytes, is_cut: false, offset, place: Place::Remains });
    }
}

/// Hands over the pages that no tree has. Those that were a tree's still have its rows; of others one that is followed by its
/// next, as overflow pages are, is one with it.
fn left(tree: &mut Tree<Pages<'_>>, wide: Option<Wide>, each: &mut EachValue<'_>) -> Result<(), Problem> {
    let mut run: Option<(u64, Vec<u8>, u64)> = None;
    for number in 1..=tree.pages.count() {
        if tree.pages.is_taken(number - 1) {
            continue;
        }
        let page = tree.pages.take(number - 1)?;
        let offset = (number - 1) * page.len() as u64;
        let mut of_row = |met: Met<'_>| match met {
            Met::Record(record) => row(&record, Place::Remains, wide, each),
            Met::Remains(bytes, offset) => remains(bytes, offset, each),
        };
        // What is wrong with a page that is not in use says nothing.
        if tree.cells(number, &page, offset, &mut Vec::new(), &mut of_row).is_some() {
            continue;
        }
        let next = u64::from(u32::from_be_bytes(at(&page, 0)));
        match &mut run {
            Some((_, bytes, wanted)) if *wanted == number && bytes.len() < MAX_ENTRY => {
                bytes.extend_from_slice(&page[4..]);
                *wanted = next;
            }
            _ => {
                if let Some((offset, bytes, _)) = run.replace((offset, page, next)) {
                    remains(&bytes, offset, each);
                }
            }
        }
    }
    if let Some((offset, bytes, _)) = run {
        remains(&bytes, offset, each);
    }
    Ok(())
}

/// The order of bytes in texts of UTF-16.
#[derive(Clone, Copy)]
pub(super) enum Wide {
    Little,
    Big,
}

/// A text as UTF-8.
fn utf8(text: &[u8], wide: Option<Wide>) -> Cow<'_, [u8]> {
    let read = match wide {
        None => return Cow::Borrowed(text),
        Some(Wide::Little) => u16::from_le_bytes,
        Some(Wide::Big) => u16::from_be_bytes,
    };
    let units = text.chunks_exact(2).map(|two| read([two[0], two[1]]));
    let text: String =
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Cow::Owned(text.into_bytes())
}
