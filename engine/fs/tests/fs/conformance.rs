//! What every FileSystem and every Layer does.

use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use pratique_fs::{Change, EntryKind, Error, FileSystem, FsPath, Layer};
use pratique_testkit::{Compression, LayerBuilder, ScratchDir};
use rstest::rstest;

use super::sources::{self, Source};

/// 5 GB, as a file that is nearly all hole.
const BIG: u64 = 5_000_000_000;

/// What a runtime's unpacking survives too; the rest is for our own reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Everything,
    Unpackable,
}

fn deep(name: &str) -> String {
    format!("deep/{}{name}", "d/".repeat(4096))
}

/// What is in the image before its second layer.
fn common(extent: Extent) -> LayerBuilder {
    let layer = LayerBuilder::new()
        .dir("etc")
        .file("etc/passwd", "root:x:0:0\n")
        .owned(0o4640, 12, 34)
        .hard_link("etc/again", "etc/passwd")
        // Whoever unpacks gives the file what its last name says.
        .owned(0o4640, 12, 34)
        .dir("usr")
        .dir("usr/bin")
        .file("usr/bin/tool", "#!tool")
        .symlink("bin", "usr/bin")
        .symlink("absolute", "/etc/passwd")
        .symlink("escape", "../../../../../etc/passwd")
        .symlink("usr/up", "../../..")
        .symlink("around", "around-too")
        .symlink("around-too", "around")
        .symlink("dangling", "nowhere/at/all")
        .dir("dev")
        .char_device("dev/zero", 1, 5)
        .block_device("dev/disk", 8, 0)
        .fifo("dev/pipe")
        .dir("names")
        .file(b"names/caf\xe9", "latin")
        .file(b"names/new\nline", "line");
    match extent {
        Extent::Unpackable => layer,
        Extent::Everything => {
            layer.sparse("big", BIG, &[(0, b"head"), (BIG - 4, b"tail")]).file(deep("end"), "deep down")
        }
    }
}

/// Two layers whose merging gives [`merged`].
pub(crate) fn layers(extent: Extent) -> Vec<LayerBuilder> {
    let base = common(extent)
        .dir("gone")
        .file("gone/file", "x")
        .dir("kept")
        .file("kept/removed", "x")
        .file("kept/stays", "base")
        .dir("opaque")
        .file("opaque/lower", "hidden")
        .dir("swap")
        .file("swap/inner", "x");
    let upper = LayerBuilder::new()
        .whiteout("gone")
        .dir("kept")
        .whiteout("kept/removed")
        .file("kept/new", "upper")
        .dir("opaque")
        .opaque("opaque")
        .file("opaque/upper", "shown")
        .file("swap", "a file now");
    vec![base, upper]
}

/// The same as one tree.
fn merged(extent: Extent) -> LayerBuilder {
    common(extent)
        .dir("kept")
        .file("kept/stays", "base")
        .file("kept/new", "upper")
        .dir("opaque")
        .file("opaque/upper", "shown")
        .file("swap", "a file now")
}

fn read(fs: &dyn FileSystem, path: &str) -> String {
    let mut text = String::new();
    let mut file = fs.open(&FsPath::new(path)).unwrap_or_else(|error| panic!("open {path}: {error}"));
    file.read_to_string(&mut text).unwrap_or_else(|error| panic!("read {path}: {error}"));
    text
}

fn names(fs: &dyn FileSystem, path: &str) -> Vec<String> {
    let entries = fs.read_dir(&FsPath::new(path)).unwrap_or_else(|error| panic!("list {path}: {error}"));
    entries.into_iter().map(|entry| entry.name.escape_ascii().to_string()).collect()
}

