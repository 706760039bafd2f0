//! Reading files of interest through a whole root: an image's merged view or a live container's.

use std::cell::RefCell;
use std::fs::File as DiskFile;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use pratique_core::inspect::ReadAt;
use pratique_core::{Digest, Gap, GapKind};
use pratique_fs::{Content, EntryKind, Error, File, FileSystem, FsPath, WalkEntry};
use rayon::Scope;

use crate::ahead::each_ahead;
use crate::aside::{Aside, Looked};
use crate::follow::{Followed, FollowedFile};
use crate::inspect::{Inspected, Inspector};
use crate::matcher::Candidate;
use crate::{Engine, FileFacts, Limits};

/// Where a container has its kernel's file systems, which hold no files of its own and never end.
const KERNEL_FOLDERS: [&str; 3] = ["dev", "proc", "sys"];

/// How the files of a root are read.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// Whether seeking in an open file is cheap.
    pub(crate) seeks: bool,
    /// As for [`crate::scan_layer`].
    pub(crate) scratch: Option<&'a DiskFile>,
    /// Whether another thread may go through the folders ahead of this one.
    pub(crate) ahead: bool,
}

/// Reads through a [`FileSystem`] into [`Followed`]. Every method breaks off when a limit is reached, which is a gap.
pub(crate) struct RootReader<'s, 'a> {
    root: &'a dyn FileSystem,
    engine: &'a Engine,
    followed: &'s mut Followed,
    inspector: Inspector<'a>,
    /// Files that others look into.
    aside: Aside<'s, 'a>,
    candidates: Vec<Candidate>,
    /// Entries that walks may still meet, and the limit they started with.
    entries: (u64, u64),
    /// Whether seeking in an open file is cheap: not in a compressed layer's, where it begins anew.
    seeks: bool,
    /// Whether another thread may go through the folders ahead of this one.
    ahead: bool,
    /// Bytes of facts that may still be taken in.
    room: usize,
}

impl<'s, 'a> RootReader<'s, 'a> {
    /// `scope`: of [`crate::aside::with_threads`].
    pub(crate) fn new(
        root: &'a dyn FileSystem,
        engine: &'a Engine,
        limits: &Limits,
        reading: Reading<'a>,
        followed: &'s mut Followed,
        scope: Option<&'s Scope<'a>>,
    ) -> Self {
        let entries = (limits.entries, limits.entries);
        let (inspector, room) = (Inspector::new(engine, reading.scratch), limits.fact_bytes);
        Self {
            root,
            engine,
            followed,
            inspector,
            aside: Aside::new(engine, scope),
            candidates: Vec::new(),
            entries,
            seeks: reading.seeks,
            ahead: reading.ahead,
            room,
        }
    }

    /// Reads what lies at an exact interest, links followed. What package parsers meet where the links lead is left to
    /// be read there.
    pub(crate) fn read_exact(&mut self, path: &FsPath) -> ControlFlow<()> {
        let resolved = self.root.resolve(path).ok().filter(|resolved| resolved != path);
        self.read(path, None, resolved.as_ref())
    }

    /// Reads what lies at `path`, links followed, if somebody wants it. That there is no such file is no gap: a link to
    /// nothing gives a program nothing either. `known`: what a walk met there; without it everything is asked from the
    /// root, name by name. `met`: where the same file is met by another name.
    fn read(
        &mut self,
        path: &FsPath,
        known: Option<&WalkEntry<'_>>,
        met: Option<&FsPath>,
    ) -> ControlFlow<()> {
        match self.inspect(path, known, met) {
            Ok(Some((layer, inspected))) => match inspected {
                Inspected::Done(facts) => return self.take(path, layer, facts),
                Inspected::Loaded(file) => {
                    self.aside.push(file);
                    return self.collect(false);
                }
            },
            Ok(None) => {}
            // The kernel follows no more links than the file system does, and opens no device for these readers.
            Err(Error::NotFound { .. } | Error::WrongKind { .. } | Error::LinkLoop { .. }) => {}
            Err(error) => self.followed.gaps.push(unreadable(path, &error)),
        }
        ControlFlow::Continue(())
    }

    /// Takes in what others still look into. To be called at the end.
    pub(crate) fn finish(mut self) {
        // Breaking off has left its gap.
        let _ = self.collect(true);
    }

