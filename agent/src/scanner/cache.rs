//! Facts of layers on disk, so that a layer is read once however many images share it.
//!
//! One redb file. The database verifies its pages only when it is opened, so values must carry a checksum of their own.
//! A database that cannot be opened or read is thrown away and begun anew: it holds nothing that cannot be had again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

/// What is kept of a layer: when it was last used, and its facts.
const LAYERS: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("layers");
/// The layers by last use, oldest first, with the bytes each takes.
const BY_USE: TableDefinition<'_, u64, (&str, u64)> = TableDefinition::new("by-use");
/// `bytes`: the sum over all layers. `uses`: the number of uses so far.
const TOTALS: TableDefinition<'_, &str, u64> = TableDefinition::new("totals");

const BYTES: &str = "bytes";
const USES: &str = "uses";

/// The database's own memory, in bytes.
const PAGE_CACHE: usize = 4 << 20;

/// How long an earlier scanner may hold the file.
const HANDOVER: Duration = Duration::from_secs(10);

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Layer facts by key, bounded in size; what was not used for longest goes first.
pub(super) struct Cache {
    path: PathBuf,
    limit: u64,
    state: Mutex<State>,
}

struct State {
    /// None while the file can be neither opened nor begun anew (a full or read-only disk): then nothing is kept.
    database: Option<Database>,
    rebuilds: u64,
}

impl Cache {
    /// Opens the cache at `path`, or begins it anew if the file is no usable one. At most `limit` bytes of facts are
    /// kept.
    pub(super) fn open(path: impl Into<PathBuf>, limit: u64) -> Self {
        let path = path.into();
        let mut state = State { database: None, rebuilds: 0 };
        match guarded(|| open_when_free(&path)) {
            Ok(database) => state.database = Some(database),
            Err(fault) => state.rebuild(&path, &*fault),
        }
        Self { path, limit, state: Mutex::new(state) }
    }

    /// What `decode` makes of the facts kept under `key`; from now on they are the last to be evicted. If it fails the
    /// database is damaged.
    pub(super) fn get<T, E>(&self, key: &str, decode: impl FnOnce(&[u8]) -> Result<T, E>) -> Option<T>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        self.with(|database| {
            touch(database, key)?.map(|facts| decode(&facts)).transpose().map_err(Into::into)
        })
        .flatten()
    }

    /// Keeps `facts` under `key` and evicts what is too much. Facts larger than the whole cache are not kept.
    pub(super) fn put(&self, key: &str, facts: &[u8]) {
        if facts.len() as u64 <= self.limit {
            self.with(|database| insert(database, key, facts, self.limit));
        }
    }

    /// Bytes of facts held.
    pub(super) fn bytes(&self) -> u64 {
        self.with(|database| Ok(total(&database.begin_read()?.open_table(TOTALS)?, BYTES)?)).unwrap_or(0)
    }

    /// Whether results can be kept at all.
    pub(super) fn is_usable(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).database.is_some()
    }

    /// How often the database had to be begun anew since this was last asked.
    pub(super) fn take_rebuilds(&self) -> u64 {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).rebuilds)
    }

    /// Runs `work`; whatever goes wrong in it makes the database a new one.
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Fault>) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let database = state.database.as_ref()?;
        match guarded(|| work(database)) {
            Ok(value) => Some(value),
            Err(fault) => {
                state.rebuild(&self.path, &*fault);
                None
            }
        }
    }
}

impl State {
    fn rebuild(&mut self, path: &Path, fault: &(dyn std::error::Error + Send + Sync)) {
        tracing::warn!(path = %path.display(), %fault, "the layer cache is unusable and begun anew");
        self.rebuilds += 1;
        // A damaged database may panic when it is closed, too.
        let old = self.database.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(old)));
        let begun = guarded(|| match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => open_file(path),
        });
        match begun {
            Ok(database) => self.database = Some(database),
            Err(fault) => tracing::error!(
                path = %path.display(), %fault,
                "the layer cache cannot be written: every scan reads all layers; is the folder there, writable, not full?"
            ),
        }
    }
}

/// The database may panic over a file that changed beneath it; that is a fault like any other.
fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("the database is damaged".into()))
}

/// A scanner that is just being replaced may hold the file a little longer; that is no damage.
fn open_when_free(path: &Path) -> Result<Database, Fault> {
    let deadline = Instant::now() + HANDOVER;
    loop {
        match open_file(path) {
            Err(fault)
                if matches!(fault.downcast_ref(), Some(redb::DatabaseError::DatabaseAlreadyOpen))
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(100));
            }
            result => return result,
        }
    }
}

fn open_file(path: &Path) -> Result<Database, Fault> {
    let mut database =
        Database::builder().set_cache_size(PAGE_CACHE).set_check_integrity_on_open(true).create(path)?;
    database.compact()?;
    let transaction = database.begin_write()?;
    transaction.open_table(LAYERS)?;
    transaction.open_table(BY_USE)?;
    transaction.open_table(TOTALS)?;
    transaction.commit()?;
    Ok(database)
}

fn total(totals: &impl ReadableTable<&'static str, u64>, name: &str) -> Result<u64, redb::StorageError> {
    Ok(totals.get(name)?.map_or(0, |guard| guard.value()))
}

