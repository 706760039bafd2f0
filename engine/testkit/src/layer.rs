//! One layer.

use std::io::Write;

use pratique_core::Digest;
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

/// How a blob is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// RFC 1952, in two members, as parallel and seekable compressors write it.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// The OCI media type of a layer compressed so.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

/// Compresses a blob.
pub fn compress(tar: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::Plain => tar.to_vec(),
        Compression::Gzip => {
            let (first, second) = tar.split_at(tar.len() / 2);
            [first, second]
                .into_iter()
                .flat_map(|part| {
                    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    gzip.write_all(part).expect("memory takes everything");
                    gzip.finish().expect("memory takes everything")
                })
                .collect()
        }
        Compression::Zstd => zstd::encode_all(tar, 1).expect("memory takes everything"),
    }
}

/// The SHA-256 digest of bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest::sha256(Sha256::digest(bytes).into())
}

/// What a layer has at a path.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    File(Vec<u8>),
    Sparse { size: u64, pieces: Vec<(u64, Vec<u8>)> },
    Directory,
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
    Socket,
    Whiteout,
    Opaque,
}

#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) path: Vec<u8>,
    pub(crate) node: Node,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Last change of everything a builder makes, in seconds since 1970.
pub(crate) const MTIME: u64 = 1_700_000_000;

/// A layer's changes in the order they are written. Paths are relative to the root and may be any bytes. Folders on
/// the way that are not named are made where a folder is written, and left out of the tar.
#[derive(Debug, Clone, Default)]
pub struct LayerBuilder {
    pub(crate) items: Vec<Item>,
}

impl LayerBuilder {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    fn push(mut self, path: impl AsRef<[u8]>, node: Node, mode: u32) -> Self {
        self.items.push(Item { path: path.as_ref().to_vec(), node, mode, uid: 0, gid: 0 });
        self
    }

    /// A regular file of mode 0644 owned by root.
    pub fn file(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.push(path, Node::File(content.as_ref().to_vec()), 0o644)
    }

    /// A regular file of `size` bytes, zero except for the pieces (offset, bytes): at most four, in order.
    pub fn sparse(self, path: impl AsRef<[u8]>, size: u64, pieces: &[(u64, &[u8])]) -> Self {
        let pieces = pieces.iter().map(|(offset, bytes)| (*offset, bytes.to_vec())).collect();
        self.push(path, Node::Sparse { size, pieces }, 0o644)
    }

    /// A folder of mode 0755.
    pub fn dir(self, path: impl AsRef<[u8]>) -> Self {
        self.push(path, Node::Directory, 0o755)
    }

    /// A symbolic link.
    pub fn symlink(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.push(path, Node::Symlink(target.as_ref().to_vec()), 0o777)
    }

    /// A second name of a file written before.
    pub fn hard_link(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.push(path, Node::HardLink(target.as_ref().to_vec()), 0o644)
    }

    /// A character device.
    pub fn char_device(self, path: impl AsRef<[u8]>, major: u32, minor: u32) -> Self {
        self.push(path, Node::CharDevice(major, minor), 0o600)
    }

    /// A block device.
    pub fn block_device(self, path: impl AsRef<[u8]>, major: u32, minor: u32) -> Self {
        self.push(path, Node::BlockDevice(major, minor), 0o600)
    }

    /// A named pipe.
    pub fn fifo(self, path: impl AsRef<[u8]>) -> Self {
        self.push(path, Node::Fifo, 0o600)
    }

    /// A socket. Tars have none: it is left out there.
    pub fn socket(self, path: impl AsRef<[u8]>) -> Self {
        self.push(path, Node::Socket, 0o600)
    }

    /// Removes a path of lower layers.
    pub fn whiteout(self, path: impl AsRef<[u8]>) -> Self {
        self.push(path, Node::Whiteout, 0)
    }

    /// Hides what lower layers have in a folder; makes the folder where a folder is written.
    pub fn opaque(self, path: impl AsRef<[u8]>) -> Self {
        self.push(path, Node::Opaque, 0o755)
    }

