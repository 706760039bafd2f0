//! A layer read from the folder that a runtime unpacked it to.

use std::fs::File as DiskFile;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use pratique_core::inspect::ReadAt;
use pratique_core::{Digest, Gap, GapKind};

use super::stack::Stack;
use super::sys::{self, TooMany};
use super::traverse::{Met, TooDeep, Traverse};
use crate::marker::Marker;
use crate::{
    Change, Content, EntryKind, Error, File, FsPath, Layer, LayerEntry, LayerVisitor, Limits, Metadata,
    Opacity, Result,
};

/// Which attributes the overlay that uses a folder honours. Not both: an image may carry `user.*` attributes of its
/// own, and one that nobody but us honoured would hide things from us alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverlayAttributes {
    /// `trusted.overlay.*`, the kernel's default; seen only with CAP_SYS_ADMIN.
    Trusted,
    /// `user.overlay.*`, of mounts with `userxattr`, as rootless runtimes make them.
    User,
}

impl OverlayAttributes {
    fn prefix(self) -> &'static str {
        match self {
            Self::Trusted => "trusted.overlay.",
            Self::User => "user.overlay.",
        }
    }
}

/// How owners on disk are shifted against those that the image has, where a runtime keeps its images in a user namespace:
/// the ids of the image's root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owners {
    /// User id on disk of the image's user 0.
    pub uid: u32,
    /// Group id on disk of the image's group 0.
    pub gid: u32,
}

impl Owners {
    /// What the kernel shows for an id that has none in the namespace (/proc/sys/kernel/overflowuid).
    const UNMAPPED: u32 = 65_534;

    fn undo(self, metadata: &mut Metadata) {
        metadata.uid = metadata.uid.checked_sub(self.uid).unwrap_or(Self::UNMAPPED);
        metadata.gid = metadata.gid.checked_sub(self.gid).unwrap_or(Self::UNMAPPED);
    }
}

/// A layer as an overlay's folder: a character device 0/0 is a whiteout, the attribute `opaque` makes a folder opaque
/// (<https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories>). The content is what is on
/// disk: nothing is hashed.
///
/// A folder that was moved (`redirect`) makes the layer [`Error::Unsupported`], a file whose data lies elsewhere
/// (`metacopy`) cannot be read; runtimes make neither when they unpack, and both are seen only with the right to.
pub struct FolderLayer {
    folder: Arc<OwnedFd>,
    diff_id: Digest,
    attributes: OverlayAttributes,
    opacity: Opacity,
    owners: Owners,
    has_named_whiteouts: bool,
    limits: Limits,
}

impl FolderLayer {
    /// The layer in an open folder (O_PATH will do). Whether opacity can be seen depends on the capabilities of the
    /// calling thread: [`Layer::opacity`] says so.
    pub fn new(folder: OwnedFd, diff_id: Digest, attributes: OverlayAttributes, limits: Limits) -> Self {
        let visible = attributes == OverlayAttributes::User || sys::sees_trusted_attributes();
        let opacity = if visible { Opacity::FromFolder } else { Opacity::FromFolderBlind };
        let owners = Owners::default();
        let folder = Arc::new(folder);
        Self { folder, diff_id, attributes, opacity, owners, has_named_whiteouts: false, limits }
    }

    /// The same layer, with the owners that the image has.
    pub fn with_owners(self, owners: Owners) -> Self {
        Self { owners, ..self }
    }

    /// The same layer, where files named `.wh.…` are whiteouts too: overlays that are mounted by a program (fuse-overlayfs)
    /// keep them so.
    pub fn with_named_whiteouts(self) -> Self {
        Self { has_named_whiteouts: true, ..self }
    }

    /// Whether this process could see opaque folders of a layer with such attributes.
    pub fn sees_opacity(attributes: OverlayAttributes) -> bool {
        attributes == OverlayAttributes::User || sys::sees_trusted_attributes()
    }

    fn attribute(&self, file: impl std::os::fd::AsFd, name: &str) -> io::Result<Option<Vec<u8>>> {
        if self.opacity == Opacity::FromFolderBlind {
            return Ok(None);
        }
        sys::attribute(file, &format!("{}{name}", self.attributes.prefix()))
    }

    fn gap(&self, path: &FsPath, error: &io::Error) -> Gap {
        let limit = error.get_ref().is_some_and(|inner| inner.is::<TooMany>() || inner.is::<TooDeep>());
        Gap {
            kind: if limit { GapKind::Limit } else { GapKind::Unreadable },
            detector: None,
            path: Some(path.to_string()),
            layer: Some(self.diff_id.clone()),
            reason: error.to_string(),
        }
    }