/// What a FileSystem over [`layers`] does.
pub(crate) fn check_filesystem(fs: &dyn FileSystem, extent: Extent) {
    let path = |path: &str| FsPath::new(path);

    let passwd = fs.metadata(&path("etc/passwd")).expect("metadata");
    assert_eq!((passwd.kind, passwd.permissions, passwd.uid, passwd.gid), (EntryKind::File, 0o4640, 12, 34));
    assert_eq!((passwd.size, passwd.mtime), (11, 1_700_000_000));
    for name in ["etc/passwd", "absolute", "escape", "usr/up/etc/passwd", "etc/again", "/../etc/./passwd"] {
        assert_eq!(read(fs, name), "root:x:0:0\n", "{name}");
    }
    assert_eq!(read(fs, "bin/tool"), "#!tool");

    assert_eq!(fs.symlink_metadata(&path("absolute")).expect("metadata").kind, EntryKind::Symlink);
    assert_eq!(fs.symlink_metadata(&path("bin/tool")).expect("metadata").kind, EntryKind::File);
    assert_eq!(fs.read_link(&path("escape")).expect("a link"), b"../../../../../etc/passwd");
    assert!(matches!(fs.read_link(&path("etc/passwd")), Err(Error::WrongKind { .. })));
    assert_eq!(fs.resolve(&path("usr/up/bin/tool")).expect("resolved"), path("usr/bin/tool"));
    assert_eq!(fs.resolve(&path("etc/none")).expect("resolved"), path("etc/none"));
    assert_eq!(fs.resolve(&path("usr/up")).expect("resolved"), FsPath::root());

    assert!(matches!(fs.open(&path("around")), Err(Error::LinkLoop { .. })));
    assert!(matches!(fs.open(&path("dangling")), Err(Error::NotFound { .. })));
    assert!(matches!(fs.open(&path("none")), Err(Error::NotFound { .. })));
    assert!(matches!(fs.open(&path("etc/passwd/below")), Err(Error::WrongKind { .. })));
    assert!(matches!(fs.open(&path("etc")), Err(Error::WrongKind { .. })));
    assert!(matches!(fs.read_dir(&path("etc/passwd")), Err(Error::WrongKind { .. })));

    // A fifo that was opened would wait for a writer for ever.
    for (name, kind) in
        [("dev/zero", EntryKind::Device), ("dev/disk", EntryKind::Device), ("dev/pipe", EntryKind::Fifo)]
    {
        assert_eq!(fs.metadata(&path(name)).expect(name).kind, kind, "{name}");
        assert!(matches!(fs.open(&path(name)), Err(Error::WrongKind { .. })), "{name}");
    }

    assert_eq!(names(fs, "names"), ["caf\\xe9", "new\\nline"]);
    let mut latin = String::new();
    fs.open(&FsPath::new(b"names/caf\xe9")).expect("open").read_to_string(&mut latin).expect("read");
    assert_eq!(latin, "latin");

    assert_eq!(names(fs, "kept"), ["new", "stays"]);
    assert_eq!(names(fs, "opaque"), ["upper"]);
    assert_eq!(read(fs, "swap"), "a file now");
    assert!(matches!(fs.metadata(&path("gone/file")), Err(Error::NotFound { .. })));
    assert!(matches!(fs.symlink_metadata(&path("opaque/lower")), Err(Error::NotFound { .. })));

    if extent == Extent::Everything {
        let mut big = fs.open(&path("big")).expect("open");
        assert_eq!(fs.metadata(&path("big")).expect("metadata").size, BIG);
        let mut window = [0; 6];
        big.read_exact(&mut window).expect("head");
        assert_eq!(&window, b"head\0\0");
        big.seek(SeekFrom::End(-6)).expect("seek");
        big.read_exact(&mut window).expect("tail");
        assert_eq!(&window, b"\0\0tail");
        assert_eq!(big.read(&mut window).expect("end"), 0);
        big.rewind().expect("seek");
        big.read_exact(&mut window[..4]).expect("head again");
        assert_eq!(&window[..4], b"head");
        assert_eq!(read(fs, &deep("end")), "deep down");
    }
    check_walk(fs, extent);
}

fn check_walk(fs: &dyn FileSystem, extent: Extent) {
    let walked =
        fs.walk(&FsPath::root()).expect("walk").map(|entry| entry.expect("an entry")).collect::<Vec<_>>();
    // Each folder's listing, put together by hand, is what the walk gave.
    let mut expected = Vec::new();
    let mut todo = vec![FsPath::root()];
    while let Some(path) = todo.pop() {
        if !path.is_root() {
            expected.push(path.clone());
        }
        let is_deep = path.as_bytes().len() > 40;
        if is_deep || fs.symlink_metadata(&path).is_ok_and(|entry| entry.kind != EntryKind::Directory) {
            continue;
        }
        for entry in fs.read_dir(&path).expect("list").into_iter().rev() {
            todo.push(path.join(&entry.name));
        }
    }
    let short = walked.iter().map(|entry| entry.path.clone()).filter(|path| path.as_bytes().len() <= 41);
    expected.retain(|path| path.as_bytes().len() <= 41);
    assert_eq!(short.collect::<Vec<_>>(), expected);
    let paths = walked.iter().map(|entry| entry.path.to_string()).collect::<Vec<_>>();
    assert!(
        paths.iter().all(|path| !path.starts_with("/bin/") && !path.starts_with("/usr/up/")),
        "links not followed"
    );
    let end = format!("/{}", deep("end"));
    assert_eq!(paths.contains(&end), extent == Extent::Everything);
    let below = fs.walk(&FsPath::new("bin")).expect("walk").map(|entry| entry.expect("an entry").path);
    assert_eq!(below.collect::<Vec<_>>(), [FsPath::new("usr/bin/tool")]);
    assert!(matches!(fs.walk(&FsPath::new("swap")).err(), Some(Error::WrongKind { .. })));
}

