//! Databases of one file that several programs keep: as much of each format as it takes to read its entries. Each reader
//! visits every part of the file at most once, so a file that lies costs no more than one that does not.

pub mod bdb;
pub mod lmdb;
pub mod pages;
pub mod sqlite;

use crate::GapKind;

/// Why reading stopped, or what was left out.
pub type Problem = (GapKind, String);

/// Largest entry in bytes; a kernel's package header has some 2 MiB.
pub const MAX_ENTRY: usize = 32 << 20;

/// That the file is not what its format says.
///
/// # Errors
/// Always.
pub fn malformed<T>(reason: impl Into<String>) -> Result<T, Problem> {
    Err((GapKind::Malformed, reason.into()))
}
