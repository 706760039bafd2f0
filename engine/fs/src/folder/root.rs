//! A whole root on disk: an unpacked image, or `/proc/PID/root` of a container.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::stack::Stack;
use super::sys;
use super::traverse::{Met, Traverse};
use crate::resolve::{Cursor, Found, Step, resolve};
use crate::{
    DirEntry, EntryKind, Error, File, FileSystem, FsPath, Limits, Metadata, Result, Walk, WalkEntry,
};

/// The files below an open folder, as they are now. Links are resolved here and not by the kernel, so that none leads
/// out, not even those of /proc; what is mounted below is seen.
pub struct FolderFs {
    root: Arc<OwnedFd>,
    limits: Limits,
}

impl FolderFs {
    /// The root in an open folder (O_PATH will do).
    pub fn new(root: OwnedFd, limits: Limits) -> Self {
        Self { root: Arc::new(root), limits }
    }

    fn find(&self, path: &FsPath, follow: bool) -> Result<(DiskCursor, FsPath, Found)> {
        let mut cursor = DiskCursor(Stack::new(self.root.clone()));
        let (resolved, found) = resolve(&mut cursor, path, follow)?;
        Ok((cursor, resolved, found))
    }

    fn stat(&self, path: &FsPath, follow: bool) -> Result<Metadata> {
        let (mut cursor, _, found) = self.find(path, follow)?;
        let metadata = match found {
            Found::Folder => cursor.0.top().and_then(sys::stat_folder).map(|stat| sys::metadata(&stat, None)),
            Found::Entry(name) => cursor.0.top().and_then(|folder| entry(folder, &name)),
            Found::Missing => return Err(not_found(path)),
        };
        metadata.map_err(|error| failed(path, error))
    }

    /// The folder at a path, as a root of its own.
    fn folder(&self, path: &FsPath) -> Result<(Arc<OwnedFd>, FsPath)> {
        let (mut cursor, resolved, found) = self.find(path, true)?;
        match found {
            Found::Folder => {
                let folder = cursor.0.top().and_then(|folder| sys::open_folder(folder, b"."));
                Ok((Arc::new(folder.map_err(|error| failed(path, error))?), resolved))
            }
            Found::Entry(_) => Err(Error::WrongKind { path: path.to_string(), reason: "it is no folder" }),
            Found::Missing => Err(not_found(path)),
        }
    }
}

impl FileSystem for FolderFs {
    fn open(&self, path: &FsPath) -> Result<Box<dyn File>> {
        let (mut cursor, _, found) = self.find(path, true)?;
        let name = match found {
            Found::Entry(name) => name,
            Found::Folder => return Err(no_file(path)),
            Found::Missing => return Err(not_found(path)),
        };
        let folder = cursor.0.top().map_err(|error| failed(path, error))?;
        open_name(folder, &name, path)
    }

    fn metadata(&self, path: &FsPath) -> Result<Metadata> {
        self.stat(path, true)
    }

    fn symlink_metadata(&self, path: &FsPath) -> Result<Metadata> {
        self.stat(path, false)
    }

    fn read_link(&self, path: &FsPath) -> Result<Vec<u8>> {
        let (mut cursor, _, found) = self.find(path, false)?;
        let Found::Entry(name) = found else {
            return Err(match found {
                Found::Missing => not_found(path),
                _ => Error::WrongKind { path: path.to_string(), reason: "it is no link" },
            });
        };
        let folder = cursor.0.top().map_err(|error| failed(path, error))?;
        read_link_of(folder, &name, path)
    }

