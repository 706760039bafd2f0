//! Which facts of the layers are visible in the image. Pure: from facts alone.
//!
//! The rules are those of the OCI image specification
//! (<https://github.com/opencontainers/image-spec/blob/main/layer.md>): an entry, a whiteout or an opaque folder acts on
//! lower layers only, never on its own.

use std::collections::BTreeMap;

use pratique_core::{Digest, Gap, GapKind};
use pratique_fs::{FsPath, Opacity};

use crate::leads::Leads;
use crate::ways::first_astray;
use crate::{Engine, FileFacts, LayerFacts, PathHash};

/// What is visible in an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged<'l> {
    /// Files with facts or problems, sorted by path, lower layers first.
    pub files: Vec<VisibleFile<'l>>,
    /// Interests that only links lead to, or may lead to, sorted by path.
    pub redirects: Vec<Redirect>,
    /// What is visible in these facts, but perhaps not in the image.
    pub gaps: Vec<Gap>,
    /// Files with facts that an upper layer hides: whoever pulls the image still has them.
    pub hidden: Vec<HiddenFile<'l>>,
}

/// A file of a layer that an upper layer hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HiddenFile<'l> {
    /// The layer that brings it.
    pub layer: &'l Digest,
    /// What is known of it.
    pub file: &'l FileFacts,
    /// The lowest layer that hides it.
    pub by: &'l Digest,
}

/// A file of a layer that no upper layer hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisibleFile<'l> {
    /// The layer that brings it.
    pub layer: &'l Digest,
    /// What is known of it.
    pub file: &'l FileFacts,
}

/// An interest that must be read through the merged view of the image, because facts of paths do not tell all of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Redirect {
    /// The path of interest: a file, or a folder in which matches of wildcards lie.
    pub path: FsPath,
    /// Why.
    pub via: Via,
}

/// Why an interest must be read through the merged view.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// It is, or lies below, this symbolic link.
    Link(FsPath),
    /// This layer may write through a lower layer's link, so that what it brings may lie anywhere.
    Layer(Digest),
}

/// What an upper layer does to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate<'l> {
    Visible,
    /// It may be hidden, and this is why that cannot be told.
    Doubtful(&'static str),
    /// This layer hides it.
    Hidden(&'l Digest),
}

const IGNORED_BY_SOME: &str =
    "an upper layer hides all that lies below it, which not every snapshotter obeys";
const CONTRADICTORY: &str = "an upper layer brings a folder above it twice, as a folder and as something else, so what it hides is uncertain";
const DELETED_AND_MADE: &str = "an upper layer deletes a folder above it and makes it anew, which some runtimes unpack without hiding what was in it";
const DELETED_LATE: &str = "it may write through a link of a lower layer and deletes something after that, so what it leaves depends on the order in which a runtime unpacks";
const BLIND: &str = "an upper layer has the same folder and may hide what lies in it: \
                     it was read without the right to see that, and its blob is not there";

/// Merges layers, the base first.
pub fn merge<'l>(engine: &Engine, layers: &[&'l LayerFacts]) -> Merged<'l> {
    let mut merged = Merged::default();
    let mut redirects = BTreeMap::new();
    for (place, layer) in layers.iter().enumerate() {
        let upper = &layers[place + 1..];
        for file in &layer.files {
            match fate(&file.path, upper) {
                Fate::Hidden(by) => {
                    merged.hidden.push(HiddenFile { layer: &layer.diff_id, file, by });
                    continue;
                }
                Fate::Visible => {}
                Fate::Doubtful(reason) => merged.gaps.extend(file.detectors.iter().map(|noted| Gap {
                    detector: Some(noted.detector.clone()),
                    ..doubt(&file.path, &layer.diff_id, reason)
                })),
            }
            merged.files.push(VisibleFile { layer: &layer.diff_id, file });
        }
        for link in &layer.links {
            match fate(&link.path, upper) {
                Fate::Hidden(_) => continue,
                Fate::Visible => {}
                Fate::Doubtful(reason) => merged.gaps.push(doubt(&link.path, &layer.diff_id, reason)),
            }
            let paths = engine.matcher().redirected_by(&link.path, Some(&link.target));
            redirects.extend(paths.into_iter().map(|path| (path, Via::Link(link.path.clone()))));
        }
    }
    let leads = Leads::new(engine.matcher(), layers);
    redirects.retain(|path, _| leads.may_reach(path));
    if let Some(place) = first_astray(layers) {
        let via = Via::Layer(layers[place].diff_id.clone());
        for path in engine.matcher().redirected_by(&FsPath::root(), None) {
            redirects.entry(path).or_insert_with(|| via.clone());
        }
        merged.gaps.extend(
            layers[place..]
                .iter()
                .filter(|layer| layer.ways.deletes_late)
                .map(|layer| Gap::of_layer(GapKind::Unreadable, layer.diff_id.clone(), DELETED_LATE)),
        );
    }
    // Stable, so that of equal paths the lower layer's stays first.
    merged.files.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    merged.redirects = redirects.into_iter().map(|(path, via)| Redirect { path, via }).collect();
    merged
}

