//! Going through everything below a folder.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::Stat;

use super::stack::Stack;
use super::sys;
use crate::{FsPath, Limits};

/// Depth first, a folder before what it holds, sorted by name, links never followed. Neither recursion nor more than a
/// bounded number of descriptors, whatever the depth; memory for the names of the folders on the way only.
pub(super) struct Traverse {
    stack: Stack,
    path: FsPath,
    /// Names still to come, the next last, of each folder on the way.
    pending: Vec<Vec<Vec<u8>>>,
    limits: Limits,
    seen: u64,
}

/// Something met on the way.
pub(super) enum Met {
    /// An entry, with its name in [`Traverse::folder`].
    Entry { path: FsPath, name: Vec<u8>, stat: Stat },
    /// What could not be read at a path.
    Failed { path: FsPath, error: io::Error },
}

impl Traverse {
    /// Starts below `root`, which is at `path`.
    pub(super) fn new(root: Arc<OwnedFd>, path: FsPath, limits: Limits) -> io::Result<Self> {
        let mut stack = Stack::new(root);
        let names = sys::names(stack.top()?, limits.entries)?;
        let seen = names.len() as u64;
        let pending = vec![names.into_iter().rev().collect()];
        Ok(Self { stack, path, pending, limits, seen })
    }

    /// The folder that holds the entry met last.
    pub(super) fn folder(&mut self) -> io::Result<BorrowedFd<'_>> {
        self.stack.top()
    }

    /// The same, for whoever keeps it while this goes on.
    pub(super) fn shared_folder(&mut self) -> io::Result<&Arc<OwnedFd>> {
        self.stack.shared()
    }

    /// The next entry. Folders are gone into by [`Self::enter`].
    pub(super) fn next(&mut self) -> Option<Met> {
        loop {
            let names = self.pending.last_mut()?;
            if let Some(name) = names.pop() {
                let path = self.path.join(&name);
                if path.as_bytes().len() > self.limits.path_bytes {
                    return Some(Met::Failed { path: self.path.clone(), error: io::Error::other(TooDeep) });
                }
                let stat = self.stack.top().and_then(|folder| sys::stat(folder, &name));
                return Some(match stat {
                    Ok(stat) => Met::Entry { path, name, stat },
                    Err(error) => Met::Failed { path, error },
                });
            }
            self.pending.pop();
            if !self.pending.is_empty() {
                self.stack.leave();
                self.path = self.path.parent().unwrap_or_default();
            }
        }
    }

    /// Goes into the folder met last.
    pub(super) fn enter(&mut self, name: &[u8]) -> io::Result<()> {
        self.stack.enter_to_list(name)?;
        let left = self.limits.entries.saturating_sub(self.seen);
        match self.stack.top().and_then(|folder| sys::list(folder, left)) {
            Ok(names) => {
                self.seen += names.len() as u64;
                self.path = self.path.join(name);
                self.pending.push(names.into_iter().rev().collect());
                Ok(())
            }
            Err(error) => {
                self.stack.leave();
                Err(error)
            }
        }
    }
}

/// Marks the error of a path that is longer than is read.
#[derive(Debug, thiserror::Error)]
#[error("what lies below it has longer paths than are read")]
pub(super) struct TooDeep;
