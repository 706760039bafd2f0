//! Builders of images and layers for tests.
//!
//! - [`LayerBuilder`]: one layer's changes, written as a tar (plain, gzip, zstd) or as the folder that an overlay
//!   snapshotter would unpack it to.
//! - [`ImageBuilder`]: layers with manifest and config, in memory or as an OCI layout.
//! - [`hostile`]: blobs that lie, break off or explode.
//! - [`daemons`]: real runtimes, registries and scanners.
//! - [`ScratchDir`]: a temporary folder that may hold trees deeper than the longest path.
//! - [`WebServer`]: files over HTTP, and all that goes wrong on the way; [`zip_archive`], [`osv_record`] and [`osv_archive`] for
//!   what it gives.
//!
//! Builders panic on I/O errors: a test that cannot be set up has failed.

mod advisories;
mod archive;
pub mod daemons;
pub mod hostile;
mod image;
mod layer;
mod overlay;
mod scratch;
mod web;

pub use advisories::{CVSS_CRITICAL, CVSS_LOW, osv_archive, osv_record};
pub use archive::zip_archive;
pub use image::{BuiltImage, BuiltLayer, ImageBuilder};
pub use layer::{Compression, LayerBuilder, compress, sha256};
pub use overlay::OpaqueMark;
pub use scratch::ScratchDir;
pub use web::{Asked, Spoil, WebServer};
