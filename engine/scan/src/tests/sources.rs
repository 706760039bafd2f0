//! The same layers from blobs and from folders, through the real sources.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pratique_core::attempts::Attempts;
use pratique_core::facts::Trust;
use pratique_core::{Finding, ImageFacts, Platform};
use pratique_fs::{FolderFs, FolderLayer, FsPath, ImageFs, Layer, OverlayAttributes, TarLayer};
use pratique_testkit::{Compression, LayerBuilder, OpaqueMark, ScratchDir, sha256};
use proptest::prelude::*;

use super::fake::{engine, followed};
use crate::{Engine, ImageMeta, JudgeOptions, LayerState, Limits, judge_image, scan_layer, scan_root};

fn blob(layer: &LayerBuilder) -> Box<dyn Layer> {
    let blob: Arc<[u8]> = layer.to_blob(Compression::Zstd).into();
    Box::new(TarLayer::new(blob.clone(), sha256(&blob), layer.diff_id(), pratique_fs::Limits::default()))
}

fn folder(layer: &LayerBuilder, scratch: &ScratchDir) -> Box<dyn Layer> {
    layer.write_folder(scratch.path(), OpaqueMark::Trusted);
    let folder = File::open(scratch.path()).unwrap().into();
    let (attributes, limits) = (OverlayAttributes::Trusted, pratique_fs::Limits::default());
    Box::new(FolderLayer::new(folder, layer.diff_id(), attributes, limits))
}

fn meta(builders: &[LayerBuilder]) -> ImageMeta {
    ImageMeta {
        image: sha256(b"config"),
        manifests: Vec::new(),
        indexes: Vec::new(),
        platform: Platform::default(),
        created: None,
        config: Default::default(),
        layers: builders.iter().map(LayerBuilder::diff_id).collect(),
        names: Vec::new(),
    }
}

fn states(engine: &Engine, layers: &mut [Box<dyn Layer>]) -> Vec<LayerState> {
    let facts =
        |layer: &mut Box<dyn Layer>| scan_layer(layer.as_mut(), engine, &Limits::default(), None).unwrap();
    layers.iter_mut().map(|layer| LayerState::Read(facts(layer).into())).collect()
}

fn judge(engine: &Engine, builders: &[LayerBuilder], mut layers: Vec<Box<dyn Layer>>) -> ImageFacts {
    let states = states(engine, &mut layers);
    let (root, gaps) = ImageFs::new(layers);
    assert_eq!(gaps, []);
    let followed = followed(engine, &states, &root, &Limits::default());
    judge_image(engine, &meta(builders), &states, Some(followed), &options()).facts
}

fn options() -> JudgeOptions {
    JudgeOptions {
        dictionary: Vec::new(),
        hash_budget: Duration::from_secs(1),
        attempts: Attempts::new(),
        bases: Vec::new(),
        judged_at: Timestamp::UNIX_EPOCH,
        limits: Limits::default(),
    }
}

/// Judges layers from blobs and from folders; the same but for the trust.
fn judge_both(engine: &Engine, builders: &[LayerBuilder]) -> (ImageFacts, ImageFacts) {
    let scratch: Vec<ScratchDir> = builders.iter().map(|_| ScratchDir::new()).collect();
    let blobs = judge(engine, builders, builders.iter().map(blob).collect());
    let folders = builders.iter().zip(&scratch).map(|(layer, scratch)| folder(layer, scratch)).collect();
    (blobs, ImageFacts { trust: Trust::Blobs, ..judge(engine, builders, folders) })
}

/// Whiteouts are devices and opacity a trusted attribute: both take root to make.
fn may_make_folders() -> bool {
    FolderLayer::sees_opacity(OverlayAttributes::Trusted)
}

fn shown(facts: &ImageFacts) -> Vec<(&str, &str)> {
    let findings = facts.findings.iter();
    findings
        .map(|finding| (finding.path.as_deref().unwrap(), finding.message.trim_end_matches(" in ")))
        .collect()
}

