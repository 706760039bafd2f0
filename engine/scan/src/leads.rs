//! Where a path may lead in an image, from the facts of its layers alone.
//!
//! Many links lead interests to where nothing is: with `lib` a link to `usr/lib`, whoever looks for `lib/apk/db/installed`
//! looks for `usr/lib/apk/db/installed`. To see that no such file is there takes no second look at the layers, which may be
//! large and compressed: their facts have the hashes of all paths that matter. What cannot be ruled out by them is read.

use std::collections::HashMap;

use pratique_fs::FsPath;

use crate::matcher::{Matcher, below, follow};
use crate::{LayerFacts, Link, PathHash, PathSet};

/// Links that are followed from one path, on all ways together; beyond them anything may be there.
const MAX_LINKS: usize = 64;

/// The paths and links of an image's layers. What one layer hides of another is not looked at: a path that any of them has
/// may be there.
pub(crate) struct Leads<'l> {
    matcher: &'l Matcher,
    layers: &'l [&'l LayerFacts],
    /// Links of which the target is known, by layer and path.
    links: HashMap<(usize, PathHash), &'l Link>,
    /// Whether every path of every layer is known.
    complete: bool,
}

impl<'l> Leads<'l> {
    pub(crate) fn new(matcher: &'l Matcher, layers: &'l [&'l LayerFacts]) -> Self {
        let all = layers.iter().enumerate().flat_map(|(place, layer)| {
            layer.links.iter().map(move |link| ((place, PathHash::of(&link.path)), link))
        });
        let complete = |layer: &&LayerFacts| {
            layer.paths_known && layer.ways.links.is_some() && layer.ways.implied.is_some()
        };
        Self { matcher, layers, links: all.collect(), complete: layers.iter().all(complete) }
    }

    /// Whether a file of interest, or a folder in which matches of wildcards lie, may be where `path` leads.
    pub(crate) fn may_reach(&self, path: &FsPath) -> bool {
        if !self.complete {
            return true;
        }
        let wanted = Wanted { file: self.matcher.is_wanted(path), folder: self.matcher.is_region(path) };
        let mut ways = vec![path.clone()];
        let mut followed = 0;
        while let Some(way) = ways.pop() {
            if !self.matcher.matters(&way) || self.is_there(&way, wanted) {
                return true;
            }
            for link in prefixes(&way) {
                let hash = PathHash::of(&link);
                for (place, layer) in self.layers.iter().enumerate() {
                    if !has(&layer.ways.links, &hash) {
                        continue;
                    }
                    let target = self.links.get(&(place, hash)).map(|known| known.target.as_slice());
                    let Some(target) = target.filter(|target| !turns_back(target)) else { return true };
                    followed += 1;
                    if followed > MAX_LINKS {
                        return true;
                    }
                    ways.push(below(&link, &way, &follow(&link, target)));
                }
            }
        }
        false
    }

    /// Whether a layer has what is wanted at this very path. Links are followed elsewhere.
    fn is_there(&self, path: &FsPath, wanted: Wanted) -> bool {
        let hash = PathHash::of(path);
        self.layers.iter().any(|layer| {
            let leaf = layer.leaves.contains(&hash) && !has(&layer.ways.links, &hash);
            let folder = layer.folders.contains(&hash) || has(&layer.ways.implied, &hash);
            (wanted.file && leaf) || (wanted.folder && folder)
        })
    }
}

/// What is looked for at a path.
#[derive(Clone, Copy)]
struct Wanted {
    file: bool,
    folder: bool,
}

fn has(set: &Option<PathSet>, hash: &PathHash) -> bool {
    set.as_ref().is_some_and(|set| set.contains(hash))
}

/// A path and the folders above it, without the root.
fn prefixes(path: &FsPath) -> impl Iterator<Item = FsPath> {
    std::iter::successors(Some(path.clone()), FsPath::parent).filter(|path| !path.is_root())
}

/// Whether a target goes up again after it went down: where that leads is not told by its text if what it went down by is
/// a link.
fn turns_back(target: &[u8]) -> bool {
    let parts = target.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.skip_while(|part| *part == b"..").any(|part| part == b"..")
}
