//! A containerd of our own, where there is one to start.

use std::path::Path;

use pratique_fs::containerd::{Containerd, ImageLayers, StatePaths};
use pratique_fs::{Error, ImageFs, Limits, Opacity};
use pratique_testkit::daemons::ContainerdDaemon;
use pratique_testkit::{BuiltImage, Compression, ImageBuilder, LayerBuilder};

use super::conformance::{Extent, check_filesystem, layers};

/// A conversation with it as an owner of leases.
async fn connect(daemon: &ContainerdDaemon, owner: &str) -> Containerd {
    Containerd::connect(&daemon.socket(), owner).await.expect("it answers")
}

fn state(daemon: &ContainerdDaemon) -> StatePaths {
    StatePaths::new(daemon.root())
}

fn image(layers: &[LayerBuilder]) -> BuiltImage {
    let image =
        layers.iter().fold(ImageBuilder::new(), |image, layer| image.layer(layer.clone(), Compression::Gzip));
    image.build()
}

fn merge(opened: ImageLayers) -> ImageFs {
    assert_eq!(opened.gaps, []);
    let (image, gaps) = ImageFs::new(opened.layers);
    assert_eq!(gaps, []);
    image
}

const NAME: &str = "docker.io/library/sample:1.0";

#[tokio::test]
async fn an_image_of_containerd_behaves() {
    let Some(daemon) = ContainerdDaemon::start() else { return };
    let built = image(&layers(Extent::Unpackable));
    let containerd = connect(&daemon, "suite").await;
    daemon.import("first", &built, NAME, &[]);
    daemon.import("second", &built, NAME, &["--no-unpack"]);

    let id = built.config.as_str();
    let at = format!("sample@{}", built.manifest);
    for query in [NAME, "sample:1.0", id, built.config.hex(), &built.config.hex()[..9], at.as_str()] {
        let found = containerd.find(query, None).await.unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!((found.name.as_str(), found.namespace.as_str()), (NAME, "first"), "{query}");
    }
    assert!(matches!(containerd.find("sample:2.0", None).await, Err(Error::NoMatch { .. })));
    assert_eq!(containerd.containers().await.expect("a list"), []);

    // Unpacked: from its folders. Not unpacked: from its blobs.
    for (namespace, opacity) in [("first", Opacity::FromFolder), ("second", Opacity::FromBlob)] {
        let found = containerd.find("sample:1.0", Some(namespace)).await.expect("found");
        let manifest =
            containerd.identify(&found, &pratique_fs::oci::host_platform()).await.expect("identified");
        assert_eq!((&manifest.image, manifest.manifest.as_ref()), (&built.config, Some(&built.manifest)));
        let opened = containerd
            .open_layers(&found, &manifest, &state(&daemon), Limits::default())
            .await
            .expect("opened");
        assert!(opened.layers.iter().all(|layer| layer.opacity() == opacity), "{namespace}");
        let files = merge(opened);
        check_filesystem(&files, Extent::Unpackable);
    }
}

#[tokio::test]
async fn leases_end_and_orphans_are_swept() {
    let Some(daemon) = ContainerdDaemon::start() else { return };
    let built = image(&layers(Extent::Unpackable));
    let (ours, others) = (connect(&daemon, "ours").await, connect(&daemon, "others").await);
    daemon.import("ns", &built, NAME, &[]);
    let found = ours.find(NAME, None).await.expect("found");
    let manifest = ours.identify(&found, &pratique_fs::oci::host_platform()).await.expect("identified");
    let open = async |containerd: &Containerd| {
        containerd.open_layers(&found, &manifest, &state(&daemon), Limits::default()).await.expect("opened")
    };
    open(&ours).await.release().await.expect("released");
    assert_eq!(ours.sweep().await.expect("swept"), 0, "a released lease leaves nothing");
    drop(open(&ours).await);
    drop(open(&others).await);
    assert_eq!(ours.sweep().await.expect("swept"), 1, "of two orphans one is ours");
    assert_eq!(others.sweep().await.expect("swept"), 1);
    assert_eq!(views(&daemon), 0);
}

/// The snapshotter `native` keeps whole trees: upper layers come from blobs, and where those are not kept
/// (`discard_unpacked_layers`) from what the trees differ in.
#[tokio::test]
async fn an_image_of_the_native_snapshotter_behaves_with_blobs_and_without() {
    let Some(daemon) = ContainerdDaemon::start() else { return };
    let built = image(&layers(Extent::Unpackable));
    let containerd = connect(&daemon, "suite").await;
    daemon.import("ns", &built, NAME, &["--snapshotter", "native"]);
    let found = containerd.find(NAME, None).await.expect("found");
    let manifest = containerd.identify(&found, &pratique_fs::oci::host_platform()).await.expect("identified");
    for opacity in [Opacity::FromBlob, Opacity::FromFolder] {
        let opened = containerd.open_layers(&found, &manifest, &state(&daemon), Limits::default()).await;
        let opened = opened.expect("opened");
        assert_eq!(opened.layers[1].opacity(), opacity);
        check_filesystem(&merge(opened), Extent::Unpackable);
        let blobs = daemon.root().join("io.containerd.content.v1.content/blobs/sha256");
        for layer in &built.layers {
            // There in the first round alone.
            let _ = std::fs::remove_file(blobs.join(layer.blob.hex()));
        }
    }
    assert_eq!(containerd.sweep().await.expect("swept"), 2, "both leases, with their views");
    assert_eq!(views(&daemon), 0);
}

