//! Images and containers.

use std::time::Duration;

use jiff::Timestamp;
use pratique_core::attempts::Attempts;
use pratique_core::facts::Trust;
use pratique_core::{Digest, Gap, GapKind, ImageConfig, ImageFacts, Platform, Verdict};
use pratique_detect::Links;
use pratique_fs::{FileSystem, FsPath, Opacity};
use proptest::prelude::*;

use super::fake::{Fake, FakeLayer, FakeRoot, Item, detector, engine, followed};
use crate::{Engine, ImageMeta, JudgeOptions, LayerState, Limits, Via, judge_image, merge, scan_root};

pub(super) fn options() -> JudgeOptions {
    JudgeOptions {
        dictionary: Vec::new(),
        hash_budget: Duration::from_secs(1),
        attempts: Attempts::new(),
        bases: Vec::new(),
        judged_at: Timestamp::UNIX_EPOCH,
        limits: Limits::default(),
    }
}

fn meta(layers: &[LayerState], count: u8) -> ImageMeta {
    assert!(layers.len() <= usize::from(count));
    ImageMeta {
        image: Digest::sha256([0xff; 32]),
        manifests: vec![Digest::sha256([0xfe; 32])],
        indexes: Vec::new(),
        platform: Platform { os: "linux".into(), architecture: "amd64".into(), variant: String::new() },
        created: None,
        config: ImageConfig { user: "app".into(), ..ImageConfig::default() },
        layers: (1..=count).map(|number| Digest::sha256([number; 32])).collect(),
        names: vec!["shop/web:1".into()],
    }
}

pub(super) fn read(engine: &Engine, layers: &[&str]) -> Vec<LayerState> {
    let facts =
        |(lines, number): (&&str, u8)| LayerState::Read(FakeLayer::of(number, lines).facts(engine).into());
    layers.iter().zip(1..).map(facts).collect()
}

pub(super) fn judge(engine: &Engine, layers: &[LayerState], root: Option<&dyn FileSystem>) -> ImageFacts {
    let followed = root.map(|root| followed(engine, layers, root, &Limits::default()));
    judge_image(engine, &meta(layers, layers.len() as u8), layers, followed, &options()).facts
}

#[test]
fn findings_name_file_and_layer_and_meta_is_passed_on() {
    let engine = engine(&["etc/shadow"]);
    let facts = judge(&engine, &read(&engine, &["f etc/shadow=old", "f etc/shadow=bad"]), None);
    assert_eq!(facts.findings.len(), 1);
    assert_eq!(facts.findings[0].message, "bad in shop/web:1");
    assert_eq!(facts.findings[0].path.as_deref(), Some("/etc/shadow"));
    assert_eq!(facts.findings[0].layer, Some(Digest::sha256([2; 32])));
    assert_eq!(facts.detectors, [("fake".to_owned(), "1".to_owned())].into());
    assert_eq!(
        (facts.trust, Verdict::of(&facts), facts.user.as_str()),
        (Trust::Blobs, Verdict::Findings, "app")
    );
}

#[test]
fn a_missing_layer_is_never_clean_and_none_at_all_is_an_error() {
    let engine = engine(&["etc/shadow"]);
    let missing = || LayerState::Missing(Gap::of_image(GapKind::Unreadable, "its blob is gone"));
    let mut layers = read(&engine, &["f etc/passwd=x"]);
    layers.push(missing());
    let facts = judge(&engine, &layers, None);
    assert_eq!((Verdict::of(&facts), facts.trust), (Verdict::Incomplete, Trust::Folders));
    assert_eq!(facts.gaps[0].layer, Some(Digest::sha256([2; 32])));

    let facts = judge(&engine, &[missing()], None);
    assert!(facts.error.as_ref().unwrap().contains("its blob is gone"));
    assert_eq!(facts.gaps.len(), 1);
    assert_eq!(Verdict::of(&judge(&engine, &[], None)), Verdict::Clean);
}

