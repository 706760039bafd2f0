//! Files in pieces.

use std::io::{self, Cursor};

use pratique_core::inspect::{Extent, OVERLAP, PIECE, ReadAt};
use pratique_core::{Category, DetectorInfo, GapKind};
use pratique_detect::{
    Detector, Fact, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome, Piece, Stream,
};
use pratique_fs::{Content, EntryKind, FsPath, Metadata};

use super::fake::{Fake, FakeLayer, Item, detector, looked};
use crate::inspect::Inspector;
use crate::{Engine, FileFacts, LayerFacts, Limits, merge, scan_layer};

pub(super) const NEEDLE: &[u8] = b"NEEDLE";

struct Finder {
    info: &'static DetectorInfo,
    interests: &'static [Interest],
}

/// A detector that counts needles, in files of which it wants `limit` bytes. It wants none named `unwanted`, and fails
/// on a file that begins with its id.
fn finder(id: &'static str, extent: Extent) -> &'static dyn Detector {
    finder_of(id, &[extent])
}

/// The same that wants more than one thing of a file.
fn finder_of(id: &'static str, extents: &[Extent]) -> &'static dyn Detector {
    let info =
        DetectorInfo { id, version: 1, category: Category::Secret, rules: &["needle"], summary: "needles" };
    let interest = |extent: &Extent| Interest { globs: &["**"], heads: &[], min_size: 0, extent: *extent };
    let interests = extents.iter().map(interest).collect::<Vec<_>>().leak();
    Box::leak(Box::new(Finder { info: Box::leak(Box::new(info)), interests }))
}

#[derive(Default)]
struct Count {
    id: &'static str,
    found: usize,
    bytes: u64,
    ended: bool,
}

impl Stream for Count {
    fn take(&mut self, piece: &Piece<'_>) {
        assert!(!piece.bytes.starts_with(self.id.as_bytes()), "as the test asked");
        assert!(!self.ended && piece.bytes.len() <= PIECE);
        assert_eq!(piece.offset + piece.seen as u64, self.bytes);
        self.found += (0..piece.bytes.len())
            .filter(|start| piece.bytes[*start] == NEEDLE[0] && piece.bytes[*start..].starts_with(NEEDLE))
            .filter(|start| start + NEEDLE.len() > piece.seen)
            .count();
        self.bytes = piece.offset + piece.bytes.len() as u64;
        self.ended = piece.last;
    }

    fn finish(self: Box<Self>) -> FileReport {
        assert!(self.ended);
        let fact = Fact(format!("{} in {}", self.found, self.bytes).into_bytes());
        FileReport { facts: vec![fact], problems: Vec::new() }
    }
}

impl Detector for Finder {
    fn info(&self) -> &'static DetectorInfo {
        self.info
    }

    fn interests(&self) -> &'static [Interest] {
        self.interests
    }

    fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        let mut end = [0; 4];
        let read = file.content.read_full_at(&mut end, file.size - 4).unwrap();
        FileReport { facts: vec![Fact(end[..read].to_vec())], problems: Vec::new() }
    }

    fn stream(&self, file: &FileInput<'_>) -> Option<Box<dyn Stream>> {
        (file.path != b"unwanted").then(|| Box::new(Count { id: self.info.id, ..Count::default() }) as Box<_>)
    }

    fn judge(&self, _: &ImageInput<'_>, _: &[LocatedFact]) -> Outcome {
        Outcome::default()
    }
}

