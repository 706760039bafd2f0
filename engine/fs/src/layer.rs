//! One layer's own changes.

use std::io::{self, Read};
use std::ops::ControlFlow;

use pratique_core::inspect::ReadAt;
use pratique_core::{Digest, Gap, GapKind};

use crate::{Error, File, FsPath, Metadata, Result};

/// How a layer was read, which decides whether opaque folders could be seen. Part of the cache key of its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Opacity {
    /// From its blob: whiteouts and opaque folders are entries of the tar.
    FromBlob,
    /// From its folder, with the right to read `trusted.overlay.*` attributes (or `user.overlay.*` present).
    FromFolder,
    /// From its folder, without that right: an opaque folder looks like any other.
    FromFolderBlind,
}

/// How much of a layer's blob is checked against the digests that an image names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Check {
    /// The blob, and what it holds uncompressed: whoever unpacks the image gets what was read.
    #[default]
    Content,
    /// Nothing where a blob lies in a file as it is: what nobody asks for is not even read. Elsewhere the blob, if a
    /// manifest names its digest: that it holds the layer that the image's config names is then the manifest's word.
    Least,
}

/// What a layer's content is proved by, once a pass over it has ended well.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Proof {
    /// It has its diff ID; or it is the folder that a runtime unpacked it to.
    DiffId,
    /// The blob that it lies in has this digest, which the image's manifest names.
    Blob(Digest),
    /// Nothing: it was not hashed.
    None,
}

/// What a layer does at a path.
pub enum Change<'a> {
    /// Brings an entry. `content` is there for regular files only and reads the file's bytes once, from the start;
    /// an error of it is the visitor's to note as a gap. `target` is there for symbolic links only.
    Entry {
        /// Metadata of the entry.
        metadata: &'a Metadata,
        /// The file's bytes.
        content: Option<&'a mut dyn Content>,
        /// The link's target as it is written.
        target: Option<&'a [u8]>,
    },
    /// Brings a second name of the file at `target`. Only blobs have these: a folder shows the file itself under
    /// each of its names, as an [`Change::Entry`], and so does a blob with a symbolic link that the layer brings.
    ///
    /// One pass cannot give the content, as the target came earlier. A visitor that cares for this path, whatever it
    /// thinks of the target's, sets `wanted`: after the pass the layer reads its blob a second time and visits the
    /// path again as an [`Change::Entry`] with the content, or returns a gap for it. Nothing wanted, no second pass.
    HardLink {
        /// The first name, in this layer or (runtimes accept it) in a lower one.
        target: &'a FsPath,
        /// Set by the visitor; `false` before.
        wanted: &'a mut bool,
    },
    /// Removes what lower layers have at the path and below it. What this layer itself has there stays.
    Whiteout,
    /// Hides what lower layers have below the path; the folder itself, and what this layer has in it, stays.
    Opaque,
}

/// A regular file's bytes: a stream, from the start.
pub trait Content: Read {
    /// Random access to the whole file, wherever the stream stands; none where only the stream can be had.
    ///
    /// # Errors
    /// If the file cannot be opened.
    fn random_access(&mut self) -> io::Result<Option<&dyn ReadAt>> {
        Ok(None)
    }
}

/// A stream without random access.
pub struct Stream<R>(pub R);

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Content for Stream<R> {}

/// A change and its place.
pub struct LayerEntry<'a> {
    /// Where. Links that the same layer has on the way are followed already, as a runtime does when it unpacks.
    pub path: &'a FsPath,
    /// Where the layer finds the entry again, for [`Layer::open`].
    pub position: u64,
    /// What.
    pub change: Change<'a>,
}

/// Called for every change of a layer. [`ControlFlow::Break`] ends the pass early.
pub type LayerVisitor<'v> = dyn FnMut(LayerEntry<'_>) -> ControlFlow<()> + 'v;

/// One layer of an image, read in one pass with bounded memory.
pub trait Layer: Send + Sync {
    /// The digest of its uncompressed content.
    fn diff_id(&self) -> &Digest;

    /// How it is read.
    fn opacity(&self) -> Opacity;

    /// What its content is proved by when it is read.
    fn proof(&self) -> Proof {
        Proof::DiffId
    }

    /// Visits every change once, in the layer's own order (for folders: depth first, sorted by name); of two changes
    /// at one path the later counts. What could not be read is returned as gaps; on `Err` nothing of the layer may be
    /// used. A blob is hashed while it is read, and one that lacks its proof, breaks off or reaches a limit
    /// is such an error, even though its entries were visited already. Only a pass that the visitor ended early
    /// leaves the digest unchecked.
    fn visit(&mut self, visitor: &mut LayerVisitor<'_>) -> Result<Vec<Gap>>;

    /// Opens the regular file that an entry brought, for random access: `path` and `position` as they were visited
    /// (of a hard link, its target's).
    fn open(&self, path: &FsPath, position: u64) -> Result<Box<dyn File>>;
}

/// A layer that its source cannot give. Visiting it says why.
pub struct UnreadableLayer {
    diff_id: Digest,
    kind: GapKind,
    reason: String,
}

impl UnreadableLayer {
    /// The layer that cannot be read because of `error`.
    pub fn new(diff_id: Digest, error: &Error) -> Self {
        Self { diff_id, kind: error.gap_kind(), reason: error.to_string() }
    }

    fn error(&self) -> Error {
        let (what, reason) = (format!("layer {}", self.diff_id), self.reason.clone());
        match self.kind {
            GapKind::Malformed => Error::Malformed { what, reason },
            _ => Error::Unsupported { what, reason },
        }
    }
}

impl Layer for UnreadableLayer {
    fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    fn opacity(&self) -> Opacity {
        Opacity::FromBlob
    }

    fn visit(&mut self, _visitor: &mut LayerVisitor<'_>) -> Result<Vec<Gap>> {
        Err(self.error())
    }

    fn open(&self, _path: &FsPath, _position: u64) -> Result<Box<dyn File>> {
        Err(self.error())
    }
}
