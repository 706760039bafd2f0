//! `Packages.db`: RPM's own format (<https://github.com/rpm-software-management/rpm/blob/master/lib/backend/ndb/rpmpkg.c>).
//!
//! Pages of slots at the file's start say in which blocks of 16 bytes each header lies.

use pratique_core::GapKind;
use pratique_core::database::pages::{at, read};
use pratique_core::database::{MAX_ENTRY, Problem, malformed};
use pratique_core::inspect::FileInput;

const PAGE: u64 = 4096;
const BLOCK: u64 = 16;
/// Bytes before a header in its blocks, and behind it.
const FRAME: (u64, u64) = (16, 12);

/// Hands over all headers.
pub(super) fn headers(file: &FileInput<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Problem> {
    if !file.bytes.starts_with(b"RpmP") || file.size < PAGE {
        return malformed("is no package database");
    }
    let number = |bytes: &[u8], place| u32::from_le_bytes(at(bytes, place));
    let head = read(file, 0, 32)?;
    let version = number(&head, 4);
    if version != 0 {
        return Err((GapKind::Unsupported, format!("has version {version} of its format; 0 is known")));
    }
    let pages = u64::from(number(&head, 12));
    if pages > file.size / PAGE {
        return malformed(format!("says that it has {pages} pages of slots, more than it has bytes for"));
    }
    let mut result = Ok(());
    // Slots that share blocks would be read again and again: together they have no more bytes than the file.
    let mut room = file.size;
    for page in 0..pages {
        let slots = read(file, page * PAGE, PAGE as usize)?;
        for slot in slots.chunks_exact(16).skip(if page == 0 { 2 } else { 0 }) {
            if !slot.starts_with(b"Slot") {
                result = result.and(malformed("a slot is not marked as one"));
                continue;
            }
            let (block, blocks) = (u64::from(number(slot, 8)), u64::from(number(slot, 12)));
            if block == 0 {
                continue;
            }
            match header(file, number(slot, 4), block * BLOCK, blocks * BLOCK, &mut room) {
                Ok(bytes) => sink(&bytes),
                Err(problem) => result = result.and(Err(problem)),
            }
        }
    }
    result
}

/// The header in these blocks, if they are those of this package.
fn header(
    file: &FileInput<'_>,
    index: u32,
    offset: u64,
    length: u64,
    room: &mut u64,
) -> Result<Vec<u8>, Problem> {
    let Some(left) = room.checked_sub(length) else { return malformed("its blocks overlap") };
    *room = left;
    if length < FRAME.0 + FRAME.1 || offset + length > file.size {
        return malformed(format!("the blocks of package {index} do not lie in the file"));
    }
    let frame = read(file, offset, FRAME.0 as usize)?;
    let number = |place| u32::from_le_bytes(at(&frame, place));
    let size = u64::from(number(12));
    if !frame.starts_with(b"BlbS") || number(4) != index || size > length - FRAME.0 - FRAME.1 {
        return malformed(format!("the blocks of package {index} hold something else"));
    }
    if size > MAX_ENTRY as u64 {
        return Err((GapKind::Limit, format!("a header has {size} bytes; {MAX_ENTRY} are read")));
    }
    read(file, offset + FRAME.0, size as usize)
}
