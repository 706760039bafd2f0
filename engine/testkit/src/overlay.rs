//! A layer as the folder that an overlay snapshotter unpacks it to.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, XattrFlags, fchmod, fchown, fsetxattr,
    linkat, makedev, mkdirat, mknodat, openat, symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::LayerBuilder;
use crate::layer::{Item, MTIME, Node};

/// How opaque folders are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpaqueMark {
    /// `trusted.overlay.opaque`: what the kernel honours by default. Needs CAP_SYS_ADMIN.
    Trusted,
    /// `user.overlay.opaque`: what it honours in mounts with `userxattr`. Needs a file system with user attributes.
    User,
}

impl LayerBuilder {
    /// Writes the layer into an existing folder: whiteouts as character devices 0/0, opaque folders by an attribute.
    /// Devices, whiteouts and foreign owners need root.
    ///
    /// # Panics
    /// If something cannot be written.
    pub fn write_folder(&self, folder: &Path, mark: OpaqueMark) {
        let root: OwnedFd = File::open(folder).expect("the folder to write to").into();
        for item in &self.items {
            let shown = String::from_utf8_lossy(&item.path).chars().take(80).collect::<String>();
            write(root.as_fd(), item, mark).unwrap_or_else(|error| panic!("cannot write {shown}: {error}"));
        }
        // What was written into a folder has moved its time.
        for item in &self.items {
            if matches!(item.node, Node::Directory | Node::Opaque) {
                let (parent, name) = parent_of(root.as_fd(), &item.path).expect("the folder is there");
                stamp(&parent, &name).expect("its time is set");
            }
        }
    }
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn write(root: BorrowedFd<'_>, item: &Item, mark: OpaqueMark) -> rustix::io::Result<()> {
    let (parent, name) = parent_of(root, &item.path)?;
    let mode = Mode::from_raw_mode(item.mode);
    match &item.node {
        Node::File(content) => {
            let file = create(&parent, &name)?;
            file.write_all_at(content, 0).map_err(|_| Errno::IO)?;
            own(&file, item)?;
        }
        Node::Sparse { size, pieces } => {
            let file = create(&parent, &name)?;
            file.set_len(*size).map_err(|_| Errno::IO)?;
            for (offset, bytes) in pieces {
                file.write_all_at(bytes, *offset).map_err(|_| Errno::IO)?;
            }
            own(&file, item)?;
        }
        Node::Directory | Node::Opaque => {
            let folder = enter(parent.as_fd(), &name)?;
            if matches!(item.node, Node::Opaque) {
                let attribute = match mark {
                    OpaqueMark::Trusted => "trusted.overlay.opaque",
                    OpaqueMark::User => "user.overlay.opaque",
                };
                fsetxattr(&folder, attribute, b"y", XattrFlags::empty())?;
            } else {
                own(&folder, item)?;
            }
        }
        Node::Symlink(target) => {
            symlinkat(CString::new(target.clone()).expect("no zero byte"), &parent, &name)?;
        }
        Node::HardLink(target) => {
            let (target_parent, target_name) = parent_of(root, target)?;
            linkat(&target_parent, &target_name, &parent, &name, AtFlags::empty())?;
        }
        Node::CharDevice(major, minor) => {
            mknodat(&parent, &name, FileType::CharacterDevice, mode, makedev(*major, *minor))?;
        }
        Node::BlockDevice(major, minor) => {
            mknodat(&parent, &name, FileType::BlockDevice, mode, makedev(*major, *minor))?;
        }
        Node::Fifo => mknodat(&parent, &name, FileType::Fifo, mode, 0)?,
        Node::Socket => mknodat(&parent, &name, FileType::Socket, mode, 0)?,
        Node::Whiteout => mknodat(&parent, &name, FileType::CharacterDevice, mode, 0)?,
    }
    stamp(&parent, &name)
}

/// Gives a name the time that every entry of a test's layer has.
fn stamp(parent: &OwnedFd, name: &CString) -> rustix::io::Result<()> {
    let stamp = Timespec { tv_sec: MTIME as i64, tv_nsec: 0 };
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    utimensat(
        parent,
        name,
        &Timestamps { last_access: omit, last_modification: stamp },
        AtFlags::SYMLINK_NOFOLLOW,
    )
}

fn create(parent: &OwnedFd, name: &CString) -> rustix::io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::from_raw_mode(0o600))?.into())
}

fn own(file: impl AsFd, item: &Item) -> rustix::io::Result<()> {
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = (rustix::fs::Uid::from_raw(item.uid), rustix::fs::Gid::from_raw(item.gid));
        fchown(&file, Some(uid), Some(gid))?;
    }
    fchmod(&file, Mode::from_raw_mode(item.mode))
}

/// The folder that `path` lies in, made where it is missing, and the last name. Goes down name by name, as whole paths
/// may be longer than the kernel takes.
fn parent_of(root: BorrowedFd<'_>, path: &[u8]) -> rustix::io::Result<(OwnedFd, CString)> {
    let mut names = path.split(|b| *b == b'/').filter(|name| !name.is_empty()).collect::<Vec<_>>();
    let last = names.pop().unwrap_or(b".");
    let mut folder = openat(root, ".", DIRECTORY, Mode::empty())?;
    for name in names {
        folder = enter(folder.as_fd(), &CString::new(name).expect("no zero byte"))?;
    }
    Ok((folder, CString::new(last).expect("no zero byte")))
}

fn enter(parent: BorrowedFd<'_>, name: &CString) -> rustix::io::Result<OwnedFd> {
    if name.as_bytes() != b"." {
        match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    openat(parent, name, DIRECTORY, Mode::empty())
}
