//! One pass over one layer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::ControlFlow;

use pratique_core::{Gap, GapKind};
use pratique_fs::{Change, Content, EntryKind, FsPath, Layer, LayerEntry, Metadata, Result};

use crate::aside::{Aside, Looked, with_threads};
use crate::bounds::GapList;
use crate::inspect::{Inspected, Inspector};
use crate::matcher::{Candidate, want_metadata};
use crate::timings::Work;
use crate::ways::Recorder;
use crate::{Engine, FileFacts, LayerFacts, Limits, Link, PathHash, Statistics};

/// Reads a layer: every file of interest is read once, whatever the number of detectors that want it.
///
/// An error only if nothing of the layer is usable (it cannot be opened, or its content is not what its diff ID says);
/// all else that is missing is a gap of the facts. `scratch` is an empty file of the caller's: a large file of a
/// compressed layer that somebody wants random access to is kept in it meanwhile; without it, that file is a gap.
pub fn scan_layer(
    layer: &mut dyn Layer,
    engine: &Engine,
    limits: &Limits,
    scratch: Option<&File>,
) -> Result<LayerFacts> {
    with_threads(engine, |scope| {
        let mut walk = Walk::new(engine, limits, scratch, Aside::new(engine, scope));
        let unread = engine.measure(Work::Walk, || {
            let unread = layer.visit(&mut |entry| walk.entry(entry));
            walk.collect(true);
            unread
        })?;
        walk.gaps.extend(unread);
        Ok(walk.finish(layer))
    })
}

struct Walk<'s, 'e> {
    engine: &'e Engine,
    limits: &'e Limits,
    inspector: Inspector<'e>,
    /// Files that others look into.
    aside: Aside<'s, 'e>,
    candidates: Vec<Candidate>,
    entries: u64,
    files: BTreeMap<FsPath, Vec<FileFacts>>,
    links: BTreeMap<FsPath, Vec<u8>>,
    /// Metadata of files of which who wants metadata alone may have noted something: what they note of a hard link is
    /// told from these.
    noted: BTreeMap<FsPath, Metadata>,
    /// Hard links of interest: the layer visits them again, with content, after everything else.
    hard_links: BTreeSet<FsPath>,
    /// Bytes kept in the maps above.
    weight: usize,
    whiteouts: Vec<PathHash>,
    leaves: Vec<PathHash>,
    folders: Vec<PathHash>,
    opaque: Vec<PathHash>,
    /// Paths kept in the four lists above.
    paths: usize,
    paths_full: bool,
    /// Whether the pass came to the layer's end.
    ended: bool,
    ways: Recorder,
    facts_full: bool,
    gaps: GapList,
}

impl<'s, 'e> Walk<'s, 'e> {
    fn new(engine: &'e Engine, limits: &'e Limits, scratch: Option<&'e File>, aside: Aside<'s, 'e>) -> Self {
        Self {
            engine,
            limits,
            inspector: Inspector::new(engine, scratch),
            aside,
            candidates: Vec::new(),
            entries: 0,
            files: BTreeMap::new(),
            links: BTreeMap::new(),
            noted: BTreeMap::new(),
            hard_links: BTreeSet::new(),
            weight: 0,
            whiteouts: Vec::new(),
            leaves: Vec::new(),
            folders: Vec::new(),
            opaque: Vec::new(),
            paths: 0,
            paths_full: false,
            ended: true,
            ways: Recorder::new(limits.paths),
            facts_full: false,
            gaps: GapList::new(limits.gaps),
        }
    }

