//! A zip, read in order.

use std::io::{self, BufRead, Read};

use flate2::bufread::DeflateDecoder;
use pratique_core::GapKind;

use super::{Flow, MAX_NAME, Stop, Unpacking, fill, joined};

const FILE: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
/// Bytes of a file's header after its signature.
const HEADER: usize = 26;

/// What is said before a file's bytes.
struct Header {
    name: Vec<u8>,
    encrypted: bool,
    /// The sizes come behind the file, and those here say nothing.
    has_descriptor: bool,
    method: u16,
    compressed: u64,
    size: u64,
}

/// Hands out the files of a zip, up to its directory.
pub(super) fn read(
    unpacking: &mut Unpacking<'_>,
    file: &mut dyn BufRead,
    archive: &[u8],
    depth: usize,
) -> Flow {
    // One for all files: its tables are larger than most of them.
    let mut inflated = DeflateDecoder::new(file);
    let mut signature = [0; 4];
    fill(inflated.get_mut(), &mut signature)?;
    while signature == FILE {
        let file = inflated.get_mut();
        let header = header(file)?;
        let name = joined(archive, &header.name);
        match (header.method, header.encrypted) {
            // Some write the sizes here as well; a folder has none.
            (0, false) if !header.has_descriptor || header.compressed > 0 || name.ends_with(b"/") => {
                let mut stored = (&mut *file).take(header.compressed);
                unpacking.member(&mut stored, &name, header.size, depth + 1)?;
                if stored.limit() > 0 {
                    return Err(early());
                }
            }
            (8, false) => {
                let size = if header.has_descriptor { u64::MAX } else { header.size };
                inflated.reset_data();
                unpacking.member(&mut inflated, &name, size, depth + 1)?;
            }
            (_, encrypted) => {
                let what = if encrypted { "encrypted" } else { "packed in a way that is not read" };
                unpacking.problem(GapKind::Unsupported, format!("files in it are {what}"));
                // Where it ends, only the directory knows, which comes last.
                if header.has_descriptor {
                    return Ok(());
                }
                let skipped = io::copy(&mut (&mut *file).take(header.compressed), &mut io::sink())?;
                if skipped < header.compressed {
                    return Err(early());
                }
            }
        }
        let file = inflated.get_mut();
        signature = [0; 4];
        let read = fill(file, &mut signature)?;
        if header.has_descriptor && read == signature.len() {
            signature = after_descriptor(file, signature)?;
        }
    }
    let is_end = signature[..2] == *b"PK";
    if is_end { Ok(()) } else { Err(Stop::Broken("no header of a zip where one should be".to_owned())) }
}

fn early() -> Stop {
    io::Error::from(io::ErrorKind::UnexpectedEof).into()
}

fn header(file: &mut dyn BufRead) -> Result<Header, Stop> {
    let mut fixed = [0; HEADER];
    if fill(file, &mut fixed)? < HEADER {
        return Err(early());
    }
    let short = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
    let long = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let (flags, method) = (short(2), short(4));
    let mut variable = vec![0; usize::from(short(22)) + usize::from(short(24))];
    if fill(file, &mut variable)? < variable.len() {
        return Err(early());
    }
    let (name, extra) = variable.split_at(usize::from(short(22)));
    let (mut compressed, mut size) = (u64::from(long(14)), u64::from(long(18)));
    if compressed == u64::from(u32::MAX) || size == u64::from(u32::MAX) {
        (size, compressed) = large(extra).unwrap_or((size, compressed));
    }
    Ok(Header {
        name: name[..name.len().min(MAX_NAME)].to_vec(),
        encrypted: flags & 1 != 0,
        has_descriptor: flags & 8 != 0,
        method,
        compressed,
        size,
    })
}

/// Sizes of the extra field of large files (APPNOTE 4.5.3), which has both in a file's header.
fn large(mut extra: &[u8]) -> Option<(u64, u64)> {
    loop {
        let (head, rest) = extra.split_at_checked(4)?;
        let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let (field, next) = rest.split_at_checked(length)?;
        if head[..2] == [1, 0] {
            let (size, rest) = field.split_first_chunk::<8>()?;
            return Some((u64::from_le_bytes(*size), u64::from_le_bytes(*rest.first_chunk::<8>()?)));
        }
        extra = next;
    }
}

/// The signature behind a descriptor (APPNOTE 4.3.9), of which `first` are the first bytes: its own signature may be
/// left out, and its sizes have 4 or 8 bytes each.
fn after_descriptor(file: &mut dyn BufRead, first: [u8; 4]) -> io::Result<[u8; 4]> {
    let checksum = if first == DESCRIPTOR { 4 } else { 0 };
    let mut rest = vec![0; checksum + 8 + 4];
    let read = fill(file, &mut rest)?;
    if read == rest.len() && rest[rest.len() - 4..].starts_with(b"PK") {
        return Ok(rest[rest.len() - 4..].try_into().unwrap_or_default());
    }
    let mut more = [0; 8];
    fill(file, &mut more)?;
    Ok(more[4..].try_into().unwrap_or_default())
}