#[test]
fn facts_that_do_not_belong_here_are_not_used() {
    let engine = engine(&["etc/shadow"]);
    let swapped = vec![LayerState::Read(FakeLayer::of(9, "f etc/shadow=a").facts(&engine).into())];
    let other = Engine::of(vec![detector(Fake { version: 2, ..Fake::DEFAULT })], &[]).unwrap();
    for layers in [swapped, read(&other, &["f etc/shadow=a"]), Vec::new()] {
        let facts = judge_image(&engine, &meta(&layers, 1), &layers, None, &options()).facts;
        assert!(facts.findings.is_empty() && facts.gaps.len() == 1 && facts.error.is_some(), "{facts:?}");
    }
}

#[test]
fn a_layer_from_a_folder_lowers_the_trust() {
    let engine = engine(&["etc/shadow"]);
    let layer = FakeLayer { opacity: Opacity::FromFolder, ..FakeLayer::of(1, "d etc") };
    assert_eq!(judge(&engine, &[LayerState::Read(layer.facts(&engine).into())], None).trust, Trust::Folders);
}

#[test]
fn problems_become_gaps_only_where_their_file_is_visible() {
    let engine = engine(&["etc/shadow"]);
    let facts = judge(&engine, &read(&engine, &["f etc/shadow=odd"]), None);
    assert_eq!(
        (facts.gaps[0].kind, facts.gaps[0].path.as_deref()),
        (GapKind::Malformed, Some("/etc/shadow"))
    );
    assert_eq!(facts.gaps[0].detector.as_deref(), Some("fake"));
    let facts = judge(&engine, &read(&engine, &["f etc/shadow=odd", "w etc/shadow"]), None);
    assert_eq!(Verdict::of(&facts), Verdict::Clean);
}

#[test]
fn a_link_means_to_a_detector_what_it_says() {
    const GLOBS: &[&str] = &["bin/**", "usr/sbin/**", "etc/*"];
    for (links, lines, redirected) in [
        (Links::Followed, "f usr/sbin/x=a 1; l bin>usr/sbin", &["/bin"][..]),
        (Links::FollowedElsewhere, "f usr/sbin/x=a 1; l bin>usr/sbin", &[]),
        (Links::NotFollowed, "f usr/sbin/x=a 1; l bin>usr/sbin", &[]),
        (Links::Followed, "f usr/sbin/x=a 1; l etc/x>../usr/sbin/x", &["/etc/x"]),
        (Links::FollowedElsewhere, "f usr/sbin/x=a 1; l etc/x>../usr/sbin/x", &[]),
        (Links::FollowedElsewhere, "f opt/x=a 1; l etc/x>../opt/x", &["/etc/x"]),
        (Links::NotFollowed, "f opt/x=a 1; l etc/x>../opt/x", &[]),
    ] {
        let engine = Engine::of(vec![detector(Fake { globs: GLOBS, links, ..Fake::DEFAULT })], &[]).unwrap();
        let facts = FakeLayer::of(1, lines).facts(&engine);
        let merged = merge(&engine, &[&facts]);
        let found: Vec<String> = merged.redirects.iter().map(|redirect| redirect.path.to_string()).collect();
        assert_eq!(found, redirected, "{links:?} {lines}");
    }
}

#[test]
fn what_a_link_leads_to_is_read_through_the_root_or_is_a_gap() {
    let engine = engine(&["etc/shadow"]);
    let layers = read(&engine, &["l etc>/usr/etc; f usr/etc/shadow=bad"]);
    let facts = judge(&engine, &layers, None);
    assert!(facts.findings.is_empty());
    assert_eq!(
        (facts.gaps[0].kind, facts.gaps[0].path.as_deref()),
        (GapKind::Unreadable, Some("/etc/shadow"))
    );

    let root = FakeRoot { layer: Some(Digest::sha256([1; 32])), ..FakeRoot::of(&[("etc/shadow", "bad")]) };
    let facts = judge(&engine, &layers, Some(&root));
    assert!(facts.gaps.is_empty());
    assert_eq!(facts.findings[0].path.as_deref(), Some("/etc/shadow"));
    assert_eq!(facts.findings[0].layer, Some(Digest::sha256([1; 32])));

    // A link to nothing is nothing; what cannot be read is a gap.
    assert_eq!(Verdict::of(&judge(&engine, &layers, Some(&FakeRoot::default()))), Verdict::Clean);
    let broken = FakeRoot { broken: vec![FsPath::new("etc/shadow")], ..FakeRoot::default() };
    assert_eq!(judge(&engine, &layers, Some(&broken)).gaps[0].kind, GapKind::Unreadable);
}

