//! What an entry of a file system is.

use pratique_core::Digest;

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file, the only kind that is ever opened.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A block or character device.
    Device,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// Metadata of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Its kind.
    pub kind: EntryKind,
    /// Permission bits including setuid, setgid and sticky (the lower 12 bits of `st_mode`).
    pub permissions: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes; 0 for what is no regular file.
    pub size: u64,
    /// Last change of the content, in seconds since 1970.
    pub mtime: i64,
    /// Of a regular file that may be executed: its attribute `security.capability`, as it is stored.
    pub capability: Option<Box<[u8]>>,
    /// The layer (diff ID) the entry comes from; none in a live container and in a plain folder.
    pub layer: Option<Digest>,
}