    /// Takes in what others have looked into, if more waits than may, or `all` of it.
    fn collect(&mut self, all: bool) -> ControlFlow<()> {
        while let Some(looked) = self.aside.next(all) {
            for Looked { path, metadata, facts, .. } in looked {
                self.take(&path, metadata.layer, facts)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes facts in.
    fn take(&mut self, path: &FsPath, layer: Option<Digest>, facts: Option<FileFacts>) -> ControlFlow<()> {
        let Some(facts) = facts else { return ControlFlow::Continue(()) };
        match self.room.checked_sub(facts.weight()) {
            Some(room) => {
                self.room = room;
                self.followed.files.push(FollowedFile { layer, facts });
                ControlFlow::Continue(())
            }
            None => self.stop(path, "the facts take too many bytes"),
        }
    }

    fn inspect(
        &mut self,
        path: &FsPath,
        known: Option<&WalkEntry<'_>>,
        met: Option<&FsPath>,
    ) -> Result<Option<(Option<Digest>, Inspected)>, Error> {
        // Most links lead to what is met there: then not even metadata are needed.
        let most = known.map_or(u64::MAX, |entry| entry.metadata.size);
        if !self.find_candidates(path, most, met) {
            return Ok(None);
        }
        let asked;
        let metadata = match known {
            Some(entry) => &entry.metadata,
            None => {
                asked = self.root.metadata(path)?;
                self.candidates.retain(|candidate| asked.size >= candidate.interest.min_size);
                &asked
            }
        };
        if metadata.kind != EntryKind::File || self.candidates.is_empty() {
            return Ok(None);
        }
        let file = match known {
            Some(entry) => entry.open()?,
            None => self.root.open(path)?,
        };
        let mut file = OpenFile { file: RefCell::new(file), seeks: self.seeks };
        let inspected = self.inspector.inspect(path, metadata, &self.candidates, &mut file);
        Ok(Some((metadata.layer.clone(), inspected)))
    }

    /// Puts those who want a file of at most `size` bytes into `candidates`; whether there are any.
    fn find_candidates(&mut self, path: &FsPath, size: u64, met: Option<&FsPath>) -> bool {
        let matcher = self.engine.matcher();
        matcher.candidates(path, size, &mut self.candidates);
        if let Some(met) = met {
            matcher.drop_met(path, met, &mut self.candidates);
        }
        !self.candidates.is_empty()
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
                self.followed.gaps.push(unreadable(region, &error));
                return ControlFlow::Continue(());
            }
        };
        for entry in listed {
            if KERNEL_FOLDERS.iter().any(|kernel| entry.name == kernel.as_bytes()) {
                continue;
            }
            let path = region.join(&entry.name);
            let entry = WalkEntry::new(self.root, path, entry.metadata);
            self.entry(&entry.path, &entry)?;
            if entry.metadata.kind == EntryKind::Directory {
                self.walk(&entry.path)?;
            }
        }
        // Among the devices lies a folder of the container's own, where what runs likes to hide.
        self.walk(&FsPath::new("dev/shm"))
    }

    fn walk(&mut self, folder: &FsPath) -> ControlFlow<()> {
        let (root, ahead) = (self.root, self.ahead);
        let started = root.resolve(folder).and_then(|resolved| Ok((resolved, root.walk(folder)?)));
        let (resolved, walk) = match started {
            Ok(started) => started,
            Err(Error::NotFound { .. } | Error::WrongKind { .. } | Error::LinkLoop { .. }) => {
                return ControlFlow::Continue(());
            }
            Err(error) => {
                self.followed.gaps.push(unreadable(folder, &error));
                return ControlFlow::Continue(());
            }
        };
        let above = resolved.parts().count();
        let met = |entry: pratique_fs::Result<WalkEntry<'_>>| match entry {
            Ok(entry) if resolved == *folder => self.entry(&entry.path, &entry),
            // The walk names places where links were followed to; interests name the way there.
            Ok(entry) => {
                let below = entry.path.parts().skip(above);
                self.entry(&below.fold(folder.clone(), |path, name| path.join(name)), &entry)
            }
            Err(Error::NotFound { .. }) => ControlFlow::Continue(()),
            Err(error) => {
                self.followed.gaps.push(unreadable(folder, &error));
                ControlFlow::Continue(())
            }
        };
        if ahead { each_ahead(walk, met) } else { { walk }.try_for_each(met) }
    }

    /// An entry of a walk, which interests name `path`.
    fn entry(&mut self, path: &FsPath, entry: &WalkEntry<'_>) -> ControlFlow<()> {
        let (left, limit) = self.entries;
        let Some(left) = left.checked_sub(1) else {
            return self.stop(path, &format!("the root has more than {limit} entries"));
        };
        self.entries = (left, limit);
        if self.engine.matcher().is_exact(path) {
            return ControlFlow::Continue(());
        }
        match entry.metadata.kind {
            EntryKind::File => self.read(path, Some(entry), (*path != entry.path).then_some(&entry.path)),
            EntryKind::Symlink => {
                self.note_metadata(path, entry)?;
                self.read_exact(path)
            }
            _ => self.note_metadata(path, entry),
        }
    }

    /// Asks those who want the metadata of an entry itself, which is no regular file.
    fn note_metadata(&mut self, path: &FsPath, entry: &WalkEntry<'_>) -> ControlFlow<()> {
        self.engine.matcher().metadata_candidates(path, &mut self.candidates);
        if self.candidates.is_empty() || *path != entry.path {
            return ControlFlow::Continue(());
        }
        let metadata = &entry.metadata;
        let target = match metadata.kind {
            EntryKind::Symlink => entry.read_link().map(Some),
            _ => Ok(None),
        };
        match target {
            Ok(target) => {
                let facts =
                    self.inspector.inspect_metadata(path, metadata, target.as_deref(), &self.candidates);
                self.take(path, metadata.layer.clone(), facts)
            }
            Err(Error::NotFound { .. } | Error::WrongKind { .. }) => ControlFlow::Continue(()),
            Err(error) => {
                self.followed.gaps.push(unreadable(path, &error));
                ControlFlow::Continue(())
            }
        }
    }

    fn stop(&mut self, path: &FsPath, limit: &str) -> ControlFlow<()> {
        let reason = format!("{limit}; from here on nothing was read");
        let path = Some(path.to_string());
        self.followed.gaps.push(Gap { path, ..Gap::of_image(GapKind::Limit, reason) });
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

/// A file of a root: random access is had by seeking, where that is cheap.
struct OpenFile {
    file: RefCell<Box<dyn File>>,
    seeks: bool,
}

impl Read for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.get_mut().read(buffer)
    }
}

impl Content for OpenFile {
    fn random_access(&mut self) -> io::Result<Option<&dyn ReadAt>> {
        Ok(if self.seeks { Some(self) } else { None })
    }
}

impl ReadAt for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(offset))?;
        file.read(buffer)
    }
}
