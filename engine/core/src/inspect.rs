//! What the walk hands to those who look into files: detectors and package parsers.
//!
//! They never open anything. They declare as data which files they care for ([`Interest`]) and are handed a file's
//! metadata, its first bytes and, where they asked for it, random access to the rest.

use std::io;

use serde::{Deserialize, Serialize};

/// Files that somebody wants: those that satisfy every field. Regular files, unless [`Extent::Metadata`] is all that is
/// wanted: then entries of every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// Globs over the path relative to the root, without a leading slash; `*` stops at `/`, `**` does not. The path
    /// matches one of them.
    pub globs: &'static [&'static str],
    /// The file begins with one of these; empty: any content.
    pub heads: &'static [&'static [u8]],
    /// Smallest size in bytes. Keeps a glob like `**` from opening every small file of an image.
    pub min_size: u64,
    /// How much of the file is handed over.
    pub extent: Extent,
}

/// How much of a file is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Nothing: its metadata are enough, and it is never opened. The entry itself is meant, so links are not followed.
    Metadata,
    /// So many bytes from its start, in memory. A longer file arrives cut, and [`FileInput::is_cut`] says so.
    Head(usize),
    /// Random access to the whole file, if it has at most so many bytes; of a larger one nothing is read, which is a
    /// problem of kind `Limit`. [`FileInput::bytes`] holds the first bytes, at most [`HEAD`].
    Whole(u64),
    /// All of it, once, from start to end in pieces ([`Piece`]), as far as so many bytes; of a longer file the rest is not
    /// read, which is a problem of kind `Limit`. Takes no more memory for a large file than for a small one. Who wants a
    /// file as [`Extent::Whole`], too, gets no pieces of it, unless it cannot have it so; why not is a problem as well then.
    Stream(u64),
}

/// Bytes of a file's start that are in memory when it was wanted as [`Extent::Whole`].
pub const HEAD: usize = 4096;

impl Interest {
    /// Entries at these paths, of which nothing is read.
    pub const fn metadata(globs: &'static [&'static str]) -> Self {
        Self { globs, heads: &[], min_size: 0, extent: Extent::Metadata }
    }

    /// Files at these paths, as far as `window` bytes from their start.
    pub const fn head(globs: &'static [&'static str], window: usize) -> Self {
        Self { globs, heads: &[], min_size: 0, extent: Extent::Head(window) }
    }

    /// Files at these paths, whole, up to `limit` bytes.
    pub const fn whole(globs: &'static [&'static str], limit: u64) -> Self {
        Self { globs, heads: &[], min_size: 0, extent: Extent::Whole(limit) }
    }
}

/// A piece of a file that is wanted as [`Extent::Stream`].
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// At most [`PIECE`] bytes. Those of the next piece begin with the last [`OVERLAP`] of these.
    pub bytes: &'a [u8],
    /// Where in the file they begin.
    pub offset: u64,
    /// How many of them, from their start, were in the piece before.
    pub seen: usize,
    /// Whether they are the last that come: the file's end, or where reading stopped.
    pub last: bool,
}

/// Most bytes of a [`Piece`].
pub const PIECE: usize = 256 << 10;

/// Bytes that a piece and the next one share: whatever is not longer lies whole in one of them.
pub const OVERLAP: usize = 16 << 10;

/// The pieces of what is in memory, as those of a file.
pub fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut next = Some((0, 0));
    std::iter::from_fn(move || {
        let (start, seen) = next?;
        let end = bytes.len().min(start + PIECE);
        let last = end - start < PIECE;
        next = (!last).then(|| (end - OVERLAP, OVERLAP));
        Some(Piece { bytes: &bytes[start..end], offset: start as u64, seen, last })
    })
}

/// Permission bits, owner and group of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMode {
    /// Permission bits including setuid, setgid and sticky (the lower 12 bits of `st_mode`).
    pub permissions: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Random access to bytes that may be large.
pub trait ReadAt {
    /// Reads at most `buffer.len()` bytes that lie at `offset`; 0 only at the end or for an empty buffer.
    ///
    /// # Errors
    /// If the source fails.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads until `buffer` is full or the end is reached; how many bytes it read.
    ///
    /// # Errors
    /// If the source fails.
    fn read_full_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|start| self.get(start..)).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(buffer, offset)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_slice().read_at(buffer, offset)
    }
}

/// What kind of entry something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, and where it leads, as it is written.
    Link(&'a [u8]),
    /// A device, a pipe or a socket.
    Special,
}

/// One file of a layer.
#[derive(Clone, Copy)]
pub struct FileInput<'a> {
    /// Path relative to the root, without a leading slash, as the bytes the layer has.
    pub path: &'a [u8],
    /// What it is; a regular file to everybody who wants more than its metadata.
    pub kind: Kind<'a>,
    /// Its mode and owner.
    pub mode: FileMode,
    /// Its attribute `security.capability` as it is stored (capabilities(7), `struct vfs_cap_data`), if it has one.
    pub capability: Option<&'a [u8]>,
    /// Its whole size in bytes.
    pub size: u64,
    /// The bytes from its start, as many as the interest's [`Extent`] says; none of a stream.
    pub bytes: &'a [u8],
    /// All its bytes if it was wanted as [`Extent::Whole`]; else those of `bytes`.
    pub content: &'a dyn ReadAt,
}

impl<'a> FileInput<'a> {
    /// A file that is wholly in memory.
    pub fn in_memory(path: &'a [u8], mode: FileMode, bytes: &'a Vec<u8>) -> Self {
        let size = bytes.len() as u64;
        Self { path, kind: Kind::File, mode, capability: None, size, bytes, content: bytes }
    }

    /// Whether the file is longer than what is in memory.
    pub fn is_cut(&self) -> bool {
        self.size > self.bytes.len() as u64
    }
}

impl std::fmt::Debug for FileInput<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the content: it may be secret.
        f.debug_struct("FileInput")
            .field("path", &String::from_utf8_lossy(self.path))
            .field("mode", &self.mode)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_beyond_the_end_gives_what_there_is() {
        let bytes = b"0123456789".to_vec();
        let mut buffer = [0; 4];
        for (offset, expected) in [(0, &b"0123"[..]), (8, b"89"), (10, b""), (u64::MAX, b"")] {
            let read = bytes.read_full_at(&mut buffer, offset).unwrap();
            assert_eq!(&buffer[..read], expected, "{offset}");
        }
    }

    #[test]
    fn a_files_content_is_never_printed() {
        let bytes = b"hunter2".to_vec();
        let mode = FileMode { permissions: 0o600, uid: 0, gid: 0 };
        let text = format!("{:?}", FileInput::in_memory(b"etc/key", mode, &bytes));
        assert!(text.contains("etc/key") && !text.contains("hunter2"), "{text}");
    }
}
