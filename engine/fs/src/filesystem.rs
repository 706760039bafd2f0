//! The view of an image's or a container's files.

use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::{FsPath, Metadata, Result, folder};

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
pub struct WalkEntry<'a> {
    /// Where it is.
    pub path: FsPath,
    /// Its own metadata; links are not followed.
    pub metadata: Metadata,
    place: Place<'a>,
}

/// Where an entry is found again.
enum Place<'a> {
    /// From the root, by its path.
    Root(&'a dyn FileSystem),
    /// By its name in an open folder, so that nothing on the way is looked up again.
    Folder(Arc<OwnedFd>),
}

impl<'a> WalkEntry<'a> {
    /// An entry that `root` finds by its path.
    pub fn new(root: &'a dyn FileSystem, path: FsPath, metadata: Metadata) -> Self {
        Self { path, metadata, place: Place::Root(root) }
    }

    /// An entry of an open folder.
    pub(crate) fn in_folder(folder: Arc<OwnedFd>, path: FsPath, metadata: Metadata) -> Self {
        Self { path, metadata, place: Place::Folder(folder) }
    }

    /// Opens it. What is no regular file is [`crate::Error::WrongKind`], never opened.
    pub fn open(&self) -> Result<Box<dyn File>> {
        match &self.place {
            Place::Root(root) => root.open(&self.path),
            Place::Folder(folder) => folder::open_in(folder.as_fd(), &self.path),
        }
    }

    /// The target of a link, as it is written.
    pub fn read_link(&self) -> Result<Vec<u8>> {
        match &self.place {
            Place::Root(root) => root.read_link(&self.path),
            Place::Folder(folder) => folder::read_link_in(folder.as_fd(), &self.path),
        }
    }
}

/// What [`FileSystem::walk`] gives: an entry, or the reason why one or a whole folder could not be read. It goes on
/// after an error.
pub type Walk<'a> = Box<dyn Iterator<Item = Result<WalkEntry<'a>>> + Send + 'a>;

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