#[test]
fn redirects_are_bounded_in_number_and_bytes() {
    let engine = engine(&["*.key"]);
    let layers = read(&engine, &["f x=4; l a.key>x; l b.key>x; l c.key>x"]);
    let root = FakeRoot::of(&[("a.key", "1"), ("b.key", "2"), ("c.key", "3")]);
    for limits in
        [Limits { redirects: 2, ..Limits::default() }, Limits { fact_bytes: 450, ..Limits::default() }]
    {
        let facts = judge_image(
            &engine,
            &meta(&layers, 1),
            &layers,
            Some(followed(&engine, &layers, &root, &limits)),
            &JudgeOptions { limits, ..options() },
        )
        .facts;
        assert_eq!(facts.findings.len(), 2);
        assert_eq!((facts.gaps.len(), facts.gaps[0].kind), (1, GapKind::Limit));
        assert_eq!(facts.gaps[0].path.as_deref(), Some("/c.key"));
    }
}

#[test]
fn a_detector_that_fails_takes_no_other_with_it() {
    let engine = Engine::of(
        vec![
            detector(Fake { id: "a", globs: &["a"], ..Fake::DEFAULT }),
            detector(Fake { id: "b", globs: &["b"], ..Fake::DEFAULT }),
        ],
        &[],
    )
    .unwrap();
    let facts = judge(&engine, &read(&engine, &["f a=judge-panic; f b=bad"]), None);
    assert_eq!(facts.findings.len(), 1);
    assert_eq!((facts.gaps[0].kind, facts.gaps[0].detector.as_deref()), (GapKind::Crashed, Some("a")));
}

#[test]
fn of_too_many_findings_the_worst_are_kept() {
    let engine = engine(&["*"]);
    let layers = read(&engine, &["f a=mild1; f b=mild2; f c=bad1; f d=mild3; f e=bad2"]);
    let limits = Limits { findings: 3, ..Limits::default() };
    let facts =
        judge_image(&engine, &meta(&layers, 1), &layers, None, &JudgeOptions { limits, ..options() }).facts;
    assert_eq!(facts.findings.len(), 3);
    assert_eq!(facts.findings.iter().filter(|finding| finding.message.starts_with("bad")).count(), 2);
    assert!(facts.findings.is_sorted());
    assert_eq!((facts.gaps[0].kind, facts.gaps[0].detector.as_deref()), (GapKind::Limit, Some("fake")));
}

#[test]
fn a_live_root_is_judged_alike_and_kernel_folders_are_not_walked() {
    let engine = engine(&["etc/shadow", "**/*.key"]);
    let mut root = FakeRoot::of(&[
        ("etc/shadow", "bad"),
        ("home/ann/x.key", "k1"),
        ("top.key", "k2"),
        ("proc/1/x.key", "no"),
        ("data/proc/x.key", "k3"),
        ("etc/hosts", "no"),
    ]);
    root.broken.push(FsPath::new("srv/b.key"));
    let outcome = scan_root(&engine, &root, &["shop/web:1".into()], &options(), None, 2);
    let paths: Vec<_> = outcome.findings.iter().filter_map(|finding| finding.path.as_deref()).collect();
    let mut sorted = paths.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["/data/proc/x.key", "/etc/shadow", "/home/ann/x.key", "/top.key"]);
    assert_eq!(outcome.gaps.len(), 1);
    assert_eq!(outcome.gaps[0].path.as_deref(), Some("/srv/b.key"));

    let limits = Limits { entries: 3, ..Limits::default() };
    let outcome = scan_root(&engine, &root, &[], &JudgeOptions { limits, ..options() }, None, 2);
    assert!(outcome.gaps.iter().any(|gap| gap.kind == GapKind::Limit));
}