    fn read_dir(&self, path: &FsPath) -> Result<Vec<DirEntry>> {
        let (folder, _) = self.folder(path)?;
        let mut stack = Stack::new(folder);
        let folder = stack.top().map_err(|error| failed(path, error))?;
        let names = sys::names(folder, self.limits.entries).map_err(|error| failed(path, error))?;
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            match entry(folder, &name) {
                Ok(metadata) => entries.push(DirEntry { name, metadata }),
                // Removed between listing and asking: it is not in the folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(&path.join(&name), error)),
            }
        }
        Ok(entries)
    }

    fn resolve(&self, path: &FsPath) -> Result<FsPath> {
        self.find(path, true).map(|(_, resolved, _)| resolved)
    }

    fn walk(&self, path: &FsPath) -> Result<Walk<'_>> {
        let (folder, resolved) = self.folder(path)?;
        let mut traverse =
            Traverse::new(folder, resolved, self.limits).map_err(|error| failed(path, error))?;
        let mut entered: Option<(FsPath, Vec<u8>)> = None;
        Ok(Box::new(std::iter::from_fn(move || {
            if let Some((path, name)) = entered.take()
                && let Err(error) = traverse.enter(&name)
            {
                return Some(Err(failed(&path, error)));
            }
            match traverse.next()? {
                Met::Entry { path, name, stat } => {
                    let mut metadata = sys::metadata(&stat, None);
                    let folder = match traverse.shared_folder() {
                        Ok(folder) => folder.clone(),
                        Err(error) => return Some(Err(failed(&path, error))),
                    };
                    match sys::capability(folder.as_fd(), &name, &stat) {
                        Ok(capability) => metadata.capability = capability,
                        Err(error) => return Some(Err(failed(&path, error))),
                    }
                    if metadata.kind == EntryKind::Directory {
                        entered = Some((path.clone(), name));
                    }
                    Some(Ok(WalkEntry::in_folder(folder, path, metadata)))
                }
                Met::Failed { path, error } => Some(Err(failed(&path, error))),
            }
        })))
    }
}

/// Opens the regular file at `path` by its name in the folder that holds it.
pub(crate) fn open_in(folder: BorrowedFd<'_>, path: &FsPath) -> Result<Box<dyn File>> {
    open_name(folder, path.name().unwrap_or(b"."), path)
}

/// The target of the link at `path` by its name in the folder that holds it.
pub(crate) fn read_link_in(folder: BorrowedFd<'_>, path: &FsPath) -> Result<Vec<u8>> {
    read_link_of(folder, path.name().unwrap_or(b"."), path)
}

fn open_name(folder: BorrowedFd<'_>, name: &[u8], path: &FsPath) -> Result<Box<dyn File>> {
    match sys::open_file(folder, name) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput && error.raw_os_error().is_none() => {
            Err(no_file(path))
        }
        Err(error) => Err(failed(path, error)),
    }
}

fn read_link_of(folder: BorrowedFd<'_>, name: &[u8], path: &FsPath) -> Result<Vec<u8>> {
    match sys::read_link(folder, name) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
            Err(Error::WrongKind { path: path.to_string(), reason: "it is no link" })
        }
        other => other.map_err(|error| failed(path, error)),
    }
}

/// Metadata of a name in a folder.
fn entry(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<Metadata> {
    let stat = sys::stat(folder, name)?;
    let capability = sys::capability(folder, name, &stat)?;
    Ok(Metadata { capability, ..sys::metadata(&stat, None) })
}

struct DiskCursor(Stack);

impl Cursor for DiskCursor {
    fn enter(&mut self, name: &[u8]) -> Result<Step> {
        let step = |stack: &mut Stack| -> io::Result<Step> {
            let folder = stack.top()?;
            let stat = match sys::stat(folder, name) {
                Ok(stat) => stat,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Step::Missing),
                Err(error) => return Err(error),
            };
            Ok(match sys::kind(&stat) {
                EntryKind::Directory => {
                    stack.enter(name)?;
                    Step::Entered
                }
                EntryKind::Symlink => Step::Link(sys::read_link(folder, name)?),
                _ => Step::Leaf,
            })
        };
        step(&mut self.0).map_err(|error| failed(&FsPath::new(name), error))
    }

    fn up(&mut self) -> Result<()> {
        self.0.leave();
        Ok(())
    }

    fn to_root(&mut self) {
        self.0.clear();
    }
}

fn no_file(path: &FsPath) -> Error {
    Error::WrongKind { path: path.to_string(), reason: "it is no regular file, and only those are opened" }
}

fn not_found(path: &FsPath) -> Error {
    Error::NotFound { path: path.to_string() }
}

fn failed(path: &FsPath, error: io::Error) -> Error {
    Error::io(path.to_string(), error)
}
