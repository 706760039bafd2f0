//! What is known of one layer: the cache's schema.

use std::fmt;

use pratique_core::{Digest, Gap, GapKind};
use pratique_detect::{Fact, FileMode};
use pratique_fs::{FsPath, Opacity, Proof};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::sealed::{self, InvalidFacts};
use crate::{PathSet, RuleSet, Ways};

/// Version of [`LayerFacts`] and their encoding. Raised with every change of either; older facts are made anew.
pub const SCHEMA_VERSION: u16 = 7;

const MAGIC: [u8; 4] = *b"PqLF";

/// Facts of one layer: a function of its content, of how it was read and of the detectors' rules. May hold what must
/// not leave the node (password hashes).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFacts {
    /// The layer.
    pub diff_id: Digest,
    /// The rules by which its files were read.
    pub rule_set: RuleSet,
    /// How it was read.
    #[serde(with = "OpacityForm")]
    pub opacity: Opacity,
    /// What proved that this is the layer's content.
    #[serde(with = "ProofForm")]
    pub proof: Proof,
    /// Files that gave facts or problems, sorted by path. A path is there twice only if the layer brings it twice, once
    /// as a hard link.
    pub files: Vec<FileFacts>,
    /// Symbolic links at or above paths of interest, sorted by path.
    pub links: Vec<Link>,
    /// Whiteouts: lower entries there and below are gone.
    pub whiteouts: PathSet,
    /// Entries that are no folders: lower entries there and below are gone.
    pub leaves: PathSet,
    /// Folders of the layer: a lower file or link there is gone.
    pub folders: PathSet,
    /// Opaque folders: what lower layers have below is gone.
    pub opaque: PathSet,
    /// Whether the four sets have all of its paths that matter.
    pub paths_known: bool,
    /// Whether its entries may lie elsewhere than their names say.
    pub ways: Ways,
    /// What of the layer was not read.
    pub gaps: Vec<Gap>,
    /// How much work it was.
    pub statistics: Statistics,
}

/// What detectors noted of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Where it lies.
    #[serde(with = "path_bytes")]
    pub path: FsPath,
    /// Its mode and owner.
    pub mode: FileMode,
    /// Its whole size in bytes.
    pub size: u64,
    /// By detector, in the order of ids.
    pub detectors: Vec<DetectorFacts>,
}

/// What one detector or parser noted of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectorFacts {
    /// Its id; of a package parser `inventory/` and its id.
    pub detector: String,
    /// If the file is an archive, and this was noted of a file in it: that one's name, `!/` between the names of archives
    /// within archives.
    pub member: Option<Vec<u8>>,
    /// In the file's order.
    pub facts: Vec<Fact>,
    /// What of the file it could not judge; they become gaps if the file is visible in an image.
    pub problems: Vec<(GapKind, String)>,
}

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Where it lies.
    #[serde(with = "path_bytes")]
    pub path: FsPath,
    /// Where it leads, as it is written.
    pub target: Vec<u8>,
}

/// How much work a layer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Statistics {
    /// Entries seen, whiteouts included.
    pub entries: u64,
    /// Files opened.
    pub opened: u64,
    /// Bytes read of them.
    pub bytes: u64,
}

/// The key of cached facts: of a layer's, diff ID, how the layer was read and proved, schema and rules; of what links lead
/// to, those of all the image's layers. Its text is stable and unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerKey(String);

impl LayerKey {
    /// The key of a layer that is read in this way by these rules; none if nothing proves what was read, which is never
    /// kept: an image could say of another's layer what it likes.
    pub fn new(diff_id: &Digest, opacity: Opacity, proof: &Proof, rule_set: &RuleSet) -> Option<Self> {
        let proof = match proof {
            Proof::DiffId => String::new(),
            Proof::Blob(blob) => format!("in {blob}|"),
            Proof::None => return None,
        };
        let opacity = match opacity {
            Opacity::FromBlob => "blob",
            Opacity::FromFolder => "folder",
            Opacity::FromFolderBlind => "folder-blind",
        };
        Some(Self(format!("{diff_id}|{proof}{opacity}|{SCHEMA_VERSION}|{rule_set}")))
    }

    /// The key of what links lead to in an image of these layers, base first; none if one of them has none.
    pub(crate) fn of_links(layers: &[&LayerFacts]) -> Option<Self> {
        let mut hasher = Sha256::new();
        for layer in layers {
            hasher.update(format!("{}\n", layer.key()?));
        }
        Some(Self(format!("links|{:x}", hasher.finalize())))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LayerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LayerFacts {
    /// The key these facts are cached by, if they may be.
    pub fn key(&self) -> Option<LayerKey> {
        LayerKey::new(&self.diff_id, self.opacity, &self.proof, &self.rule_set)
    }

    /// The facts as bytes: sealed, with a checksum against damage.
    pub fn encode(&self) -> Vec<u8> {
        sealed::seal(MAGIC, self)
    }

    /// The facts that [`LayerFacts::encode`] wrote. Any other bytes are an error, and cost no more memory than a small
    /// multiple of their length.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidFacts> {
        let facts: Self = sealed::open(MAGIC, bytes)?;
        facts.check()?;
        Ok(facts)
    }

    /// What merging relies on and types cannot say.
    fn check(&self) -> Result<(), InvalidFacts> {
        if !self.files.is_sorted_by(|a, b| a.path <= b.path)
            || !self.links.is_sorted_by(|a, b| a.path < b.path)
        {
            return Err(InvalidFacts::new("their paths are out of order"));
        }
        if ![&self.whiteouts, &self.leaves, &self.folders, &self.opaque].into_iter().all(PathSet::is_sorted)
            || !self.ways.is_sorted()
        {
            return Err(InvalidFacts::new("a set of paths is out of order"));
        }
        Ok(())
    }
}

impl FileFacts {
    /// Bytes it takes, about.
    pub(crate) fn weight(&self) -> usize {
        let detectors = self.detectors.iter().map(DetectorFacts::weight).sum::<usize>();
        self.path.as_bytes().len() + 64 + detectors
    }
}

impl DetectorFacts {
    /// Bytes of memory that they take, about.
    pub(crate) fn weight(&self) -> usize {
        self.facts.iter().map(|fact| fact.0.len() + 32).sum::<usize>()
            + self.problems.iter().map(|(_, reason)| reason.len() + 32).sum::<usize>()
            + self.detector.len()
            + self.member.as_ref().map_or(0, Vec::len)
            + 96
    }
}

/// How [`Opacity`] is written; the file system's crate knows nothing of caches.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Opacity")]
#[allow(clippy::enum_variant_names, reason = "the names are those of the enum it stands for")]
enum OpacityForm {
    FromBlob,
    FromFolder,
    FromFolderBlind,
}

/// How [`Proof`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Proof")]
enum ProofForm {
    DiffId,
    Blob(Digest),
    None,
}

mod path_bytes {
    use pratique_fs::FsPath;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(path: &FsPath, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_bytes().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FsPath, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(FsPath::new)
    }
}
