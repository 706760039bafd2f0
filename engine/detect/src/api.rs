//! The interface between the walk and the detectors.

use std::sync::LazyLock;
use std::time::Duration;

use pratique_core::attempts::{Attempts, Guessing};
use pratique_core::inspect::{FileInput, Interest, Piece};
use pratique_core::lineage::KnownBase;
use pratique_core::package::Ownership;
use pratique_core::{DetectorInfo, Digest, Finding, Gap, GapKind, ImageConfig};
use serde::{Deserialize, Serialize};

use crate::Rule;

/// One detector. Implementations hold no state that outlives a call.
pub trait Detector: Send + Sync {
    /// Its entry in [`pratique_core::detector::DETECTORS`].
    fn info(&self) -> &'static DetectorInfo;

    /// What beside [`DetectorInfo::version`] decides which facts a file gives: the user's lists and rules, as a text that is
    /// another for others. None: nothing does.
    fn revision(&self) -> Option<String> {
        None
    }

    /// Which files it wants to see.
    fn interests(&self) -> &'static [Interest];

    /// What its page says of each of its rules, in the order of [`DetectorInfo::rules`].
    fn rules(&self) -> &'static [Rule] {
        &[]
    }

    /// Facts of one file. A function of `file` alone: no clock, no names, no options.
    fn inspect(&self, file: &FileInput<'_>) -> FileReport;

    /// What takes the pieces of `file`, which it wants as [`pratique_core::inspect::Extent::Stream`]; asked instead of
    /// [`Detector::inspect`]. None: of this file it wants nothing, as its metadata tell. The pieces and `file` together
    /// decide what is noted, as with [`Detector::inspect`].
    fn stream(&self, _file: &FileInput<'_>) -> Option<Box<dyn Stream>> {
        None
    }

    /// Whether [`Detector::judge`] is handed facts of files that an upper layer removed or replaced, too: whoever pulls
    /// the image has their bytes. [`LocatedFact::removed_by`] tells them apart.
    fn judges_removed(&self) -> bool {
        false
    }

    /// What links mean to its interests. What is wanted as a stream counts where it lies, if the same interest looks there.
    fn links(&self) -> Links {
        Links::Followed
    }

    /// Whether files within archives are handed to [`Detector::stream`], too. Such a file's path is the archive's, `!/` and
    /// its name within; its mode and owner are the archive's, and its size is what the archive says, `u64::MAX` where it
    /// says nothing. What is noted of it is noted of the archive, and [`LocatedFact::path`] names both.
    fn looks_into_archives(&self) -> bool {
        false
    }

    /// Findings of an image, from the facts of the files that are visible in it after merging its layers.
    fn judge(&self, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome;
}

/// What a link means to a detector that wants the path at which it lies. In a compressed layer each link that is followed may
/// cost another reading of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// The name counts: what is reached by it is read, though it is read where it lies, too; but not what lies in a folder of the
    /// same name in which the same interest looks for the same.
    Followed,
    /// The file counts: a link is followed only to where the same interest does not look.
    FollowedElsewhere,
    /// The file counts, and where it lies: links are not followed.
    NotFollowed,
}

/// Takes one file piece by piece. Several share one reading of it.
pub trait Stream {
    /// Takes the next piece. There is at least one, if only an empty one.
    fn take(&mut self, piece: &Piece<'_>);

    /// Whether the rest of the file changes nothing. Reading stops once all who take it say so.
    fn is_done(&self) -> bool {
        false
    }

    /// What was noted, after the last piece, or after one with which it was done.
    fn finish(self: Box<Self>) -> FileReport;
}

/// What a detector noted of a file, in a form of its own (JSON by habit). May hold what must never leave the node,
/// such as password hashes: facts stay in the node's cache, only findings and gaps travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact(pub Vec<u8>);

/// What came out of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileReport {
    /// Facts, in the file's order.
    pub facts: Vec<Fact>,
    /// Why the file, or a part of it, could not be understood.
    pub problems: Vec<(GapKind, String)>,
}

/// A fact of a file of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedFact {
    /// Absolute path, escaped as in [`Finding::path`]; of a file in an archive the archive's, `!/` and its name within.
    pub path: String,
    /// The layer (diff ID) that brought the file; none for a container's own changes.
    pub layer: Option<Digest>,
    /// The lowest layer (diff ID) that removed or replaced the file; none for one that is visible. Always none for
    /// detectors that do not ask for such files ([`Detector::judges_removed`]).
    pub removed_by: Option<Digest>,
    /// What was noted.
    pub fact: Fact,
}

/// What [`Detector::judge`] may know of an image beside its facts.
#[derive(Debug, Clone, Copy)]
pub struct ImageInput<'a> {
    /// References the image is known by, such as `docker.io/library/nginx:1.27`.
    pub names: &'a [String],
    /// How it is to be run, and how it was built; none for a container and a plain root.
    pub config: Option<&'a ImageConfig>,
    /// Its layers (diff IDs), base first; none of a container and a plain root.
    pub layers: &'a [Digest],
    /// Images that it may have been built on.
    pub bases: &'a [KnownBase],
    /// Which package brought which file. Empty where there is no package database, or none was looked for.
    pub ownership: &'a Ownership,
    /// Words the user wants to be tried as passwords.
    pub dictionary: &'a [String],
    /// How long one hash may be worked on, on one core.
    pub hash_budget: Duration,
    /// Guesses at passwords that were made before, here or elsewhere.
    pub attempts: &'a Attempts,
}

/// Of an image nothing is known, and nothing is spent on it.
impl Default for ImageInput<'_> {
    fn default() -> Self {
        static NOTHING: LazyLock<(Ownership, Attempts)> = LazyLock::new(Default::default);
        let (ownership, attempts) = &*NOTHING;
        Self {
            names: &[],
            config: None,
            layers: &[],
            bases: &[],
            ownership,
            dictionary: &[],
            hash_budget: Duration::ZERO,
            attempts,
        }
    }
}

/// Findings and gaps, and what it took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What was found.
    pub findings: Vec<Finding>,
    /// What could not be judged.
    pub gaps: Vec<Gap>,
    /// What came of guessing passwords.
    pub guessing: Guessing,
}