/// Changes at a handful of paths, so that layers often meet; each path once a layer, as in a folder.
fn layer_items() -> impl Strategy<Value = Vec<Item>> {
    let paths = ["etc", "etc/shadow", "etc/ssh", "etc/ssh/key", "opt/key"];
    let change = (0..8_u8, "[a-c]{1,2}");
    let items = proptest::collection::btree_map(prop::sample::select(paths.to_vec()), change, 0..5);
    items.prop_map(|items| {
        let item = |(path, (kind, text)): (&str, (u8, String))| {
            let path = FsPath::new(path);
            match kind {
                0..=2 => Item::File(path, text.into_bytes()),
                3 | 4 => Item::Dir(path),
                5 => Item::Symlink(path, text.into_bytes()),
                6 => Item::Whiteout(path),
                _ => Item::Opaque(path),
            }
        };
        items.into_iter().map(item).collect()
    })
}

fn goes_astray(engine: &Engine, layers: &[LayerState]) -> bool {
    let facts: Vec<_> = layers.iter().filter_map(LayerState::facts).collect();
    merge(engine, &facts).redirects.iter().any(|redirect| matches!(redirect.via, Via::Layer(_)))
}

proptest! {
    /// The order of an archive does not matter, nor whether the layer is one or a folder; but it does if something may
    /// be written through a link of a lower layer.
    #[test]
    fn same_layers_same_result(layers in proptest::collection::vec(layer_items(), 1..5), seed in any::<prop::sample::Index>()) {
        let engine = engine(&["etc/shadow", "etc/ssh/key", "**/key"]);
        let states = |opacity: Opacity, turn: bool| -> Vec<LayerState> {
            layers.iter().zip(1..).map(|(items, number)| {
                let mut items = items.clone();
                if turn && !items.is_empty() {
                    let middle = seed.index(items.len());
                    items.rotate_left(middle);
                }
                let facts = FakeLayer { opacity, ..FakeLayer::new(number, items) }.facts(&engine);
                LayerState::Read(facts.into())
            }).collect()
        };
        let (blob, folder) = (states(Opacity::FromBlob, true), states(Opacity::FromFolder, false));
        prop_assume!(!goes_astray(&engine, &blob) && !goes_astray(&engine, &folder));
        let root = FakeRoot::of(&[("etc/shadow", "linked")]);
        let from_blobs = judge(&engine, &blob, Some(&root));
        let from_folders = ImageFacts { trust: Trust::Blobs, ..judge(&engine, &folder, Some(&root)) };
        prop_assert_eq!(&from_blobs, &from_folders);
        // The cache changes nothing either.
        let cached: Vec<LayerState> = blob.iter().map(|state| match state {
            LayerState::Read(facts) => {
                LayerState::Read(crate::LayerFacts::decode(&facts.encode()).unwrap().into())
            }
            missing => missing.clone(),
        }).collect();
        prop_assert_eq!(from_blobs, judge(&engine, &cached, Some(&root)));
    }
}

#[test]
fn removed_files_are_judged_by_those_who_ask_and_the_config_is_handed_over() {
    let layers = ["f etc/shadow=gone", "w etc/shadow; f etc/gshadow=odd", "f etc/gshadow=stays"];
    let globs: &[&str] = &["etc/*"];
    for removed in [false, true] {
        let engine = Engine::of(vec![detector(Fake { globs, removed, ..Fake::DEFAULT })], &[]).unwrap();
        let facts = judge(&engine, &read(&engine, &layers), None);
        let said: Vec<_> = facts
            .findings
            .iter()
            .map(|finding| (finding.message.as_str(), finding.attributes.get("removed-by").cloned()))
            .collect();
        let by = |number| Some(Digest::sha256([number; 32]).to_string());
        let visible = ("stays in shop/web:1", None);
        if removed {
            assert_eq!(said, [("gone in shop/web:1", by(2)), visible]);
            assert_eq!(facts.gaps.len(), 1, "what was odd of a removed file is a gap: {:?}", facts.gaps);
        } else {
            assert_eq!(said, [visible]);
            assert_eq!(facts.gaps, []);
        }
        assert_eq!(facts.findings[0].attributes["user"], "app");
    }
}
