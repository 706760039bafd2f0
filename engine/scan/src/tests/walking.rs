//! One pass over a layer.

use pratique_core::{Gap, GapKind};
use pratique_fs::{FsPath, Stream};

use super::fake::{Fake, FakeLayer, Item, detector, engine, looked};
use crate::{Engine, LayerFacts, Limits, Statistics, scan_layer};

fn problems(facts: &LayerFacts) -> Vec<(String, GapKind)> {
    let of_file = |file: &crate::FileFacts| {
        let path = file.path.to_string();
        let kinds = file.detectors.iter().flat_map(|noted| noted.problems.iter().map(|(kind, _)| *kind));
        kinds.map(|kind| (path.clone(), kind)).collect::<Vec<_>>()
    };
    facts.files.iter().flat_map(of_file).collect()
}

fn noted(facts: &LayerFacts) -> Vec<(String, usize, usize)> {
    let of_file = |file: &crate::FileFacts| {
        let fact = |noted: &crate::DetectorFacts| noted.facts.iter().map(|fact| fact.0.len()).sum();
        file.detectors
            .iter()
            .map(|noted| (noted.detector.clone(), noted.facts.len(), fact(noted)))
            .collect::<Vec<_>>()
    };
    facts.files.iter().flat_map(of_file).collect()
}

#[test]
fn a_file_is_read_once_for_all_detectors_and_others_not_at_all() {
    let engine = Engine::of(
        vec![
            detector(Fake { id: "a", globs: &["etc/shadow", "**/shadow"], window: 3, ..Fake::DEFAULT }),
            detector(Fake { id: "b", globs: &["etc/*"], window: 5, ..Fake::DEFAULT }),
            detector(Fake { id: "c", globs: &["opt/**"], window: 9, ..Fake::DEFAULT }),
        ],
        &[],
    )
    .unwrap();
    let mut layer = FakeLayer::of(1, "d etc; f etc/shadow=12345678; f bin/sh=x; c etc/null");
    let facts = scan_layer(&mut layer, &engine, &Limits::default(), None).unwrap();
    assert_eq!(layer.reads, [(FsPath::new("etc/shadow"), 1)].into());
    assert_eq!(noted(&facts), [("a".to_owned(), 1, 3), ("b".to_owned(), 1, 5)]);
    assert_eq!(facts.statistics, Statistics { entries: 4, opened: 1, bytes: 5 });
    assert_eq!(
        (facts.files[0].size, facts.files[0].mode.permissions, facts.files[0].mode.gid),
        (8, 0o640, 42)
    );
}

#[test]
fn of_a_huge_file_the_window_is_read() {
    let engine = Engine::of(vec![detector(Fake { window: 1 << 20, ..Fake::DEFAULT })], &[]).unwrap();
    let mut layer = FakeLayer::new(1, vec![Item::Zeros(FsPath::new("etc/shadow"), 5 << 40)]);
    let facts = scan_layer(&mut layer, &engine, &Limits::default(), None).unwrap();
    assert_eq!((facts.statistics.bytes, facts.files[0].size), (1 << 20, 5 << 40));
    assert_eq!(problems(&facts), []);
}

#[test]
fn what_cannot_be_read_or_judged_is_a_problem_of_its_file() {
    let engine = engine(&["*"]);
    let mut layer = FakeLayer::of(1, "f a=panic; f b=odd; f c=fine; f d=nothing");
    layer.items.push(Item::Broken(FsPath::new("e"), 50, b"start".to_vec()));
    layer.items.push(Item::Zeros(FsPath::new("f"), 0));
    let facts = layer.facts(&engine);
    assert_eq!(
        problems(&facts),
        [
            ("/a".to_owned(), GapKind::Crashed),
            ("/b".to_owned(), GapKind::Malformed),
            ("/e".to_owned(), GapKind::Unreadable)
        ]
    );
    // What was read before it broke off was looked at.
    let broken = facts.files.iter().find(|file| file.path == FsPath::new("e")).unwrap();
    assert_eq!(broken.detectors[0].facts[0].0, b"start");
}

#[test]
fn a_file_that_ends_early_is_a_problem() {
    struct Short;
    impl std::io::Read for Short {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Ok(0)
        }
    }
    let engine = engine(&["etc/shadow"]);
    let mut inspector = crate::inspect::Inspector::new(&engine, None);
    let path = FsPath::new("etc/shadow");
    let mut candidates = Vec::new();
    engine.matcher().candidates(&path, 7, &mut candidates);
    let metadata = pratique_fs::Metadata {
        kind: pratique_fs::EntryKind::File,
        permissions: 0,
        uid: 0,
        gid: 0,
        size: 7,
        mtime: 0,
        capability: None,
        layer: None,
    };
    let inspected = inspector.inspect(&path, &metadata, &candidates, &mut Stream(Short));
    let facts = looked(&mut inspector, inspected);
    assert_eq!(facts.detectors[0].problems[0].0, GapKind::Unreadable);
}