#[rstest]
#[case::plain(Source::Blobs(Compression::Plain))]
#[case::gzip(Source::Blobs(Compression::Gzip))]
#[case::zstd(Source::Blobs(Compression::Zstd))]
#[case::folders(Source::Folders)]
#[case::mixed(Source::Mixed)]
fn an_image_behaves(#[case] source: Source) {
    if !matches!(source, Source::Blobs(_)) && !sources::is_root() {
        return;
    }
    let scratch = ScratchDir::new();
    let (image, gaps) = sources::image(&layers(Extent::Everything), source, &scratch);
    assert_eq!(gaps, []);
    check_filesystem(&image, Extent::Everything);
}

#[test]
fn a_plain_root_behaves() {
    if sources::is_root() {
        let scratch = ScratchDir::new();
        check_filesystem(sources::root(&merged(Extent::Everything), &scratch).as_ref(), Extent::Everything);
    }
}

/// One line for each change of a layer, sorted. Contents are read where they are short.
fn changes(layer: &mut dyn Layer) -> Vec<String> {
    let mut lines = Vec::new();
    let gaps = layer.visit(&mut |entry| {
        let line = match entry.change {
            Change::Whiteout => "whiteout".to_owned(),
            Change::Opaque => "opaque".to_owned(),
            Change::HardLink { wanted, .. } => {
                *wanted = true;
                return ControlFlow::Continue(());
            }
            Change::Entry { metadata, content, target } => {
                let mut bytes = Vec::new();
                if let Some(content) = content.filter(|_| metadata.size < 100) {
                    content.read_to_end(&mut bytes).expect("content");
                }
                let about =
                    (metadata.kind, metadata.size, target.map(|target| target.escape_ascii().to_string()));
                format!("{about:?} {}", bytes.escape_ascii())
            }
        };
        lines.push(format!("{} {line}", entry.path));
        ControlFlow::Continue(())
    });
    assert_eq!(gaps.expect("visited"), []);
    // Folders on the way may be entries of their own or not.
    lines.retain(|line| !line.starts_with("/deep") || line.contains("end"));
    lines.sort_unstable();
    lines
}

#[test]
fn a_layer_changes_the_same_however_it_is_read() {
    if !sources::is_root() {
        return;
    }
    for layer in layers(Extent::Everything) {
        let scratch = ScratchDir::new();
        let expected = changes(sources::folder(&layer, &scratch, "layer").as_mut());
        assert!(expected.len() >= 8);
        for compression in [Compression::Plain, Compression::Gzip, Compression::Zstd] {
            assert_eq!(changes(sources::blob(&layer, compression).as_mut()), expected, "{compression:?}");
        }
    }
}

/// The attribute is the kernel's: only root sets it, and it takes a file system that keeps it.
#[test]
fn capabilities_are_read_from_folders_and_roots() {
    if !sources::is_root() {
        return;
    }
    // struct vfs_cap_data of revision 2 with cap_net_raw, effective.
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let tree = LayerBuilder::new().file("tool", "x").owned(0o711, 0, 0).file("data", "x").owned(0o644, 0, 0);
    let scratch = ScratchDir::new();
    let root = sources::root(&tree, &scratch);
    for name in ["tool", "data"] {
        let path = scratch.path().join(name);
        rustix::fs::setxattr(&path, "security.capability", &capability, rustix::fs::XattrFlags::empty())
            .expect("an attribute");
    }
    let seen = |name: &str| root.metadata(&FsPath::new(name)).expect(name).capability;
    assert_eq!(seen("tool").as_deref(), Some(&capability[..]));
    assert_eq!(seen("data"), None, "nobody executes it");
    for entry in root.walk(&FsPath::root()).expect("a walk").map(|entry| entry.expect("an entry")) {
        assert_eq!(entry.metadata.capability.is_some(), entry.path == FsPath::new("tool"));
    }
    let mut layer = pratique_fs::FolderLayer::new(
        sources::open_folder(scratch.path()),
        tree.diff_id(),
        pratique_fs::OverlayAttributes::Trusted,
        pratique_fs::Limits::default(),
    );
    let mut with = Vec::new();
    let gaps = layer.visit(&mut |entry| {
        if let Change::Entry { metadata, .. } = entry.change
            && metadata.capability.as_deref() == Some(&capability)
        {
            with.push(entry.path.clone());
        }
        ControlFlow::Continue(())
    });
    assert_eq!((with, gaps.expect("a layer")), (vec![FsPath::new("tool")], Vec::new()));
}
