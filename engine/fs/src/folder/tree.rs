//! A layer of which only whole trees are kept: with it, and without it.

use std::fs::File as DiskFile;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use pratique_core::{Digest, Gap, GapKind};
use rustix::fs::Stat;

use super::stack::Stack;
use super::sys::{self, TooMany};
use super::traverse::{Met, TooDeep, Traverse};
use crate::tar::BlobFile;
use crate::{
    Change, Content, EntryKind, Error, File, FsPath, Layer, LayerEntry, LayerVisitor, Limits, Opacity, Result,
};
use pratique_core::inspect::ReadAt;

/// A layer as two folders: all files with it, and all files of the layers below. What differs is what it does. That is the
/// form in which storage drivers without an overlay keep images (`vfs` of Podman and Docker, `native` of containerd).
///
/// Metadata that agree prove nothing, as a layer's times are its author's: files are compared by their bytes, which reads
/// the lower tree too. What a layer writes again as it was is not seen as written.
pub struct TreeLayer {
    with: Arc<OwnedFd>,
    without: Option<Arc<OwnedFd>>,
    diff_id: Digest,
    limits: Limits,
}

impl TreeLayer {
    /// The layer that makes of the tree `without` it (none: of nothing) the tree `with` it. Both are open folders
    /// (O_PATH will do).
    pub fn new(with: OwnedFd, without: Option<OwnedFd>, diff_id: Digest, limits: Limits) -> Self {
        Self { with: Arc::new(with), without: without.map(Arc::new), diff_id, limits }
    }

    fn gap(&self, path: &FsPath, error: &io::Error) -> Gap {
        let limit = error.get_ref().is_some_and(|inner| inner.is::<TooMany>() || inner.is::<TooDeep>());
        Gap {
            kind: if limit { GapKind::Limit } else { GapKind::Unreadable },
            path: Some(path.to_string()),
            ..Gap::of_layer(GapKind::Unreadable, self.diff_id.clone(), error.to_string())
        }
    }
}

/// The lower tree at the folder that is compared.
struct Lower {
    root: Arc<OwnedFd>,
    limits: Limits,
    path: FsPath,
    /// The folder at `path`; none if the lower tree has no folder there.
    stack: Option<Stack>,
}