#[test]
fn hard_links_are_read_and_a_missing_target_is_a_gap() {
    let engine = engine(&["etc/shadow", "etc/gshadow", "etc/shadow-"]);
    let facts = FakeLayer::of(1, "f data/x=weak; h etc/shadow>data/x; h etc/gshadow>lower; f etc/shadow-=y")
        .facts(&engine);
    assert_eq!(facts.files[0].path, FsPath::new("etc/shadow"));
    assert_eq!(facts.files[0].detectors[0].facts[0].0, b"weak");
    assert_eq!(facts.gaps.len(), 1);
    assert_eq!(facts.gaps[0].path.as_deref(), Some("/etc/gshadow"));
}

#[test]
fn a_hard_link_beside_a_file_of_the_same_name_loses_neither() {
    let engine = engine(&["etc/shadow"]);
    for lines in
        ["f x=clean; h etc/shadow>x; f etc/shadow=weak", "f x=weak; f etc/shadow=clean; h etc/shadow>x"]
    {
        let facts = FakeLayer::of(1, lines).facts(&engine);
        assert!(facts.files.iter().any(|file| file.detectors[0].facts[0].0 == b"weak"), "{lines:?}");
        assert_eq!(LayerFacts::decode(&facts.encode()), Ok(facts));
    }
}

#[test]
fn limits_end_in_gaps() {
    let engine = engine(&["**"]);
    let items: Vec<Item> =
        (0..20).map(|n| Item::File(FsPath::new(format!("f{n}")), b"0123456789".to_vec())).collect();
    let scan =
        |limits: Limits| scan_layer(&mut FakeLayer::new(1, items.clone()), &engine, &limits, None).unwrap();
    let only_limits = |gaps: &[Gap]| {
        assert!(!gaps.is_empty() && gaps.iter().all(|gap| gap.kind == GapKind::Limit && gap.layer.is_some()));
    };

    let facts = scan(Limits { entries: 5, ..Limits::default() });
    assert_eq!(facts.files.len(), 5);
    only_limits(&facts.gaps);
    let facts = scan(Limits { fact_bytes: 1000, ..Limits::default() });
    assert!(facts.files.len() < 20 && !facts.files.is_empty());
    only_limits(&facts.gaps);
    let facts = scan(Limits { paths: 7, ..Limits::default() });
    assert_eq!((facts.leaves.len(), facts.files.len()), (7, 20));
    only_limits(&facts.gaps);
    assert!(scan(Limits { entries: 20, paths: 20, ..Limits::default() }).gaps.is_empty());
}

#[test]
fn the_sources_gaps_are_kept_and_counted_beyond_the_limit() {
    let engine = engine(&["etc/shadow"]);
    let mut layer = FakeLayer::of(1, "f etc/shadow=a");
    let gap = |n: u32| Gap::of_layer(GapKind::Unreadable, layer.diff_id.clone(), format!("{n}"));
    layer.gaps = (0..10).map(gap).collect();
    let facts = scan_layer(&mut layer, &engine, &Limits { gaps: 4, ..Limits::default() }, None).unwrap();
    assert_eq!(facts.gaps.len(), 5);
    assert!(facts.gaps.iter().any(|gap| gap.kind == GapKind::Limit && gap.reason.starts_with("6 more")));
}

/// Of a layer with a million entries nothing is kept but hashes of paths that can matter, and of folders that it does
/// not bring.
#[test]
fn a_million_entries_take_16_bytes_each_or_nothing() {
    struct Million(FakeLayer);
    impl pratique_fs::Layer for Million {
        fn diff_id(&self) -> &pratique_core::Digest {
            &self.0.diff_id
        }
        fn opacity(&self) -> pratique_fs::Opacity {
            self.0.opacity
        }
        fn visit(&mut self, visitor: &mut pratique_fs::LayerVisitor<'_>) -> pratique_fs::Result<Vec<Gap>> {
            for folder in 0..1000 {
                let path = |n: u32| FsPath::new(format!("usr/share/folder-{folder}/file-{n}"));
                self.0.items = (0..1000).map(|n| Item::File(path(n), b"nothing".to_vec())).collect();
                self.0.visit(visitor)?;
            }
            Ok(Vec::new())
        }
        fn open(&self, path: &FsPath, position: u64) -> pratique_fs::Result<Box<dyn pratique_fs::File>> {
            self.0.open(path, position)
        }
    }
    for (globs, paths) in [(&["etc/shadow"][..], 0), (&["**/*.key"][..], 1_000_000)] {
        let engine =
            Engine::of(vec![detector(Fake { globs: globs.to_vec().leak(), ..Fake::DEFAULT })], &[]).unwrap();
        let facts =
            scan_layer(&mut Million(FakeLayer::new(1, Vec::new())), &engine, &Limits::default(), None)
                .unwrap();
        assert_eq!((facts.statistics.entries, facts.leaves.len()), (1_000_000, paths));
        let encoded = facts.encode();
        assert!(encoded.len() < (paths + 1002) * 16 + 1000, "{}", encoded.len());
        assert_eq!(LayerFacts::decode(&encoded).unwrap().leaves.len(), paths);
    }
}

#[test]
fn a_hard_link_where_a_folder_should_be_is_a_gap() {
    let facts = FakeLayer::of(1, "f x=a; h etc>x; h usr>x").facts(&engine(&["etc/shadow"]));
    assert_eq!(facts.gaps.len(), 1, "{:?}", facts.gaps);
    assert_eq!((facts.gaps[0].kind, facts.gaps[0].path.as_deref()), (GapKind::Unreadable, Some("/etc")));
}
