//! One file alone in a root.

use std::fs::File as DiskFile;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use super::sys;
use crate::tar::BlobFile;
use crate::{DirEntry, EntryKind, Error, File, FileSystem, FsPath, Metadata, Result, Walk, WalkEntry};

/// A root that holds one regular file, by its own name, and nothing else.
pub struct SingleFile {
    name: FsPath,
    metadata: Metadata,
    file: DiskFile,
}

impl SingleFile {
    /// The root with the file at a path on this machine; links to it are followed.
    pub fn open(path: &Path) -> Result<Self> {
        use std::os::unix::ffi::OsStrExt;
        let failed = |error: io::Error| Error::io(path.display().to_string(), error);
        let file = DiskFile::open(path).map_err(failed)?;
        let stat = sys::stat_folder(file.as_fd()).map_err(failed)?;
        let metadata = sys::metadata(&stat, None);
        let name = path.file_name().unwrap_or_default().as_bytes();
        if metadata.kind != EntryKind::File || name.is_empty() {
            return Err(Error::WrongKind {
                path: path.display().to_string(),
                reason: "it is no regular file",
            });
        }
        Ok(Self { name: FsPath::new(name), metadata, file })
    }

    fn root_metadata(&self) -> Metadata {
        Metadata { kind: EntryKind::Directory, permissions: 0o755, size: 0, ..self.metadata.clone() }
    }

    fn expect_file(&self, path: &FsPath) -> Result<()> {
        if *path == self.name {
            return Ok(());
        }
        if path.is_root() {
            return Err(Error::WrongKind { path: path.to_string(), reason: "it is a folder" });
        }
        Err(Error::NotFound { path: path.to_string() })
    }

    fn expect_root(&self, path: &FsPath) -> Result<()> {
        if path.is_root() {
            return Ok(());
        }
        self.expect_file(path)?;
        Err(Error::WrongKind { path: path.to_string(), reason: "it is no folder" })
    }
}

impl FileSystem for SingleFile {
    fn open(&self, path: &FsPath) -> Result<Box<dyn File>> {
        self.expect_file(path)?;
        let file = self.file.try_clone().map_err(|error| Error::io(path.to_string(), error))?;
        Ok(Box::new(BlobFile::new(file).reader()))
    }

    fn metadata(&self, path: &FsPath) -> Result<Metadata> {
        if path.is_root() {
            return Ok(self.root_metadata());
        }
        self.expect_file(path)?;
        Ok(self.metadata.clone())
    }

    fn symlink_metadata(&self, path: &FsPath) -> Result<Metadata> {
        self.metadata(path)
    }

    fn read_link(&self, path: &FsPath) -> Result<Vec<u8>> {
        self.metadata(path)?;
        Err(Error::WrongKind { path: path.to_string(), reason: "it is no link" })
    }

    fn read_dir(&self, path: &FsPath) -> Result<Vec<DirEntry>> {
        self.expect_root(path)?;
        let name = self.name.as_bytes().to_vec();
        Ok(vec![DirEntry { name, metadata: self.metadata.clone() }])
    }

    fn resolve(&self, path: &FsPath) -> Result<FsPath> {
        Ok(path.clone())
    }

    fn walk(&self, path: &FsPath) -> Result<Walk<'_>> {
        self.expect_root(path)?;
        let entry = WalkEntry::new(self, self.name.clone(), self.metadata.clone());
        Ok(Box::new(std::iter::once(Ok(entry))))
    }
}
