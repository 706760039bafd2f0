//! The folders on the way from a root, with a bounded number of them open.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::sys;

/// How many of the innermost folders are kept open.
const WINDOW: usize = 64;

/// A place below a root: the names that lead to it, and descriptors of the innermost folders. Going back up beyond
/// them opens them again from the root, a window at a time, so that depth costs neither descriptors nor much time.
pub(super) struct Stack {
    root: Arc<OwnedFd>,
    levels: Vec<(Vec<u8>, Option<Arc<OwnedFd>>)>,
}

impl Stack {
    /// At the root.
    pub(super) fn new(root: Arc<OwnedFd>) -> Self {
        Self { root, levels: Vec::new() }
    }

    /// The folder it is at.
    pub(super) fn top(&mut self) -> io::Result<BorrowedFd<'_>> {
        Ok(self.shared()?.as_fd())
    }

    /// The folder it is at, for whoever keeps it while this goes on.
    pub(super) fn shared(&mut self) -> io::Result<&Arc<OwnedFd>> {
        if self.levels.last().is_some_and(|(_, folder)| folder.is_none()) {
            self.reopen()?;
        }
        Ok(match self.levels.last() {
            Some((_, Some(folder))) => folder,
            _ => &self.root,
        })
    }

    /// Goes into a folder of the current one.
    pub(super) fn enter(&mut self, name: &[u8]) -> io::Result<()> {
        let folder = sys::open_folder(self.top()?, name)?;
        self.push(name, folder);
        Ok(())
    }

    /// Goes into a folder of the current one that is to be listed: [`Stack::top`] is open for that then.
    pub(super) fn enter_to_list(&mut self, name: &[u8]) -> io::Result<()> {
        let folder = sys::open_listing(self.top()?, name)?;
        self.push(name, folder);
        Ok(())
    }

    fn push(&mut self, name: &[u8], folder: OwnedFd) {
        self.levels.push((name.to_vec(), Some(Arc::new(folder))));
        if let Some(outside) = self.levels.len().checked_sub(WINDOW + 1) {
            self.levels[outside].1 = None;
        }
    }

    /// Goes to the folder above; at the root it stays.
    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }

    /// Goes to the root.
    pub(super) fn clear(&mut self) {
        self.levels.clear();
    }

    fn reopen(&mut self) -> io::Result<()> {
        let first_kept = self.levels.len().saturating_sub(WINDOW);
        let mut current: Option<OwnedFd> = None;
        for place in 0..self.levels.len() {
            let parent = match place.checked_sub(1).and_then(|above| self.levels[above].1.as_ref()) {
                Some(kept) if place > first_kept => kept.as_fd(),
                _ => current.as_ref().map_or(self.root.as_fd(), OwnedFd::as_fd),
            };
            let folder = sys::open_folder(parent, &self.levels[place].0)?;
            if place >= first_kept {
                self.levels[place].1 = Some(Arc::new(folder));
            } else {
                current = Some(folder);
            }
        }
        Ok(())
    }
}
