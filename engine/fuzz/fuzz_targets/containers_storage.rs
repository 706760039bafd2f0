//! The lists and documents of the storage of Podman, Buildah and CRI-O. It belongs to whoever runs containers there.
#![no_main]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pratique_fs::{Opened, SourceKind, SourceOptions, SourceRef, listing, open};
use tempfile::TempDir;

/// One store for all inputs: its folders stay, its files are written anew.
static STORE: LazyLock<TempDir> = LazyLock::new(|| {
    let store = TempDir::new_in("/dev/shm").expect("a folder");
    for folder in ["vfs-images/ab", "vfs-layers", "vfs-containers", "vfs/dir/cd", "vfs/dir/ef"] {
        fs::create_dir_all(store.path().join(folder)).expect("a folder");
    }
    fs::write(store.path().join("vfs/dir/cd/file"), "lower").expect("a file");
    fs::write(store.path().join("vfs/dir/ef/file"), "upper").expect("a file");
    store
});

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    fs::write(folder.join(name), bytes).expect("memory takes everything");
}

fuzz_target!(|input: (u8, &[u8], &[u8])| {
    let (form, document, other) = input;
    let images = br#"[{"id":"ab","names":["x"],"layer":"ef"}]"#;
    let layers = br#"[{"id":"cd"},{"id":"ef","parent":"cd"}]"#;
    let folder = STORE.path();
    put(folder, "vfs-images/images.json", if form & 1 == 0 { images } else { document });
    put(folder, "vfs-layers/layers.json", if form & 2 == 0 { layers } else { other });
    put(folder, "vfs-containers/containers.json", document);
    put(folder, "vfs-images/ab/manifest", document);
    let options = SourceOptions { storage_folders: vec![folder.to_owned()], ..SourceOptions::default() };
    let kind = SourceKind::ContainersStorage;
    let _ = (listing::images(kind, &options), listing::containers(kind, &options));
    let Ok(source) = open(&SourceRef { kind: Some(kind), target: "x".to_owned() }, &options) else { return };
    let Opened::Image(mut image) = source.opened else { panic!("a store has images") };
    for layer in &mut image.layers {
        let _ = layer.visit(&mut |_| ControlFlow::Continue(()));
    }
});