impl Lower {
    /// Goes to a folder, by its names and never through links.
    fn go(&mut self, path: &FsPath) -> io::Result<()> {
        if self.path == *path {
            return Ok(());
        }
        self.path = path.clone();
        let mut stack = Stack::new(self.root.clone());
        self.stack = None;
        for name in path.parts() {
            match stack.enter(name) {
                Ok(()) => {}
                Err(error) if is_absence(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.stack = Some(stack);
        Ok(())
    }

    /// The names in the folder it is at.
    fn names(&mut self) -> io::Result<Vec<Vec<u8>>> {
        match &mut self.stack {
            Some(stack) => sys::names(stack.top()?, self.limits.entries),
            None => Ok(Vec::new()),
        }
    }

    /// Whether a name of the folder it is at is the same in the upper tree.
    fn is_same(&mut self, upper: &mut Traverse, name: &[u8], stat: &Stat) -> io::Result<bool> {
        let Some(stack) = &mut self.stack else { return Ok(false) };
        let folder = stack.top()?;
        let lower = match sys::stat(folder, name) {
            Ok(lower) => lower,
            Err(error) if is_absence(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        let known = sys::metadata(stat, None);
        if known != sys::metadata(&lower, None)
            || stat.st_mtime_nsec != lower.st_mtime_nsec
            || (known.kind == EntryKind::Device && stat.st_rdev != lower.st_rdev)
        {
            return Ok(false);
        }
        match known.kind {
            EntryKind::Symlink => Ok(sys::read_link(folder, name)? == sys::read_link(upper.folder()?, name)?),
            EntryKind::File if (stat.st_dev, stat.st_ino) == (lower.st_dev, lower.st_ino) => Ok(true),
            EntryKind::File => {
                have_same_bytes(&sys::open_file(folder, name)?, &sys::open_file(upper.folder()?, name)?)
            }
            _ => Ok(true),
        }
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn have_same_bytes(one: &DiskFile, other: &DiskFile) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut offset = 0;
    loop {
        let read = one.read_at(&mut left, offset)?;
        let mut matched = 0;
        while matched < read {
            match other.read_at(&mut right[..read - matched], offset + matched as u64)? {
                0 => return Ok(false),
                more if right[..more] == left[matched..matched + more] => matched += more,
                _ => return Ok(false),
            }
        }
        if read == 0 {
            return Ok(other.read_at(&mut right[..1], offset)? == 0);
        }
        offset += read as u64;
    }
}

impl Layer for TreeLayer {
    fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    fn opacity(&self) -> Opacity {
        Opacity::FromFolder
    }

    fn visit(&mut self, visitor: &mut LayerVisitor<'_>) -> Result<Vec<Gap>> {
        let failed = |error| Error::io(format!("the folder of layer {}", self.diff_id), error);
        let mut gaps = Vec::new();
        let mut upper = Traverse::new(self.with.clone(), FsPath::root(), self.limits).map_err(failed)?;
        let mut lower = self.without.clone().map(|root| {
            let stack = Some(Stack::new(root.clone()));
            Lower { root, limits: self.limits, path: FsPath::root(), stack }
        });
        if let Some(lower) = &mut lower
            && self.visit_removed(&mut upper, lower, &mut gaps, visitor).is_break()
        {
            return Ok(gaps);
        }
        while let Some(met) = upper.next() {
            let (path, name, stat) = match met {
                Met::Entry { path, name, stat } => (path, name, stat),
                Met::Failed { path, error } => {
                    gaps.push(self.gap(&path, &error));
                    continue;
                }
            };
            let same = match &mut lower {
                None => Ok(false),
                Some(lower) => lower
                    .go(&path.parent().unwrap_or_default())
                    .and_then(|()| lower.is_same(&mut upper, &name, &stat)),
            };
            // What cannot be compared is taken for changed, so that it is read at least.
            if !same.unwrap_or(false)
                && self.visit_entry(&mut upper, &path, &name, &stat, &mut gaps, visitor).is_break()
            {
                return Ok(gaps);
            }
            if sys::kind(&stat) == EntryKind::Directory {
                if let Err(error) = upper.enter(&name) {
                    gaps.push(self.gap(&path, &error));
                    continue;
                }
                if let Some(lower) = &mut lower {
                    if let Err(error) = lower.go(&path) {
                        gaps.push(self.gap(&path, &error));
                        continue;
                    }
                    if self.visit_removed(&mut upper, lower, &mut gaps, visitor).is_break() {
                        return Ok(gaps);
                    }
                }
            }
        }
        Ok(gaps)
    }

    fn open(&self, path: &FsPath, _position: u64) -> Result<Box<dyn File>> {
        let parent = path.parent().unwrap_or_default();
        let mut stack = Stack::new(self.with.clone());
        let opened = parent
            .parts()
            .try_for_each(|name| stack.enter(name))
            .and_then(|()| sys::open_file(stack.top()?, path.name().unwrap_or(b".")));
        let what = || format!("{path} in the folder of layer {}", self.diff_id);
        Ok(Box::new(opened.map_err(|error| Error::io(what(), error))?))
    }
}

impl TreeLayer {
    /// Visits what the folder that both trees are at has in the lower one only.
    fn visit_removed(
        &self,
        upper: &mut Traverse,
        lower: &mut Lower,
        gaps: &mut Vec<Gap>,
        visitor: &mut LayerVisitor<'_>,
    ) -> ControlFlow<()> {
        let folder = lower.path.clone();
        let listed = lower.names().and_then(|names| {
            let upper = upper.folder()?;
            let gone = |name: &Vec<u8>| sys::stat(upper, name).is_err_and(|error| is_absence(&error));
            Ok(names.into_iter().filter(gone).collect::<Vec<_>>())
        });
        match listed {
            Ok(names) => names.into_iter().try_for_each(|name| {
                visitor(LayerEntry { path: &folder.join(&name), position: 0, change: Change::Whiteout })
            }),
            Err(error) => {
                gaps.push(self.gap(&folder, &error));
                ControlFlow::Continue(())
            }
        }
    }

    fn visit_entry(
        &self,
        upper: &mut Traverse,
        path: &FsPath,
        name: &[u8],
        stat: &Stat,
        gaps: &mut Vec<Gap>,
        visitor: &mut LayerVisitor<'_>,
    ) -> ControlFlow<()> {
        let mut metadata = sys::metadata(stat, Some(&self.diff_id));
        let (mut target, mut content) = (None, None);
        let read = upper.folder().and_then(|folder| {
            match metadata.kind {
                EntryKind::Symlink => target = Some(sys::read_link(folder, name)?),
                EntryKind::File => {
                    content = Some(Lazy { folder, name, file: None, offset: 0 });
                    metadata.capability = sys::capability(folder, name, stat)?;
                }
                _ => {}
            }
            Ok(())
        });
        if let Err(error) = read {
            gaps.push(self.gap(path, &error));
        }
        let change = Change::Entry {
            metadata: &metadata,
            content: content.as_mut().map(|content| content as &mut dyn Content),
            target: target.as_deref(),
        };
        visitor(LayerEntry { path, position: 0, change })
    }
}

/// A file that is opened when it is read, as most never are.
struct Lazy<'f> {
    folder: BorrowedFd<'f>,
    name: &'f [u8],
    file: Option<BlobFile>,
    offset: u64,
}

impl Lazy<'_> {
    fn file(&mut self) -> io::Result<&BlobFile> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(BlobFile::new(sys::open_file(self.folder, self.name)?))),
        }
    }
}

impl Read for Lazy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let offset = self.offset;
        let read = self.file()?.read_at(buffer, offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl Content for Lazy<'_> {
    fn random_access(&mut self) -> io::Result<Option<&dyn ReadAt>> {
        Ok(Some(self.file()?))
    }
}