    fn entry(&mut self, entry: LayerEntry<'_>) -> ControlFlow<()> {
        if self.entries == self.limits.entries {
            self.limit_reached(format!("more than {} entries; the rest was not looked at", self.entries));
            self.ended = false;
            return ControlFlow::Break(());
        }
        self.entries += 1;
        let path = entry.path;
        self.ways.note(path, &entry.change);
        if !path.is_root() && !self.engine.matcher().matters(path) {
            return ControlFlow::Continue(());
        }
        match entry.change {
            Change::Whiteout => self.remember(path, |walk| &mut walk.whiteouts),
            Change::Opaque => self.remember(path, |walk| &mut walk.opaque),
            Change::HardLink { target, wanted } => {
                if self.engine.matcher().leads_to_interest(path) {
                    let reason = format!(
                        "it is a hard link to {target}, a link perhaps, and where that leads is not known"
                    );
                    self.gaps.push(Gap {
                        path: Some(path.to_string()),
                        ..Gap::of_image(GapKind::Unreadable, reason)
                    });
                }
                self.forget(path);
                self.remember(path, |walk| &mut walk.leaves);
                self.repeat(path, target);
                if self.engine.matcher().wants_hard_link(path, target)
                    && self.has_room(path, path.as_bytes().len() + 64)
                {
                    *wanted = true;
                    self.hard_links.insert(path.clone());
                }
            }
            Change::Entry { metadata, content, target } => {
                self.forget(path);
                match metadata.kind {
                    EntryKind::Directory => self.remember(path, |walk| &mut walk.folders),
                    _ => self.remember(path, |walk| &mut walk.leaves),
                }
                match metadata.kind {
                    EntryKind::File => self.file(path, metadata, content),
                    EntryKind::Symlink => {
                        self.link(path, target.unwrap_or_default());
                        self.entry_itself(path, metadata, target);
                    }
                    _ => self.entry_itself(path, metadata, None),
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn file(&mut self, path: &FsPath, metadata: &Metadata, content: Option<&mut dyn Content>) {
        self.engine.matcher().candidates(path, metadata.size, &mut self.candidates);
        if self.candidates.is_empty() {
            return;
        }
        let inspected = match content {
            Some(content) => self.inspector.inspect(path, metadata, &self.candidates, content),
            None => Inspected::Done(Some(self.inspector.unreadable(
                path,
                metadata,
                &self.candidates,
                "the layer gives no content for it",
            ))),
        };
        match inspected {
            Inspected::Done(Some(facts)) => {
                let by_metadata = want_metadata(&self.candidates);
                self.note(path, metadata, by_metadata, facts);
            }
            Inspected::Done(None) => {}
            Inspected::Loaded(file) => {
                self.aside.push(file);
                self.collect(false);
            }
        }
    }

    /// Takes in what others have looked into, if more waits than may, or `all` of it.
    fn collect(&mut self, all: bool) {
        while let Some(looked) = self.aside.next(all) {
            for Looked { path, metadata, by_metadata, facts } in looked {
                if let Some(facts) = facts {
                    self.note(&path, &metadata, by_metadata, facts);
                }
            }
        }
    }

    fn note(&mut self, path: &FsPath, metadata: &Metadata, by_metadata: bool, facts: FileFacts) {
        if by_metadata && self.has_room(path, path.as_bytes().len() + 100) {
            self.noted.insert(path.clone(), metadata.clone());
        }
        self.keep(path, facts);
    }

    /// An entry whose metadata may be wanted.
    fn entry_itself(&mut self, path: &FsPath, metadata: &Metadata, target: Option<&[u8]>) {
        self.engine.matcher().metadata_candidates(path, &mut self.candidates);
        let facts = self.inspector.inspect_metadata(path, metadata, target, &self.candidates);
        if let Some(facts) = facts {
            self.keep(path, facts);
        }
    }

    fn keep(&mut self, path: &FsPath, facts: FileFacts) {
        if self.has_room(path, facts.weight()) {
            self.files.entry(path.clone()).or_default().push(facts);
        }
    }

    fn link(&mut self, path: &FsPath, target: &[u8]) {
        if self.engine.matcher().redirects(path, target)
            && self.has_room(path, path.as_bytes().len() + target.len() + 100)
        {
            self.links.insert(path.clone(), target.to_owned());
        }
    }

    /// Notes at a hard link what was noted of the file at its target, and what its metadata tell: an upper layer may
    /// remove the one and leave the other.
    fn repeat(&mut self, path: &FsPath, target: &FsPath) {
        if self.aside.has(target) {
            self.collect(true);
        }
        let of_target = self.files.get(target).into_iter().flatten();
        let repeated: Vec<FileFacts> = of_target
            .filter_map(|facts| {
                let noted = facts.detectors.iter().filter(|noted| self.engine.is_of_file(&noted.detector));
                let detectors: Vec<_> = noted.cloned().collect();
                (!detectors.is_empty()).then(|| FileFacts { path: path.clone(), detectors, ..facts.clone() })
            })
            .collect();
        for facts in repeated {
            self.keep(path, facts);
        }
        if let Some(metadata) = self.noted.get(target).cloned() {
            self.entry_itself(path, &metadata, None);
            self.noted.insert(path.clone(), metadata);
        }
    }

    /// Drops what an earlier entry with this path left: of two the last one stays, as when a runtime unpacks. Where a
    /// hard link is among them their order is lost, since its content comes at the end; there all of them count.
    fn forget(&mut self, path: &FsPath) {
        if self.aside.has(path) {
            self.collect(true);
        }
        if !self.hard_links.contains(path) {
            self.files.remove(path);
            self.noted.remove(path);
            self.links.remove(path);
        }
    }

    /// Whether this much more may be kept of `path`; if not, that is a gap.
    fn has_room(&mut self, path: &FsPath, weight: usize) -> bool {
        if self.weight + weight <= self.limits.fact_bytes {
            self.weight += weight;
            return true;
        }
        if !self.facts_full {
            self.facts_full = true;
            self.limit_reached(format!(
                "more than {} bytes of facts; from {path} on some were dropped",
                self.limits.fact_bytes
            ));
        }
        false
    }

    fn remember(&mut self, path: &FsPath, set: impl FnOnce(&mut Self) -> &mut Vec<PathHash>) {
        if self.paths < self.limits.paths {
            self.paths += 1;
            set(self).push(PathHash::of(path));
        } else if !self.paths_full {
            self.paths_full = true;
            self.limit_reached(format!(
                "more than {} paths; what those from {path} on hide of lower layers stays visible",
                self.limits.paths
            ));
        }
    }

    /// The layer and the detector are filled in at the end.
    fn limit_reached(&mut self, reason: String) {
        self.gaps.push(Gap::of_image(GapKind::Limit, format!("the layer has {reason}")));
    }

    fn finish(self, layer: &dyn Layer) -> LayerFacts {
        let diff_id = layer.diff_id().clone();
        let mut gaps = self.gaps.finish();
        for gap in &mut gaps {
            gap.layer.get_or_insert_with(|| diff_id.clone());
        }
        LayerFacts {
            rule_set: self.engine.rule_set().clone(),
            opacity: layer.opacity(),
            proof: layer.proof(),
            files: self.files.into_values().flatten().collect(),
            links: self.links.into_iter().map(|(path, target)| Link { path, target }).collect(),
            whiteouts: self.whiteouts.into(),
            leaves: self.leaves.into(),
            folders: self.folders.into(),
            opaque: self.opaque.into(),
            paths_known: self.ended && !self.paths_full,
            ways: self.ways.finish(),
            gaps,
            statistics: Statistics {
                entries: self.entries,
                opened: self.inspector.opened,
                bytes: self.inspector.bytes,
            },
            diff_id,
        }
    }
}
