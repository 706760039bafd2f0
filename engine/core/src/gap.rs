//! What could not be read or judged.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// Why something is missing from a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GapKind {
    /// The source did not give it: absent, refused, broken off.
    Unreadable,
    /// It is larger, deeper or more than a limit allows.
    Limit,
    /// It took longer than its budget.
    Timeout,
    /// Its bytes are not what its format demands.
    Malformed,
    /// A form that cannot be judged (an unknown hash scheme, a snapshotter without folders, another platform).
    Unsupported,
    /// The process that scanned it died.
    Crashed,
}

impl GapKind {
    /// All kinds.
    pub const ALL: [GapKind; 6] =
        [Self::Unreadable, Self::Limit, Self::Timeout, Self::Malformed, Self::Unsupported, Self::Crashed];

    /// The name as it is written in objects and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "Unreadable",
            Self::Limit => "Limit",
            Self::Timeout => "Timeout",
            Self::Malformed => "Malformed",
            Self::Unsupported => "Unsupported",
            Self::Crashed => "Crashed",
        }
    }
}

impl std::fmt::Display for GapKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something that was not read or not judged, where and why. A result with gaps is never clean.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// Why, as a word.
    pub kind: GapKind,
    /// Id of the detector that lacks it; none: every detector does.
    pub detector: Option<String>,
    /// Absolute path inside the image, escaped as in [`crate::Finding::path`].
    pub path: Option<String>,
    /// The layer (diff ID).
    pub layer: Option<Digest>,
    /// Why, as a sentence for people.
    pub reason: String,
}

impl Gap {
    /// A gap that concerns every detector and the whole image.
    pub fn of_image(kind: GapKind, reason: impl Into<String>) -> Self {
        Self { kind, detector: None, path: None, layer: None, reason: reason.into() }
    }

    /// A gap that concerns every detector and one layer.
    pub fn of_layer(kind: GapKind, layer: Digest, reason: impl Into<String>) -> Self {
        Self { kind, detector: None, path: None, layer: Some(layer), reason: reason.into() }
    }

    /// Whether results of `detector` are affected.
    pub fn concerns(&self, detector: &str) -> bool {
        self.detector.as_deref().is_none_or(|own| own == detector)
    }
}
