//! The database: one file that is written once and replaced whole.
//!
//! ```text
//! 64 bytes   magic, version, place and length of the end piece, its SHA-256
//! blocks     of three sorted tables: packages, advisories, names; and one of what is known of attacks
//! end piece  what is in it, the tables' indexes, the SHA-256 of the blocks
//! ```
//!
//! Opening reads the head and the end piece; a lookup reads one block. Blocks are read with pread and not mapped: the page
//! cache serves both alike, a file that shrinks beneath us is an error and not a signal, and no `unsafe` is needed.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::advisory::{Advisory, Affected};
use crate::exploits::Exploit;
use crate::table::{Block, Index};

pub(crate) const MAGIC: &[u8; 8] = b"PRTQVULN";
/// Raised whenever the file's form changes: others are refused.
pub(crate) const VERSION: u32 = 2;
pub(crate) const HEAD: u64 = 64;
const MAX_END: u64 = 512 << 20;
/// So many packages and advisories are kept unpacked.
const CACHED: usize = 50_000;
/// So many unpacked blocks are kept, a few MiB: what is asked for next mostly lies beside what was.
const BLOCKS: usize = 512;
/// Larger ones are not kept.
const SMALL_BLOCK: usize = 64 << 10;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It could not be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is not one, or not whole.
    #[error("{}: {reason}; build or fetch it again", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What a database holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// When it was built.
    pub built: Timestamp,
    /// By ecosystem with release.
    pub ecosystems: BTreeMap<String, EcosystemStatus>,
    /// Advisories in all.
    pub advisories: u32,
    /// CVEs of whose use by attackers something is known.
    pub exploits: u32,
}

/// What a database holds of one ecosystem.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EcosystemStatus {
    /// Statements on packages.
    pub statements: u32,
    /// The last change of an advisory; none where no record has a date.
    pub newest: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct End {
    pub(crate) status: Status,
    pub(crate) blocks_sha256: [u8; 32],
    pub(crate) packages: Index,
    pub(crate) advisories: Index,
    pub(crate) names: Index,
    pub(crate) exploits: Index,
}

/// An open database. Replacing its file does not disturb it.
pub struct Database {
    path: PathBuf,
    file: File,
    end: End,
    end_at: u64,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    packages: HashMap<Vec<u8>, Arc<Vec<Affected>>>,
    advisories: HashMap<u32, Arc<Advisory>>,
    exploits: HashMap<String, Option<Exploit>>,
    blocks: HashMap<u64, Arc<Vec<u8>>>,
}

/// The key of a package: by name first, so that one name's releases lie side by side.
pub(crate) fn key(ecosystem: &str, name: &str) -> Vec<u8> {
    [name.as_bytes(), b"\0", ecosystem.as_bytes()].concat()
}