pub(super) fn streams(id: &'static str, limit: u64) -> &'static dyn Detector {
    finder(id, Extent::Stream(limit))
}

fn scan(layer: &mut FakeLayer, detectors: Vec<&'static dyn Detector>) -> LayerFacts {
    scan_layer(layer, &Engine::of(detectors, &[]).unwrap(), &Limits::default(), None).unwrap()
}

/// Detector, first fact, kinds of problems.
pub(super) fn noted(file: &FileFacts) -> Vec<(&str, String, Vec<GapKind>)> {
    let text =
        |fact: Option<&Fact>| fact.map_or_else(String::new, |fact| String::from_utf8_lossy(&fact.0).into());
    file.detectors
        .iter()
        .map(|noted| {
            let kinds = noted.problems.iter().map(|(kind, _)| *kind).collect();
            (noted.detector.as_str(), text(noted.facts.first()), kinds)
        })
        .collect()
}

fn found(text: &str) -> String {
    text.to_owned()
}

#[test]
fn what_lies_across_pieces_is_met_once() {
    let step = PIECE - OVERLAP;
    for edge in [PIECE, step, PIECE + step, 2 * step] {
        for start in edge - NEEDLE.len()..=edge {
            let mut bytes = vec![b'.'; 3 * PIECE];
            bytes[start..start + NEEDLE.len()].copy_from_slice(NEEDLE);
            let mut layer = FakeLayer::new(1, vec![Item::File(FsPath::new("x"), bytes)]);
            let facts = scan(&mut layer, vec![streams("a", 1 << 40)]);
            assert_eq!(noted(&facts.files[0]), [("a", format!("1 in {}", 3 * PIECE), vec![])], "{start}");
        }
    }
}

#[test]
fn files_of_every_length_come_whole() {
    for length in [0, 1, OVERLAP, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE - OVERLAP, 2 * PIECE] {
        let mut layer = FakeLayer::new(1, vec![Item::Zeros(FsPath::new("x"), length as u64)]);
        let facts = scan(&mut layer, vec![streams("a", 1 << 40)]);
        assert_eq!(noted(&facts.files[0]), [("a", format!("0 in {length}"), vec![])]);
    }
}

#[test]
fn all_who_want_a_file_share_one_reading() {
    let size = 3 * PIECE as u64 + 7;
    let mut layer = FakeLayer::new(1, vec![Item::Zeros(FsPath::new("etc/x"), size)]);
    let head = detector(Fake { id: "head", globs: &["etc/*"], window: 2, ..Fake::DEFAULT });
    let facts = scan(&mut layer, vec![streams("a", 1 << 40), streams("b", size), streams("c", 10), head]);
    let all = format!("0 in {size}");
    assert_eq!(
        noted(&facts.files[0]),
        [
            ("a", all.clone(), vec![]),
            ("b", all, vec![]),
            ("c", found("0 in 10"), vec![GapKind::Limit]),
            ("head", found("\0\0"), vec![])
        ]
    );
    assert_eq!(layer.reads, [(FsPath::new("etc/x"), 1)].into());
    assert_eq!((facts.statistics.opened, facts.statistics.bytes), (1, size));
}

#[test]
fn of_a_file_without_end_the_limit_is_read() {
    let mut layer = FakeLayer::new(1, vec![Item::Zeros(FsPath::new("x"), 5 << 40)]);
    let facts = scan(&mut layer, vec![streams("a", 1 << 20)]);
    assert_eq!(noted(&facts.files[0]), [("a", format!("0 in {}", 1 << 20), vec![GapKind::Limit])]);
    assert_eq!(facts.statistics.bytes, 1 << 20);
}

#[test]
fn what_breaks_off_ends_early_or_makes_a_detector_fail_is_a_problem() {
    let broken = |bytes: &[u8]| Item::Broken(FsPath::new("x"), 50, bytes.to_vec());
    let mut layer = FakeLayer::new(1, vec![broken(b"NEEDLE")]);
    let facts = scan(&mut layer, vec![streams("a", 99)]);
    assert_eq!(noted(&facts.files[0]), [("a", found("1 in 6"), vec![GapKind::Unreadable])]);

    let mut layer = FakeLayer::of(1, "f x=bad luck; f unwanted=NEEDLE");
    let facts = scan(&mut layer, vec![streams("bad", 99), streams("good", 99)]);
    assert_eq!(facts.files.len(), 1, "{:?}", facts.files);
    assert_eq!(
        noted(&facts.files[0]),
        [("bad", found(""), vec![GapKind::Crashed]), ("good", found("0 in 8"), vec![])]
    );

    let (facts, _) = inspect(vec![streams("a", 99)], 50, Cursor::new(b"NEEDLE".to_vec()), None);
    assert_eq!(noted(&facts), [("a", found("1 in 6"), vec![GapKind::Unreadable])]);
}

#[test]
fn a_link_is_not_followed_to_what_is_met_where_it_lies() {
    let mut layer = FakeLayer::of(1, "f usr/bin/x=NEEDLE; l bin>usr/bin; l usr/bin/y>x; l gone>nowhere");
    let engine = Engine::of(vec![streams("a", 99)], &[]).unwrap();
    let facts = scan_layer(&mut layer, &engine, &Limits::default(), None).unwrap();
    assert_eq!((facts.files.len(), facts.links.len()), (1, 0), "{:?}", facts.links);
    assert_eq!(merge(&engine, &[&facts]).redirects, []);
}

#[test]
fn what_was_noted_of_a_file_stays_at_its_hard_link_when_the_first_name_goes() {
    let engine = Engine::of(vec![streams("a", 99)], &[]).unwrap();
    let scan = |mut layer: FakeLayer| scan_layer(&mut layer, &engine, &Limits::default(), None).unwrap();
    let base = scan(FakeLayer::of(1, "f x=NEEDLE; h y>x"));
    let upper = scan(FakeLayer::of(2, "w x"));
    let merged = merge(&engine, &[&base, &upper]);
    let visible: Vec<_> = merged.files.iter().map(|visible| visible.file.path.to_string()).collect();
    assert_eq!(visible, ["/y"]);
    assert_eq!(noted(merged.files[0].file), [("a", found("1 in 6"), vec![])]);
}

/// Content that can be read in order only, or at random as well, where reading moves the place of the other.
struct Fickle {
    bytes: Cursor<Vec<u8>>,
    seeks: bool,
}

impl io::Read for Fickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl ReadAt for Fickle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.bytes.get_ref().read_at(buffer, offset)
    }
}

