//! What binary stores have in common.

use pratique_core::GapKind;
use pratique_core::database::sqlite::Row;
use pratique_core::inspect::FileInput;

use super::Reading;

/// The file's first `limit` bytes; that there are more is told.
pub(super) fn beginning(file: &FileInput<'_>, limit: usize, reading: &mut Reading) -> Vec<u8> {
    let length = usize::try_from(file.size).unwrap_or(usize::MAX);
    if length > limit {
        reading.problem(GapKind::Limit, format!("only the first {limit} of its {length} bytes were read"));
    }
    piece(file, 0, length.min(limit), reading)
}

/// At most `length` bytes at `offset`; why there are fewer is told.
pub(super) fn piece(file: &FileInput<'_>, offset: u64, length: usize, reading: &mut Reading) -> Vec<u8> {
    let mut bytes = vec![0; length];
    match file.content.read_full_at(&mut bytes, offset) {
        Ok(read) => bytes.truncate(read),
        Err(error) => {
            reading.problem(GapKind::Unreadable, format!("at byte {offset}: {error}"));
            bytes.clear();
        }
    }
    bytes
}

/// The text in a column of a row of SQLite; none if there is none in UTF-8.
pub(super) fn column<'r>(row: &Row<'r>, at: usize) -> Option<&'r str> {
    row[at].and_then(|bytes| std::str::from_utf8(bytes).ok())
}

/// Whether a column of a row of SQLite is true.
pub(super) fn is_set(row: &Row<'_>, at: usize) -> bool {
    row[at].is_some_and(|bytes| bytes.ends_with(&[1]))
}

/// Where `wanted` begins in `bytes`.
pub(super) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// A text without the spaces and zeros that fill up its field.
pub(super) fn trimmed(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    let end = bytes.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |at| at + 1);
    String::from_utf8_lossy(&bytes[..end])
}
