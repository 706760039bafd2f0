//! One FileSystem for images and containers, and the sources they come from.
//!
//! - [`FileSystem`]: the merged view of an image or a container. Links are resolved inside its root whatever they say;
//!   devices, sockets and fifos are never opened.
//! - [`Layer`]: one layer's own changes, read in a single pass, whiteouts included. This is what the walk reads, so that
//!   a layer shared by many images is read once.
//! - [`open`]: an image or a root by what people type, from whatever [`source`] has it.

mod archive;
pub mod containerd;
mod containers_storage;
mod docker;
pub mod entry;
pub mod error;
pub mod filesystem;
pub mod find;
pub mod folder;
pub mod image;
pub mod layer;
pub mod limits;
pub mod listing;
mod marker;
pub mod oci;
pub mod path;
pub mod registry;
mod resolve;
pub mod select;
pub mod source;
mod state;
pub mod tar;

pub use entry::{EntryKind, Metadata};
pub use error::{Error, Result};
pub use filesystem::{DirEntry, File, FileSystem, Walk, WalkEntry};
pub use folder::{FolderFs, FolderLayer, OverlayAttributes, Owners, SingleFile, TreeLayer};
pub use image::ImageFs;
pub use layer::{
    Change, Check, Content, Layer, LayerEntry, LayerVisitor, Opacity, Proof, Stream, UnreadableLayer,
};
pub use limits::Limits;
pub use path::FsPath;
pub use source::{OpenImage, Opened, Source, SourceKind, SourceOptions, SourceRef, open};
pub use tar::{Blob, BlobFile, TarLayer, TarMembers};