impl Content for Fickle {
    fn random_access(&mut self) -> io::Result<Option<&dyn ReadAt>> {
        self.bytes.set_position(0);
        Ok(if self.seeks { Some(self) } else { None })
    }
}

fn inspect(
    detectors: Vec<&'static dyn Detector>,
    size: u64,
    bytes: Cursor<Vec<u8>>,
    seeks: Option<bool>,
) -> (FileFacts, u64) {
    let engine = Engine::of(detectors, &[]).unwrap();
    let mut inspector = Inspector::new(&engine, None);
    let path = FsPath::new("x");
    let mut candidates = Vec::new();
    engine.matcher().candidates(&path, size, &mut candidates);
    let metadata = Metadata {
        kind: EntryKind::File,
        permissions: 0,
        uid: 0,
        gid: 0,
        size,
        mtime: 0,
        capability: None,
        layer: None,
    };
    let inspected = match seeks {
        Some(seeks) => inspector.inspect(&path, &metadata, &candidates, &mut Fickle { bytes, seeks }),
        None => inspector.inspect(&path, &metadata, &candidates, &mut pratique_fs::Stream(bytes)),
    };
    (looked(&mut inspector, inspected), inspector.bytes)
}

#[test]
fn a_file_wanted_at_random_as_well_is_streamed_from_there() {
    let mut bytes = vec![b'.'; 2 * PIECE];
    bytes[PIECE - 3..PIECE + 3].copy_from_slice(NEEDLE);
    bytes.extend(b"done");
    let size = bytes.len() as u64;
    for seeks in [Some(true), None] {
        let both = vec![streams("a", 1 << 40), finder("b", Extent::Whole(1 << 40))];
        let (facts, read) = inspect(both, size, Cursor::new(bytes.clone()), seeks);
        assert_eq!(
            noted(&facts),
            [("a", format!("1 in {size}"), vec![]), ("b", found("done"), vec![])],
            "{seeks:?}"
        );
        assert!(read <= size + 4, "{read} of {size}");
    }
}

#[test]
fn what_cannot_be_kept_for_those_who_want_it_at_random_is_a_problem_of_all() {
    let size = (16 << 20) + 1;
    let both = vec![streams("a", 1 << 40), finder("b", Extent::Whole(1 << 40))];
    let (facts, _) = inspect(both, size, Cursor::new(vec![0; size as usize]), None);
    let kinds: Vec<_> = noted(&facts).into_iter().map(|(id, _, kinds)| (id, kinds)).collect();
    assert_eq!(kinds, [("a", vec![GapKind::Limit]), ("b", vec![GapKind::Limit])]);
}

/// What it has whole it gets in no pieces; what it cannot have whole it gets in pieces, and a problem.
#[test]
fn who_wants_a_file_whole_and_in_pieces_gets_it_whole_if_it_can_be() {
    let mut bytes = vec![b'.'; PIECE];
    bytes.extend(b"NEEDLE done");
    let size = bytes.len() as u64;
    for (limit, expected) in [
        (size, ("a", found("done"), vec![])),
        (size - 1, ("a", format!("1 in {size}"), vec![GapKind::Limit])),
    ] {
        for seeks in [Some(true), None] {
            let both = finder_of("a", &[Extent::Stream(1 << 40), Extent::Whole(limit)]);
            let (facts, _) = inspect(vec![both], size, Cursor::new(bytes.clone()), seeks);
            assert_eq!(noted(&facts), std::slice::from_ref(&expected), "{limit} {seeks:?}");
        }
    }
}
