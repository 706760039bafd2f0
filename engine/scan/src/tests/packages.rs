//! Package parsers in the walk: files told by their content, random access, what is removed, where links lead.

use std::fs::File;
use std::io;

use pratique_core::Digest;
use pratique_core::attempts::Attempts;
use pratique_core::facts::Platform;
use pratique_core::inspect::{Extent, FileInput, Interest};
use pratique_core::package::{Ecosystem, Package};
use pratique_fs::FsPath;
use pratique_inventory::{Parsed, Parser};
use pratique_testkit::{Compression, LayerBuilder};

use super::fake::{Fake, FakeLayer, FakeRoot, Item, detector};
use crate::{
    Engine, ImageMeta, JudgeOptions, JudgedImage, LayerState, Limits, judge_image, merge, scan_layer,
    scan_root,
};

/// Each line `name version` of a list is a package; of a program, its last line.
struct Lines;

const LIST: Interest = Interest::head(&["db/list", "usr/db/list", "parts/*.list", "usr/parts/*.list"], 1000);
const PROGRAM: Interest =
    Interest { globs: &["**"], heads: &[b"\x7fELF"], min_size: 8, extent: Extent::Whole(64 << 20) };

impl Parser for Lines {
    fn id(&self) -> &'static str {
        "lines"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[LIST, PROGRAM] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let mut text = file.bytes.to_vec();
        if text.starts_with(b"\x7fELF") {
            let mut end = vec![0; 16];
            let read = file.content.read_full_at(&mut end, file.size - 16).unwrap();
            assert_eq!(read, 16, "random access reaches the end");
            text = end;
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let packages = text.lines().filter_map(|line| line.trim().split_once(' '));
        let packages = packages.map(|(name, version)| Package::new(Ecosystem::Generic, name, version).into());
        Parsed { records: packages.collect(), problems: Vec::new() }
    }
}

fn engine() -> Engine {
    Engine::of(vec![detector(Fake::DEFAULT)], &[&Lines]).unwrap()
}

/// A program of `size` bytes that says at its end what it is.
fn program(size: usize, package: &str) -> Vec<u8> {
    let mut bytes = b"\x7fELF".to_vec();
    bytes.resize(size - 16, 0);
    bytes.extend(format!("{package:>16}").into_bytes());
    bytes
}

fn judge(layers: Vec<FakeLayer>) -> JudgedImage {
    let engine = engine();
    let ids: Vec<Digest> = layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let states: Vec<LayerState> =
        layers.into_iter().map(|layer| LayerState::Read(layer.facts(&engine).into())).collect();
    let meta = ImageMeta {
        image: Digest::sha256([9; 32]),
        manifests: Vec::new(),
        indexes: Vec::new(),
        platform: Platform::default(),
        created: None,
        config: Default::default(),
        layers: ids,
        names: Vec::new(),
    };
    judge_image(&engine, &meta, &states, None, &options())
}

fn options() -> JudgeOptions {
    JudgeOptions {
        dictionary: Vec::new(),
        hash_budget: std::time::Duration::from_secs(1),
        attempts: Attempts::new(),
        bases: Vec::new(),
        judged_at: jiff::Timestamp::UNIX_EPOCH,
        limits: Limits::default(),
    }
}

fn packages(judged: &JudgedImage) -> Vec<(String, String, String)> {
    let of = |located: &pratique_core::package::LocatedPackage| {
        (located.package.name.clone(), located.package.version.clone(), located.path.clone())
    };
    judged.inventory.packages.iter().map(of).collect()
}

