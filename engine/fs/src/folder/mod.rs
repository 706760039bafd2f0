//! Folders on disk: layers that a runtime unpacked, and whole roots.
//!
//! Everything goes down from one descriptor name by name, never following a link in the kernel, so that no name and no
//! race leads out, and paths longer than the kernel takes pass.

mod file;
mod layer;
mod root;
mod stack;
mod sys;
mod traverse;
mod tree;

pub use file::SingleFile;
pub use layer::{FolderLayer, OverlayAttributes, Owners};
pub use root::FolderFs;
pub(crate) use root::{open_in, read_link_in};
pub use tree::TreeLayer;
