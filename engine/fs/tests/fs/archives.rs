//! Images in files: archives and folders, opened by what people type.

use std::fs;
use std::path::PathBuf;

use pratique_core::GapKind;
use pratique_fs::{
    Check, Error, FsPath, ImageFs, OpenImage, Opened, Proof, Result, SourceKind, SourceOptions, SourceRef,
    open,
};
use pratique_testkit::{BuiltImage, Compression, ImageBuilder, LayerBuilder, ScratchDir, compress};
use rstest::rstest;
use serde_json::json;

use super::conformance::{Extent, check_filesystem, layers};

const NAME: &str = "docker.io/library/sample:1.0";

fn built(compression: Compression) -> BuiltImage {
    let image = layers(Extent::Everything).into_iter();
    let image = image.fold(ImageBuilder::new(), |image, layer| image.layer(layer, compression));
    image.user("app").build()
}

fn small(text: &str) -> BuiltImage {
    ImageBuilder::new().layer(LayerBuilder::new().file("text", text), Compression::Gzip).build()
}

/// A folder with files of the test's.
struct Files(ScratchDir);

impl Files {
    fn new() -> Self {
        Self(ScratchDir::new())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.at(name), bytes).expect("a file");
        self.at(name).display().to_string()
    }

    fn layout(&self, image: &BuiltImage) -> String {
        let folder = self.at("layout");
        image.write_oci_layout(&folder, NAME);
        folder.display().to_string()
    }
}

fn opened(reference: &str) -> Result<(OpenImage, Option<SourceKind>)> {
    opened_checking(reference, Check::Content)
}

fn opened_checking(reference: &str, check: Check) -> Result<(OpenImage, Option<SourceKind>)> {
    let options = SourceOptions { check, ..SourceOptions::default() };
    let found = open(&SourceRef::parse(reference)?, &options)?;
    match found.opened {
        Opened::Image(image) => Ok((*image, found.reference.kind)),
        Opened::Root { .. } => panic!("{reference} is no image"),
    }
}

fn image(reference: &str) -> OpenImage {
    opened(reference).unwrap_or_else(|error| panic!("{reference}: {error}")).0
}

fn refused(reference: &str) -> String {
    match opened(reference) {
        Ok(_) => panic!("{reference} was opened"),
        Err(error) => error.to_string(),
    }
}

fn text(image: OpenImage) -> String {
    let (merged, gaps) = ImageFs::new(image.layers);
    assert_eq!(gaps, []);
    let mut text = String::new();
    let file = pratique_fs::FileSystem::open(&merged, &FsPath::new("text"));
    std::io::Read::read_to_string(&mut file.expect("a file"), &mut text).expect("its text");
    text
}

#[rstest]
#[case::plain(Compression::Plain)]
#[case::gzip(Compression::Gzip)]
#[case::zstd(Compression::Zstd)]
fn an_image_in_files_behaves(#[case] compression: Compression) {
    let files = Files::new();
    let built = built(compression);
    let docker = files.put("docker.tar", &built.to_docker_archive("sample:1.0"));
    let oci = files.put("oci.tar", &built.to_oci_archive(NAME));
    let docker_gz = files.put("docker.tar.gz", &compress(&built.to_docker_archive(NAME), Compression::Gzip));
    let oci_zst = files.put("oci.tar.zst", &compress(&built.to_oci_archive(NAME), Compression::Zstd));
    let folder = files.layout(&built);
    for reference in [
        format!("docker-archive:{docker}"),
        format!("docker-archive:{docker_gz}"),
        format!("oci-archive:{oci}"),
        format!("oci-archive:{oci_zst}"),
        format!("oci:{folder}"),
    ] {
        let image = image(&reference);
        assert_eq!(image.manifest.image, built.config, "{reference}");
        assert_eq!(image.manifest.config.user, "app", "{reference}");
        let diff_ids = |layers: &[pratique_fs::oci::LayerDescriptor]| {
            layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>()
        };
        let expected = built.layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>();
        assert_eq!(diff_ids(&image.manifest.layers), expected, "{reference}");
        let (merged, gaps) = ImageFs::new(image.layers);
        assert_eq!(gaps, [], "{reference}");
        check_filesystem(&merged, Extent::Everything);
        let (image, _) = opened_checking(&reference, Check::Least).expect("opened before");
        let is_plain = compression == Compression::Plain || reference.starts_with("docker");
        for (layer, built) in image.layers.iter().zip(&built.layers) {
            let expected = if is_plain { Proof::None } else { Proof::Blob(built.blob.clone()) };
            assert_eq!(layer.proof(), expected, "{reference}");
        }
        let (merged, gaps) = ImageFs::new(image.layers);
        assert_eq!(gaps, [], "{reference}");
        check_filesystem(&merged, Extent::Everything);
    }
}

