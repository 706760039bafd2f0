//! Layers as tar blobs.

mod ahead;
mod blob;
mod header;
mod layer;
mod links;
mod members;
mod reader;
mod uncompressed;

pub use blob::{Blob, BlobFile};
pub use layer::TarLayer;
pub use members::TarMembers;

pub(crate) use blob::{check_digest, stream_error};
pub(crate) use reader::{TarKind, TarReader};