/// How many snapshots are views, as ctr lists them.
fn views(daemon: &ContainerdDaemon) -> usize {
    let list = |snapshotter| daemon.ctr("ns", &["snapshots", "--snapshotter", snapshotter, "list"]);
    [list("overlayfs"), list("native")].concat().lines().filter(|line| line.ends_with("View")).count()
}

#[tokio::test]
async fn a_layer_without_folder_or_blob_is_a_gap_and_a_deleted_image_is_gone() {
    let Some(daemon) = ContainerdDaemon::start() else { return };
    let built = image(&layers(Extent::Unpackable));
    let containerd = connect(&daemon, "suite").await;
    daemon.import("ns", &built, NAME, &["--no-unpack"]);
    let found = containerd.find(NAME, None).await.expect("found");
    let manifest = containerd.identify(&found, &pratique_fs::oci::host_platform()).await.expect("identified");

    let elsewhere = StatePaths::new(Path::new("/nonexistent"));
    let opened =
        containerd.open_layers(&found, &manifest, &elsewhere, Limits::default()).await.expect("opened");
    assert_eq!((opened.layers.len(), opened.gaps.len()), (0, 2));
    opened.release().await.expect("released");

    let error = containerd.document("ns", &built.config, 10).await.expect_err("longer than that");
    assert!(matches!(error, Error::Limit { .. }), "{error}");

    daemon.ctr("ns", &["images", "remove", "--sync", NAME]);
    let error = containerd.identify(&found, &pratique_fs::oci::host_platform()).await.expect_err("deleted");
    assert!(matches!(error, Error::Gone { .. }), "{error}");
    let error = containerd.open_layers(&found, &manifest, &state(&daemon), Limits::default()).await.err();
    assert!(matches!(error, Some(Error::Gone { .. })), "{error:?}");
}

#[tokio::test]
async fn no_socket_is_said_with_its_path() {
    let error = Containerd::connect(Path::new("/nonexistent/containerd.sock"), "suite")
        .await
        .err()
        .expect("no socket");
    assert!(error.to_string().contains("/nonexistent/containerd.sock"), "{error}");
}

#[test]
fn what_people_type_opens_an_image_of_containerd() {
    let Some(daemon) = ContainerdDaemon::start() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(connect(&daemon, "suite"));
    let built = image(&layers(Extent::Unpackable));
    daemon.import("first", &built, NAME, &[]);
    daemon.import("second", &built, NAME, &["--no-unpack"]);
    daemon.import("native", &built, "docker.io/library/native:1.0", &["--snapshotter", "native"]);
    let options = pratique_fs::SourceOptions {
        containerd_sockets: vec![daemon.path().join("none"), daemon.socket()],
        ..pratique_fs::SourceOptions::default()
    };
    for reference in
        ["containerd:sample:1.0", "containerd://second/sample:1.0", "containerd://native/native:1.0"]
    {
        let reference = pratique_fs::SourceRef::parse(reference).expect("a reference");
        let found = pratique_fs::open(&reference, &options);
        let found = found.unwrap_or_else(|error| panic!("{reference}: {error}"));
        let pratique_fs::Opened::Image(found) = found.opened else { panic!("no image") };
        assert_eq!(found.manifest.image, built.config);
        let (merged, gaps) = ImageFs::new(found.layers);
        assert_eq!(gaps, [], "{reference}");
        check_filesystem(&merged, Extent::Unpackable);
    }
    let listed = pratique_fs::listing::images(pratique_fs::SourceKind::Containerd, &options).expect("listed");
    let places: Vec<_> = listed.iter().map(|image| (image.place.as_str(), image.names[0].as_str())).collect();
    assert_eq!(
        places,
        [("first", NAME), ("native", "docker.io/library/native:1.0"), ("second", NAME)],
        "the images of all namespaces"
    );
    assert!(listed.iter().all(|image| image.image.as_ref() == Some(&built.config)), "{listed:?}");
    let containers = pratique_fs::listing::containers(pratique_fs::SourceKind::Containerd, &options);
    assert_eq!(containers.expect("listed"), []);
    // Nothing of ours is left in it.
    let left = runtime.block_on(async { connect(&daemon, "suite").await.sweep().await });
    assert_eq!(left.expect("swept"), 0);
    let other = pratique_fs::SourceRef::parse("containerd:other").expect("a reference");
    let error = pratique_fs::open(&other, &options).err().expect("there is none");
    assert!(matches!(error, Error::NoMatch { .. }), "{error}");
}
