//! Entries whose way may lead through a link of a lower layer.
//!
//! A blob names its entries; where they come to lie, the layers below decide. If a layer brings `x/shadow` but no folder
//! `x`, and a lower layer has a link `x` to `etc`, then runtimes disagree: containerd makes a folder in the link's place
//! where it writes an overlay's own folder, and follows the link, to `etc/shadow`, where it writes to a mounted snapshot
//! (native, device mapper, rootless). The facts of the blob tell the first. For the second, all interests of the image
//! are read once more through its merged view, which follows links as containerd does. To tell that from facts alone,
//! each layer remembers its links and the folders that it needs without bringing them; of the first layer that meets a
//! lower link all names are still true, and of those above it none has to be.

use std::collections::HashSet;

use pratique_fs::{Change, EntryKind, FsPath};
use serde::{Deserialize, Serialize};

use crate::{LayerFacts, PathHash, PathSet};

/// What of a layer tells whether entries lie elsewhere than their names say. Where there were too many paths to keep,
/// any path may be among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    /// Symbolic links, and hard links that may be to one of a lower layer. None: too many.
    pub links: Option<PathSet>,
    /// Folders on the way of entries that the layer did not bring, or clear of lower layers' entries, before them.
    /// None: too many.
    pub implied: Option<PathSet>,
    /// Whether the layer deletes something after it has needed such a folder. Then it matters in which order a runtime
    /// deletes and writes.
    pub deletes_late: bool,
}

impl Ways {
    /// Whether the sets are as [`PathSet`] wants them.
    pub(crate) fn is_sorted(&self) -> bool {
        [&self.links, &self.implied].into_iter().flatten().all(PathSet::is_sorted)
    }

    /// Whether a way of this layer's may lead through a link of `lower`.
    fn may_pass(&self, lower: &Self) -> bool {
        match (&self.implied, &lower.links) {
            (Some(implied), Some(links)) => implied.intersects(links),
            (Some(some), None) | (None, Some(some)) => !some.is_empty(),
            (None, None) => true,
        }
    }
}

/// The lowest layer that has an entry whose way may lead through a link of a layer below it.
pub(crate) fn first_astray(layers: &[&LayerFacts]) -> Option<usize> {
    (1..layers.len())
        .find(|place| layers[..*place].iter().any(|lower| layers[*place].ways.may_pass(&lower.ways)))
}

/// Notes [`Ways`] while a layer is walked. Takes memory for a few times `limit` paths.
pub(crate) struct Recorder {
    limit: usize,
    links: Option<Vec<PathHash>>,
    implied: Option<Vec<PathHash>>,
    /// Folders that were brought, cleared or implied so far. With a folder those above it are here too.
    known: HashSet<PathHash>,
    /// The folder of the last entry: most have the same.
    last: FsPath,
    deletes_late: bool,
}