fn touch(database: &Database, key: &str) -> Result<Option<Vec<u8>>, Fault> {
    let transaction = database.begin_write()?;
    let facts = {
        let mut layers = transaction.open_table(LAYERS)?;
        let mut by_use = transaction.open_table(BY_USE)?;
        let mut totals = transaction.open_table(TOTALS)?;
        let Some((last, facts)) = layers.get(key)?.map(|guard| (guard.value().0, guard.value().1.to_vec()))
        else {
            return Ok(None);
        };
        let now = total(&totals, USES)? + 1;
        totals.insert(USES, now)?;
        layers.insert(key, (now, facts.as_slice()))?;
        by_use.remove(last)?;
        by_use.insert(now, (key, facts.len() as u64))?;
        facts
    };
    transaction.commit()?;
    Ok(Some(facts))
}

fn insert(database: &Database, key: &str, facts: &[u8], limit: u64) -> Result<(), Fault> {
    let transaction = database.begin_write()?;
    {
        let mut layers = transaction.open_table(LAYERS)?;
        let mut by_use = transaction.open_table(BY_USE)?;
        let mut totals = transaction.open_table(TOTALS)?;
        let size = facts.len() as u64;
        let mut bytes = total(&totals, BYTES)? + size;
        let now = total(&totals, USES)? + 1;
        let replaced = layers.insert(key, (now, facts))?.map(|guard| guard.value().0);
        if let Some(last) = replaced {
            bytes = bytes.saturating_sub(by_use.remove(last)?.map_or(0, |guard| guard.value().1));
        }
        by_use.insert(now, (key, size))?;
        while bytes > limit {
            let Some((oldest, size)) = by_use.pop_first()?.map(|(_, entry)| {
                let (key, size) = entry.value();
                (key.to_owned(), size)
            }) else {
                break;
            };
            layers.remove(oldest.as_str())?;
            bytes = bytes.saturating_sub(size);
        }
        totals.insert(BYTES, bytes)?;
        totals.insert(USES, now)?;
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn cache(folder: &tempfile::TempDir, limit: u64) -> Cache {
        Cache::open(folder.path().join("cache.redb"), limit)
    }

    fn get(cache: &Cache, key: &str) -> Option<Vec<u8>> {
        cache.get(key, |facts| Ok::<_, std::io::Error>(facts.to_vec()))
    }

    fn has(cache: &Cache, key: &str) -> bool {
        get(cache, key).is_some()
    }

    #[test]
    fn what_was_put_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        cache(&folder, 1000).put("a", b"facts");
        let cache = cache(&folder, 1000);
        assert_eq!(get(&cache, "a").as_deref(), Some(&b"facts"[..]));
        assert!(has(&cache, "a") && !has(&cache, "b"));
        assert_eq!((get(&cache, "b"), cache.take_rebuilds(), cache.bytes()), (None, 0, 5));
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 250);
        cache.put("a", &[1; 100]);
        cache.put("b", &[2; 100]);
        assert!(get(&cache, "a").is_some());
        cache.put("c", &[3; 100]);
        assert!(has(&cache, "a") && !has(&cache, "b") && has(&cache, "c"));
        assert_eq!(cache.bytes(), 200);
        cache.put("a", &[4; 120]);
        assert_eq!((cache.bytes(), get(&cache, "a").unwrap()[0]), (220, 4));
        cache.put("huge", &[5; 251]);
        assert_eq!((has(&cache, "huge"), cache.bytes()), (false, 220));
    }

    #[test]
    fn a_file_that_is_no_database_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cache.redb"), vec![0x5a; 100_000]).unwrap();
        let cache = cache(&folder, 1000);
        assert_eq!((cache.take_rebuilds(), cache.take_rebuilds()), (1, 0));
        cache.put("a", b"facts");
        assert!(cache.is_usable() && has(&cache, "a"));
    }

    #[test]
    fn a_database_damaged_while_closed_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache.redb");
        cache(&folder, 1 << 20).put("a", &[0x77; 5000]);
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        for offset in (4096..file.metadata().unwrap().len()).step_by(64) {
            file.write_all_at(&[0xEE; 64], offset).unwrap();
        }
        let cache = cache(&folder, 1 << 20);
        assert_eq!((get(&cache, "a"), cache.take_rebuilds()), (None, 1));
        cache.put("a", &[0x78; 5000]);
        assert_eq!(get(&cache, "a").unwrap(), vec![0x78; 5000]);
    }

    #[test]
    fn a_value_that_cannot_be_decoded_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder, 1000);
        cache.put("a", b"facts");
        let refused = cache.get("a", |_| Err::<(), _>(std::io::Error::other("checksum")));
        assert_eq!((refused, cache.take_rebuilds(), has(&cache, "a")), (None, 1, false));
    }

    #[test]
    fn without_a_folder_nothing_is_kept_and_nothing_breaks() {
        let cache = Cache::open("/proc/no-such-folder/cache.redb", 1000);
        cache.put("a", b"facts");
        assert!(!cache.is_usable());
        assert_eq!((get(&cache, "a"), cache.bytes()), (None, 0));
    }
}
