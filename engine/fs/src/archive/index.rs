//! What lies where in an archive: a tar in a file, read at its headers only.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::tar::{BlobFile, TarKind, TarReader, stream_error};
use crate::{Error, FsPath, Limits, Result};

/// Entries of one archive at most: an image has a handful for each layer.
const ENTRIES: u64 = 100_000;
/// Links that may follow each other to one entry.
const LINKS: usize = 10;

/// The entries of an archive, by path.
pub(crate) struct ArchiveIndex {
    what: String,
    file: Arc<File>,
    entries: BTreeMap<FsPath, Entry>,
}

enum Entry {
    /// Offset and length.
    Data(u64, u64),
    /// Another entry with the same bytes: its path.
    Link(FsPath),
}

impl ArchiveIndex {
    /// Reads the index of an archive. One that is compressed with gzip or zstd, or is not a regular file (`-` is the
    /// standard input), is written once to an unlinked file in `temporary`, as its entries are needed out of order.
    pub(crate) fn open(path: &Path, temporary: &Path, limits: Limits) -> Result<Self> {
        let what = if path == Path::new("-") {
            "the archive on standard input".to_owned()
        } else {
            format!("the archive {}", path.display())
        };
        let input = if path == Path::new("-") {
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            File::from(stdin.map_err(|error| Error::io(&what, error))?)
        } else {
            File::open(path).map_err(|error| Error::io(&what, error))?
        };
        let is_regular = input.metadata().map_err(|error| Error::io(&what, error))?.is_file();
        if is_regular && path != Path::new("-") && !is_compressed(&input) {
            return Self::read(what, input);
        }
        let file = spool(&what, input, temporary, limits.uncompressed_bytes)?;
        Self::read(what, file)
    }

    /// Reads the index of a plain tar in a regular file.
    pub(crate) fn read(what: String, file: File) -> Result<Self> {
        let length = file.metadata().map_err(|error| Error::io(&what, error))?.len();
        let file = Arc::new(file);
        let limits = Limits { entries: ENTRIES, ..Limits::default() };
        let reader = BlobFile::part(file.clone(), 0, length).reader();
        let mut reader = TarReader::new(reader, what.clone(), limits);
        let mut entries = BTreeMap::new();
        while let Some(entry) = reader.next()? {
            let path = FsPath::new(&entry.name);
            let found = match entry.kind {
                TarKind::File => reader.pass_over().map(|(start, length)| Entry::Data(start, length)),
                TarKind::HardLink => Some(Entry::Link(FsPath::new(&entry.link))),
                TarKind::Symlink => {
                    let folder = path.parent().unwrap_or_default();
                    Some(Entry::Link(FsPath::new([folder.as_bytes(), b"/", &entry.link].concat())))
                }
                _ => None,
            };
            if let Some(found) = found {
                entries.insert(path, found);
            }
        }
        Ok(Self { what, file, entries })
    }

    /// Its name in errors.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Whether it has an entry.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.entries.contains_key(&FsPath::new(path))
    }

    /// The bytes of an entry, links inside the archive followed, and how many they are.
    pub(crate) fn part(&self, path: &str) -> Result<(BlobFile, u64)> {
        let mut at = FsPath::new(path);
        let mut seen = HashSet::new();
        loop {
            match self.entries.get(&at) {
                Some(Entry::Data(start, length)) => {
                    return Ok((BlobFile::part(self.file.clone(), *start, *length), *length));
                }
                Some(Entry::Link(target)) if seen.len() < LINKS && seen.insert(at.clone()) => {
                    at = target.clone();
                }
                Some(Entry::Link(_)) => return Err(self.malformed(path, "is behind too many links")),
                None => return Err(self.malformed(path, "is not in it; the archive is not whole")),
            }
        }
    }

    /// A whole entry, of at most `limit` bytes.
    pub(crate) fn document(&self, path: &str, limit: u64) -> Result<Vec<u8>> {
        let (blob, length) = self.part(path)?;
        if length > limit {
            let what = format!("{path} in {}", self.what);
            return Err(Error::Limit { what, limit: format!("it has more than {limit} bytes") });
        }
        let mut bytes = Vec::new();
        match blob.reader().read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(stream_error(&format!("{path} in {}", self.what), error)),
        }
    }

    fn malformed(&self, path: &str, reason: &str) -> Error {
        let path = path.chars().take(200).collect::<String>();
        Error::Malformed { what: self.what.clone(), reason: format!("`{}` {reason}", path.escape_debug()) }
    }
}

fn magic(file: &File) -> [u8; 4] {
    let mut magic = [0; 4];
    let _ = std::os::unix::fs::FileExt::read_at(file, &mut magic, 0);
    magic
}

fn is_compressed(file: &File) -> bool {
    is_gzip(&magic(file)) || is_zstd(&magic(file))
}

pub(super) fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b])
}

pub(super) fn is_zstd(start: &[u8]) -> bool {
    start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

/// A new file in a folder, without a name: it is gone when it is closed, whatever happens.
pub(crate) fn unlinked(folder: &Path) -> Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR);
    let what = || format!("a temporary file in {} (TMPDIR names the folder)", folder.display());
    file.map(File::from).map_err(|error| Error::io(what(), error.into()))
}

/// Copies a stream, decompressed, to an unlinked file.
fn spool(what: &str, mut input: impl Read, folder: &Path, limit: u64) -> Result<File> {
    let mut start = [0; 4];
    let mut filled = 0;
    while filled < start.len() {
        match input.read(&mut start[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io(what, error)),
        }
    }
    let stream = io::Cursor::new(start[..filled].to_vec()).chain(input);
    let stream: Box<dyn Read> = if is_gzip(&start) {
        Box::new(flate2::read::MultiGzDecoder::new(stream))
    } else if is_zstd(&start) {
        Box::new(zstd::stream::read::Decoder::new(stream).map_err(|error| Error::io(what, error))?)
    } else {
        Box::new(stream)
    };
    let mut file = unlinked(folder)?;
    let copied = io::copy(&mut stream.take(limit), &mut file).map_err(|error| stream_error(what, error))?;
    if copied == limit {
        return Err(Error::Limit {
            what: what.to_owned(),
            limit: format!("more than {limit} bytes uncompressed"),
        });
    }
    Ok(file)
}
