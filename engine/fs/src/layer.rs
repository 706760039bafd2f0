//! One layer's own changes.

use std::io::Read;
use std::ops::ControlFlow;

use pratique_core::{Digest, Gap};

use crate::{FsPath, Metadata, Result};

/// How a layer was read, which decides whether opaque folders could be seen. Part of the cache key of its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Opacity {
    /// From its blob: whiteouts and opaque folders are entries of the tar.
    FromBlob,
    /// From its folder, with the right to read `trusted.overlay.*` attributes (or `user.overlay.*` present).
    FromFolder,
}

/// What a layer does at a path.
pub enum Change<'a> {
    /// Brings an entry. `content` is there for regular files only and reads the file's bytes once, from the start;
    /// `target` for links only. A hard link appears as a regular file with the content it shares.
    Entry {
        /// Metadata of the entry.
        metadata: &'a Metadata,
        /// The file's bytes.
        content: Option<&'a mut dyn Read>,
        /// The link's target as it is written.
        target: Option<&'a [u8]>,
    },
    /// Removes what lower layers have at the path and below it.
    Whiteout,
    /// Hides what lower layers have below the path; the folder itself stays.
    Opaque,
}

/// A change and its place.
pub struct LayerEntry<'a> {
    /// Where.
    pub path: &'a FsPath,
    /// What.
    pub change: Change<'a>,
}

/// Called for every change of a layer. [`ControlFlow::Break`] ends the pass early.
pub type LayerVisitor<'v> = dyn FnMut(LayerEntry<'_>) -> ControlFlow<()> + 'v;

/// One layer of an image, read in one pass with bounded memory.
pub trait Layer: Send {
    /// The digest of its uncompressed content.
    fn diff_id(&self) -> &Digest;

    /// How it is read.
    fn opacity(&self) -> Opacity;

    /// Visits every change once, in the layer's own order (for folders: depth first, sorted by name). What could not
    /// be read is returned as gaps; `Err` only if nothing of the layer could be. A blob is hashed while it is read,
    /// and one that does not have its diff ID is an error, even though its entries were visited already: the caller
    /// must not use what it collected.
    fn visit(&mut self, visitor: &mut LayerVisitor<'_>) -> Result<Vec<Gap>>;
}