fn texts(all: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    all.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

#[test]
fn programs_are_told_by_how_they_begin_and_other_files_are_left_alone() {
    let mut layer = FakeLayer::of(1, "f db/list=a 1; f bin/text=b 2 and more");
    layer.items.push(Item::File(FsPath::new("opt/tool"), program(10_000, "tool 3")));
    layer.items.push(Item::File(FsPath::new("opt/tiny"), b"\x7fELF".to_vec()));
    let judged = judge(vec![layer]);
    assert_eq!(packages(&judged), texts(&[("a", "1", "/db/list"), ("tool", "3", "/opt/tool")]));
    assert_eq!(judged.facts.gaps, []);
}

#[test]
fn random_access_is_given_from_folders_from_plain_and_from_compressed_blobs() {
    let builder = LayerBuilder::new()
        .file("opt/small", program(9_000, "small 1"))
        .file("opt/large", program(20 << 20, "large 2"));
    let engine = engine();
    let scratch: File = tempfile::tempfile().unwrap();
    for compression in [Compression::Plain, Compression::Gzip] {
        let blob = builder.to_blob(compression);
        let digest = pratique_testkit::sha256(&blob);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, &blob).unwrap();
        let blob = pratique_fs::BlobFile::new(file.reopen().unwrap());
        let mut layer =
            pratique_fs::TarLayer::new(blob, digest, builder.diff_id(), pratique_fs::Limits::default());
        let facts = scan_layer(&mut layer, &engine, &Limits::default(), Some(&scratch)).unwrap();
        let found: Vec<String> = facts.files.iter().map(|file| file.path.to_string()).collect();
        assert_eq!(found, ["/opt/large", "/opt/small"], "{compression:?}");
        assert!(facts.files.iter().all(|file| file.detectors[0].problems.is_empty()), "{facts:?}");
        if compression == Compression::Plain {
            assert!(facts.statistics.bytes < 20_000, "{} bytes were read", facts.statistics.bytes);
        } else {
            let facts = scan_layer(&mut layer, &engine, &Limits::default(), None).unwrap();
            let problems = &facts.files[0].detectors[0].problems;
            assert!(
                problems[0].1.contains("scratch file"),
                "without a scratch file it is a gap: {problems:?}"
            );
        }
    }
}

#[test]
fn a_package_list_of_an_upper_layer_takes_the_place_of_the_lower_one_and_tells_what_went() {
    let judged = judge(vec![
        FakeLayer::of(1, "f db/list=a 1\nb 1; f parts/x.list=x 1"),
        FakeLayer::of(2, "f db/list=a 2\nb 1"),
        FakeLayer::of(3, "w parts/x.list"),
    ]);
    assert_eq!(packages(&judged), texts(&[("a", "2", "/db/list"), ("b", "1", "/db/list")]));
    let removed: Vec<_> = judged
        .inventory
        .removed
        .iter()
        .map(|removed| {
            (
                removed.package.package.name.as_str(),
                removed.package.layer.clone().unwrap(),
                removed.removed_by.clone(),
            )
        })
        .collect();
    let layer = |number: u8| Digest::sha256([number; 32]);
    assert_eq!(removed, [("a", layer(1), layer(2)), ("x", layer(1), layer(3))]);
}

#[test]
fn links_to_where_the_same_is_met_anyway_are_not_followed_and_others_are() {
    let engine = engine();
    for (lines, redirected) in [
        // Exact to exact, a folder of one region to that of another, and files told by content anywhere.
        ("d usr; f usr/db/list=a 1; l db/list>../usr/db/list", &[][..]),
        ("f usr/db/list=a 1; l db>usr/db", &[]),
        ("f usr/parts/x.list=a 1; l parts>/usr/parts", &[]),
        ("f opt/tool=a 1; l usr/bin/tool>../../opt/tool", &[]),
        ("f parts/x.list=a 1; l parts/y.list>x.list", &[]),
        // To places where nobody looks.
        ("f other=a 1; l db/list>../other", &["/db/list"]),
        ("d elsewhere; l parts>elsewhere", &["/parts"]),
        // To nothing.
        ("l parts>elsewhere", &[]),
        // A detector's findings name the path.
        ("f db/list=a 1; l etc/shadow>../db/list", &["/etc/shadow"]),
    ] {
        let facts = FakeLayer::of(1, lines).facts(&engine);
        let merged = merge(&engine, &[&facts]);
        let found: Vec<String> = merged.redirects.iter().map(|redirect| redirect.path.to_string()).collect();
        assert_eq!(found, redirected, "{lines}");
    }
}

#[test]
fn a_hard_link_keeps_its_package_when_the_first_name_goes() {
    let mut layer = FakeLayer::new(1, vec![Item::File(FsPath::new("opt/tool"), program(100, "tool 3"))]);
    layer.items.push(Item::parse("h opt/other>opt/tool"));
    let judged = judge(vec![layer, FakeLayer::of(2, "w opt/tool")]);
    assert_eq!(packages(&judged), texts(&[("tool", "3", "/opt/other")]));
    assert_eq!(judged.inventory.removed, []);
}

#[test]
fn a_plain_root_has_an_inventory_too() {
    let mut root = FakeRoot::of(&[("db/list", "a 1"), ("parts/x.list", "x 1"), ("etc/other", "z 1")]);
    root.files.insert(FsPath::new("opt/tool"), program(9_000, "tool 3"));
    let judged = scan_root(&engine(), &root, &[], &options(), None, 2);
    let names: Vec<_> =
        judged.inventory.packages.iter().map(|located| located.package.name.as_str()).collect();
    assert_eq!(names, ["a", "tool", "x"]);
}
