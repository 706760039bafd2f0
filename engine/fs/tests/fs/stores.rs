//! The stores of real runtimes, opened by what people type.

use std::fs;
use std::path::Path;
use std::process::Command;

use pratique_fs::{
    Error, ImageFs, Layer, OpenImage, Opened, Result, SourceKind, SourceOptions, SourceRef, TreeLayer, open,
};
use pratique_testkit::daemons::store;
use pratique_testkit::{BuiltImage, Compression, ImageBuilder, LayerBuilder, OpaqueMark, ScratchDir};
use rstest::rstest;

use super::conformance::{Extent, check_filesystem, layers};
use super::sources;

const NAME: &str = "localhost/sample:1.0";

fn built() -> BuiltImage {
    let image = layers(Extent::Unpackable).into_iter();
    image.fold(ImageBuilder::new(), |image, layer| image.layer(layer, Compression::Gzip)).build()
}

fn image(reference: &str, options: &SourceOptions) -> Result<OpenImage> {
    match open(&SourceRef::parse(reference)?, options)?.opened {
        Opened::Image(image) => Ok(*image),
        Opened::Root { .. } => panic!("{reference} is no image"),
    }
}

/// A folder on a real disk: an overlay cannot be mounted in memory everywhere.
fn disk() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[rstest]
#[case::overlay("overlay")]
#[case::overlay_mounted_by_a_program("fuse")]
#[case::vfs("vfs")]
fn an_image_of_podmans_storage_behaves(#[case] driver: &str) {
    if !sources::is_root() {
        return;
    }
    let (scratch, built) = (disk(), built());
    let layout = scratch.path().join("layout");
    built.write_oci_layout(&layout, NAME);
    let marks = |graph: &Path| {
        let names = Command::new("find").arg(graph).args(["-name", ".wh.*"]).output().expect("find runs");
        names.stdout.len()
    };
    let graph = store(driver, &format!("oci:{}", layout.display()), NAME, scratch.path());
    assert_eq!(marks(&graph) > 0, driver == "fuse", "whiteouts are files there");
    for folders in [vec![graph.clone()], vec![scratch.path().join("run"), graph.clone()]] {
        let options = SourceOptions { storage_folders: folders, ..SourceOptions::default() };
        for query in [NAME, "sample:1.0", built.config.hex(), &built.config.hex()[..8]] {
            let found = image(&format!("containers-storage:{query}"), &options);
            let found = found.unwrap_or_else(|error| panic!("{query}: {error}"));
            assert_eq!((&found.manifest.image, &found.names[..]), (&built.config, &[NAME.to_owned()][..]));
            assert_eq!(found.layers.len(), 2);
            let (merged, gaps) = ImageFs::new(found.layers);
            assert_eq!(gaps, []);
            check_filesystem(&merged, Extent::Unpackable);
        }
    }
    let options = SourceOptions { storage_folders: vec![graph.clone()], ..SourceOptions::default() };
    let error = image("containers-storage:other", &options).err().expect("there is none");
    assert!(matches!(error, Error::NoMatch { .. }) && error.to_string().contains(NAME), "{error}");

    // The layers are gone and their lists are not: each says so.
    let of_layers = graph.join(if driver == "vfs" { "vfs/dir" } else { "overlay" });
    fs::remove_dir_all(&of_layers).expect("removed");
    let again = image("containers-storage:sample:1.0", &options).expect("its documents are there");
    let (_, gaps) = ImageFs::new(again.layers);
    assert_eq!(gaps.len(), 2, "{gaps:?}");
}

#[test]
fn a_store_that_lies_leads_nowhere() {
    let scratch = ScratchDir::new();
    let options =
        SourceOptions { storage_folders: vec![scratch.path().to_owned()], ..SourceOptions::default() };
    let error = image("containers-storage:x", &options).err().expect("no store");
    assert!(matches!(error, Error::NotHere { .. }), "{error}");
    for folder in ["overlay-images", "overlay-layers"] {
        fs::create_dir(scratch.path().join(folder)).expect("a folder");
    }
    let put = |name: &str, text: &str| fs::write(scratch.path().join(name), text).expect("a list");
    put("overlay-layers/layers.json", "[]");
    for (list, reason) in [
        ("[", "malformed"),
        (r#"[{"id": "../../etc", "names": ["x"]}]"#, "no id"),
        (r#"[{"id": "ab", "names": ["x"], "layer": "cd"}]"#, "manifest"),
    ] {
        put("overlay-images/images.json", list);
        let error = image("containers-storage:x", &options).err().expect(list).to_string();
        assert!(error.contains(reason), "{list}: {error}");
    }
}

/// Contents that agree in size and time are compared all the same.
#[test]
fn a_tree_that_changed_behind_its_times_is_told() {
    let scratch = ScratchDir::new();
    let trees = [("below", "old text"), ("above", "new text")].map(|(name, text)| {
        let path = scratch.path().join(name);
        fs::create_dir(&path).expect("a folder");
        LayerBuilder::new()
            .dir("d")
            .file("d/same", "same")
            .file("d/file", text)
            .write_folder(&path, OpaqueMark::User);
        sources::open_folder(&path)
    });
    let [below, above] = trees;
    let diff_id = LayerBuilder::new().diff_id();
    let mut layer = TreeLayer::new(above, Some(below), diff_id, pratique_fs::Limits::default());
    let mut seen = Vec::new();
    let gaps = layer.visit(&mut |entry| {
        seen.push(entry.path.to_string());
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!((gaps.expect("visited"), seen), (Vec::new(), vec!["/d/file".to_owned()]));
}

#[test]
fn without_a_prefix_every_source_says_why_not() {
    let scratch = ScratchDir::new();
    let nowhere = scratch.path().join("none");
    let options = SourceOptions {
        containerd_sockets: vec![nowhere.clone()],
        storage_folders: vec![nowhere],
        ..SourceOptions::default()
    };
    // Not a reference either, so that no registry is asked.
    let error = image("Not An Image", &options).err().expect("no source has it");
    assert!(matches!(error, Error::NoSource { .. }), "{error}");
    for kind in
        [SourceKind::Containerd, SourceKind::Docker, SourceKind::ContainersStorage, SourceKind::Registry]
    {
        assert!(error.to_string().contains(&format!("\n  {kind}: ")), "{kind}: {error}");
    }
}
