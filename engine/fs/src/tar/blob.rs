//! A layer's bytes: opened, hashed, decompressed.

use std::fs::File;
use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pratique_core::Digest;
use pratique_core::digest::Hasher;
use pratique_core::inspect::ReadAt;

use super::ahead::Ahead;
use super::reader::Skip;
use crate::{Error, Result};

/// Where a blob's bytes come from. It can be read from the start as often as needed.
pub trait Blob: Send + Sync {
    /// Starts reading.
    ///
    /// # Errors
    /// If the source fails.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;

    /// Random access to the blob, where the source has it.
    fn random_access(&self) -> Option<Arc<dyn ReadAt + Send + Sync>> {
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

    pub(crate) fn reader(&self) -> FileReader {
        FileReader { file: self.file.clone(), offset: self.start, end: self.end }
    }
}

impl Blob for BlobFile {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.reader()))
    }

    fn random_access(&self) -> Option<Arc<dyn ReadAt + Send + Sync>> {
        Some(Arc::new(self.clone()))
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
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        io::copy(&mut self.take(bytes), &mut io::sink())
    }
}

/// Checks that `bytes` have the digest.
pub(crate) fn check_digest(what: &str, bytes: &[u8], wanted: &Digest) -> Result<()> {
    let mut hasher = Hasher::like(wanted);
    hasher.update(bytes);
    compare(what, &hasher, wanted)
}

fn compare(what: &str, hasher: &Hasher, wanted: &Digest) -> Result<()> {
    let got = hasher.digest();
    if got == *wanted {
        return Ok(());
    }
    Err(Error::DigestMismatch { what: what.to_owned(), wanted: wanted.to_string(), got: got.to_string() })
}

/// A reader that hashes what passes.
struct Hashing<R> {
    inner: R,
    hasher: Option<Hasher>,
}

impl<R: Read> Hashing<R> {
    fn new(inner: R, digest: Option<&Digest>) -> Self {
        Self { inner, hasher: digest.map(Hasher::like) }
    }

    /// Compares with the digest that it was made for.
    fn check(&self, what: &str, wanted: Option<&Digest>) -> Result<()> {
        match (&self.hasher, wanted) {
            (Some(hasher), Some(wanted)) => compare(what, hasher, wanted),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..read]);
        }
        Ok(read)
    }
}

/// Marks the I/O error of a stream that passed its limit.
#[derive(Debug, thiserror::Error)]
#[error("it is longer than its limit")]
pub(crate) struct TooLong;

/// A reader or hash that another thread works with, and that is asked for its digest in the end.
struct Shared<R>(Arc<Mutex<R>>);

impl<R> Shared<R> {
    fn new(shared: R) -> Self {
        Self(Arc::new(Mutex::new(shared)))
    }

    fn lock(&self) -> MutexGuard<'_, R> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Clone for Shared<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Read> Read for Shared<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lock().read(buffer)
    }
}

/// The digests of a layer: of its blob, if that has one of its own, and of what it holds uncompressed.
#[derive(Debug, Clone)]
pub(crate) struct Digests {
    pub(crate) blob: Option<Digest>,
    pub(crate) diff_id: Digest,
}

impl Digests {
    fn blob_name(&self) -> String {
        format!("blob {}", self.blob.as_ref().unwrap_or(&self.diff_id))
    }
}

/// The uncompressed stream of a blob, with both digests checked at its end. Threads of their own read and hash the blob,
/// decompress it, and hash what comes out.
pub(crate) struct Uncompressed {
    compressed: Shared<Hashing<Box<dyn Read + Send>>>,
    plain: Ahead,
    /// Of what comes out, unless the blob's own hash is that of the same bytes.
    hasher: Option<Shared<Hasher>>,
    /// Bytes of all pieces so far, and how many there may be.
    read: u64,
    limit: u64,
    /// The blob itself, if it is not compressed and its source gives random access.
    random: Option<Arc<dyn ReadAt + Send + Sync>>,
}