impl Database {
    /// Opens a database.
    ///
    /// # Errors
    /// If it cannot be read, is of another version, or its head or end piece is damaged.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let failed = |error| DatabaseError::Io { path: path.to_owned(), error };
        let damaged =
            |reason: &str| DatabaseError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if length < HEAD {
            return Err(damaged("no advisory database: it is too short"));
        }
        let mut head = [0; HEAD as usize];
        file.read_exact_at(&mut head, 0).map_err(failed)?;
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|index| head[at + index]));
        if &head[..8] != MAGIC {
            return Err(damaged("no advisory database"));
        }
        let version = number(8);
        if version != u64::from(VERSION) {
            return Err(damaged(&format!(
                "a database of version {version}, and this program reads {VERSION}"
            )));
        }
        let (end_at, end_length) = (number(16), number(24));
        if end_at < HEAD || end_length > MAX_END || end_at.checked_add(end_length) != Some(length) {
            return Err(damaged("the file is cut or has grown"));
        }
        let mut bytes = vec![0; end_length as usize];
        file.read_exact_at(&mut bytes, end_at).map_err(failed)?;
        if Sha256::digest(&bytes).as_slice() != &head[32..64] {
            return Err(damaged("its end piece has another checksum than its head says"));
        }
        let end: End = postcard::from_bytes(&bytes).map_err(|_| damaged("its end piece cannot be read"))?;
        let tables = [&end.packages, &end.advisories, &end.names, &end.exploits];
        if !tables.iter().all(|index| index.is_within(HEAD, end_at)) {
            return Err(damaged("a table lies outside the file"));
        }
        Ok(Self { path: path.to_owned(), file, end, end_at, cache: Mutex::default() })
    }

    /// Reads the whole file and compares its checksum: for a database that has just arrived.
    ///
    /// # Errors
    /// If it cannot be read or is not what was built.
    pub fn verify(&self) -> Result<(), DatabaseError> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let mut at = HEAD;
        while at < self.end_at {
            let want = usize::try_from(self.end_at - at).map_or(buffer.len(), |rest| rest.min(buffer.len()));
            self.file.read_exact_at(&mut buffer[..want], at).map_err(|error| self.failed(error))?;
            hash.update(&buffer[..want]);
            at += want as u64;
        }
        if hash.finalize().as_slice() == self.end.blocks_sha256 {
            return Ok(());
        }
        Err(self.damaged("its blocks have another checksum than its end piece says"))
    }

    /// What it holds.
    pub fn status(&self) -> &Status {
        &self.end.status
    }

    /// What is said of one package: its name in the ecosystem's normal form.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged there.
    pub fn lookup(&self, ecosystem: &str, name: &str) -> Result<Arc<Vec<Affected>>, DatabaseError> {
        let key = key(ecosystem, name);
        if let Some(found) = self.cache().packages.get(&key) {
            return Ok(found.clone());
        }
        let found: Vec<Affected> = self.get(&self.end.packages, &key)?.unwrap_or_default();
        let found = Arc::new(found);
        let mut cache = self.cache();
        if cache.packages.len() >= CACHED {
            cache.packages.clear();
        }
        cache.packages.insert(key, found.clone());
        Ok(found)
    }

    /// An advisory by its number.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged there.
    pub fn advisory(&self, number: u32) -> Result<Arc<Advisory>, DatabaseError> {
        if let Some(found) = self.cache().advisories.get(&number) {
            return Ok(found.clone());
        }
        let found: Option<Advisory> = self.get(&self.end.advisories, &number.to_be_bytes())?;
        let found = Arc::new(found.ok_or_else(|| self.damaged(&format!("advisory {number} is missing")))?);
        let mut cache = self.cache();
        if cache.advisories.len() >= CACHED {
            cache.advisories.clear();
        }
        cache.advisories.insert(number, found.clone());
        Ok(found)
    }

    /// The advisories that have this name: their own, an alias or an upstream one.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged there.
    pub fn show(&self, name: &str) -> Result<Vec<Arc<Advisory>>, DatabaseError> {
        let numbers: Vec<u32> = self.get(&self.end.names, name.as_bytes())?.unwrap_or_default();
        numbers.into_iter().map(|number| self.advisory(number)).collect()
    }

    /// Ecosystems and names of packages whose names begin so, at most `limit`.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged there.
    pub fn search(&self, start: &str, limit: usize) -> Result<Vec<(String, String)>, DatabaseError> {
        let mut found = Vec::new();
        let scanned = self.end.packages.scan(&self.file, start.as_bytes(), |key, _| {
            if let Some(at) = key.iter().position(|byte| *byte == 0) {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                found.push((text(&key[at + 1..]), text(&key[..at])));
            }
            found.len() < limit
        });
        scanned.map_err(|error| self.failed(error))?;
        Ok(found)
    }

    /// What is known of attackers' use of a CVE.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged there.
    pub fn exploit(&self, cve: &str) -> Result<Option<Exploit>, DatabaseError> {
        if let Some(known) = self.cache().exploits.get(cve) {
            return Ok(known.clone());
        }
        let found: Option<Exploit> = self.get(&self.end.exploits, cve.as_bytes())?;
        let mut cache = self.cache();
        if cache.exploits.len() >= CACHED {
            cache.exploits.clear();
        }
        cache.exploits.insert(cve.to_owned(), found.clone());
        Ok(found)
    }

    fn get<T: DeserializeOwned>(&self, index: &Index, key: &[u8]) -> Result<Option<T>, DatabaseError> {
        let found = index.get(key, |block| self.block(block)).map_err(|error| self.failed(error))?;
        let Some(bytes) = found else { return Ok(None) };
        postcard::from_bytes(&bytes).map(Some).map_err(|_| self.damaged("an entry cannot be read"))
    }

    fn block(&self, block: &Block) -> io::Result<Arc<Vec<u8>>> {
        if let Some(known) = self.cache().blocks.get(&block.offset()) {
            return Ok(known.clone());
        }
        let bytes = Arc::new(block.read(&self.file)?);
        if bytes.len() <= SMALL_BLOCK {
            let mut cache = self.cache();
            if cache.blocks.len() >= BLOCKS {
                cache.blocks.clear();
            }
            cache.blocks.insert(block.offset(), bytes.clone());
        }
        Ok(bytes)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: io::Error) -> DatabaseError {
        DatabaseError::Io { path: self.path.clone(), error }
    }

    fn damaged(&self, reason: &str) -> DatabaseError {
        DatabaseError::Damaged { path: self.path.clone(), reason: reason.to_owned() }
    }
}
