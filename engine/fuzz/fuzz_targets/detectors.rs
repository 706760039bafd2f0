//! Every detector over every kind of file it cares for: what it notes of the file, and what it makes of that.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pratique_detect::{FileInput, FileMode, ImageInput, LocatedFact, Piece, detectors::DETECTORS};

/// A path for each glob.
static PATHS: LazyLock<Vec<(usize, String)>> = LazyLock::new(|| {
    let globs = DETECTORS.iter().enumerate().flat_map(|(place, detector)| {
        detector.interests().iter().flat_map(|interest| interest.globs).map(move |glob| (place, glob))
    });
    globs.map(|(place, glob)| (place, glob.replace("**", "x").replace(['*', '?'], "a"))).collect()
});

fuzz_target!(|input: (u16, u16, Vec<u8>)| {
    let (choice, permissions, bytes) = input;
    let (place, path) = &PATHS[usize::from(choice) % PATHS.len()];
    let detector = DETECTORS[*place];
    let mode = FileMode { permissions: u32::from(permissions & 0o7777), uid: 0, gid: 42 };
    let whole = FileInput::in_memory(path.as_bytes(), mode, &bytes);
    let file = FileInput { capability: bytes.get(..20), ..whole };
    let report = match detector.stream(&file) {
        Some(mut stream) => {
            stream.take(&Piece { bytes: &bytes, offset: 0, seen: 0, last: true });
            stream.finish()
        }
        None => detector.inspect(&file),
    };
    let located = |fact| LocatedFact { path: format!("/{path}"), layer: None, removed_by: None, fact };
    let facts: Vec<LocatedFact> = report.facts.into_iter().map(located).collect();
    // Without time to guess: guessing passwords is another target's.
    detector.judge(&ImageInput::default(), &facts);
});
