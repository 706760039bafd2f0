//! Which system package brought a file.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::owned::{FileFacts, OwnedFiles};

/// Which system package owns a file, and what its database says of the file.
///
/// Paths are kept as hashes under a random key: two of a million paths meet once in 30 million images.
#[derive(Debug, Clone, Default)]
pub struct Ownership {
    purls: Vec<String>,
    files: HashMap<u64, (u32, FileFacts)>,
    hasher: RandomState,
}

impl Ownership {
    /// Adds the files of a package.
    pub fn add(&mut self, purl: &str, files: &OwnedFiles) {
        if files.is_empty() {
            return;
        }
        let place = self.purls.len() as u32;
        self.purls.push(purl.to_owned());
        for file in files {
            self.files.insert(self.hasher.hash_one(file.path.as_str()), (place, file.facts));
        }
    }

    /// What is known of the file at this absolute path.
    fn known(&self, path: &str) -> Option<&(u32, FileFacts)> {
        let path = path.trim_start_matches('/');
        let at = |path: &str| self.files.get(&self.hasher.hash_one(path));
        at(path).or_else(|| at(&twin(path)?))
    }

    /// Package URL of the system package that owns the file at this absolute path.
    pub fn owner(&self, path: &str) -> Option<&str> {
        self.known(path).and_then(|(place, _)| self.purls.get(*place as usize)).map(String::as_str)
    }

    /// What the package database says of the file at this absolute path.
    pub fn file(&self, path: &str) -> Option<&FileFacts> {
        self.known(path).map(|(_, facts)| facts)
    }

    /// Whether there are packages, all of this type of package URL, such as `deb`: which distribution's habits count.
    pub fn is_all(&self, kind: &str) -> bool {
        let is_one =
            |purl: &String| purl.strip_prefix("pkg:").and_then(|rest| rest.split('/').next()) == Some(kind);
        !self.purls.is_empty() && self.purls.iter().all(is_one)
    }

    /// Whether no package owns any file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// The other name of a path on systems with a merged /usr: databases still say `/bin/sh` of what lies in /usr/bin.
fn twin(path: &str) -> Option<String> {
    let unmerged = path.strip_prefix("usr/");
    let top = unmerged.unwrap_or(path).split('/').next()?;
    let is_merged = matches!(top, "bin" | "sbin" | "lib" | "lib32" | "lib64" | "libx32");
    is_merged.then(|| unmerged.map_or_else(|| format!("usr/{path}"), str::to_owned))
}
