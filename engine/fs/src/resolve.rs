//! Following links inside a root.

use crate::{Error, FsPath, Result};

/// Links followed on the way of one path, as in the Linux kernel.
pub(crate) const MAX_LINKS: u32 = 40;

/// Links followed on the way of one entry that is unpacked. containerd gives up beyond this, and the image with it.
pub(crate) const MAX_UNPACK_LINKS: u32 = 255;

/// What a name in a folder is to the resolution.
pub(crate) enum Step {
    /// A folder; the cursor is in it now.
    Entered,
    /// A symbolic link with this target; the cursor stays.
    Link(Vec<u8>),
    /// Anything else; the cursor stays.
    Leaf,
    /// Nothing; the cursor stays.
    Missing,
}

/// A place in a tree of folders.
pub(crate) trait Cursor {
    /// Looks at a name in the current folder.
    fn enter(&mut self, name: &[u8]) -> Result<Step>;
    /// To the folder above, not above the root.
    fn up(&mut self) -> Result<()>;
    /// To the root.
    fn to_root(&mut self);
}

/// What a path leads to.
pub(crate) enum Found {
    /// The folder the cursor is in now.
    Folder,
    /// The entry of this name in the folder that the cursor is in now.
    Entry(Vec<u8>),
    /// Nothing has this name in the folder that the cursor is in now.
    Missing,
}

/// Goes from the root to `path`, following links on the way, and the one at the end if `follow` says so. Gives the
/// path without links too.
pub(crate) fn resolve(cursor: &mut impl Cursor, path: &FsPath, follow: bool) -> Result<(FsPath, Found)> {
    cursor.to_root();
    let mut todo = Vec::new();
    push_parts(&mut todo, path.as_bytes());
    let mut done: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == b".." {
            if done.pop().is_some() {
                cursor.up()?;
            }
            continue;
        }
        let last = todo.is_empty();
        match cursor.enter(&name)? {
            Step::Entered => done.push(name),
            Step::Link(target) if !last || follow => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Error::LinkLoop { path: path.to_string() });
                }
                if target.starts_with(b"/") {
                    done.clear();
                    cursor.to_root();
                }
                push_parts(&mut todo, &target);
            }
            Step::Link(_) | Step::Leaf if last => {
                done.push(name.clone());
                return Ok((FsPath::new(done.join(&b'/')), Found::Entry(name)));
            }
            Step::Missing if last => {
                done.push(name);
                return Ok((FsPath::new(done.join(&b'/')), Found::Missing));
            }
            Step::Link(_) | Step::Leaf => {
                return Err(Error::WrongKind {
                    path: path.to_string(),
                    reason: "a part of the way is no folder, so nothing lies below it",
                });
            }
            Step::Missing => return Err(Error::NotFound { path: path.to_string() }),
        }
    }
    Ok((FsPath::new(done.join(&b'/')), Found::Folder))
}

/// Puts the parts of a link's target on a stack as containerd follows it when it unpacks: by the text, so that `a/..`
/// leads nowhere else even if `a` is a link. Whether that made a difference, since the kernel would go by way of `a`.
pub(crate) fn push_target(stack: &mut Vec<Vec<u8>>, target: &[u8]) -> bool {
    let (mut parts, mut cut): (Vec<&[u8]>, bool) = (Vec::new(), false);
    for part in target.split(|b| *b == b'/').filter(|part| !part.is_empty() && *part != b".") {
        if part == b".." && parts.last().is_some_and(|last| *last != b"..") {
            parts.pop();
            cut = true;
        } else {
            parts.push(part);
        }
    }
    stack.extend(parts.into_iter().rev().map(<[u8]>::to_vec));
    cut
}

/// Puts the parts of a path on a stack, the first on top.
pub(crate) fn push_parts(stack: &mut Vec<Vec<u8>>, path: &[u8]) {
    let parts = path.split(|b| *b == b'/').filter(|part| !part.is_empty() && *part != b".");
    stack.extend(parts.rev().map(<[u8]>::to_vec));
}
