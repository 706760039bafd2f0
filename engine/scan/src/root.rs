//! Reading files of interest through a whole root: an image's merged view or a live container's.

use std::ops::ControlFlow;

use pratique_core::{Digest, Gap, GapKind};
use pratique_fs::{EntryKind, Error, FileSystem, FsPath};

use crate::image::Gathered;
use crate::inspect::Inspector;
use crate::{Engine, FileFacts, Limits, Want};

/// Where a container has its kernel's file systems, which hold no files of its own and never end.
const KERNEL_FOLDERS: [&str; 3] = ["dev", "proc", "sys"];

/// Reads through a [`FileSystem`] into [`Gathered`]. Every method breaks off when a limit is reached, which is a gap.
pub(crate) struct RootReader<'a> {
    root: &'a dyn FileSystem,
    engine: &'a Engine,
    gathered: &'a mut Gathered,
    inspector: Inspector<'a>,
    wants: Vec<Want>,
    /// Entries that walks may still meet, and the limit they started with.
    entries: (u64, u64),
    /// Bytes of facts that may still be taken in.
    room: usize,
}

impl<'a> RootReader<'a> {
    pub(crate) fn new(
        root: &'a dyn FileSystem,
        engine: &'a Engine,
        limits: &Limits,
        gathered: &'a mut Gathered,
    ) -> Self {
        let entries = (limits.entries, limits.entries);
        let (inspector, room) = (Inspector::new(engine), limits.fact_bytes);
        Self { root, engine, gathered, inspector, wants: Vec::new(), entries, room }
    }

    /// Reads what lies at `path`, links followed, if a detector wants it. That there is no such file is no gap: a link
    /// to nothing gives a program nothing either.
    pub(crate) fn read(&mut self, path: &FsPath) -> ControlFlow<()> {
        match self.facts(path) {
            Ok(None) => {}
            Ok(Some((layer, facts))) => match self.room.checked_sub(facts.weight()) {
                Some(room) => {
                    self.room = room;
                    self.gathered.add(layer.as_ref(), &facts);
                }
                None => return self.stop(path, "the facts take too many bytes"),
            },
            // The kernel follows no more links than the file system does, and opens no device for these readers.
            Err(Error::NotFound { .. } | Error::WrongKind { .. } | Error::LinkLoop { .. }) => {}
            Err(error) => self.gathered.gaps.push(unreadable(path, &error)),
        }
        ControlFlow::Continue(())
    }

    fn facts(&mut self, path: &FsPath) -> Result<Option<(Option<Digest>, FileFacts)>, Error> {
        self.engine.matcher().wanted(path, &mut self.wants);
        if self.wants.is_empty() {
            return Ok(None);
        }
        let metadata = self.root.metadata(path)?;
        if metadata.kind != EntryKind::File {
            return Ok(None);
        }
        let mut file = self.root.open(path)?;
        self.inspector.load(&metadata, &self.wants, &mut file);
        let facts = self.inspector.inspect(path, &metadata, &self.wants);
        Ok(facts.map(|facts| (metadata.layer, facts)))
    }

    /// Walks a region of interests with wildcards, links on the way to it followed, and reads what matches; exact
    /// interests are left to [`RootReader::read`].
    pub(crate) fn read_region(&mut self, region: &FsPath) -> ControlFlow<()> {
        if !region.is_root() {
            return self.walk(region);
        }
        let listed = match self.root.read_dir(region) {
            Ok(listed) => listed,
            Err(error) => {
                self.gathered.gaps.push(unreadable(region, &error));
                return ControlFlow::Continue(());
            }
        };
        for entry in listed {
            if KERNEL_FOLDERS.iter().any(|kernel| entry.name == kernel.as_bytes()) {
                continue;
            }
            let path = region.join(&entry.name);
            self.entry(&path, entry.metadata.kind)?;
            if entry.metadata.kind == EntryKind::Directory {
                self.walk(&path)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn walk(&mut self, folder: &FsPath) -> ControlFlow<()> {
        let root = self.root;
        let started = root.resolve(folder).and_then(|resolved| Ok((resolved, root.walk(folder)?)));
        let (resolved, walk) = match started {
            Ok(started) => started,
            Err(Error::NotFound { .. } | Error::WrongKind { .. } | Error::LinkLoop { .. }) => {
                return ControlFlow::Continue(());
            }
            Err(error) => {
                self.gathered.gaps.push(unreadable(folder, &error));
                return ControlFlow::Continue(());
            }
        };
        let above = resolved.parts().count();
        for entry in walk {
            match entry {
                // The walk names places where links were followed to; interests name the way there.
                Ok(entry) => {
                    let path =
                        entry.path.parts().skip(above).fold(folder.clone(), |path, name| path.join(name));
                    self.entry(&path, entry.metadata.kind)?;
                }
                Err(Error::NotFound { .. }) => {}
                Err(error) => self.gathered.gaps.push(unreadable(folder, &error)),
            }
        }
        ControlFlow::Continue(())
    }

    fn entry(&mut self, path: &FsPath, kind: EntryKind) -> ControlFlow<()> {
        let (left, limit) = self.entries;
        let Some(left) = left.checked_sub(1) else {
            return self.stop(path, &format!("the root has more than {limit} entries"));
        };
        self.entries = (left, limit);
        match kind {
            EntryKind::File | EntryKind::Symlink if !self.engine.matcher().is_exact(path) => self.read(path),
            _ => ControlFlow::Continue(()),
        }
    }

    fn stop(&mut self, path: &FsPath, limit: &str) -> ControlFlow<()> {
        let reason = format!("{limit}; from here on nothing was read");
        let path = Some(path.to_string());
        self.gathered.gaps.push(Gap { path, ..Gap::of_image(GapKind::Limit, reason) });
        ControlFlow::Break(())
    }
}

/// A gap for every detector at `path`.
fn unreadable(path: &FsPath, error: &Error) -> Gap {
    Gap {
        kind: error.gap_kind(),
        detector: None,
        path: Some(path.to_string()),
        layer: None,
        reason: error.to_string(),
    }
}
