//! SQLite by its rows: a value that runs over several pages is looked at in one, and a finding says whose it is. What
//! deleted rows left is looked at, too, and so is the write-ahead log beside a database.

use pratique_core::database::{Problem, pages, sqlite};
use pratique_core::inspect::{FileInput, OVERLAP, PIECE, Piece, pieces};
use serde::{Deserialize, Serialize};

use super::browser;
use super::notes::Search;
use crate::signs::word;
use crate::sums::Hasher;
use crate::{FileReport, Stream};

/// Shorter values hold no secret, as no shorter file does.
const MIN_VALUE: usize = 8;

/// Where in a database something stands. The later say more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Place {
    /// Where no row is.
    Remains,
    /// In an index, or in a table without numbers of rows.
    Table(String),
    /// In a row of a table, which a log does not know.
    Row(Option<String>, i64),
}

impl Place {
    fn of(place: sqlite::Place<'_>) -> Self {
        match place {
            sqlite::Place::Row { table, key: Some(key) } => Self::Row(table.map(word), key),
            sqlite::Place::Row { table, key: None } => Self::Table(table.map(word).unwrap_or_default()),
            sqlite::Place::Remains => Self::Remains,
        }
    }

    /// Whether another place of the same secret is another one, and not a copy that the database keeps.
    pub(super) fn counts(&self) -> bool {
        matches!(self, Self::Row(..))
    }

    /// For a message, behind what stands there.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Remains => " where a row was: deleted, still readable".to_owned(),
            Self::Table(table) if table.is_empty() => " in an index".to_owned(),
            Self::Table(table) => format!(" in table {table}"),
            Self::Row(None, key) => format!(" in row {key} of a table"),
            Self::Row(Some(table), key) => format!(" in table {table}, row {key}"),
        }
    }
}

/// A value that is being looked at.
pub(super) struct Within {
    pub(super) place: Place,
    /// Byte of the file at which it, or its row, begins.
    pub(super) offset: u64,
    /// Whether more of it may follow.
    pub(super) is_cut: bool,
}

/// Facts of a file that can be read at random, in which nothing was searched yet.
pub(super) fn inspect(file: &FileInput<'_>, mut search: Box<Search>) -> FileReport {
    let mut problems = Vec::new();
    let mut any = false;
    let read = sqlite::contents(file, &mut |value| {
        any = true;
        if value.bytes.len() >= MIN_VALUE {
            let place = Place::of(value.place);
            search.begin(Within { place, offset: value.offset, is_cut: value.is_cut });
            pieces(value.bytes).for_each(|piece| search.take(&piece));
        }
    });
    if let Some(Err((kind, reason))) = read {
        problems.push((kind, format!("as a database of SQLite: {reason}")));
    }
    if any {
        problems.extend(summed(file, &mut search).err());
    } else {
        problems.extend(raw(file, &mut |piece| search.take(piece)).err());
    }
    problems.extend(browser::note(file, &mut search).err());
    let mut report = search.finish();
    report.problems.extend(problems);
    report
}

/// Takes the checksums of a file with secrets.
fn summed(file: &FileInput<'_>, search: &mut Search) -> Result<(), Problem> {
    if search.wants_sums() {
        let mut hasher = Hasher::default();
        raw(file, &mut |piece| hasher.update(&piece.bytes[piece.seen..]))?;
        search.set_sums(hasher.finish());
    }
    Ok(())
}

/// Hands over a file's bytes in pieces.
fn raw(file: &FileInput<'_>, take: &mut dyn FnMut(&Piece<'_>)) -> Result<(), Problem> {
    let (mut offset, mut seen) = (0, 0);
    loop {
        let length = (file.size - offset).min(PIECE as u64) as usize;
        let last = length < PIECE;
        take(&Piece { bytes: &pages::read(file, offset, length)?, offset, seen, last });
        if last {
            return Ok(());
        }
        (offset, seen) = (offset + (PIECE - OVERLAP) as u64, OVERLAP);
    }
}
