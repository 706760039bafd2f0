//! A file in an archive, which comes in pieces: what is not told by pieces is kept until it is whole.

use std::sync::Arc;

use pratique_core::GapKind;
use pratique_core::database::sqlite;

use super::notes::Search;
use super::{browser, database};
use crate::{FileInput, FileMode, FileReport, Piece, SecretRules, Stream};

/// Bytes of one file that are kept.
const MAX_SIZE: usize = 16 << 20;

/// Takes one such file.
pub(super) struct Member {
    path: Vec<u8>,
    mode: FileMode,
    rules: Option<Arc<SecretRules>>,
    /// Looks at its pieces.
    search: Box<Search>,
    /// All of it so far, if it is wanted whole.
    whole: Option<Vec<u8>>,
    is_large: bool,
}

impl Member {
    pub(super) fn new(file: &FileInput<'_>, rules: Option<Arc<SecretRules>>) -> Self {
        let search = Box::new(Search::new(file.path, true, rules.clone()));
        Self { path: file.path.to_owned(), mode: file.mode, rules, search, whole: None, is_large: false }
    }

    /// Whether a file that begins so is wanted whole, as the detector's interests have it of one that lies in no archive.
    fn is_wanted_whole(&self, head: &[u8]) -> bool {
        let is_log = || sqlite::LOG_HEADS.iter().any(|log| head.starts_with(log));
        head.starts_with(sqlite::HEAD)
            || self.path.ends_with(b"-wal") && is_log()
            || head.starts_with(b"{") && browser::is_firefox(&self.path)
    }
}

impl Stream for Member {
    fn take(&mut self, piece: &Piece<'_>) {
        if piece.offset == 0 && self.is_wanted_whole(piece.bytes) {
            self.whole = Some(Vec::new());
        }
        let new = &piece.bytes[piece.seen..];
        match &mut self.whole {
            Some(whole) if whole.len() + new.len() <= MAX_SIZE => whole.extend_from_slice(new),
            Some(_) => (self.whole, self.is_large) = (None, true),
            None => {}
        }
        self.search.take(piece);
    }

    fn finish(self: Box<Self>) -> FileReport {
        let Self { path, mode, rules, search, whole, is_large } = *self;
        if let Some(whole) = whole {
            let file = FileInput::in_memory(&path, mode, &whole);
            return database::inspect(&file, Box::new(Search::new(&path, true, rules)));
        }
        let mut report = search.finish();
        if is_large {
            let reason = format!(
                "it lies in an archive and has more than {MAX_SIZE} bytes: it was looked at in pieces, and not by what it stores"
            );
            report.problems.push((GapKind::Limit, reason));
        }
        report
    }
}
