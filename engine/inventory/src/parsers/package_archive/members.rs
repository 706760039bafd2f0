//! One file of a tar that may be compressed.

use std::io::{self, BufReader, Read, Take};

use pratique_core::{ArchiveFormat, GapKind};
use rawzip::RangeReader;
use tar::Archive;

use super::METADATA;
use crate::unpack::unpacked;
use crate::zip::{Part, Problem};

/// Bytes that are unpacked in search of the metadata. Tools put them first.
const SEARCHED: u64 = 64 << 20;

/// A file of an archive.
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

/// All bytes of a part, in order.
pub(super) fn stream(part: Part<'_>) -> impl Read {
    RangeReader::new(part, 0..part.length)
}

/// The first file that is wanted; none if there is none.
///
/// # Errors
/// A problem if the stream is no such archive, or the file is too large or does not lie within [`SEARCHED`] bytes.
pub(super) fn find(archive: impl Read, wanted: impl Fn(&[u8]) -> bool) -> Result<Option<Member>, Problem> {
    let mut archive = BufReader::new(archive);
    let mut head = Vec::new();
    (&mut archive).take(512).read_to_end(&mut head).map_err(told)?;
    let format = ArchiveFormat::of(&head).unwrap_or(ArchiveFormat::Tar);
    let plain = unpacked(BufReader::new(head.as_slice().chain(archive)), format).map_err(told)?;
    let mut tar = Archive::new(Searched(plain.take(SEARCHED)));
    // Names that are longer than a header lie in entries of their own and would be read into memory; those that are wanted
    // are short.
    for entry in tar.entries().map_err(told)?.raw(true) {
        let entry = entry.map_err(told)?;
        let name = entry.path_bytes();
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        if entry.header().entry_type().is_file() && wanted(name) {
            let name = name.to_vec();
            return Ok(Some(Member { name, bytes: metadata(entry)? }));
        }
    }
    Ok(None)
}

/// All bytes of a file of metadata.
///
/// # Errors
/// A problem if it cannot be read or is too large.
pub(super) fn metadata(file: impl Read) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    file.take(METADATA + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > METADATA {
        return Err((GapKind::Limit, format!("its metadata have more than {METADATA} bytes")));
    }
    Ok(bytes)
}

fn told(error: io::Error) -> Problem {
    let is_limit = matches!(error.kind(), io::ErrorKind::FileTooLarge | io::ErrorKind::OutOfMemory);
    let kind = if is_limit { GapKind::Limit } else { GapKind::Malformed };
    (kind, format!("not readable as an archive: {error}"))
}

/// Ends with an error where the search ends, and not as a whole archive would.
struct Searched<R>(Take<R>);

impl<R: Read> Read for Searched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.limit() == 0 && !buffer.is_empty() {
            let reason = format!("no metadata in the first {SEARCHED} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        self.0.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    #[test]
    fn what_lies_behind_a_bomb_is_not_searched_and_its_size_is_a_limit() {
        let mut header = Header::new_ustar();
        header.set_size(SEARCHED + 1024);
        let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        tar.append_data(&mut header, "bomb", io::repeat(0).take(SEARCHED + 1024)).unwrap();
        let packed = tar.into_inner().unwrap().finish().unwrap();
        assert!(packed.len() < 1 << 20);
        let (kind, reason) = find(packed.as_slice(), |name| name == b"control").err().unwrap();
        assert_eq!(kind, GapKind::Limit, "{reason}");
        let (kind, reason) = find(packed.as_slice(), |name| name == b"bomb").err().unwrap();
        assert_eq!(kind, GapKind::Limit, "{reason}");
    }
}
