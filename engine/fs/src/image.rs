//! The merged view of an image's layers.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use pratique_core::{Digest, Gap, GapKind};

use crate::resolve::{Cursor, Found, MAX_UNPACK_LINKS, Step, push_parts, push_target, resolve};
use crate::{
    Change, DirEntry, EntryKind, Error, File, FileSystem, FsPath, Layer, LayerEntry, Metadata, Opacity,
    Result, Walk, WalkEntry,
};

/// The files of an image: an index in memory over its layers (some 300 bytes an entry), made by one pass over each.
/// Contents are read from the layers when a file is opened; of a blob that means reading it up to the file.
pub struct ImageFs {
    tree: Tree,
    layers: Vec<Box<dyn Layer>>,
}

impl ImageFs {
    /// Merges layers, base first. What could not be read is returned as gaps; a layer of which nothing could be read
    /// is one, and the rest is merged without it.
    ///
    /// A layer above the lowest that was read without seeing opacity is a gap at each folder of the root that it
    /// shares with lower layers: what they have in it is shown, but may be hidden.
    pub fn new(mut layers: Vec<Box<dyn Layer>>) -> (Self, Vec<Gap>) {
        let mut tree = Tree::new();
        let mut gaps = Vec::new();
        for (number, layer) in layers.iter_mut().enumerate() {
            let diff_id = layer.diff_id().clone();
            let blind = number > 0 && layer.opacity() == Opacity::FromFolderBlind;
            let mut changes = Vec::new();
            let visited = layer.visit(&mut |entry| {
                changes.push(Staged::of(entry, number));
                ControlFlow::Continue(())
            });
            match visited {
                Ok(found) => {
                    gaps.extend(found);
                    gaps.extend(merge(&mut tree, changes, &diff_id, blind));
                }
                Err(error) => gaps.push(Gap::of_layer(error.gap_kind(), diff_id, error.to_string())),
            }
        }
        (Self { tree, layers }, gaps)
    }

    fn node(&self, path: &FsPath, follow: bool) -> Result<(usize, FsPath)> {
        let mut cursor = TreeCursor { tree: &self.tree, node: ROOT };
        let (resolved, found) = resolve(&mut cursor, path, follow)?;
        let node = match found {
            Found::Folder => Some(cursor.node),
            Found::Entry(name) => self.tree.child(cursor.node, &name),
            Found::Missing => None,
        };
        node.map(|node| (node, resolved)).ok_or_else(|| Error::NotFound { path: path.to_string() })
    }

    fn folder(&self, path: &FsPath) -> Result<(usize, FsPath)> {
        let (node, resolved) = self.node(path, true)?;
        if self.tree.nodes[node].metadata.kind != EntryKind::Directory {
            return Err(Error::WrongKind { path: path.to_string(), reason: "it is no folder" });
        }
        Ok((node, resolved))
    }
}

impl FileSystem for ImageFs {
    fn open(&self, path: &FsPath) -> Result<Box<dyn File>> {
        let (node, _) = self.node(path, true)?;
        match &self.tree.nodes[node].content {
            Some(content) => self.layers[content.layer].open(&content.path, content.position),
            None => Err(Error::WrongKind {
                path: path.to_string(),
                reason: "it is no regular file, and only those are opened",
            }),
        }
    }

    fn metadata(&self, path: &FsPath) -> Result<Metadata> {
        Ok(self.tree.nodes[self.node(path, true)?.0].metadata.clone())
    }

    fn symlink_metadata(&self, path: &FsPath) -> Result<Metadata> {
        Ok(self.tree.nodes[self.node(path, false)?.0].metadata.clone())
    }

    fn read_link(&self, path: &FsPath) -> Result<Vec<u8>> {
        let (node, _) = self.node(path, false)?;
        let target = self.tree.nodes[node].target.clone();
        target.ok_or_else(|| Error::WrongKind { path: path.to_string(), reason: "it is no link" })
    }

    fn read_dir(&self, path: &FsPath) -> Result<Vec<DirEntry>> {
        let (node, _) = self.folder(path)?;
        let entries = self.tree.nodes[node].children.iter().map(|(name, child)| DirEntry {
            name: name.to_vec(),
            metadata: self.tree.nodes[*child].metadata.clone(),
        });
        Ok(entries.collect())
    }

    fn resolve(&self, path: &FsPath) -> Result<FsPath> {
        let mut cursor = TreeCursor { tree: &self.tree, node: ROOT };
        resolve(&mut cursor, path, true).map(|(resolved, _)| resolved)
    }