/// Where nothing is hashed, what was cut is told by its length.
#[test]
fn what_is_not_hashed_is_told_to_be_cut() {
    let layer = LayerBuilder::new().file("a", vec![1; 512]).file("b", vec![2; 512]);
    let image = ImageBuilder::new().layer(layer, Compression::Plain).build();
    let files = Files::new();
    let folder = files.layout(&image);
    let blob = image.layers[0].diff_id.hex().to_owned();
    let path = files.at("layout/blobs/sha256").join(blob);
    fs::write(&path, &fs::read(&path).expect("the blob")[..1024]).expect("cut");
    let (mut image, _) = opened_checking(&format!("oci:{folder}"), Check::Least).expect("opened");
    let told = image.layers[0].visit(&mut |_| std::ops::ControlFlow::Continue(())).expect_err("cut");
    assert!(told.to_string().contains("1024 bytes where its manifest says"), "{told}");
}

#[test]
fn what_a_path_is_needs_no_prefix() {
    let files = Files::new();
    let image = small("here");
    let archive = files.put("image.tar", &image.to_docker_archive(NAME));
    let both = files.put("oci.tar.gz", &compress(&image.to_oci_archive(NAME), Compression::Gzip));
    let folder = files.layout(&image);
    for (path, kind) in [
        (&archive, SourceKind::DockerArchive),
        (&both, SourceKind::OciArchive),
        (&folder, SourceKind::OciFolder),
    ] {
        assert_eq!(opened(path).expect("opened").1, Some(kind), "{path}");
        assert_eq!(opened(&format!("{path}:{NAME}")).expect("opened").1, Some(kind), "{path}");
    }
    let tar = files.put("plain.tar", &LayerBuilder::new().file("a", "b").to_tar());
    let program = files.put("program", b"\x7fELF");
    for (path, kind) in [
        (tar, SourceKind::File),
        (program, SourceKind::File),
        (files.0.path().display().to_string(), SourceKind::Folder),
    ] {
        let found = open(&SourceRef::parse(&path).expect("a path"), &SourceOptions::default());
        let found = found.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(found.reference.kind, Some(kind), "{path}");
        let Opened::Root { filesystem, name } = found.opened else { panic!("{path} is no image") };
        assert_eq!(name, path);
        assert!(filesystem.walk(&FsPath::root()).expect("a walk").count() > 0);
    }
}

#[test]
fn one_file_is_a_root_with_that_file() {
    let files = Files::new();
    let path = files.put("program", b"content");
    let found = open(&SourceRef::parse(&format!("file:{path}")).expect("a path"), &SourceOptions::default());
    let Opened::Root { filesystem, .. } = found.expect("opened").opened else { panic!("no root") };
    let names = filesystem.read_dir(&FsPath::root()).expect("a list");
    assert_eq!(names.iter().map(|entry| entry.name.as_slice()).collect::<Vec<_>>(), [b"program"]);
    let mut read = String::new();
    let mut file = filesystem.open(&FsPath::new("/program")).expect("a file");
    std::io::Read::read_to_string(&mut file, &mut read).expect("its text");
    assert_eq!(
        (read.as_str(), filesystem.metadata(&FsPath::new("program")).expect("metadata").size),
        ("content", 7)
    );
    assert!(matches!(filesystem.open(&FsPath::new("other")), Err(Error::NotFound { .. })));
    assert!(matches!(filesystem.open(&FsPath::root()), Err(Error::WrongKind { .. })));
    assert!(matches!(filesystem.read_dir(&FsPath::new("program")), Err(Error::WrongKind { .. })));
}

