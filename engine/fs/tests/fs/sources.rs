//! The same changes as every kind of source.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use pratique_core::Gap;
use pratique_fs::{FileSystem, FolderFs, FolderLayer, ImageFs, Layer, Limits, OverlayAttributes, TarLayer};
use pratique_testkit::{Compression, LayerBuilder, OpaqueMark, ScratchDir, sha256};

/// Whether folders can be written as runtimes write them; says so if not.
pub(crate) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: devices and trusted attributes need root");
    }
    root
}

pub(crate) fn open_folder(path: &Path) -> OwnedFd {
    File::open(path).expect("the folder just made").into()
}

/// A layer as a blob.
pub(crate) fn blob(layer: &LayerBuilder, compression: Compression) -> Box<dyn Layer> {
    Box::new(tar_layer(layer, compression))
}

pub(crate) fn tar_layer(layer: &LayerBuilder, compression: Compression) -> TarLayer {
    raw_layer(layer.to_blob(compression), layer.diff_id(), Limits::default())
}

/// A layer from whatever bytes, whose blob digest is theirs.
pub(crate) fn raw_layer(blob: Vec<u8>, diff_id: pratique_core::Digest, limits: Limits) -> TarLayer {
    let digest = sha256(&blob);
    TarLayer::new(Arc::<[u8]>::from(blob), digest, diff_id, limits)
}

/// A plain tar that is its own diff ID.
pub(crate) fn plain_layer(tar: Vec<u8>) -> TarLayer {
    let diff_id = sha256(&tar);
    raw_layer(tar, diff_id, Limits::default())
}

/// A layer as a folder below `scratch`.
pub(crate) fn folder(layer: &LayerBuilder, scratch: &ScratchDir, name: &str) -> Box<dyn Layer> {
    let path = scratch.path().join(name);
    std::fs::create_dir(&path).expect("a new folder");
    layer.write_folder(&path, OpaqueMark::Trusted);
    Box::new(FolderLayer::new(
        open_folder(&path),
        layer.diff_id(),
        OverlayAttributes::Trusted,
        Limits::default(),
    ))
}

/// How an image is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Blobs(Compression),
    Folders,
    /// The base from its folder, the rest from blobs, as an agent without the right to see opacity reads.
    Mixed,
}

pub(crate) fn image(layers: &[LayerBuilder], source: Source, scratch: &ScratchDir) -> (ImageFs, Vec<Gap>) {
    let layers = layers.iter().enumerate().map(|(number, layer)| match source {
        Source::Blobs(compression) => blob(layer, compression),
        Source::Mixed if number > 0 => blob(layer, Compression::Gzip),
        Source::Folders | Source::Mixed => folder(layer, scratch, &number.to_string()),
    });
    ImageFs::new(layers.collect())
}

/// A whole tree as a plain folder.
pub(crate) fn root(tree: &LayerBuilder, scratch: &ScratchDir) -> Box<dyn FileSystem> {
    tree.write_folder(scratch.path(), OpaqueMark::Trusted);
    Box::new(FolderFs::new(open_folder(scratch.path()), Limits::default()))
}