#[test]
fn hidden_linked_and_shared_files_are_judged_right_from_blobs_and_folders() {
    if !may_make_folders() {
        eprintln!("skipped: making overlay folders takes root");
        return;
    }
    let engine = engine(&["etc/shadow", "etc/shadow.*", "etc/gshadow", "root/key", "srv/key"]);
    let layers = [
        LayerBuilder::new()
            .dir("etc")
            .file("etc/shadow", "deleted")
            .dir("root")
            .file("root/key", "hidden by opacity")
            .dir("srv")
            .file("srv/key", "stays")
            .dir("usr")
            .dir("usr/etc"),
        LayerBuilder::new().whiteout("etc").dir("root").opaque("root"),
        LayerBuilder::new()
            .dir("usr")
            .dir("usr/etc")
            .file("usr/etc/shadow", "linked")
            .file("usr/etc/shadow.bak", "in a linked folder")
            .hard_link("usr/etc/gshadow", "usr/etc/shadow")
            .symlink("etc", "usr/etc"),
    ];
    let (blobs, folders) = judge_both(&engine, &layers);
    assert_eq!(blobs, folders);
    assert_eq!(blobs.gaps, []);
    let mut shown = shown(&blobs);
    shown.sort_unstable();
    let linked =
        [("/etc/gshadow", "linked"), ("/etc/shadow", "linked"), ("/etc/shadow.bak", "in a linked folder")];
    assert_eq!(shown[..3], linked);
    assert_eq!(shown[3..], [("/srv/key", "stays")]);
}

