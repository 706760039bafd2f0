//! A detector and a layer made for tests.

use pratique_core::{Category, DetectorInfo};
use pratique_detect::{Detector, Fact, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome};

/// What a test's detector is like.
#[derive(Clone, Copy)]
pub(crate) struct Fake {
    pub(crate) id: &'static str,
    pub(crate) version: u32,
    pub(crate) globs: &'static [&'static str],
    pub(crate) window: usize,
}

impl Fake {
    pub(crate) const DEFAULT: Self = Self { id: "fake", version: 1, globs: &["etc/shadow"], window: 100 };
}

struct FakeDetector {
    info: &'static DetectorInfo,
    interests: &'static [Interest],
}

/// A detector that lives as long as the test process.
pub(crate) fn detector(fake: Fake) -> &'static dyn Detector {
    let info = DetectorInfo {
        id: fake.id,
        version: fake.version,
        category: Category::Secret,
        rules: &["content"],
        summary: "whatever a test wants",
    };
    let interests = vec![Interest { globs: fake.globs, window: fake.window }];
    Box::leak(Box::new(FakeDetector { info: Box::leak(Box::new(info)), interests: interests.leak() }))
}

impl Detector for FakeDetector {
    fn info(&self) -> &'static DetectorInfo {
        self.info
    }

    fn interests(&self) -> &'static [Interest] {
        self.interests
    }

    fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        FileReport { facts: vec![Fact(file.bytes.to_vec())], problems: Vec::new() }
    }

    fn judge(&self, _: &ImageInput<'_>, _: &[LocatedFact]) -> Outcome {
        Outcome::default()
    }
}