/// What the layers above do to a file or link.
fn fate<'l>(path: &FsPath, upper: &[&'l LayerFacts]) -> Fate<'l> {
    if upper.is_empty() {
        return Fate::Visible;
    }
    let (itself, above) = (PathHash::of(path), PathHash::of_folders_above(path));
    let mut fate = Fate::Visible;
    for layer in upper {
        match fate_under(layer, &itself, &above) {
            hidden @ Fate::Hidden(_) => return hidden,
            Fate::Doubtful(reason) => fate = Fate::Doubtful(reason),
            Fate::Visible => {}
        }
    }
    fate
}

/// What one layer does to a file or link below it. Where an archive is ambiguous, nothing is taken for hidden: whoever
/// made it might count on that.
fn fate_under<'l>(layer: &'l LayerFacts, itself: &PathHash, above: &[PathHash]) -> Fate<'l> {
    let any_above = |test: &dyn Fn(&PathHash) -> bool| above.iter().any(test);
    // Of a file and a folder at one path a runtime keeps the later, and forgets what the earlier one hid.
    if any_above(&|folder| layer.leaves.contains(folder) && layer.folders.contains(folder)) {
        return Fate::Doubtful(CONTRADICTORY);
    }
    if [&layer.whiteouts, &layer.leaves, &layer.folders].iter().any(|set| set.contains(itself))
        || any_above(&|folder| layer.leaves.contains(folder) || layer.opaque.contains(folder))
        || any_above(&|folder| layer.whiteouts.contains(folder) && !layer.folders.contains(folder))
    {
        return Fate::Hidden(&layer.diff_id);
    }
    // A folder in the place of a whiteout: hidden by the specification, but an overlay shows what is below unless the
    // folder is marked opaque, and unpacking replaces the whiteout without such a mark.
    if any_above(&|folder| layer.whiteouts.contains(folder)) {
        return Fate::Doubtful(DELETED_AND_MADE);
    }
    // The kernel's overlay ignores the mark on a layer's own root; other snapshotters obey it.
    if layer.opaque.contains(&PathHash::of(&FsPath::root())) {
        return Fate::Doubtful(IGNORED_BY_SOME);
    }
    if layer.opacity == Opacity::FromFolderBlind && any_above(&|folder| layer.folders.contains(folder)) {
        return Fate::Doubtful(BLIND);
    }
    Fate::Visible
}

fn doubt(path: &FsPath, layer: &Digest, reason: &str) -> Gap {
    Gap {
        kind: GapKind::Unreadable,
        detector: None,
        path: Some(path.to_string()),
        layer: Some(layer.clone()),
        reason: reason.to_owned(),
    }
}