    /// Changes mode, owner and group of the entry added last.
    pub fn owned(mut self, mode: u32, uid: u32, gid: u32) -> Self {
        let item = self.items.last_mut().expect("an entry to change");
        (item.mode, item.uid, item.gid) = (mode, uid, gid);
        self
    }

    /// The layer as a tar in GNU format.
    pub fn to_tar(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for item in &self.items {
            append(&mut out, item);
        }
        out.extend_from_slice(&[0; 1024]);
        out
    }

    /// The digest of the tar.
    pub fn diff_id(&self) -> Digest {
        sha256(&self.to_tar())
    }

    /// The compressed tar.
    pub fn to_blob(&self, compression: Compression) -> Vec<u8> {
        compress(&self.to_tar(), compression)
    }
}

fn append(out: &mut Vec<u8>, item: &Item) {
    let mut header = Header::new_gnu();
    header.set_mode(item.mode);
    header.set_uid(item.uid.into());
    header.set_gid(item.gid.into());
    header.set_mtime(MTIME);
    header.set_size(0);
    let mut path = item.path.clone();
    let mut target: &[u8] = b"";
    let mut data: Vec<u8> = Vec::new();
    let entry_type = match &item.node {
        Node::File(content) => {
            data.clone_from(content);
            EntryType::Regular
        }
        Node::Sparse { size, pieces } => {
            assert!(pieces.len() <= 4, "a plain GNU header holds four pieces");
            let gnu = header.as_gnu_mut().expect("made as GNU");
            octal(&mut gnu.realsize, *size);
            for (slot, (offset, bytes)) in gnu.sparse.iter_mut().zip(pieces) {
                octal(&mut slot.offset, *offset);
                octal(&mut slot.numbytes, bytes.len() as u64);
                data.extend_from_slice(bytes);
            }
            EntryType::GNUSparse
        }
        Node::Directory => {
            path.push(b'/');
            EntryType::Directory
        }
        Node::Symlink(to) => {
            target = to;
            EntryType::Symlink
        }
        Node::HardLink(to) => {
            target = to;
            EntryType::Link
        }
        Node::CharDevice(major, minor) | Node::BlockDevice(major, minor) => {
            header.set_device_major(*major).expect("a GNU header has devices");
            header.set_device_minor(*minor).expect("a GNU header has devices");
            if matches!(item.node, Node::CharDevice(..)) { EntryType::Char } else { EntryType::Block }
        }
        Node::Fifo => EntryType::Fifo,
        Node::Socket => return,
        Node::Whiteout => {
            let name = path.iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
            path.splice(name..name, *b".wh.");
            EntryType::Regular
        }
        Node::Opaque => {
            path.extend_from_slice(b"/.wh..wh..opq");
            EntryType::Regular
        }
    };
    header.set_entry_type(entry_type);
    header.set_size(data.len() as u64);
    put_name(out, &mut header, &path, target);
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
    pad(out, &data);
}

/// Names into the header, or into GNU long-name entries before it.
fn put_name(out: &mut Vec<u8>, header: &mut Header, path: &[u8], target: &[u8]) {
    for (kind, text) in [(EntryType::GNULongName, path), (EntryType::GNULongLink, target)] {
        if text.len() > 100 {
            let mut long = Header::new_gnu();
            long.as_old_mut().name[..13].copy_from_slice(b"././@LongLink");
            long.set_entry_type(kind);
            long.set_size(text.len() as u64 + 1);
            long.set_cksum();
            out.extend_from_slice(long.as_bytes());
            pad(out, &[text, b"\0"].concat());
        }
    }
    let old = header.as_old_mut();
    let (short, short_target) = (path.len().min(100), target.len().min(100));
    old.name[..short].copy_from_slice(&path[..short]);
    old.linkname[..short_target].copy_from_slice(&target[..short_target]);
}

/// Data, filled up to whole blocks.
pub(crate) fn pad(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(512), 0);
}

fn octal(field: &mut [u8; 12], value: u64) {
    field.copy_from_slice(format!("{value:011o}\0").as_bytes());
}