    fn walk(&self, path: &FsPath) -> Result<Walk<'_>> {
        let (start, resolved) = self.folder(path)?;
        let mut path = resolved;
        let mut ways = vec![self.tree.nodes[start].children.iter()];
        Ok(Box::new(std::iter::from_fn(move || {
            loop {
                if let Some((name, node)) = ways.last_mut()?.next() {
                    let metadata = self.tree.nodes[*node].metadata.clone();
                    let entry = WalkEntry::new(self, path.join(name), metadata);
                    if entry.metadata.kind == EntryKind::Directory {
                        path = entry.path.clone();
                        ways.push(self.tree.nodes[*node].children.iter());
                    }
                    return Some(Ok(entry));
                }
                ways.pop();
                if !ways.is_empty() {
                    path = path.parent().unwrap_or_default();
                }
            }
        })))
    }
}

/// The root's place in [`Tree::nodes`].
const ROOT: usize = 0;

/// Entries in one flat list, so that depth costs no stack. Removed ones stay in it, unreachable.
struct Tree {
    nodes: Vec<Node>,
}

struct Node {
    metadata: Metadata,
    parent: usize,
    children: BTreeMap<Box<[u8]>, usize>,
    target: Option<Vec<u8>>,
    content: Option<Content>,
}

/// Where a regular file's bytes are.
#[derive(Clone)]
struct Content {
    layer: usize,
    path: FsPath,
    position: u64,
}

impl Tree {
    fn new() -> Self {
        Self { nodes: vec![Node::implied_folder(ROOT, None)] }
    }

    fn child(&self, node: usize, name: &[u8]) -> Option<usize> {
        self.nodes[node].children.get(name).copied()
    }

    /// Puts a node at a name, in place of what is there.
    fn put(&mut self, parent: usize, name: &[u8], node: Node) -> usize {
        self.nodes.push(node);
        let place = self.nodes.len() - 1;
        self.nodes[parent].children.insert(name.into(), place);
        place
    }

    /// The folder at a path, links followed as a runtime does when it unpacks; made where it is missing. None if there
    /// are too many links.
    fn make_folder(&mut self, path: &FsPath, diff_id: &Digest) -> Option<usize> {
        if let Some(folder) = self.folder(path) {
            return Some(folder);
        }
        let mut todo = Vec::new();
        push_parts(&mut todo, path.as_bytes());
        let (mut node, mut links) = (ROOT, 0);
        while let Some(name) = todo.pop() {
            if name == b".." {
                node = self.nodes[node].parent;
                continue;
            }
            let child = self.child(node, &name).map(|child| (child, &self.nodes[child]));
            match child {
                Some((child, entry)) if entry.metadata.kind == EntryKind::Directory => node = child,
                Some((_, Node { target: Some(target), .. })) => {
                    links += 1;
                    if links > MAX_UNPACK_LINKS {
                        return None;
                    }
                    if target.starts_with(b"/") {
                        node = ROOT;
                    }
                    push_target(&mut todo, target);
                }
                _ => node = self.put(node, &name, Node::implied_folder(node, Some(diff_id))),
            }
        }
        Some(node)
    }

    /// The folder at a path with no link on the way: nearly every entry's.
    fn folder(&self, path: &FsPath) -> Option<usize> {
        path.parts().try_fold(ROOT, |node, name| {
            self.child(node, name).filter(|child| self.nodes[*child].metadata.kind == EntryKind::Directory)
        })
    }

    /// The folder at a path, if there is one, and the path's last name.
    fn place(&self, path: &FsPath) -> Option<(usize, Box<[u8]>)> {
        let mut cursor = TreeCursor { tree: self, node: ROOT };
        match resolve(&mut cursor, &path.parent()?, true) {
            Ok((_, Found::Folder)) => Some((cursor.node, path.name()?.into())),
            _ => None,
        }
    }
}

impl Node {
    /// A folder that is only there because something lies in it.
    fn implied_folder(parent: usize, layer: Option<&Digest>) -> Self {
        let metadata = Metadata {
            kind: EntryKind::Directory,
            permissions: 0o755,
            uid: 0,
            gid: 0,
            size: 0,
            mtime: 0,
            capability: None,
            layer: layer.cloned(),
        };
        Self { metadata, parent, children: BTreeMap::new(), target: None, content: None }
    }
}

/// A change, kept until its layer is known to be whole.
struct Staged {
    path: FsPath,
    change: StagedChange,
}

