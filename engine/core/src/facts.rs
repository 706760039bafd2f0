//! The complete facts of one image: what every gate decides on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::detector::{IMAGE_CONFIG, RUNS_AS_ROOT};
use crate::license::Licenses;
use crate::{Digest, Finding, Gap, Suppressed};

/// Operating system and processor an image is made for, in the OCI image specification's (Go's) words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Platform {
    /// `linux`, `windows`…
    pub os: String,
    /// `amd64`, `arm64`…
    pub architecture: String,
    /// `v7`, `v8`…; empty where there is none.
    #[serde(default)]
    pub variant: String,
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

/// What is known of one image after a scan. Keyed by `image`; names are not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// The config digest (image ID), which commits to every layer's content.
    pub image: Digest,
    /// Manifest digests that led to it.
    pub manifests: Vec<Digest>,
    /// Index digests that led to it.
    pub indexes: Vec<Digest>,
    /// Platform the image is made for.
    pub platform: Platform,
    /// When the config says it was built.
    pub created: Option<Timestamp>,
    /// `config.User` as written; see [`Self::runs_as_root`].
    pub user: String,
    /// Layers (diff IDs), base first.
    pub layers: Vec<Digest>,
    /// Detectors that ran, with the version of their rule set.
    pub detectors: BTreeMap<String, String>,
    /// Licences of its packages; none where they were not listed.
    #[serde(default)]
    pub licenses: Option<Licenses>,
    /// What they found.
    pub findings: Vec<Finding>,
    /// What they found and does not count, sorted.
    #[serde(default)]
    pub suppressed: Vec<Suppressed>,
    /// What they missed.
    pub gaps: Vec<Gap>,
    /// As of when the advisories are that its packages were matched with; none: they were matched with none.
    #[serde(default)]
    pub advisories: Option<Timestamp>,
    /// Why nothing usable came out, if so.
    pub error: Option<String>,
    /// When the image was last judged against fresh data; `maxScanAge` counts from here.
    pub judged_at: Timestamp,
    /// Name of the node that scanned it.
    pub scanned_by: String,
    /// Whether every layer was verified against its digest, read from an unpacked folder, or taken as it is.
    pub trust: Trust,
}

impl ImageFacts {
    /// Facts of an image that nobody has looked at: judged at the beginning of time, by no detector.
    pub fn unscanned(image: Digest) -> Self {
        Self {
            image,
            manifests: Vec::new(),
            indexes: Vec::new(),
            platform: Platform::default(),
            created: None,
            user: String::new(),
            layers: Vec::new(),
            detectors: BTreeMap::new(),
            licenses: None,
            findings: Vec::new(),
            suppressed: Vec::new(),
            gaps: Vec::new(),
            advisories: None,
            error: None,
            judged_at: Timestamp::MIN,
            scanned_by: String::new(),
            trust: Trust::Folders,
        }
    }

    /// Whether a container of this image runs as uid 0 unless its pod says otherwise: by the words of its config, or by its
    /// own accounts, if the detector that knows them ran.
    pub fn runs_as_root(&self) -> bool {
        let is_found = |finding: &Finding| finding.detector == IMAGE_CONFIG && finding.rule == RUNS_AS_ROOT;
        crate::config::is_root(&self.user) || self.findings.iter().any(is_found)
    }
}

/// What the layers' content rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Trust {
    /// Every layer's blob was hashed and has the digest that the image names: of what it holds uncompressed (diff ID),
    /// or of itself in the image's manifest.
    Blobs,
    /// At least one layer was read from the folder the runtime unpacked it to, on the node's word.
    Folders,
    /// At least one layer was not hashed: it was read from a file, on its word.
    Unchecked,
}

impl Trust {
    /// Everything there is.
    pub const ALL: [Self; 3] = [Self::Blobs, Self::Folders, Self::Unchecked];

    /// The name as it is written in objects and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blobs => "Blobs",
            Self::Folders => "Folders",
            Self::Unchecked => "Unchecked",
        }
    }
}
