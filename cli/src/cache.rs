//! What layers gave, one file a layer and rule set, for the next scan of an image that shares it.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pratique_scan::{LayerCache, LayerKey};
use sha2::{Digest, Sha256};

/// Bytes that are kept; what was not used for longest goes first.
const LIMIT: u64 = 1 << 30;

/// The user's cache folder for this command.
pub(crate) fn usual() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))?;
    Some(cache.join("pratique"))
}

/// A folder of facts. Several commands may use it at the same time: files come and go whole.
#[derive(Debug)]
pub(crate) struct FolderCache {
    folder: PathBuf,
}

impl FolderCache {
    /// A cache in `folder`, which is made if it is missing; only its owner can read what is in it, as facts may hold
    /// hashes of passwords.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub(crate) fn open(folder: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = folder.join("layers");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder })
    }

    fn path(&self, key: &LayerKey) -> PathBuf {
        self.folder.join(format!("{:x}", Sha256::digest(key.as_str())))
    }

    /// Deletes what was not used for longest, until the rest is within the limit.
    pub(crate) fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut left: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if left <= LIMIT {
                return;
            }
            // Another command may have been quicker.
            let _ = fs::remove_file(path);
            left -= size;
        }
    }
}

impl LayerCache for FolderCache {
    fn get(&self, key: &LayerKey) -> Option<Vec<u8>> {
        let path = self.path(key);
        let facts = fs::read(&path).ok()?;
        // The time of the last use, for pruning; failing costs nothing but the order.
        if let Ok(file) = File::open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(facts)
    }

    fn put(&self, key: &LayerKey, facts: &[u8]) {
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(facts)?;
            file.persist(self.path(key)).map_err(|error| error.error)?;
            Ok(())
        };
        // What is not kept is read again.
        let _ = write();
    }
}
