//! Files that other threads look into.

use pratique_core::GapKind;
use pratique_fs::FsPath;

use super::fake::{FakeLayer, Item};
use super::streaming::{NEEDLE, noted, streams};
use crate::aside::MAX_FILE;
use crate::{Engine, LayerFacts, Limits, scan_layer};

fn wants_all() -> Vec<&'static dyn pratique_detect::Detector> {
    vec![streams("a", 1 << 40)]
}

/// What is noted of a layer, by whoever reads it and by others alike.
fn scan(layer: impl Fn() -> FakeLayer) -> LayerFacts {
    let scan = |threads| {
        let engine = Engine::of(wants_all(), &[]).unwrap().with_threads(threads).unwrap();
        scan_layer(&mut layer(), &engine, &Limits::default(), None).unwrap()
    };
    let facts = scan(1);
    assert_eq!(facts, scan(3));
    facts
}

/// The path and what was noted of each file.
fn all(facts: &LayerFacts) -> Vec<(String, String)> {
    let first = |file| noted(file).into_iter().map(|(_, fact, _)| fact).collect();
    facts.files.iter().map(|file| (file.path.to_string(), first(file))).collect()
}

#[test]
fn more_than_may_wait_comes_whole_and_the_same_each_time() {
    let items = || {
        let file = |number: usize| {
            let mut bytes = vec![b'.'; 1 + number * 7919 % (MAX_FILE / 3)];
            if number.is_multiple_of(3) {
                bytes.extend(NEEDLE);
            }
            Item::File(FsPath::new(format!("f{number:03}")), bytes)
        };
        (0..60).map(file).chain([Item::Zeros(FsPath::new("long"), 2 * MAX_FILE as u64)]).collect()
    };
    let once = scan(|| FakeLayer::new(1, items()));
    assert_eq!(once.files.len(), 61);
    for (number, (path, fact)) in all(&once).iter().enumerate().take(60) {
        let found = usize::from(number.is_multiple_of(3));
        let length = 1 + number * 7919 % (MAX_FILE / 3) + found * NEEDLE.len();
        assert_eq!(
            (path.as_str(), fact.as_str()),
            (&*format!("/f{number:03}"), &*format!("{found} in {length}"))
        );
    }
    assert_eq!(all(&once)[60].1, format!("0 in {}", 2 * MAX_FILE));
}

#[test]
fn of_two_files_of_one_name_the_last_counts_though_the_first_still_waits() {
    let facts = scan(|| FakeLayer::of(1, "f x=NEEDLE; f y=; f x=clean"));
    assert_eq!(all(&facts), [("/x".into(), "0 in 5".into()), ("/y".into(), "0 in 0".into())]);
}

#[test]
fn what_is_noted_of_a_file_that_still_waits_is_noted_of_its_hard_link() {
    let facts = scan(|| FakeLayer::of(1, "f x=NEEDLE; h y>x"));
    assert_eq!(all(&facts), [("/x".into(), "1 in 6".into()), ("/y".into(), "1 in 6".into())]);
}

#[test]
fn a_file_that_breaks_off_is_looked_into_as_far_as_it_came() {
    let items = || vec![Item::Broken(FsPath::new("x"), 100, NEEDLE.to_vec())];
    let facts = scan(|| FakeLayer::new(1, items()));
    assert_eq!(noted(&facts.files[0]), [("a", "1 in 6".to_owned(), vec![GapKind::Unreadable])]);
}

#[test]
fn facts_that_are_too_many_are_dropped_from_the_same_file_on() {
    let engine = Engine::of(wants_all(), &[]).unwrap().with_threads(3).unwrap();
    let limits = Limits { fact_bytes: 2000, ..Limits::default() };
    let scan = || {
        let items = (0..200).map(|number| Item::Zeros(FsPath::new(format!("{number:03}")), 9000)).collect();
        scan_layer(&mut FakeLayer::new(1, items), &engine, &limits, None).unwrap()
    };
    let once = scan();
    assert!(!once.files.is_empty() && once.files.len() < 200, "{}", once.files.len());
    assert!(
        once.files
            .iter()
            .map(|file| &file.path)
            .eq((0..once.files.len()).map(|n| FsPath::new(format!("{n:03}"))).collect::<Vec<_>>().iter())
    );
    assert_eq!(once.gaps.len(), 1);
    assert_eq!(once, scan());
}
