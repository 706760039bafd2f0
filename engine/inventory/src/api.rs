//! The interface between the walk and the parsers.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::Record;
use pratique_core::{Digest, GapKind};

/// One parser of package metadata. Implementations hold no state that outlives a call.
pub trait Parser: Send + Sync {
    /// Stable id, lower-case with dashes: the name of its file.
    fn id(&self) -> &'static str;

    /// Raised whenever the same bytes could give other records: cached layers are then read again.
    fn version(&self) -> u32 {
        1
    }

    /// Which files it wants to see.
    fn interests(&self) -> &'static [Interest];

    /// Records of one file. A function of `file` alone. What was understood is kept, the rest is a problem.
    fn parse(&self, file: &FileInput<'_>) -> Parsed;
}

/// What came out of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Records, in the file's order.
    pub records: Vec<Record>,
    /// Why the file, or a part of it, could not be understood.
    pub problems: Vec<(GapKind, String)>,
}

impl Parsed {
    /// Tells that only the file's start was read, if that is so.
    pub fn note_cut(&mut self, file: &FileInput<'_>) {
        if file.is_cut() {
            let reason =
                format!("has {} bytes, of which the first {} were read", file.size, file.bytes.len());
            self.problems.push((GapKind::Limit, reason));
        }
    }

    /// Nothing but a problem.
    pub fn problem(kind: GapKind, reason: impl Into<String>) -> Self {
        Self { records: Vec::new(), problems: vec![(kind, reason.into())] }
    }
}

/// A record of a file that is visible in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedRecord {
    /// Absolute path, escaped as in [`pratique_core::Finding::path`].
    pub path: String,
    /// The layer (diff ID) that brought the file; none in a plain folder or a live container.
    pub layer: Option<Digest>,
    /// What was read in it.
    pub record: Record,
}
