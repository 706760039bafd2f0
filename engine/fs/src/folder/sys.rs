//! The system calls that folders are read with.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use pratique_core::Digest;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::{EntryKind, Metadata};

/// Flags of a folder that is only a place to go on from.
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Flags of a folder to list.
const LIST: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Flags of a file: should a device or a fifo take its place, nothing waits and no terminal is acquired.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// A folder in a folder, as a place.
pub(super) fn open_folder(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    Ok(openat(parent, name, PLACE, Mode::empty())?)
}

/// A folder in a folder (`.`: that one itself), to list it or read its attributes.
pub(super) fn open_listing(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    Ok(openat(parent, name, LIST, Mode::empty())?)
}

/// Metadata of a name itself.
pub(super) fn stat(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Stat> {
    Ok(statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Metadata of an open folder.
pub(super) fn stat_folder(folder: BorrowedFd<'_>) -> io::Result<Stat> {
    Ok(rustix::fs::fstat(folder)?)
}

/// The target of a link.
pub(super) fn read_link(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Vec<u8>> {
    Ok(readlinkat(parent, name, Vec::new())?.into_bytes())
}

/// Opens a regular file. Something else is an error and not opened: its kind is asked for first, and whatever took the
/// name between asking and opening is told by device and inode afterwards.
pub(super) fn open_file(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<File> {
    let seen = stat(parent, name)?;
    if FileType::from_raw_mode(seen.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let file = openat(parent, name, FILE, Mode::empty())?;
    let opened = rustix::fs::fstat(&file)?;
    if (opened.st_dev, opened.st_ino, FileType::from_raw_mode(opened.st_mode))
        != (seen.st_dev, seen.st_ino, FileType::RegularFile)
    {
        return Err(io::Error::other("something else took its place while it was opened"));
    }
    Ok(File::from(file))
}

/// The names in a folder, sorted; an error if there are more than `limit`.
pub(super) fn names(folder: BorrowedFd<'_>, limit: u64) -> io::Result<Vec<Vec<u8>>> {
    list(&open_listing(folder, b".")?, limit)
}

/// The same of a folder that was opened for it and not listed yet.
pub(super) fn list(listing: impl AsFd, limit: u64) -> io::Result<Vec<Vec<u8>>> {
    let mut buffer = [MaybeUninit::uninit(); 32 << 10];
    let mut entries = RawDir::new(listing.as_fd(), &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        if names.len() as u64 >= limit {
            return Err(io::Error::other(TooMany));
        }
        names.push(name.to_vec());
    }
    names.sort_unstable();
    Ok(names)
}

/// Marks the error of a folder that holds more names than are read.
#[derive(Debug, thiserror::Error)]
#[error("it holds more entries than are read of one layer or root")]
pub(super) struct TooMany;

/// An extended attribute of an open file or folder, of at most 16 bytes; none if there is none or it cannot be seen.
pub(super) fn attribute(file: impl AsFd, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut value = [0; 16];
    match rustix::fs::fgetxattr(file, name, &mut value) {
        Ok(length) => Ok(Some(value[..length].to_vec())),
        // Longer than asked for: it is there.
        Err(Errno::RANGE) => Ok(Some(value.to_vec())),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether `trusted.*` attributes are visible to this thread: CAP_SYS_ADMIN, and not only inside a user namespace.
/// Without it the kernel says that there are none.
pub(super) fn sees_trusted_attributes() -> bool {
    /// Inode number of the first user namespace (PROC_USER_INIT_INO in the kernel's sources).
    const FIRST_USER_NAMESPACE: u64 = 0xEFFF_FFFD;
    let capable = rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::SYS_ADMIN));
    capable && rustix::fs::stat("/proc/self/ns/user").is_ok_and(|stat| stat.st_ino == FIRST_USER_NAMESPACE)
}

/// The kind of an entry, from its mode.
pub(super) fn kind(stat: &Stat) -> EntryKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        FileType::Fifo => EntryKind::Fifo,
        FileType::Socket => EntryKind::Socket,
        _ => EntryKind::Device,
    }
}

/// The attribute `security.capability` of a name in a folder; none of what nobody executes. It is asked for by a path
/// through /proc, as an attribute of a descriptor could be had only of files that may be read.
pub(super) fn capability(folder: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> io::Result<Option<Box<[u8]>>> {
    if kind(stat) != EntryKind::File || stat.st_mode & 0o111 == 0 {
        return Ok(None);
    }
    // Its longest form has 24 bytes; the kernel stores no other.
    let mut value = [0; 24];
    let path = [format!("/proc/self/fd/{}/", folder.as_raw_fd()).as_bytes(), name].concat();
    match rustix::fs::lgetxattr(path, "security.capability", &mut value) {
        Ok(length) => Ok(Some(value[..length].into())),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Metadata in our words, without the capabilities that only [`capability`] tells.
pub(super) fn metadata(stat: &Stat, layer: Option<&Digest>) -> Metadata {
    let kind = kind(stat);
    Metadata {
        kind,
        permissions: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: if kind == EntryKind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 },
        mtime: stat.st_mtime,
        capability: None,
        layer: layer.cloned(),
    }
}