enum StagedChange {
    Entry { metadata: Metadata, target: Option<Vec<u8>>, content: Option<Content> },
    HardLink(FsPath),
    Whiteout,
    Opaque,
}

impl Staged {
    fn of(entry: LayerEntry<'_>, layer: usize) -> Self {
        let path = entry.path.clone();
        let change = match entry.change {
            Change::Entry { metadata, content, target } => StagedChange::Entry {
                metadata: metadata.clone(),
                target: target.map(<[u8]>::to_vec),
                content: content.map(|_| Content { layer, path: path.clone(), position: entry.position }),
            },
            Change::HardLink { target, .. } => StagedChange::HardLink(target.clone()),
            Change::Whiteout => StagedChange::Whiteout,
            Change::Opaque => StagedChange::Opaque,
        };
        Self { path, change }
    }
}

/// Applies a layer's changes: what it removes from lower layers first, as that never concerns its own entries.
fn merge(tree: &mut Tree, changes: Vec<Staged>, diff_id: &Digest, blind: bool) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for Staged { path, change } in &changes {
        match change {
            StagedChange::Whiteout => {
                if let Some((folder, name)) = tree.place(path) {
                    tree.nodes[folder].children.remove(&name);
                }
            }
            StagedChange::Opaque => {
                let folder = match tree.place(path) {
                    Some((folder, name)) => tree.child(folder, &name),
                    None => path.is_root().then_some(ROOT),
                };
                if let Some(folder) = folder {
                    tree.nodes[folder].children.clear();
                }
            }
            StagedChange::Entry { .. } | StagedChange::HardLink(_) => {}
        }
    }
    let mut gap = |kind, path: &FsPath, reason: String| {
        let (path, layer) = (Some(path.to_string()), Some(diff_id.clone()));
        gaps.push(Gap { kind, detector: None, path, layer, reason });
    };
    for Staged { path, change } in changes {
        let (metadata, target, content) = match change {
            StagedChange::Entry { metadata, target, content } => (metadata, target, content),
            StagedChange::HardLink(first) => {
                let node = tree.place(&first).and_then(|(folder, name)| tree.child(folder, &name));
                let Some(node) = node.map(|node| &tree.nodes[node]).filter(|node| node.children.is_empty())
                else {
                    gap(
                        GapKind::Unreadable,
                        &path,
                        format!("it is a hard link to {first}, which there is not"),
                    );
                    continue;
                };
                (node.metadata.clone(), node.target.clone(), node.content.clone())
            }
            StagedChange::Whiteout | StagedChange::Opaque => continue,
        };
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            if metadata.kind == EntryKind::Directory {
                tree.nodes[ROOT].metadata = metadata;
            }
            continue;
        };
        let Some(folder) = tree.make_folder(&parent, diff_id) else {
            gap(GapKind::Limit, &path, "too many links are on its way (more than 255)".to_owned());
            continue;
        };
        let existing =
            tree.child(folder, name).filter(|node| tree.nodes[*node].metadata.kind == EntryKind::Directory);
        match existing {
            Some(node) if metadata.kind == EntryKind::Directory => {
                let node = &mut tree.nodes[node];
                let lower = node.metadata.layer.as_ref().is_some_and(|layer| layer != diff_id);
                if blind && lower && parent.is_root() && !node.children.is_empty() {
                    let reason = "it may hide what lower layers have in it (be opaque), which this process may not see";
                    gap(GapKind::Unreadable, &path, reason.to_owned());
                }
                node.metadata = metadata;
            }
            _ => {
                let node = Node { metadata, parent: folder, children: BTreeMap::new(), target, content };
                tree.put(folder, name, node);
            }
        }
    }
    gaps
}

struct TreeCursor<'t> {
    tree: &'t Tree,
    node: usize,
}

impl Cursor for TreeCursor<'_> {
    fn enter(&mut self, name: &[u8]) -> Result<Step> {
        let Some(child) = self.tree.child(self.node, name) else { return Ok(Step::Missing) };
        let node = &self.tree.nodes[child];
        Ok(match (node.metadata.kind, &node.target) {
            (EntryKind::Directory, _) => {
                self.node = child;
                Step::Entered
            }
            (_, Some(target)) => Step::Link(target.clone()),
            _ => Step::Leaf,
        })
    }

    fn up(&mut self) -> Result<()> {
        self.node = self.tree.nodes[self.node].parent;
        Ok(())
    }

    fn to_root(&mut self) {
        self.node = ROOT;
    }
}
