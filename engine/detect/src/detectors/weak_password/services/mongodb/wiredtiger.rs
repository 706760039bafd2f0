//! Pages of a WiredTiger file (its block.h and btmem.h, version 1 of the format: MongoDB's since 3.0).
//!
//! The tree and its checkpoints are not followed: leaf pages are found where they lie, at every unit of allocation, by their
//! headers and checksums. So pages that a later checkpoint took the place of are seen, too; who wants the newest version of
//! something takes it from the page with the highest generation.

use std::io::Read as _;
use std::ops::ControlFlow;

use crc32c::{crc32c, crc32c_append};
use flate2::read::ZlibDecoder;
use pratique_core::GapKind;
use pratique_core::database::pages::{at, read};
use pratique_core::database::{Problem, malformed};
use pratique_core::inspect::FileInput;

/// With which a file begins.
const MAGIC: u32 = 120_897;
/// The unit of allocation that MongoDB sets for collections.
const UNIT: u64 = 4096;
/// Bytes of a page's two headers; of its start that is never compressed.
const HEADER: usize = 40;
const PLAIN: usize = 64;
/// Largest page: one document of 16 MiB and what is around it.
const MAX_PAGE: u32 = 32 << 20;
/// Bytes that are read and unpacked of a file, all its pages together.
const MAX_WORK: u64 = 256 << 20;
/// A leaf of a tree with keys.
const LEAF: u8 = 7;
/// Flags of a page.
const COMPRESSED: u8 = 0x01;
const ENCRYPTED: u8 = 0x08;
/// Flag of a block: its checksum is of all of it, and not of its start alone.
const WHOLE: u8 = 0x01;

/// A leaf.
pub(super) struct Leaf {
    /// Grows with each writing.
    pub(super) generation: u64,
    /// Keys and values that it has.
    pub(super) entries: u32,
    /// What follows its headers, unpacked.
    pub(super) content: Vec<u8>,
}

/// Hands the file's leaves to `each`, in the order in which they lie, until it has enough.
///
/// # Errors
/// If it is no file of WiredTiger, one of its leaves is damaged, encrypted or compressed in another way than snappy or zlib,
/// or there is more than may be read. What could be read has been handed over.
pub(super) fn leaves(
    file: &FileInput<'_>,
    each: &mut dyn FnMut(Leaf) -> ControlFlow<()>,
) -> Result<(), Problem> {
    if file.size < UNIT || at(&read(file, 0, 4)?, 0) != MAGIC.to_le_bytes() {
        return malformed("is no file of WiredTiger");
    }
    let mut left = MAX_WORK;
    let mut offset = UNIT;
    // The first that cannot be read, and a damaged one with its end: if a sound one begins within, it was free space.
    let (mut problem, mut damaged) = (None, None);
    while offset < file.size {
        let header = Header::of(&read(file, offset, HEADER.min((file.size - offset) as usize))?);
        let Some(header) = header.filter(|header| u64::from(header.size) <= file.size - offset) else {
            offset += UNIT;
            continue;
        };
        let Some(after) = left.checked_sub(u64::from(header.size) + u64::from(header.memory)) else {
            return Err((GapKind::Limit, format!("its pages behind byte {offset} were not read")));
        };
        left = after;
        let block = read(file, offset, header.size as usize)?;
        let content = if header.is_sound(&block) { header.content(block) } else { malformed("") };
        if let Some((begin, end)) = damaged
            && offset >= end
        {
            let what = || (GapKind::Malformed, format!("its page at byte {begin} is damaged"));
            problem.get_or_insert_with(what);
            damaged = None;
        }
        match content {
            Ok(content) => {
                let Header { generation, entries, .. } = header;
                if each(Leaf { generation, entries, content }).is_break() {
                    return Ok(());
                }
                damaged = None;
                offset += u64::from(header.size);
            }
            Err((GapKind::Malformed, _)) => {
                damaged.get_or_insert((offset, offset + u64::from(header.size)));
                offset += UNIT;
            }
            Err(other) => {
                problem.get_or_insert(other);
                offset += u64::from(header.size);
            }
        }
    }
    if let Some((begin, _)) = damaged {
        problem.get_or_insert((GapKind::Malformed, format!("its page at byte {begin} is damaged")));
    }
    problem.map_or(Ok(()), Err)
}

/// What a page says of itself.
struct Header {
    generation: u64,
    /// Bytes of it unpacked, headers included.
    memory: u32,
    entries: u32,
    flags: u8,
    /// Bytes of it in the file.
    size: u32,
    checksum: u32,
    block_flags: u8,
}

impl Header {
    /// None if it is none of a leaf.
    fn of(bytes: &[u8]) -> Option<Self> {
        let number = |offset| u32::from_le_bytes(at(bytes, offset));
        let header = Self {
            generation: u64::from_le_bytes(at(bytes, 8)),
            memory: number(16),
            entries: number(20),
            flags: *bytes.get(25)?,
            size: number(28),
            checksum: number(32),
            block_flags: *bytes.get(36)?,
        };
        let sizes = [header.memory, header.size].iter().all(|size| (HEADER as u32..=MAX_PAGE).contains(size));
        (bytes[24] == LEAF && sizes && u64::from(header.size) % UNIT == 0).then_some(header)
    }

    /// Whether its checksum is right.
    fn is_sound(&self, block: &[u8]) -> bool {
        let summed = if self.block_flags & WHOLE != 0 { block } else { &block[..PLAIN.min(block.len())] };
        let mut start = summed[..PLAIN].to_vec();
        start[32..36].fill(0);
        crc32c_append(crc32c(&start), &summed[PLAIN..]) == self.checksum
    }

