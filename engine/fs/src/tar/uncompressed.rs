//! What a layer's blob holds: read, hashed as far as is wanted, decompressed.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pratique_core::Digest;
use pratique_core::digest::Hasher;

use super::ahead::Ahead;
use super::blob::{Blob, BlobFile, FileReader, TooLong, compare, stream_error};
use super::reader::Skip;
use crate::{Error, Proof, Result};

/// Bytes that are read at once of a file that is not read whole: what follows one header is mostly the next.
const BUFFER: usize = 32 << 10;

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

/// How a blob is compressed, by its first bytes: a wrong media type does not hide the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
    /// One that layers do not have.
    Foreign,
}

impl Compression {
    fn of(magic: [u8; 4]) -> Self {
        match magic {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Self::Zstd,
            [b'B', b'Z', b'h', _] | [0xfd, b'7', b'z', b'X'] => Self::Foreign,
            _ => Self::None,
        }
    }
}

/// The file of a blob that lies there as it is, not compressed.
pub(super) fn plain_file(blob: &dyn Blob) -> Option<BlobFile> {
    let file = blob.file()?;
    let (magic, _) = magic(&mut file.reader()).ok()?;
    (Compression::of(magic) == Compression::None).then_some(file)
}

/// The uncompressed stream of a blob. What was to be proved of it is checked at its end.
pub(crate) struct Uncompressed {
    stream: Stream,
    /// Bytes that it may have.
    limit: u64,
    /// The blob itself, if it is not compressed and lies in a file.
    file: Option<BlobFile>,
}

enum Stream {
    /// All of it is read: threads of their own read and hash the blob, decompress it, and hash what comes out.
    Whole(Whole),
    /// Nothing of it is hashed, so that what nobody asks for need not be read.
    File { reader: BufReader<FileReader>, start: u64 },
}

struct Whole {
    compressed: Shared<Hashing<Box<dyn Read + Send>>>,
    plain: Ahead,
    /// Of what comes out, if its digest is to be proved and is not the blob's.
    hasher: Option<Shared<Hasher>>,
    /// Bytes of all pieces so far.
    read: u64,
}

impl Uncompressed {
    /// Starts reading.
    pub(crate) fn new(blob: &dyn Blob, digests: &Digests, proof: &Proof, limit: u64) -> Result<Self> {
        if *proof == Proof::None
            && let Some(file) = plain_file(blob)
        {
            let reader = file.reader();
            let start = reader.offset;
            let reader = BufReader::with_capacity(BUFFER, reader);
            return Ok(Self { stream: Stream::File { reader, start }, limit, file: Some(file) });
        }
        let what = || digests.blob_name();
        let opened = blob.open().map_err(|error| Error::io(what(), error))?;
        let compressed = Shared::new(Hashing::new(opened, digests.blob.as_ref()));
        let (magic, length) = magic(&mut compressed.clone()).map_err(|error| stream_error(&what(), error))?;
        let whole = Cursor::new(magic).take(length).chain(compressed.clone());
        let compression = Compression::of(magic);
        let plain = match compression {
            Compression::None => Ahead::new(whole),
            Compression::Gzip => Ahead::new(flate2::bufread::MultiGzDecoder::new(Ahead::new(whole))),
            Compression::Zstd => Ahead::new(
                zstd::stream::read::Decoder::with_buffer(Ahead::new(whole))
                    .map_err(|error| Error::io(what(), error))?,
            ),
            Compression::Foreign => {
                return Err(Error::Unsupported {
                    what: what(),
                    reason: "it is compressed with bzip2 or xz; OCI layers are plain, gzip or zstd"
                        .to_owned(),
                });
            }
        };
        let hasher = (*proof == Proof::DiffId).then(|| Shared::new(Hasher::like(&digests.diff_id)));
        let plain = match hasher.clone() {
            Some(hashing) => plain.seen_by(move |piece| hashing.lock().update(piece)),
            None => plain,
        };
        let file = blob.file().filter(|_| compression == Compression::None);
        Ok(Self { stream: Stream::Whole(Whole { compressed, plain, hasher, read: 0 }), limit, file })
    }

    /// The file that its content lies in as it is, and the offset in it where the stream stands now.
    pub(crate) fn in_file(&self) -> Option<(BlobFile, u64)> {
        let at = match &self.stream {
            Stream::Whole(whole) => whole.read - whole.plain.rest().len() as u64,
            Stream::File { reader, start } => reader.get_ref().offset - start - reader.buffer().len() as u64,
        };
        self.file.clone().map(|file| (file, at))
    }

    /// Reads to the end, if anything is to be proved, and compares what was hashed.
    pub(crate) fn finish(mut self, digests: &Digests) -> Result<()> {
        let (blob, layer) = (digests.blob_name(), format!("layer {}", digests.diff_id));
        self.skip(u64::MAX).map_err(|error| stream_error(&layer, error))?;
        let Stream::Whole(mut whole) = self.stream else {
            // A file that ends before its part does was cut, which no digest would tell.
            return self.fill_buf().map(drop).map_err(|error| stream_error(&layer, error));
        };
        // Decoders may leave bytes behind that they have no use for.
        io::copy(&mut whole.compressed, &mut io::sink()).map_err(|error| stream_error(&blob, error))?;
        whole.compressed.lock().check(&blob, digests.blob.as_ref())?;
        match whole.hasher {
            Some(hasher) => compare(&layer, &hasher.lock(), &digests.diff_id),
            None => Ok(()),
        }
    }
}

impl BufRead for Uncompressed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &mut self.stream {
            Stream::Whole(whole) => {
                if whole.plain.rest().is_empty() {
                    whole.read += whole.plain.fill_buf()?.len() as u64;
                    within(whole.read, self.limit)?;
                }
                Ok(whole.plain.rest())
            }
            Stream::File { reader, start } => {
                if reader.buffer().is_empty() {
                    reader.fill_buf()?;
                    within(reader.get_ref().offset - *start, self.limit)?;
                }
                Ok(reader.buffer())
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        match &mut self.stream {
            Stream::Whole(whole) => whole.plain.consume(bytes),
            Stream::File { reader, .. } => reader.consume(bytes),
        }
    }
}

fn within(bytes: u64, limit: u64) -> io::Result<()> {
    if bytes > limit { Err(io::Error::other(TooLong)) } else { Ok(()) }
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
        if let Stream::File { reader, start } = &mut self.stream {
            let here = left.min(reader.buffer().len() as u64);
            reader.consume(here as usize);
            left -= here;
            if left > 0 {
                left -= reader.get_mut().skip(left)?;
                within(reader.get_ref().offset - *start, self.limit)?;
            }
            return Ok(bytes - left);
        }
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

/// The first four bytes and how many there are, however few a read brings.
fn magic(reader: &mut impl Read) -> io::Result<([u8; 4], u64)> {
    let mut magic = Vec::with_capacity(4);
    reader.take(4).read_to_end(&mut magic)?;
    let mut padded = [0; 4];
    padded[..magic.len()].copy_from_slice(&magic);
    Ok((padded, magic.len() as u64))
}
