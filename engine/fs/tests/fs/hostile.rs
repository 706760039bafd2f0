//! Layers that lie, break off, explode or hide something.

use std::io::Read;
use std::ops::ControlFlow;

use pratique_core::{Digest, Gap, GapKind};
use pratique_fs::{
    Change, Check, Error, FileSystem, FsPath, ImageFs, Layer, Limits, Opacity, Proof, Result, TarLayer,
};
use pratique_testkit::{Compression, LayerBuilder, ScratchDir, hostile, sha256};
use rstest::rstest;

use super::sources::{self, plain_layer, raw_layer, tar_layer};

/// Every content a visitor that cares for one path gets, in order.
fn contents(layer: &mut dyn Layer, path: &str) -> Result<(Vec<String>, Vec<Gap>)> {
    let path = FsPath::new(path);
    let mut found = Vec::new();
    let gaps = layer.visit(&mut |entry| {
        if *entry.path == path {
            match entry.change {
                Change::HardLink { wanted, .. } => *wanted = true,
                Change::Entry { content: Some(content), .. } => {
                    let mut text = String::new();
                    if content.take(1000).read_to_string(&mut text).is_ok() {
                        found.push(text);
                    }
                }
                _ => found.push("other".to_owned()),
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok((found, gaps))
}

#[test]
fn a_hard_link_to_an_uninteresting_file_is_read() {
    let layer = LayerBuilder::new()
        .file("var/x", "secret")
        .hard_link("etc/shadow", "var/x")
        .hard_link("etc/shadow-", "etc/shadow");
    for path in ["etc/shadow", "etc/shadow-"] {
        let (found, gaps) = contents(&mut tar_layer(&layer, Compression::Gzip), path).expect("visited");
        assert_eq!((found, gaps), (vec!["secret".to_owned()], vec![]), "{path}");
    }
}

#[test]
fn all_links_to_one_file_get_its_content() {
    let layer = LayerBuilder::new().file("x", "secret").hard_link("a", "x").hard_link("b", "x");
    let mut read = Vec::new();
    tar_layer(&layer, Compression::Plain)
        .visit(&mut |entry| {
            match entry.change {
                Change::HardLink { wanted, .. } => *wanted = true,
                Change::Entry { content: Some(content), .. } if entry.path != &FsPath::new("x") => {
                    let mut text = String::new();
                    content.read_to_string(&mut text).expect("content");
                    read.push(format!("{} {text}", entry.path));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .expect("visited");
    assert_eq!(read, ["/a secret", "/b secret"]);
}

#[test]
fn a_hard_link_is_to_the_file_that_was_there() {
    let layer = LayerBuilder::new().file("x", "first").hard_link("etc/shadow", "x").file("x", "second");
    let (found, _) = contents(&mut tar_layer(&layer, Compression::Plain), "etc/shadow").expect("visited");
    assert_eq!(found, ["first"]);
    let replaced = layer.file("etc/shadow", "third");
    let (found, _) = contents(&mut tar_layer(&replaced, Compression::Plain), "etc/shadow").expect("visited");
    assert_eq!(found, ["third"], "the link's content would come after the file that replaced it");
}

#[test]
fn a_hard_link_to_nothing_is_a_gap() {
    let layer = LayerBuilder::new().hard_link("etc/shadow", "below/in/another/layer");
    let (found, gaps) = contents(&mut tar_layer(&layer, Compression::Plain), "etc/shadow").expect("visited");
    assert!(found.is_empty());
    assert_eq!(
        (gaps.len(), gaps[0].kind, gaps[0].path.as_deref()),
        (1, GapKind::Unreadable, Some("/etc/shadow"))
    );
}

#[test]
fn a_hard_link_reaches_into_lower_layers_when_merged() {
    let layers = [LayerBuilder::new().file("x", "below"), LayerBuilder::new().hard_link("y", "x")];
    let (image, gaps) =
        ImageFs::new(layers.iter().map(|layer| sources::blob(layer, Compression::Plain)).collect());
    assert_eq!(gaps, []);
    let mut text = String::new();
    image.open(&FsPath::new("y")).expect("open").read_to_string(&mut text).expect("read");
    assert_eq!(text, "below");
}

#[test]
fn what_is_written_through_a_link_is_found_where_it_lands() {
    let layer = LayerBuilder::new().symlink("harmless", "etc").file("harmless/shadow", "secret");
    let (found, _) = contents(&mut tar_layer(&layer, Compression::Plain), "etc/shadow").expect("visited");
    assert_eq!(found, ["secret"]);
    let layers = [
        LayerBuilder::new().symlink("harmless", "/etc"),
        LayerBuilder::new().file("harmless/shadow", "secret"),
    ];
    let (image, _) =
        ImageFs::new(layers.iter().map(|layer| sources::blob(layer, Compression::Plain)).collect());
    assert!(image.symlink_metadata(&FsPath::new("etc/shadow")).is_ok());
}

#[test]
fn a_hard_link_to_a_symbolic_link_is_one() {
    let layer = LayerBuilder::new().symlink("x", "usr/etc").hard_link("y", "x").file("y/shadow", "secret");
    let (found, _) = contents(&mut tar_layer(&layer, Compression::Plain), "usr/etc/shadow").expect("visited");
    assert_eq!(found, ["secret"]);
    let mut targets = Vec::new();
    let visit = tar_layer(&layer, Compression::Plain).visit(&mut |entry| {
        if let Change::Entry { target: Some(target), .. } = entry.change {
            targets.push(format!("{} {}", entry.path, target.escape_ascii()));
        }
        ControlFlow::Continue(())
    });
    assert_eq!(visit.expect("visited"), []);
    assert_eq!(targets, ["/x usr/etc", "/y usr/etc"]);
}

#[test]
fn where_runtimes_disagree_is_a_gap() {
    let layer = LayerBuilder::new()
        .symlink("x", "usr/lib")
        .symlink("up", "x/../etc")
        .symlink("fine", "./usr/../x")
        .file("up/shadow", "secret");
    let (found, gaps) = contents(&mut tar_layer(&layer, Compression::Plain), "etc/shadow").expect("visited");
    assert_eq!(found, ["secret"]);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].kind, gaps[0].path.as_deref()), (GapKind::Unsupported, Some("/up/shadow")));
}

#[rstest]
#[case::redirect("SCHILY.xattr.trusted.overlay.redirect", b"/x/etc", true)]
#[case::opaque("SCHILY.xattr.trusted.overlay.opaque", b"y", true)]
#[case::metacopy_is_empty("SCHILY.xattr.trusted.overlay.metacopy", b"", true)]
#[case::rootless("SCHILY.xattr.user.overlay.redirect", b"/x/etc", true)]
#[case::capabilities("SCHILY.xattr.security.capability", b"\x01", false)]
#[case::a_user_s_own("SCHILY.xattr.user.overlays", b"y", false)]
#[case::not_what_runtimes_read("LIBARCHIVE.xattr.trusted.overlay.opaque", b"eQ", false)]
fn an_overlay_s_own_attributes_are_a_gap(#[case] key: &str, #[case] value: &[u8], #[case] told: bool) {
    let tar = hostile::pax(&[(key, value)], "etc/shadow", b"secret");
    let (found, gaps) = contents(&mut plain_layer(tar), "etc/shadow").expect("visited");
    assert_eq!(found, ["secret"]);
    let gaps: Vec<_> = gaps.iter().map(|gap| (gap.kind, gap.path.as_deref())).collect();
    let expected = [(GapKind::Unsupported, Some("/etc/shadow"))];
    assert_eq!(gaps, expected[..usize::from(told)]);
}

#[test]
fn names_in_pax_records_count() {
    let tar = hostile::pax(&[("path", b"etc/shadow")], "harmless", b"secret");
    let (found, _) = contents(&mut plain_layer(tar), "etc/shadow").expect("visited");
    assert_eq!(found, ["secret"]);
}

#[test]
fn a_tar_of_another_program_reads_the_same() {
    let scratch = ScratchDir::new();
    let tree = scratch.path().join("tree");
    std::fs::create_dir(&tree).expect("a folder");
    let long = format!("{}/{}", "long".repeat(40), "name".repeat(40));
    let pieces: Vec<(u64, &[u8])> = vec![(0, b"a"), (1 << 20, b"b"), (2 << 20, b"c"), (3 << 20, b"d")];
    LayerBuilder::new()
        .file(&long, "long names")
        .sparse("sparse", 4 << 20, &pieces)
        .write_folder(&tree, pratique_testkit::OpaqueMark::Trusted);
    for format in ["gnu", "pax", "oldgnu"] {
        for version in ["0.0", "0.1", "1.0"] {
            let output = std::process::Command::new("tar")
                .args(["--sparse", "--format", format, "--sparse-version", version, "-cf", "-", "-C"])
                .arg(&tree)
                .arg(".")
                .output()
                .expect("GNU tar is installed");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stdout.len() < 1 << 20, "the holes are left out");
            let layer = plain_layer(output.stdout);
            let (image, gaps) = ImageFs::new(vec![Box::new(layer)]);
            assert_eq!(gaps, [], "{format} {version}");
            let read = |path: &str| {
                let mut bytes = Vec::new();
                image.open(&FsPath::new(path)).expect(path).read_to_end(&mut bytes).expect(path);
                bytes
            };
            assert_eq!(read(&long), b"long names", "{format} {version}");
            let mut expected = vec![0; 4 << 20];
            for (offset, bytes) in &pieces {
                expected[*offset as usize] = bytes[0];
            }
            assert!(read("sparse") == expected, "{format} {version}");
        }
    }
}

#[test]
fn a_tar_without_the_last_padding_and_the_end_marker_is_read_as_runtimes_read_it() {
    let mut tar = LayerBuilder::new().file("etc/shadow", "root").to_tar();
    // One header and four bytes; a real tool writes single files so.
    tar.truncate(512 + 4);
    let (found, gaps) = contents(&mut plain_layer(tar), "etc/shadow").expect("read");
    assert_eq!((found, gaps), (vec!["root".to_owned()], vec![]));
}

#[rstest]
#[case::lying_size(hostile::lying_size("etc/shadow", 1 << 40, b"root"))]
#[case::truncated_plain(hostile::truncated(&LayerBuilder::new().file("f", vec![7; 9000]), Compression::Plain, 4000))]
#[case::half_header(vec![1; 300])]
#[case::no_tar(vec![b'x'; 2048])]
#[case::long_name_past_end(hostile::endless_name(tar::EntryType::GNULongName, 8192))]
fn damaged_tars_are_unusable(#[case] tar: Vec<u8>) {
    let error = contents(&mut plain_layer(tar), "etc/shadow").expect_err("damaged");
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}

#[rstest]
#[case(Compression::Gzip)]
#[case(Compression::Zstd)]
fn truncated_and_flipped_blobs_are_unusable(#[case] compression: Compression) {
    let layer =
        LayerBuilder::new().file("f", (0..100_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    let whole = layer.to_blob(compression);
    let cut = hostile::truncated(&layer, compression, whole.len() / 2);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    for blob in [cut, flipped] {
        let error =
            contents(&mut raw_layer(blob, layer.diff_id(), Limits::default()), "f").expect_err("damaged");
        assert!(matches!(error, Error::Malformed { .. } | Error::DigestMismatch { .. }), "{error}");
    }
}

#[test]
fn content_with_another_digest_is_unusable() {
    let (layer, other) = (LayerBuilder::new().file("f", "x"), LayerBuilder::new().file("f", "y"));
    let blob = layer.to_blob(Compression::Gzip);
    let mut wrong_diff_id = raw_layer(blob.clone(), other.diff_id(), Limits::default());
    assert!(matches!(contents(&mut wrong_diff_id, "f"), Err(Error::DigestMismatch { .. })));
    let digest: Digest = sha256(b"another blob");
    let mut wrong_blob = pratique_fs::TarLayer::new(
        std::sync::Arc::<[u8]>::from(blob),
        digest,
        layer.diff_id(),
        Limits::default(),
    );
    assert!(matches!(contents(&mut wrong_blob, "f"), Err(Error::DigestMismatch { .. })));
    // A layer that turns out wrong leaves nothing in the image but its gap.
    let (image, gaps) = ImageFs::new(vec![sources::blob(&other, Compression::Plain), Box::new(wrong_blob)]);
    assert_eq!((gaps.len(), gaps[0].kind), (1, GapKind::Malformed));
    let mut text = String::new();
    image.open(&FsPath::new("f")).expect("open").read_to_string(&mut text).expect("read");
    assert_eq!(text, "y");
}

#[test]
fn a_blob_that_its_digest_proves_is_taken_for_whatever_layer_its_image_names() {
    let (layer, other) = (LayerBuilder::new().file("f", "x"), LayerBuilder::new().file("f", "y"));
    let blob = layer.to_blob(Compression::Gzip);
    let digest = sha256(&blob);
    let mut proved = raw_layer(blob.clone(), other.diff_id(), Limits::default()).checking(Check::Least);
    assert_eq!(proved.proof(), Proof::Blob(digest));
    assert_eq!(contents(&mut proved, "f").expect("its own digest is right").0, ["x"]);
    let of_another = |check| {
        let blob = std::sync::Arc::<[u8]>::from(blob.clone());
        TarLayer::new(blob, sha256(b"another blob"), layer.diff_id(), Limits::default()).checking(check)
    };
    for check in [Check::Content, Check::Least] {
        assert!(
            matches!(contents(&mut of_another(check), "f"), Err(Error::DigestMismatch { .. })),
            "{check:?}"
        );
    }
    // Without a digest of its own there is only what it holds; and only a file can be left unread.
    let plain = raw_layer(layer.to_tar(), layer.diff_id(), Limits::default()).checking(Check::Least);
    assert_eq!(plain.proof(), Proof::DiffId);
}

#[test]
fn a_file_that_is_not_hashed_ends_at_its_limits_too() {
    let layer = LayerBuilder::new().file("a", vec![0; 2 << 20]).file("b", "end");
    let mut file = tempfile::tempfile().expect("a file");
    std::io::Write::write_all(&mut file, &layer.to_tar()).expect("its content");
    let unhashed = |limits| {
        let blob = pratique_fs::BlobFile::new(file.try_clone().expect("the same file"));
        TarLayer::new(blob, layer.diff_id(), layer.diff_id(), limits).checking(Check::Least)
    };
    assert_eq!(unhashed(Limits::default()).proof(), Proof::None);
    assert_eq!(contents(&mut unhashed(Limits::default()), "b").expect("read").0, ["end"]);
    let small = Limits { uncompressed_bytes: 1 << 20, ..Limits::default() };
    assert!(matches!(contents(&mut unhashed(small), "b"), Err(Error::Limit { .. })));
    let few = Limits { entries: 1, ..Limits::default() };
    assert!(matches!(contents(&mut unhashed(few), "b"), Err(Error::Limit { .. })));
}

#[test]
fn a_file_that_is_not_hashed_and_ends_too_early_is_told_wherever_it_ends() {
    let layer = LayerBuilder::new().file("a", vec![1; 700]).file("b", vec![2; 700]);
    let whole = layer.to_tar();
    for cut in (0..whole.len()).step_by(256) {
        let mut file = tempfile::tempfile().expect("a file");
        std::io::Write::write_all(&mut file, &whole[..cut]).expect("its content");
        let blob = pratique_fs::BlobFile::part(file.into(), 0, whole.len() as u64);
        let layer = TarLayer::new(blob, layer.diff_id(), layer.diff_id(), Limits::default());
        let mut layer = layer.checking(Check::Least);
        assert_eq!(layer.proof(), if cut < 4 { Proof::DiffId } else { Proof::None }, "{cut}");
        let told = contents(&mut layer, "b").expect_err("cut");
        assert!(matches!(told, Error::Malformed { .. }), "{cut}: {told}");
    }
}

#[test]
fn bombs_end_at_their_limits() {
    let small = Limits { uncompressed_bytes: 1 << 20, entries: 100, ..Limits::default() };
    let zeros = sha256(b"never reached");
    let bomb = hostile::bomb("zeros", 64 << 20);
    assert!(bomb.len() < 1 << 20);
    let error = contents(&mut raw_layer(bomb, zeros.clone(), small), "x").expect_err("a bomb");
    assert!(matches!(error, Error::Limit { .. }), "{error}");
    let zeros = LayerBuilder::new().file("zeros", vec![0; 8 << 20]);
    let bomb = zeros.to_blob(Compression::Zstd);
    assert!(bomb.len() < 1 << 16);
    let error = contents(&mut raw_layer(bomb, zeros.diff_id(), small), "x").expect_err("a bomb");
    assert!(matches!(error, Error::Limit { .. }), "{error}");
    let many = (0..101).fold(LayerBuilder::new(), |layer, number| layer.file(number.to_string(), ""));
    let error = contents(&mut raw_layer(many.to_tar(), many.diff_id(), small), "x").expect_err("too many");
    assert!(matches!(error, Error::Limit { .. }), "{error}");
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader, tar::EntryType::GNULongLink] {
        let error =
            contents(&mut plain_layer(hostile::endless_name(kind, 1 << 40)), "x").expect_err("endless");
        assert!(matches!(error, Error::Limit { .. }), "{error}");
    }
}

#[test]
fn a_path_that_is_too_long_is_a_gap_and_the_rest_is_read() {
    let layer = LayerBuilder::new().file("a/".repeat(40_000) + "f", "x").file("etc/shadow", "secret");
    let (found, gaps) = contents(&mut tar_layer(&layer, Compression::Plain), "etc/shadow").expect("visited");
    assert_eq!(found, ["secret"]);
    assert_eq!((gaps.len(), gaps[0].kind), (1, GapKind::Limit));
}

#[test]
fn whiteouts_are_of_lower_layers_only_and_strange_ones_do_nothing() {
    let base = LayerBuilder::new().file("a", "base").file("b", "base").file("c", "base");
    let upper = LayerBuilder::new()
        .file("a", "upper")
        .whiteout("a")
        .char_device("b", 0, 0)
        .file(".wh..wh.plnk", "")
        .file(".wh...", "");
    let (image, gaps) =
        ImageFs::new([&base, &upper].map(|layer| sources::blob(layer, Compression::Plain)).into());
    let names = image
        .read_dir(&FsPath::root())
        .expect("list")
        .into_iter()
        .map(|entry| entry.name)
        .collect::<Vec<_>>();
    assert_eq!(names, [b"a", b"c"]);
    assert_eq!((gaps.len(), gaps[0].kind), (1, GapKind::Malformed));
}

#[test]
fn a_layer_read_blind_says_so() {
    if !sources::is_root() {
        return;
    }
    let base = LayerBuilder::new().dir("shared").file("shared/f", "x").dir("own").file("own/g", "x");
    let upper = LayerBuilder::new().dir("shared").opaque("shared");
    let scratch = ScratchDir::new();
    let (seen, gaps) = sources::image(&[base.clone(), upper.clone()], sources::Source::Folders, &scratch);
    assert!(seen.metadata(&FsPath::new("shared/f")).is_err() && gaps.is_empty());
    // Without the capability the same folders keep their secret, and this thread alone gives it up.
    let blind = std::thread::spawn(move || {
        let mut sets = rustix::thread::capabilities(None).expect("own capabilities");
        sets.effective.remove(rustix::thread::CapabilitySet::SYS_ADMIN);
        rustix::thread::set_capabilities(None, sets).expect("fewer capabilities");
        let layers = ["0", "1"].map(|name| {
            let folder = sources::open_folder(&scratch.path().join(name));
            let attributes = pratique_fs::OverlayAttributes::Trusted;
            let layer = if name == "0" { &base } else { &upper };
            pratique_fs::FolderLayer::new(folder, layer.diff_id(), attributes, Limits::default())
        });
        assert!(layers.iter().all(|layer| layer.opacity() == Opacity::FromFolderBlind));
        ImageFs::new(layers.into_iter().map(|layer| Box::new(layer) as Box<dyn Layer>).collect()).1
    });
    let gaps = blind.join().expect("no panic");
    assert_eq!((gaps.len(), gaps[0].path.as_deref()), (1, Some("/shared")));
}
