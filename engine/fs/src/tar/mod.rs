//! Layers as tar blobs.

mod ahead;
mod blob;
mod header;
mod layer;
mod links;
mod reader;

pub use blob::{Blob, BlobFile};
pub use layer::TarLayer;

pub(crate) use blob::{check_digest, stream_error};
pub(crate) use reader::{TarKind, TarReader};
