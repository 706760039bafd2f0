//! A live container's root.

use std::ops::ControlFlow;

use pratique_core::{Gap, GapKind};
use pratique_detect::Outcome;
use pratique_fs::{EntryKind, Error, FileSystem, FsPath};

use crate::image::Gathered;
use crate::root::{RootReader, unreadable};
use crate::{Engine, JudgeOptions};

/// Where a container has its kernel's file systems, which hold no files of its own and never end.
const KERNEL_FOLDERS: [&str; 3] = ["dev", "proc", "sys"];

/// Judges the files of a live root by the same detectors as an image's. `names` are the references of the container's
/// image. Exact interests are opened directly; only interests with wildcards cost a walk. Files that come and go
/// meanwhile are no gaps; what cannot be read is one.
pub fn scan_root(
    engine: &Engine,
    root: &dyn FileSystem,
    names: &[String],
    options: &JudgeOptions,
) -> Outcome {
    let mut scan = RootScan {
        root,
        engine,
        reader: RootReader::new(root, engine, &options.limits),
        options,
        gathered: Gathered::new(&options.limits),
        entries: 0,
    };
    if engine.matcher().exact().try_for_each(|path| scan.read(path)).is_continue() {
        scan.walk();
    }
    scan.gathered.judge(engine, names, options)
}

struct RootScan<'a> {
    root: &'a dyn FileSystem,
    engine: &'a Engine,
    reader: RootReader<'a>,
    options: &'a JudgeOptions,
    gathered: Gathered,
    /// Entries met by walking.
    entries: u64,
}

impl RootScan<'_> {
    /// Walks the folders in which matches of wildcards lie. Links to folders are not entered: what they lead to is met
    /// where it lies.
    fn walk(&mut self) {
        let regions: Vec<&FsPath> = self.engine.matcher().regions().collect();
        for region in regions {
            if !region.is_root() {
                if self.walk_below(region).is_break() {
                    return;
                }
                continue;
            }
            let listed = match self.root.read_dir(region) {
                Ok(listed) => listed,
                Err(error) => return self.gathered.gaps.push(unreadable(region, &error)),
            };
            for entry in listed {
                if KERNEL_FOLDERS.iter().any(|kernel| entry.name == kernel.as_bytes()) {
                    continue;
                }
                let path = region.join(&entry.name);
                let folder = entry.metadata.kind == EntryKind::Directory;
                if self.entry(&path, entry.metadata.kind).is_break()
                    || (folder && self.walk_below(&path).is_break())
                {
                    return;
                }
            }
        }
    }

    fn walk_below(&mut self, folder: &FsPath) -> ControlFlow<()> {
        let walk = match self.root.walk(folder) {
            Ok(walk) => walk,
            Err(Error::NotFound { .. } | Error::WrongKind { .. } | Error::LinkLoop { .. }) => {
                return ControlFlow::Continue(());
            }
            Err(error) => {
                self.gathered.gaps.push(unreadable(folder, &error));
                return ControlFlow::Continue(());
            }
        };
        for entry in walk {
            match entry {
                Ok(entry) => self.entry(&entry.path, entry.metadata.kind)?,
                Err(Error::NotFound { .. }) => {}
                Err(error) => self.gathered.gaps.push(unreadable(folder, &error)),
            }
        }
        ControlFlow::Continue(())
    }

    fn entry(&mut self, path: &FsPath, kind: EntryKind) -> ControlFlow<()> {
        let limit = self.options.limits.entries;
        if self.entries == limit {
            let reason =
                format!("the root has more than {limit} entries; from here on they were not looked at");
            let path = Some(path.to_string());
            self.gathered.gaps.push(Gap { path, ..Gap::of_image(GapKind::Limit, reason) });
            return ControlFlow::Break(());
        }
        self.entries += 1;
        let readable = matches!(kind, EntryKind::File | EntryKind::Symlink);
        if readable && !self.engine.matcher().is_exact(path) {
            self.read(path)
        } else {
            ControlFlow::Continue(())
        }
    }

    fn read(&mut self, path: &FsPath) -> ControlFlow<()> {
        match self.reader.read(path) {
            Ok(Some((layer, file))) => self.gathered.add(layer.as_ref(), &file),
            Ok(None) => {}
            Err(gap) => self.gathered.gaps.push(gap),
        }
        if self.reader.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