/// Two images in one archive of `docker save`.
fn two_images() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut saved = Vec::new();
    for (name, text) in [("first:1", "one"), ("second:1", "two")] {
        let image = small(text);
        let (config, layer) = (format!("{}.json", image.config.hex()), format!("{text}/layer.tar"));
        for (path, bytes) in
            [(&config, image.blobs[&image.config].clone()), (&layer, image.layers[0].layer.to_tar())]
        {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, bytes.as_slice()).expect("memory");
        }
        saved.push(json!({"Config": config, "RepoTags": [name], "Layers": [layer]}));
    }
    let bytes = serde_json::to_vec(&saved).expect("JSON");
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, "manifest.json", bytes.as_slice()).expect("memory");
    tar.into_inner().expect("memory")
}

#[test]
fn of_several_images_in_one_file_the_name_chooses() {
    let files = Files::new();
    let archive = files.put("two.tar", &two_images());
    assert_eq!(text(image(&format!("docker-archive:{archive}:second:1"))), "two");
    let id = small("one").config;
    assert_eq!(text(image(&format!("docker-archive:{archive}@{id}"))), "one");
    assert_eq!(text(image(&format!("docker-archive:{archive}:{}", &id.hex()[..8]))), "one");
    let error = refused(&format!("docker-archive:{archive}"));
    assert!(error.contains("first:1") && error.contains("second:1"), "{error}");
    let error = refused(&format!("docker-archive:{archive}:third:1"));
    assert!(error.contains("first:1"), "{error}");
}

#[test]
fn a_layer_that_comes_twice_is_a_link_in_old_archives() {
    let files = Files::new();
    let layer = LayerBuilder::new().file("text", "twice");
    let image_twice = ImageBuilder::new()
        .layer(layer.clone(), Compression::Plain)
        .layer(LayerBuilder::new().whiteout("text"), Compression::Plain)
        .layer(layer, Compression::Plain)
        .build();
    let archive = files.put("linked.tar", &image_twice.to_docker_archive(NAME));
    assert_eq!(text(image(&format!("docker-archive:{archive}"))), "twice");
}

