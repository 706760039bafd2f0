//! The symbolic links of one layer, to place what the layer writes through them.
//!
//! A runtime that unpacks `x -> etc` and then `x/shadow` writes etc/shadow. Whoever took the names as they stand would
//! see an uninteresting file.

use std::collections::HashMap;

use super::reader::TarKind;
use crate::FsPath;
use crate::resolve::{MAX_UNPACK_LINKS, push_parts, push_target};

/// Where an entry lands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) path: FsPath,
    /// Whether runtimes disagree on it: a link on the way leads through a folder and out of it again (`a/../b`), which
    /// some follow by the text and some by way of the folder, a link perhaps.
    pub(super) disputed: bool,
}

/// Links by path. A tree kept flat, so that depth costs no stack; only the folders on the way to links are in it.
#[derive(Default)]
pub(super) struct LinkTree {
    children: HashMap<(usize, Box<[u8]>), usize>,
    /// Target of each node that is a link. Node 0 is the root.
    targets: Vec<Option<Box<[u8]>>>,
    bytes: usize,
}

impl LinkTree {
    /// Roughly how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes an entry: a link, or what took the place of one. A hard link to a link is one too.
    pub(super) fn note(&mut self, path: &FsPath, kind: TarKind, target: &[u8]) {
        let linked = match kind {
            TarKind::Symlink => Some(target.into()),
            TarKind::HardLink => self
                .place(FsPath::new(target))
                .and_then(|first| self.target(&first.path).map(Box::<[u8]>::from)),
            _ => None,
        };
        self.replace(path, kind == TarKind::Directory);
        if let Some(target) = linked {
            self.insert(path, &target);
        }
    }

    /// The target of the link at this very path.
    pub(super) fn target(&self, path: &FsPath) -> Option<&[u8]> {
        let node = path.parts().try_fold(0, |node, name| self.child(node, name))?;
        self.targets.get(node)?.as_deref()
    }

    fn insert(&mut self, path: &FsPath, target: &[u8]) {
        if self.targets.is_empty() {
            self.targets.push(None);
        }
        let mut node = 0;
        for name in path.parts() {
            let next = self.targets.len();
            node = *self.children.entry((node, name.into())).or_insert(next);
            if node == next {
                self.targets.push(None);
                self.bytes += name.len() + 64;
            }
        }
        self.bytes += target.len();
        self.targets[node] = Some(target.into());
    }

    /// Something else took the path's place: a folder keeps what is below it.
    fn replace(&mut self, path: &FsPath, by_folder: bool) {
        let Some(name) = path.name() else { return };
        let mut node = 0;
        let Some(parent) = path.parent() else { return };
        for part in parent.parts() {
            match self.child(node, part) {
                Some(next) => node = next,
                None => return,
            }
        }
        let key = (node, Box::from(name));
        if by_folder {
            if let Some(node) = self.children.get(&key) {
                self.targets[*node] = None;
            }
        } else {
            self.children.remove(&key);
        }
    }

    /// The path with the links on the way to its last name followed; none if there are too many.
    pub(super) fn place(&self, path: FsPath) -> Option<Placed> {
        let mut disputed = false;
        if self.children.is_empty() {
            return Some(Placed { path, disputed });
        }
        let mut todo = Vec::new();
        push_parts(&mut todo, path.as_bytes());
        let mut done: Vec<Vec<u8>> = Vec::new();
        let mut node = Some(0);
        let mut links = 0;
        while let Some(name) = todo.pop() {
            if name == b".." {
                done.pop();
                node = done.iter().try_fold(0, |node, name| self.child(node, name));
                continue;
            }
            node = node.and_then(|node| self.child(node, &name));
            match node.and_then(|node| self.targets[node].as_deref()) {
                Some(target) if !todo.is_empty() => {
                    links += 1;
                    if links > MAX_UNPACK_LINKS {
                        return None;
                    }
                    if target.starts_with(b"/") {
                        done.clear();
                    }
                    node = done.iter().try_fold(0, |node, name| self.child(node, name));
                    disputed |= push_target(&mut todo, target);
                }
                _ => done.push(name),
            }
        }
        Some(Placed { path: FsPath::new(done.join(&b'/')), disputed })
    }

    fn child(&self, node: usize, name: &[u8]) -> Option<usize> {
        self.children.get(&(node, Box::from(name))).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(links: &[(&str, &str)]) -> LinkTree {
        let mut tree = LinkTree::default();
        for (path, target) in links {
            tree.insert(&FsPath::new(path), target.as_bytes());
        }
        tree
    }

    fn place(tree: &LinkTree, path: &str) -> Option<(FsPath, bool)> {
        tree.place(FsPath::new(path)).map(|placed| (placed.path, placed.disputed))
    }

    #[test]
    fn what_is_written_through_a_link_lands_where_it_leads() {
        let tree = tree(&[("x", "etc"), ("usr/y", "../x"), ("z", "/usr/y/deep"), ("a", "b"), ("b", "a")]);
        for (given, placed) in [
            ("x/shadow", Some("etc/shadow")),
            ("x", Some("x")),
            ("usr/y/shadow", Some("etc/shadow")),
            ("z/f", Some("etc/deep/f")),
            ("usr/other", Some("usr/other")),
            ("a/f", None),
        ] {
            assert_eq!(place(&tree, given), placed.map(|placed| (FsPath::new(placed), false)), "{given}");
        }
    }

    #[test]
    fn a_target_is_followed_by_its_text_and_disputed_where_the_kernel_might_not() {
        let tree = tree(&[("x", "usr/lib"), ("up", "x/../etc"), ("a/b", "../etc/./"), ("top", "/../../etc")]);
        for (given, placed, disputed) in [
            ("up/shadow", "etc/shadow", true),
            ("a/b/shadow", "etc/shadow", false),
            ("top/shadow", "etc/shadow", false),
            ("up", "up", false),
        ] {
            assert_eq!(place(&tree, given), Some((FsPath::new(placed), disputed)), "{given}");
        }
    }

    #[test]
    fn a_hard_link_to_a_link_is_a_link() {
        let mut tree = tree(&[("x", "etc"), ("d", "/")]);
        tree.note(&FsPath::new("y"), TarKind::HardLink, b"/d/x");
        tree.note(&FsPath::new("z"), TarKind::HardLink, b"file");
        assert_eq!(tree.target(&FsPath::new("y")), Some(&b"etc"[..]));
        assert_eq!(place(&tree, "y/shadow"), Some((FsPath::new("etc/shadow"), false)));
        assert_eq!(tree.target(&FsPath::new("z")), None);
    }

    #[test]
    fn a_replaced_link_leads_nowhere() {
        let mut tree = tree(&[("x", "etc"), ("d/l", "/etc")]);
        tree.replace(&FsPath::new("x"), true);
        assert_eq!(place(&tree, "x/shadow"), Some((FsPath::new("x/shadow"), false)));
        tree.replace(&FsPath::new("d"), true);
        assert_eq!(place(&tree, "d/l/shadow"), Some((FsPath::new("etc/shadow"), false)));
        tree.replace(&FsPath::new("d"), false);
        assert_eq!(place(&tree, "d/l/shadow"), Some((FsPath::new("d/l/shadow"), false)));
    }
}