    /// Visits a folder's opacity and goes into it. Gives how the folder is marked.
    fn enter(
        &self,
        traverse: &mut Traverse,
        path: &FsPath,
        name: &[u8],
        visitor: &mut LayerVisitor<'_>,
    ) -> Result<ControlFlow<()>, Failure> {
        traverse.enter(name)?;
        if self.opacity == Opacity::FromFolderBlind {
            return Ok(ControlFlow::Continue(()));
        }
        let folder = sys::open_listing(traverse.folder()?, b".")?;
        if self.attribute(&folder, "redirect")?.is_some() {
            return Err(Failure::Layer(Error::Unsupported {
                what: format!("the folder of layer {}", self.diff_id),
                reason: format!("{path} was moved inside an overlay (redirect); read the layer's blob"),
            }));
        }
        if self.attribute(&folder, "opaque")?.as_deref() == Some(b"y") {
            return Ok(visitor(LayerEntry { path, position: 0, change: Change::Opaque }));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether an empty file is a whiteout, as overlays inside overlays mark them.
    fn is_marked_whiteout(&self, folder: BorrowedFd<'_>, name: &[u8]) -> bool {
        self.opacity == Opacity::FromFolder
            && sys::open_file(folder, name)
                .and_then(|file| self.attribute(&file, "whiteout"))
                .is_ok_and(|value| value.is_some())
    }
}

/// Why a folder was not gone into.
enum Failure {
    /// A gap.
    Folder(io::Error),
    /// The end of the layer.
    Layer(Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Folder(error)
    }
}

impl Layer for FolderLayer {
    fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    fn opacity(&self) -> Opacity {
        self.opacity
    }

    fn visit(&mut self, visitor: &mut LayerVisitor<'_>) -> Result<Vec<Gap>> {
        let mut gaps = Vec::new();
        let mut traverse = Traverse::new(self.folder.clone(), FsPath::root(), self.limits)
            .map_err(|error| Error::io(format!("the folder of layer {}", self.diff_id), error))?;
        while let Some(met) = traverse.next() {
            let (path, name, stat) = match met {
                Met::Entry { path, name, stat } => (path, name, stat),
                Met::Failed { path, error } => {
                    gaps.push(self.gap(&path, &error));
                    continue;
                }
            };
            if self.has_named_whiteouts {
                let marked = match Marker::of(&path) {
                    Marker::None => None,
                    Marker::Ignored => continue,
                    Marker::Wrong => {
                        gaps.push(self.gap(&path, &io::Error::other("a whiteout of nothing")));
                        continue;
                    }
                    Marker::Opaque(folder) => Some((folder, Change::Opaque)),
                    Marker::Whiteout(gone) => Some((gone, Change::Whiteout)),
                };
                if let Some((path, change)) = marked {
                    match visitor(LayerEntry { path: &path, position: 0, change }) {
                        ControlFlow::Continue(()) => continue,
                        ControlFlow::Break(()) => break,
                    }
                }
            }
            let mut metadata = sys::metadata(&stat, Some(&self.diff_id));
            self.owners.undo(&mut metadata);
            let mut target = None;
            let mut content = None;
            let change = match metadata.kind {
                EntryKind::Device if stat.st_rdev == 0 => Some(Change::Whiteout),
                EntryKind::File | EntryKind::Symlink => {
                    let folder = match traverse.folder() {
                        Ok(folder) => folder,
                        Err(error) => {
                            gaps.push(self.gap(&path, &error));
                            continue;
                        }
                    };
                    if metadata.kind == EntryKind::Symlink {
                        match sys::read_link(folder, &name) {
                            Ok(read) => target = Some(read),
                            Err(error) => gaps.push(self.gap(&path, &error)),
                        }
                        None
                    } else if metadata.size == 0 && self.is_marked_whiteout(folder, &name) {
                        Some(Change::Whiteout)
                    } else {
                        match sys::capability(folder, &name, &stat) {
                            Ok(read) => metadata.capability = read,
                            Err(error) => gaps.push(self.gap(&path, &error)),
                        }
                        content = Some(LazyContent { layer: self, folder, name: &name, file: None });
                        None
                    }
                }
                _ => None,
            };
            let change = change.unwrap_or_else(|| Change::Entry {
                metadata: &metadata,
                content: content.as_mut().map(|content| content as &mut dyn Content),
                target: target.as_deref(),
            });
            if visitor(LayerEntry { path: &path, position: 0, change }).is_break() {
                break;
            }
            if metadata.kind == EntryKind::Directory {
                match self.enter(&mut traverse, &path, &name, visitor) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => break,
                    Err(Failure::Folder(error)) => gaps.push(self.gap(&path, &error)),
                    Err(Failure::Layer(error)) => return Err(error),
                }
            }
        }
        Ok(gaps)
    }

    fn open(&self, path: &FsPath, _position: u64) -> Result<Box<dyn File>> {
        let what = || format!("{path} in the folder of layer {}", self.diff_id);
        let parent = path.parent().unwrap_or_default();
        let mut stack = Stack::new(self.folder.clone());
        let opened = parent.parts().try_for_each(|name| stack.enter(name)).and_then(|()| {
            let file = sys::open_file(stack.top()?, path.name().unwrap_or(b"."))?;
            self.check_content(&file)?;
            Ok(file)
        });
        Ok(Box::new(opened.map_err(|error| Error::io(what(), error))?))
    }
}

impl FolderLayer {
    fn check_content(&self, file: &DiskFile) -> io::Result<()> {
        match self.attribute(file, "metacopy")? {
            Some(_) => Err(io::Error::other("its data lies elsewhere (an overlay's metacopy)")),
            None => Ok(()),
        }
    }
}

/// A file that is opened when it is read, as most never are.
struct LazyContent<'l> {
    layer: &'l FolderLayer,
    folder: BorrowedFd<'l>,
    name: &'l [u8],
    file: Option<OpenFile>,
}

/// An open file of a folder.
struct OpenFile(DiskFile);

impl ReadAt for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
}

impl LazyContent<'_> {
    fn file(&mut self) -> io::Result<&mut OpenFile> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => {
                let file = sys::open_file(self.folder, self.name)?;
                self.layer.check_content(&file)?;
                Ok(none.insert(OpenFile(file)))
            }
        }
    }
}

impl Read for LazyContent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file()?.0.read(buffer)
    }
}

impl Content for LazyContent<'_> {
    fn random_access(&mut self) -> io::Result<Option<&dyn ReadAt>> {
        Ok(Some(self.file()?))
    }
}
