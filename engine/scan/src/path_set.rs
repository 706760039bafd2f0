//! Sets of paths, kept as hashes.

use pratique_fs::FsPath;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The first 128 bits of the SHA-256 of a path.
///
/// A collision would make a file of a lower layer look replaced and so hide a finding, and whoever builds an image may
/// choose both paths: the lower file's (where an interest has a wildcard) and the upper layer's. Against that, 64 bits
/// last 2³² tries. A key would not help: facts are a function of the layer alone, so its maker could compute it too.
/// With 128 bits of a hash without structure the search takes 2⁶⁴ tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PathHash([u8; 16]);

impl PathHash {
    /// The hash of a path.
    pub fn of(path: &FsPath) -> Self {
        Self::of_bytes(path.as_bytes())
    }

    /// The hash of a normalised path's bytes.
    pub(crate) fn of_bytes(path: &[u8]) -> Self {
        let sum = Sha256::digest(path);
        let mut hash = [0; 16];
        hash.copy_from_slice(&sum[..16]);
        Self(hash)
    }
}

/// A set of paths: sorted hashes, 16 bytes each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PathSet(Vec<PathHash>);

impl PathSet {
    /// Whether the path with this hash is in the set.
    pub fn contains(&self, hash: &PathHash) -> bool {
        self.0.binary_search(hash).is_ok()
    }

    /// Number of paths.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the hashes rise strictly, which [`PathSet::contains`] relies on.
    pub(crate) fn is_sorted(&self) -> bool {
        self.0.is_sorted_by(|a, b| a < b)
    }
}

impl From<Vec<PathHash>> for PathSet {
    fn from(mut hashes: Vec<PathHash>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        hashes.shrink_to_fit();
        Self(hashes)
    }
}
