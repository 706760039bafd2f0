//! RPM's packages (<https://rpm-software-management.github.io/rpm/manual/format_v4.html>): a lead, a header of signatures, and the
//! header that the database would hold.

use pratique_core::GapKind;

use super::Read;
use crate::Parsed;
use crate::parsers::rpm::header::{self, Budget};
use crate::zip::Part;

/// How such a file begins.
pub(super) const HEAD: &[u8] = b"\xed\xab\xee\xdb";
/// Bytes of the lead.
const LEAD: u64 = 96;
/// How a header begins that lies in a file; four bytes that say nothing follow.
const MAGIC: &[u8] = b"\x8e\xad\xe8\x01";
/// Bytes from a header's magic to its entries, each of 16 bytes: magic, number of entries, bytes of data.
const INTRO: u64 = 16;
/// Bytes of a header that are read, as of one in the database.
const MAX_HEADER: u64 = 32 << 20;

pub(super) fn read(file: Part<'_>) -> Read {
    let signatures = length(file, LEAD)?;
    // What follows the signatures begins at a multiple of eight.
    let start = LEAD + signatures.next_multiple_of(8);
    let length = length(file, start)?;
    if length > MAX_HEADER {
        return Err((GapKind::Limit, format!("a header of {length} bytes; at most {MAX_HEADER} are read")));
    }
    // In the database it has no magic.
    let bytes = bytes(file, start + 8, length - 8)?;
    let mut parsed = Parsed::default();
    header::package(&bytes, &mut Budget::default(), &mut parsed);
    Ok(parsed)
}

/// Bytes of the header that begins at `start`, from its magic to the end of its data.
fn length(file: Part<'_>, start: u64) -> Result<u64, (GapKind, String)> {
    let intro = bytes(file, start, INTRO)?;
    if !intro.starts_with(MAGIC) {
        return Err((GapKind::Malformed, "no header where one should be".to_owned()));
    }
    let number =
        |at: usize| u64::from(u32::from_be_bytes([intro[at], intro[at + 1], intro[at + 2], intro[at + 3]]));
    Ok(INTRO + 16 * number(8) + number(12))
}

fn bytes(file: Part<'_>, start: u64, length: u64) -> Result<Vec<u8>, (GapKind, String)> {
    if start.saturating_add(length) > file.length {
        return Err((GapKind::Malformed, "it ends within its headers".to_owned()));
    }
    let mut bytes = vec![0; length as usize];
    match file.content.read_full_at(&mut bytes, start) {
        Ok(read) if read == bytes.len() => Ok(bytes),
        Ok(_) => Err((GapKind::Malformed, "it ends within its headers".to_owned())),
        Err(error) => Err((GapKind::Unreadable, error.to_string())),
    }
}