impl Uncompressed {
    /// Starts reading. The compression is told by the first bytes, whatever a media type says: a wrong one does not
    /// hide the content.
    pub(crate) fn new(blob: &dyn Blob, digests: &Digests, limit: u64) -> Result<Self> {
        let what = || digests.blob_name();
        let opened = blob.open().map_err(|error| Error::io(what(), error))?;
        let compressed = Shared::new(Hashing::new(opened, digests.blob.as_ref()));
        let (magic, length) = magic(&mut compressed.clone()).map_err(|error| Error::io(what(), error))?;
        let whole = Cursor::new(magic).take(length).chain(compressed.clone());
        let (mut random, mut hashed) = (None, false);
        let plain = match magic {
            [0x1f, 0x8b, ..] => Ahead::new(flate2::bufread::MultiGzDecoder::new(Ahead::new(whole))),
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Ahead::new(
                zstd::stream::read::Decoder::with_buffer(Ahead::new(whole))
                    .map_err(|error| Error::io(what(), error))?,
            ),
            [b'B', b'Z', b'h', _] | [0xfd, b'7', b'z', b'X'] => {
                return Err(Error::Unsupported {
                    what: what(),
                    reason: "it is compressed with bzip2 or xz; OCI layers are plain, gzip or zstd"
                        .to_owned(),
                });
            }
            _ => {
                random = blob.random_access();
                hashed = digests.blob.as_ref() == Some(&digests.diff_id);
                Ahead::new(whole)
            }
        };
        let hasher = (!hashed).then(|| Shared::new(Hasher::like(&digests.diff_id)));
        let plain = match hasher.clone() {
            Some(hashing) => plain.seen_by(move |piece| hashing.lock().update(piece)),
            None => plain,
        };
        Ok(Self { compressed, plain, hasher, read: 0, limit, random })
    }

    /// Random access to what was not read yet, and the offset in it where the stream stands now.
    pub(crate) fn random_access(&self) -> Option<(Arc<dyn ReadAt + Send + Sync>, u64)> {
        self.random.clone().map(|blob| (blob, self.read - self.plain.rest().len() as u64))
    }

    /// Reads to the end and compares both digests.
    pub(crate) fn finish(mut self, digests: &Digests) -> Result<()> {
        let (blob, layer) = (digests.blob_name(), format!("layer {}", digests.diff_id));
        self.skip(u64::MAX).map_err(|error| stream_error(&layer, error))?;
        // Decoders may leave bytes behind that they have no use for.
        io::copy(&mut self.compressed, &mut io::sink()).map_err(|error| stream_error(&blob, error))?;
        self.compressed.lock().check(&blob, digests.blob.as_ref())?;
        match self.hasher {
            Some(hasher) => compare(&layer, &hasher.lock(), &digests.diff_id),
            None => Ok(()),
        }
    }
}

impl BufRead for Uncompressed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.plain.rest().is_empty() {
            let piece = self.plain.fill_buf()?;
            self.read += piece.len() as u64;
            if self.read > self.limit {
                return Err(io::Error::other(TooLong));
            }
        }
        Ok(self.plain.rest())
    }

    fn consume(&mut self, bytes: usize) {
        self.plain.consume(bytes);
    }
}

impl Read for Uncompressed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl Skip for Uncompressed {
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        let mut left = bytes;
        while left > 0 {
            let here = self.fill_buf()?.len();
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(here);
            if most == 0 {
                break;
            }
            self.consume(most);
            left -= most as u64;
        }
        Ok(bytes - left)
    }
}

/// The first four bytes and how many there are, however few a read brings.
fn magic(reader: &mut impl Read) -> io::Result<([u8; 4], u64)> {
    let mut magic = Vec::with_capacity(4);
    reader.take(4).read_to_end(&mut magic)?;
    let mut padded = [0; 4];
    padded[..magic.len()].copy_from_slice(&magic);
    Ok((padded, magic.len() as u64))
}

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