impl Recorder {
    /// Keeps at most `limit` paths in each set.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            links: Some(Vec::new()),
            implied: Some(Vec::new()),
            known: HashSet::new(),
            last: FsPath::root(),
            deletes_late: false,
        }
    }

    pub(crate) fn note(&mut self, path: &FsPath, change: &Change<'_>) {
        if matches!(change, Change::Whiteout | Change::Opaque) {
            self.deletes_late |= self.implied.as_ref().is_none_or(|implied| !implied.is_empty());
        }
        match change {
            // Its mark lies in the folder.
            Change::Opaque => self.need(path.clone()),
            _ => self.need(path.parent().unwrap_or_default()),
        }
        match change {
            Change::Whiteout => self.know(path),
            Change::Entry { metadata, .. } if metadata.kind == EntryKind::Directory => self.know(path),
            Change::Entry { metadata, .. } if metadata.kind == EntryKind::Symlink => self.link(path),
            Change::HardLink { .. } => self.link(path),
            Change::Entry { .. } | Change::Opaque => {}
        }
    }

    fn need(&mut self, folder: FsPath) {
        let Some(implied) = self.implied.as_mut().filter(|_| !folder.is_root() && folder != self.last) else {
            return;
        };
        let itself = PathHash::of(&folder);
        if self.known.insert(itself) {
            implied.push(itself);
            for above in PathHash::of_folders_above(&folder).into_iter().rev() {
                if !self.known.insert(above) {
                    break;
                }
                implied.push(above);
            }
        }
        self.last = folder;
        self.check_known();
    }

    fn know(&mut self, path: &FsPath) {
        if self.implied.is_some() {
            self.known.insert(PathHash::of(path));
            self.check_known();
        }
    }

    fn check_known(&mut self) {
        if self.known.len() > self.limit {
            (self.implied, self.known) = (None, HashSet::new());
        }
    }

    fn link(&mut self, path: &FsPath) {
        if let Some(links) = &mut self.links {
            links.push(PathHash::of(path));
            if links.len() > self.limit {
                self.links = None;
            }
        }
    }

    pub(crate) fn finish(self) -> Ways {
        Ways {
            links: self.links.map(PathSet::from),
            implied: self.implied.map(PathSet::from),
            deletes_late: self.deletes_late,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::tests::fake::{FakeLayer, engine};
    use crate::{Limits, scan_layer};

    fn set(paths: &[&str]) -> Option<PathSet> {
        Some(paths.iter().map(|path| PathHash::of(&FsPath::new(path))).collect::<Vec<_>>().into())
    }

    fn ways(lines: &str, limits: &Limits) -> Ways {
        scan_layer(&mut FakeLayer::of(1, lines), &engine(&["etc/shadow"]), limits, None).unwrap().ways
    }

    #[rstest]
    #[case::nothing_needed("f x=a; w y; o /; c z", &[], false)]
    #[case::all_folders_above("f a/b/c=x", &["a", "a/b"], false)]
    #[case::brought_before("d a; d a/b; f a/b/c=x", &[], false)]
    #[case::brought_after("f a/b=x; d a", &["a"], false)]
    #[case::brought_within_an_implied_one("d a/b; f a/b/c=x", &["a"], false)]
    #[case::cleared_before("w a; f a/b=x", &[], false)]
    #[case::deleted_after("f a/b=x; w a", &["a"], true)]
    #[case::needed_by_deletions("w a/b", &["a"], false)]
    #[case::cleared_within_an_implied_one("w a/b; f a/b/c=x", &["a"], false)]
    #[case::opaque_before_it_is_brought("o a/b; d a", &["a", "a/b"], false)]
    #[case::opaque_after_it_is_brought("d a; o a; f a/b=x", &[], false)]
    fn folders_are_implied(#[case] lines: &str, #[case] implied: &[&str], #[case] deletes_late: bool) {
        let expected = Ways { links: set(&[]), implied: set(implied), deletes_late };
        assert_eq!(ways(lines, &Limits::default()), expected);
    }

    #[test]
    fn all_links_are_kept() {
        let found = ways("l a>b; l deep/a>b; h c>file; f x=y", &Limits::default());
        assert_eq!(found.links, set(&["a", "deep/a", "c"]));
    }

    #[test]
    fn too_many_paths_may_be_any() {
        let limits = Limits { paths: 2, ..Limits::default() };
        let many = ways("f a/b/c/d=x; l 1>x; l 2>x; l 3>x", &limits);
        let none = Ways { links: None, implied: None, deletes_late: false };
        assert_eq!(many, none);
        let empty = Ways { links: set(&[]), implied: set(&[]), deletes_late: false };
        let some = Ways { links: set(&["a"]), implied: set(&["b"]), deletes_late: false };
        for (upper, lower, passes) in [
            (&many, &many, true),
            (&many, &some, true),
            (&some, &many, true),
            (&many, &empty, false),
            (&empty, &many, false),
            (&some, &some, false),
        ] {
            assert_eq!(upper.may_pass(lower), passes, "{upper:?} above {lower:?}");
        }
    }
}
