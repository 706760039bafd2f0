//! The view of an image's or a container's files.

use std::io::{Read, Seek};

use crate::{FsPath, Metadata, Result};

/// An open regular file.
pub trait File: Read + Seek + Send {}

impl<T: Read + Seek + Send> File for T {}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name: bytes, one path part.
    pub name: Vec<u8>,
    /// Its own metadata; links are not followed.
    pub metadata: Metadata,
}

/// An entry met by [`FileSystem::walk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalkEntry {
    /// Where it is.
    pub path: FsPath,
    /// Its own metadata; links are not followed.
    pub metadata: Metadata,
}

/// What [`FileSystem::walk`] gives: an entry, or the reason why one or a whole folder could not be read. It goes on
/// after an error.
pub type Walk<'a> = Box<dyn Iterator<Item = Result<WalkEntry>> + 'a>;

/// The files of an image or a container, the same for every source.
///
/// Every path is relative to the root. Links on the way are resolved inside the root, whatever they say: `..` stops at
/// it, and an absolute target starts from it. Whiteouts and opaque folders are applied and never seen.
pub trait FileSystem: Send + Sync {
    /// Opens a regular file, following links. What is no regular file is [`crate::Error::WrongKind`], never opened.
    fn open(&self, path: &FsPath) -> Result<Box<dyn File>>;

    /// Metadata, following links.
    fn metadata(&self, path: &FsPath) -> Result<Metadata>;

    /// Metadata of the entry itself: a link at the end is not followed.
    fn symlink_metadata(&self, path: &FsPath) -> Result<Metadata>;

    /// The target of a link, as it is written.
    fn read_link(&self, path: &FsPath) -> Result<Vec<u8>>;

    /// The entries of a folder, links on the way followed, sorted by name.
    fn read_dir(&self, path: &FsPath) -> Result<Vec<DirEntry>>;

    /// The path with every link on the way (and at the end) replaced by what it leads to. The result need not exist
    /// in its last part.
    fn resolve(&self, path: &FsPath) -> Result<FsPath>;

    /// Everything below a folder (links on the way to it followed, none below it): depth first, a folder before what
    /// it holds, sorted by name.
    fn walk(&self, path: &FsPath) -> Result<Walk<'_>>;
}
