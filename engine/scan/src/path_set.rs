//! Sets of paths, kept as hashes.

use std::cmp::Ordering;

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
        Self::from_sum(&Sha256::digest(path.as_bytes()))
    }

    /// The hashes of the folders above a path, from the top, without the root. Every byte is hashed once, however deep
    /// the path is.
    pub(crate) fn of_folders_above(path: &FsPath) -> Vec<Self> {
        let (mut hasher, mut hashed) = (Sha256::new(), 0);
        let bytes = path.as_bytes();
        let slashes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(place, _)| place);
        slashes
            .map(|end| {
                hasher.update(&bytes[hashed..end]);
                hashed = end;
                Self::from_sum(&hasher.clone().finalize())
            })
            .collect()
    }

    fn from_sum(sum: &[u8]) -> Self {
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

    /// Whether both have a path.
    pub(crate) fn intersects(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.0.as_slice(), other.0.as_slice());
        while let ([our, rest @ ..], [their, others @ ..]) = (ours, theirs) {
            match our.cmp(their) {
                Ordering::Less => ours = rest,
                Ordering::Greater => theirs = others,
                Ordering::Equal => return true,
            }
        }
        false
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::folders_above;

    #[test]
    fn hashes_of_folders_are_those_of_their_paths() {
        for path in ["", "etc", "etc/shadow", "usr/local/share/x y/z"] {
            let path = FsPath::new(path);
            let mut expected: Vec<_> = folders_above(&path).map(|folder| PathHash::of(&folder)).collect();
            expected.reverse();
            assert_eq!(PathHash::of_folders_above(&path), expected, "{path}");
        }
    }

    #[test]
    fn a_set_knows_its_paths_and_no_others() {
        let hash = |path: &str| PathHash::of(&FsPath::new(path));
        let set = PathSet::from(vec![hash("b"), hash("a"), hash("b")]);
        assert_eq!(set.len(), 2);
        assert!(set.is_sorted() && set.contains(&hash("a")) && set.contains(&hash("b")));
        assert!(!set.contains(&hash("c")) && !set.contains(&hash("")));
    }

    #[test]
    fn sets_intersect_where_they_share_a_path() {
        let set = |paths: &[&str]| {
            PathSet::from(paths.iter().map(|path| PathHash::of(&FsPath::new(path))).collect::<Vec<_>>())
        };
        for (one, other, shared) in [
            (&["a", "b", "c", "d"][..], &["x", "d", "y"][..], true),
            (&["a"], &["a"], true),
            (&["a", "b"], &["x", "y", "z"], false),
            (&[], &["x"], false),
        ] {
            assert_eq!(set(one).intersects(&set(other)), shared, "{one:?} {other:?}");
            assert_eq!(set(other).intersects(&set(one)), shared, "{one:?} {other:?}");
        }
    }
}
