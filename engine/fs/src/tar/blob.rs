//! Where a layer's bytes come from.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use pratique_core::Digest;
use pratique_core::digest::Hasher;
use pratique_core::inspect::ReadAt;

use super::reader::Skip;
use crate::{Error, Result};

/// Where a blob's bytes come from. It can be read from the start as often as needed.
pub trait Blob: Send + Sync {
    /// Starts reading.
    ///
    /// # Errors
    /// If the source fails.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;

    /// The file that it lies in, if it does.
    fn file(&self) -> Option<BlobFile> {
        None
    }
}

impl Blob for Arc<[u8]> {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.clone())))
    }
}

/// A blob in a file, such as one of a content store, or in a part of one, such as an entry of an archive.
#[derive(Debug, Clone)]
pub struct BlobFile {
    file: Arc<File>,
    start: u64,
    end: u64,
}

impl BlobFile {
    /// A blob that is a whole open regular file. The file's own offset is not used.
    pub fn new(file: File) -> Self {
        Self { file: Arc::new(file), start: 0, end: u64::MAX }
    }

    /// A blob of `length` bytes from `start` on. A file that ends before breaks off.
    pub fn part(file: Arc<File>, start: u64, length: u64) -> Self {
        Self { file, start, end: start.saturating_add(length) }
    }

    /// How many bytes there are.
    ///
    /// # Errors
    /// If the file's own length cannot be had.
    pub(crate) fn length(&self) -> io::Result<u64> {
        let end = self.end.min(self.file.metadata()?.len());
        Ok(end.saturating_sub(self.start))
    }

    pub(crate) fn reader(&self) -> FileReader {
        FileReader { file: self.file.clone(), offset: self.start, end: self.end }
    }
}

impl Blob for BlobFile {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.reader()))
    }

    fn file(&self) -> Option<BlobFile> {
        Some(self.clone())
    }
}

impl ReadAt for BlobFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = self.start.saturating_add(offset);
        let left = usize::try_from(self.end.saturating_sub(start)).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        self.file.read_at(&mut buffer[..most], start)
    }
}

/// Reads a part of a file, with an offset of its own.
pub(crate) struct FileReader {
    file: Arc<File>,
    pub(crate) offset: u64,
    end: u64,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..most], self.offset)?;
        if read == 0 && most > 0 && self.end != u64::MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.offset += read as u64;
        Ok(read)
    }
}

impl Seek for FileReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let offset = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.offset.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.offset = offset.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.offset)
    }
}

impl Skip for FileReader {
    /// Without reading: no further than its part goes and the file does.
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        if bytes == 0 {
            return Ok(0);
        }
        let end = self.end.min(self.file.metadata()?.len());
        let skipped = bytes.min(end.saturating_sub(self.offset));
        self.offset += skipped;
        Ok(skipped)
    }
}

/// Checks that `bytes` have the digest.
pub(crate) fn check_digest(what: &str, bytes: &[u8], wanted: &Digest) -> Result<()> {
    let mut hasher = Hasher::like(wanted);
    hasher.update(bytes);
    compare(what, &hasher, wanted)
}

pub(super) fn compare(what: &str, hasher: &Hasher, wanted: &Digest) -> Result<()> {
    let got = hasher.digest();
    if got == *wanted {
        return Ok(());
    }
    Err(Error::DigestMismatch { what: what.to_owned(), wanted: wanted.to_string(), got: got.to_string() })
}

/// Marks the I/O error of a stream that passed its limit.
#[derive(Debug, thiserror::Error)]
#[error("it is longer than its limit")]
pub(crate) struct TooLong;

/// The error of a blob's stream: its limit, or a damaged or truncated one.
pub(crate) fn stream_error(what: &str, error: io::Error) -> Error {
    if error.get_ref().is_some_and(|inner| inner.is::<TooLong>()) {
        return Error::Limit {
            what: what.to_owned(),
            limit: "more uncompressed bytes than are read of one layer".to_owned(),
        };
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::Malformed { what: what.to_owned(), reason: "it breaks off in the middle".to_owned() }
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other
            if error.raw_os_error().is_none() =>
        {
            Error::Malformed { what: what.to_owned(), reason: error.to_string() }
        }
        _ => Error::io(what, error),
    }
}