#[test]
fn a_live_root_with_a_linked_folder_is_read_through_the_link() {
    let scratch = ScratchDir::new();
    let files = LayerBuilder::new()
        .file("usr/etc/shadow", "linked")
        .file("usr/etc/deep/shadow.old", "too deep")
        .file("usr/etc/shadow.bak", "backup")
        .symlink("etc", "/usr/etc");
    files.write_folder(scratch.path(), OpaqueMark::Trusted);
    let root = FolderFs::new(File::open(scratch.path()).unwrap().into(), pratique_fs::Limits::default());
    let outcome = scan_root(&engine(&["etc/shadow", "etc/shadow.*"]), &root, &[], &options(), None, 2);
    assert_eq!(outcome.gaps, []);
    let mut paths: Vec<_> = outcome.findings.iter().filter_map(|finding| finding.path.as_deref()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/etc/shadow", "/etc/shadow.bak"]);
}

#[test]
fn a_hard_link_of_interest_is_read_from_a_blob() {
    let engine = engine(&["etc/shadow"]);
    let layers = [LayerBuilder::new().file("data/x", "weak").hard_link("etc/shadow", "data/x")];
    let facts = judge(&engine, &layers, layers.iter().map(blob).collect());
    assert_eq!(shown(&facts), [("/etc/shadow", "weak")]);
}

#[test]
fn what_an_upper_blob_writes_through_a_lower_link_is_found_or_a_gap() {
    let engine = engine(&["etc/shadow"]);
    let layers = [
        LayerBuilder::new().dir("etc").symlink("x", "/y").symlink("y", "etc"),
        LayerBuilder::new().file("x/shadow", "weak"),
    ];
    let facts = judge(&engine, &layers, layers.iter().map(blob).collect());
    assert_eq!(shown(&facts), [("/etc/shadow", "weak")]);
    assert_eq!((facts.findings[0].layer.as_ref(), facts.gaps.len()), (Some(&layers[1].diff_id()), 0));
    let states = states(&engine, &mut layers.each_ref().map(blob));
    let facts = judge_image(&engine, &meta(&layers), &states, None, &options()).facts;
    assert_eq!(facts.findings, []);
    assert_eq!((facts.gaps.len(), facts.gaps[0].path.as_deref()), (1, Some("/etc/shadow")));
    assert!(facts.gaps[0].reason.contains(&layers[1].diff_id().to_string()), "{}", facts.gaps[0].reason);
}

/// Layers whose entries come in any order, without the folders they lie in, below what lower layers have as links.
fn astray_layers() -> impl Strategy<Value = Vec<LayerBuilder>> {
    let paths =
        ["x", "x/y", "x/shadow", "x/y/key", "y", "y/key", "y/etc/shadow", "etc", "etc/shadow", "opt/key"];
    let item = (0..10_u8, prop::sample::select(vec!["etc", "/", "y", "/x", "../opt", "x/y", "usr/../etc"]));
    let layer = (
        prop::sample::subsequence(paths.to_vec(), 0..5).prop_shuffle(),
        proptest::collection::vec(item, paths.len()),
    );
    let layer = layer.prop_map(|(paths, items)| {
        paths.into_iter().zip(items).fold(LayerBuilder::new(), |builder, (path, (kind, text))| match kind {
            0..=3 => builder.file(path, format!("{path} {text}")),
            4 => builder.dir(path),
            5..=7 => builder.symlink(path, text),
            8 => builder.whiteout(path),
            _ => builder.opaque(path),
        })
    });
    proptest::collection::vec(layer, 2..5)
}

/// Whether a gap says that something at `path`, or anywhere, may be missing.
fn told(facts: &ImageFacts, path: &str) -> bool {
    facts
        .gaps
        .iter()
        .any(|gap| gap.path.as_ref().is_none_or(|gap| FsPath::new(path).is_within(&FsPath::new(gap))))
}

/// Layers that can exist as folders: each path once, nothing below what is no folder, every folder on the way named.
fn layers() -> impl Strategy<Value = Vec<LayerBuilder>> {
    let paths = ["etc", "etc/shadow", "etc/ssh", "etc/ssh/key", "opt/key", "usr"];
    let change = (0..8_u8, prop::sample::select(vec!["usr", "/opt/key", "nowhere", "etc/ssh"]));
    let layer = proptest::collection::btree_map(prop::sample::select(paths.to_vec()), change, 0..5).prop_map(
        |items| {
            let mut builder = LayerBuilder::new();
            let mut closed: Vec<FsPath> = Vec::new();
            let mut made: Vec<FsPath> = Vec::new();
            for (name, (kind, text)) in items {
                let path = FsPath::new(name);
                if closed.iter().any(|closed| path.is_within(closed)) {
                    continue;
                }
                let mut above: Vec<FsPath> = crate::matcher::folders_above(&path).collect();
                above.reverse();
                for folder in above.into_iter().filter(|folder| !made.contains(folder)).collect::<Vec<_>>() {
                    builder = builder.dir(folder.as_bytes());
                    made.push(folder);
                }
                builder = match kind {
                    0..=2 => builder.file(name, text),
                    3 => builder.dir(name),
                    4 => builder.dir(name).opaque(name),
                    5 | 6 => builder.symlink(name, text),
                    _ => builder.whiteout(name),
                };
                if (3..=4).contains(&kind) { made.push(path) } else { closed.push(path) }
            }
            builder
        },
    );
    proptest::collection::vec(layer, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever the merged view shows, the facts of blobs lead to it, or are told to be incomplete.
    #[test]
    fn facts_of_blobs_miss_nothing_of_the_merged_view(builders in astray_layers(), few in any::<bool>()) {
        // With the last one every path matters, and links to nothing are told from facts.
        let globs: &[&str] = &["etc/shadow", "etc/key", "opt/*", "x/y/key", "**/no-such-file"];
        let engine = engine(&globs[..globs.len() - usize::from(few)]);
        let mut layers: Vec<_> = builders.iter().map(blob).collect();
        let states = states(&engine, &mut layers);
        let (root, _) = ImageFs::new(layers);
        let truth = scan_root(&engine, &root, &[], &options(), None, 2);
        let seen = |facts: &ImageFacts, finding: &Finding| {
            facts.findings.iter().any(|found| (&found.path, &found.message) == (&finding.path, &finding.message))
        };
        let read = followed(&engine, &states, &root, &Limits::default());
        let followed = judge_image(&engine, &meta(&builders), &states, Some(read), &options()).facts;
        let alone = judge_image(&engine, &meta(&builders), &states, None, &options()).facts;
        for finding in &truth.findings {
            prop_assert!(seen(&followed, finding), "{finding:?} is missing from {followed:?}");
            let path = finding.path.as_deref().unwrap();
            prop_assert!(seen(&alone, finding) || told(&alone, path), "{finding:?} is missing from {alone:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn blobs_and_folders_give_the_same_result(layers in layers()) {
        prop_assume!(may_make_folders());
        let (blobs, folders) = judge_both(&engine(&["etc/shadow", "etc/ssh/key", "**/key"]), &layers);
        prop_assert_eq!(blobs, folders);
    }
}