    fn content(&self, mut block: Vec<u8>) -> Result<Vec<u8>, Problem> {
        if self.flags & ENCRYPTED != 0 {
            return Err((GapKind::Unsupported, "its pages are encrypted".to_owned()));
        }
        let length = self.memory as usize - HEADER;
        if self.flags & COMPRESSED == 0 {
            if length > block.len() - HEADER {
                return malformed("");
            }
            block.drain(..HEADER);
            block.truncate(length);
            return Ok(block);
        }
        let mut content = block[HEADER..PLAIN].to_vec();
        unpack(&block[PLAIN..], &mut content, length)?;
        if content.len() == length { Ok(content) } else { malformed("") }
    }
}

/// Appends what is packed, until there are `length` bytes.
fn unpack(packed: &[u8], content: &mut Vec<u8>, length: usize) -> Result<(), Problem> {
    // snappy and zstd have their length before them, zlib has none: it would be read as a huge one.
    let size = packed.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let behind = packed.get(8..).unwrap_or_default();
    match size.and_then(|size| behind.get(..usize::try_from(size).ok()?)) {
        Some([0x28, 0xb5, 0x2f, 0xfd, ..]) => {
            Err((GapKind::Unsupported, "its pages are compressed by zstd".to_owned()))
        }
        Some(packed) => unpack_snappy(packed, content, length),
        None => {
            let wanted = (length - content.len().min(length)) as u64;
            match ZlibDecoder::new(packed).take(wanted).read_to_end(content) {
                Ok(_) => Ok(()),
                Err(_) => malformed(""),
            }
        }
    }
}

/// Appends what snappy unpacks to, unless that is more than what lacks to `length` bytes.
fn unpack_snappy(packed: &[u8], content: &mut Vec<u8>, length: usize) -> Result<(), Problem> {
    let start = content.len();
    let end = snap::raw::decompress_len(packed).ok().and_then(|size| start.checked_add(size));
    let Some(end) = end.filter(|end| *end <= length) else { return malformed("") };
    content.resize(end, 0);
    match snap::raw::Decoder::new().decompress(packed, &mut content[start..]) {
        Ok(_) => Ok(()),
        Err(_) => malformed(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileMode;

    fn read_all(bytes: &[u8]) -> (Vec<Leaf>, Result<(), Problem>) {
        let (mut all, bytes) = (Vec::new(), bytes.to_vec());
        let mode = FileMode { permissions: 0o600, uid: 0, gid: 0 };
        let result = leaves(&FileInput::in_memory(b"x", mode, &bytes), &mut |leaf| {
            all.push(leaf);
            ControlFlow::Continue(())
        });
        (all, result)
    }

    fn store(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/weak_password/stores/");
        std::fs::read(format!("{folder}{name}")).unwrap()
    }

    #[test]
    fn snappy_that_is_cut_or_gives_too_much_is_damaged() {
        let packed = snap::raw::Encoder::new().compress_vec(&[b'x'; 100]).expect("it packs");
        let unpacked = |packed: &[u8], length: usize| {
            let mut content = b"before".to_vec();
            unpack_snappy(packed, &mut content, length).map(|()| content.len())
        };
        assert_eq!(unpacked(&packed, 106), Ok(106));
        assert_eq!(unpacked(&packed, 105), malformed(""));
        for cut in 0..packed.len() {
            assert_eq!(unpacked(&packed[..cut], 106), malformed(""), "{cut}");
        }
        assert_eq!(unpacked(&[0xff; 12], usize::MAX), malformed(""));
    }

    #[test]
    fn packed_pages_are_unpacked() {
        let (snappy, result) = read_all(&store("mongodb-snappy.wt"));
        assert_eq!((snappy.len(), result), (1, Ok(())));
        let (zlib, result) = read_all(&store("mongodb-zlib.wt"));
        assert_eq!((zlib.len(), result), (1, Ok(())));
        assert!(snappy[0].content == zlib[0].content && snappy[0].content.len() > 16_000);
        assert_eq!(snappy[0].entries, 92);
    }

    #[test]
    fn damaged_pages_are_told_but_not_what_is_left_of_old_ones() {
        let whole = store("mongodb-plain.wt");
        let mut damaged = whole.clone();
        damaged[4096 + 50] ^= 1;
        let (leaves, result) = read_all(&damaged);
        assert_eq!(leaves.len(), 0);
        assert_eq!(result, Err((GapKind::Malformed, "its page at byte 4096 is damaged".to_owned())));
        // A page of two units, of which a sound one took the second.
        let mut reused = whole[..4096].to_vec();
        reused.extend(&whole[4096..8192]);
        reused[4096 + 28..4096 + 32].copy_from_slice(&8192_u32.to_le_bytes());
        reused.extend(&whole[4096..8192]);
        let (leaves, result) = read_all(&reused);
        assert_eq!((leaves.len(), result), (1, Ok(())));
        let mut packed = store("mongodb-snappy.wt");
        packed[4096 + 72..4096 + 90].fill(0xff);
        assert!(matches!(read_all(&packed).1, Err((GapKind::Malformed, _))));
    }

    #[test]
    fn other_ways_of_packing_are_told() {
        let mut bytes = store("mongodb-snappy.wt");
        bytes[4096 + 72..4096 + 76].copy_from_slice(&[0x28, 0xb5, 0x2f, 0xfd]);
        let Err((GapKind::Unsupported, reason)) = read_all(&bytes).1 else { panic!() };
        assert!(reason.contains("zstd"), "{reason}");
    }
}
