//! A temporary folder.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A temporary folder, removed when dropped. Trees deeper than the process may hold files open are removed too, which
/// the standard library's removal cannot.
#[derive(Debug)]
pub struct ScratchDir(TempDir);

impl ScratchDir {
    /// A new, empty folder, in memory where that can be: thousands of folders are made and removed.
    #[expect(clippy::new_without_default, reason = "it makes a folder on disk")]
    pub fn new() -> Self {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("pratique-test-");
        Self(builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir()).expect("a temporary folder"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        let _ = Command::new("rm").arg("-rf").arg("--").arg(self.0.path()).status();
    }
}