#[test]
fn of_a_layout_for_several_platforms_the_wanted_one_is_opened() {
    let files = Files::new();
    let (here, there) = (small("here"), ImageBuilder::new().architecture("s390x").build());
    let folder = files.layout(&here);
    there.write_oci_layout(&files.at("layout"), NAME);
    let (digest, index) = BuiltImage::index(&[&there, &here]);
    fs::write(files.at("layout/blobs/sha256").join(digest.hex()), &index).expect("an index");
    let entry = json!({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": 1});
    for manifests in [json!([entry]), json!([there.descriptor(), here.descriptor()])] {
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        fs::write(files.at("layout/index.json"), index.to_string()).expect("an index");
        let found = image(&format!("oci:{folder}"));
        assert_eq!(found.manifest.image, here.config);
        let platform =
            pratique_core::Platform { architecture: "s390x".to_owned(), ..found.manifest.platform };
        let mut options = SourceOptions { platform, ..SourceOptions::default() };
        let reference = SourceRef::parse(&format!("oci:{folder}")).expect("a reference");
        let Opened::Image(found) = open(&reference, &options).expect("opened").opened else { panic!() };
        assert_eq!(found.manifest.image, there.config);
        options.platform.architecture = "riscv64".to_owned();
        let error = open(&reference, &options).err().expect("no such platform").to_string();
        assert!(error.contains("linux/riscv64") && error.contains("linux/s390x"), "{error}");
    }
}

#[test]
fn a_cut_archive_is_told_and_what_is_whole_is_read() {
    let files = Files::new();
    let image_bytes = built(Compression::Plain).to_docker_archive(NAME);
    // The documents come last in it: without them there is no image.
    let archive = files.put("cut.tar", &image_bytes[..image_bytes.len() / 2]);
    let error = refused(&format!("docker-archive:{archive}"));
    assert!(error.contains("manifest.json"), "{error}");
    // In a layout they come first: the layer that breaks off is a gap.
    let small = small("text");
    let mut archive = small.to_oci_archive(NAME);
    let layer = &small.blobs[&small.layers[0].blob];
    let place = archive.windows(layer.len()).position(|window| window == layer.as_slice()).expect("a layer");
    let last = format!("blobs/sha256/{}", small.blobs.keys().next_back().expect("blobs").hex());
    if small.layers[0].blob.hex() == &last["blobs/sha256/".len()..] {
        archive.truncate(place + layer.len() / 2);
    } else {
        archive[place + layer.len() / 2] ^= 0xff;
    }
    let path = files.put("damaged.tar", &archive);
    let (_, gaps) = ImageFs::new(image(&format!("oci-archive:{path}")).layers);
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].kind, gaps[0].layer.as_ref()), (GapKind::Malformed, Some(&small.layers[0].diff_id)));
}

#[test]
fn a_manifest_that_lies_is_told() {
    let files = Files::new();
    let image = small("truth");
    let other = small("another");
    // The layer is another than the config names.
    let mut lying = image.clone();
    lying.layers = other.layers.clone();
    let archive = files.put("lying.tar", &lying.to_docker_archive(NAME));
    let (_, gaps) = ImageFs::new(opened(&format!("docker-archive:{archive}")).expect("opened").0.layers);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].reason.contains("another digest"), "{gaps:?}");
    // manifest.json names more layers than the config.
    let mut more = image.clone();
    more.layers.extend(other.layers.clone());
    let archive = files.put("more.tar", &more.to_docker_archive(NAME));
    let error = refused(&format!("docker-archive:{archive}"));
    assert!(error.contains("1 layers, manifest.json 2"), "{error}");
    // A blob of a layout that is not what it is named by.
    let folder = files.layout(&image);
    let manifest = files.at("layout/blobs/sha256").join(image.manifest.hex());
    fs::write(manifest, &other.blobs[&other.manifest]).expect("another manifest");
    let error = refused(&format!("oci:{folder}"));
    assert!(error.contains("another digest"), "{error}");
}

#[test]
fn a_layout_leads_nowhere_else() {
    let files = Files::new();
    let image_here = small("here");
    let folder = files.layout(&image_here);
    let layer = files.at("layout/blobs/sha256").join(image_here.layers[0].blob.hex());
    let outside = files.put("outside", &image_here.blobs[&image_here.layers[0].blob]);
    fs::remove_file(&layer).expect("a blob");
    std::os::unix::fs::symlink(outside, &layer).expect("a link");
    let (_, gaps) = ImageFs::new(image(&format!("oci:{folder}")).layers);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
}

#[test]
fn what_is_no_image_archive_says_what_is_missing() {
    let files = Files::new();
    let tar = files.put("plain.tar", &LayerBuilder::new().file("a", "b").to_tar());
    let old = files.put("old.tar", &LayerBuilder::new().file("repositories", "{}").to_tar());
    for (reference, reason) in [
        (format!("docker-archive:{tar}"), "manifest.json"),
        (format!("docker-archive:{old}"), "before 1.10"),
        (format!("oci-archive:{tar}"), "index.json"),
        (format!("oci:{}", files.0.path().display()), "index.json"),
        (format!("oci-archive:{}", files.at("none").display()), "none"),
    ] {
        let error = refused(&reference);
        assert!(error.contains(reason), "{reference}: {error}");
    }
}
