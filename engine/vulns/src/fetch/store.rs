//! The store: what was fetched, and the database built of it.
//!
//! ```text
//! state.json                 what is held, since when, and what names it at its address
//! osv/<ecosystem>/all.zip    as published; beside it records that changed since, each in a file
//! exploited.json, estimates.csv
//! database
//! incoming/                  what is being fetched
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use pratique_http::encode;
use pratique_registry::Artifact;
use serde::{Deserialize, Serialize};

use super::download::Got;
use super::lists::{self, List};
use super::{Address, Change, Client, Feeds, FetchError, Progress, artifact, changes};
use crate::database::Database;
use crate::{build, distribution, osv, source};

/// How long what is held counts as fresh.
const FRESH: SignedDuration = SignedDuration::from_hours(24);
/// So many changed records are fetched one by one; for more the whole archive is.
const MOST_CHANGES: usize = 200;
/// Bytes of a list of changes at most.
const LIST_LIMIT: u64 = 256 << 20;
/// Bytes of an ecosystem's archive at most.
const ARCHIVE_LIMIT: u64 = 4 << 30;

/// Names and contents.
type Files = Vec<(String, Vec<u8>)>;

/// Where archives are fetched from.
enum Remote<'a> {
    /// A base URL.
    Web(&'a str),
    /// An artifact.
    Artifact(&'a Artifact),
}

/// What is held.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// Whether something was replaced that no database was built of yet.
    pub(super) unbuilt: bool,
    pub(super) ecosystems: BTreeMap<String, Held>,
    exploited: Option<String>,
    estimates: Option<String>,
}

/// What is held of one ecosystem.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    /// Where it came from.
    pub(super) address: String,
    /// When it was last as that address had it.
    pub(super) checked: Timestamp,
    pub(super) archive_etag: Option<String>,
    pub(super) list_etag: Option<String>,
    /// The newest record of the archive.
    pub(super) archive: Option<Timestamp>,
    /// The newest record of all.
    pub(super) newest: Option<Timestamp>,
}

/// A database, and how old what it was built of is.
pub struct Advisories {
    /// The database.
    pub database: Database,
    /// By ecosystem, when its advisories were last compared with those at their address.
    pub checked: BTreeMap<String, Timestamp>,
}

impl Advisories {
    /// As of when what is known of these ecosystems is: the one that was compared longest ago counts, and one that is not
    /// here does not.
    pub fn as_of<'e>(&self, ecosystems: impl IntoIterator<Item = &'e String>) -> Timestamp {
        let checked = ecosystems.into_iter().filter_map(|name| self.checked.get(name));
        checked.min().copied().unwrap_or(self.database.status().built)
    }
}

/// What an update did.
#[derive(Debug, Default)]
pub struct Updated {
    /// Whether the database is another one now.
    pub changed: bool,
    /// Ecosystems that could not be had, and why. What was held of them before is held still.
    pub failed: BTreeMap<String, String>,
    /// Lists about attacks that could not be had, and why.
    pub warnings: Vec<String>,
}

/// A folder of advisories. Several processes may use it: an update waits for another, readers wait for none.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) folder: PathBuf,
}

impl Store {
    /// A store in `folder`, which is made when something is put in.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The database's file.
    pub fn path(&self) -> PathBuf {
        self.folder.join("database")
    }

    /// The database; none if there is none yet.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged.
    pub fn open(&self) -> Result<Option<Advisories>, FetchError> {
        if !self.path().exists() {
            return Ok(None);
        }
        let database = Database::open(&self.path())?;
        Ok(Some(Advisories { database, checked: self.held() }))
    }

    /// By ecosystem, when its advisories were last compared with those at their address.
    pub fn held(&self) -> BTreeMap<String, Timestamp> {
        self.state().ecosystems.into_iter().map(|(name, held)| (name, held.checked)).collect()
    }

    /// Those of `wanted` that are not held, or were not compared with `feeds` for a day.
    pub fn due(&self, wanted: &BTreeSet<String>, feeds: &Feeds, now: Timestamp) -> BTreeSet<String> {
        let state = self.state();
        let address = feeds.advisories.to_string();
        let is_built = !state.unbuilt && self.path().exists();
        let is_fresh = |name: &&String| {
            let held = state.ecosystems.get(*name).filter(|held| is_built && held.address == address);
            held.is_some_and(|held| now.duration_since(held.checked) < FRESH)
        };
        wanted.iter().filter(|name| !is_fresh(name)).cloned().collect()
    }

    /// Brings what is held, and `wanted` beside it, to what `feeds` have. A database is replaced whole and by a newer
    /// one, or not at all.
    ///
    /// # Errors
    /// If the store cannot be written or no database can be built; single ecosystems that cannot be had are no error.
    pub fn update(
        &self,
        wanted: &BTreeSet<String>,
        feeds: &Feeds,
        client: &Client<'_>,
        now: Timestamp,
    ) -> Result<Updated, FetchError> {
        fs::create_dir_all(&self.folder).map_err(FetchError::io(&self.folder))?;
        let path = self.folder.join("lock");
        let lock = File::create(&path).map_err(FetchError::io(&path))?;
        lock.lock().map_err(FetchError::io(&path))?;
        // What an update that was killed has left.
        let _ = fs::remove_file(self.fresh());
        let mut state = self.state();
        let address = feeds.advisories.to_string();
        for held in state.ecosystems.values_mut().filter(|held| held.address != address) {
            (held.archive_etag, held.list_etag) = (None, None);
        }
        let targets = state.ecosystems.keys().chain(wanted).cloned().collect();
        match &feeds.advisories {
            Address::Http(base) => self.fetch(&Remote::Web(base), &targets, feeds, client, state, now),
            Address::Artifact(address) => match artifact::open(address, client) {
                Ok(opened) => self.fetch(&Remote::Artifact(&opened), &targets, feeds, client, state, now),
                Err(error) => {
                    let reason = error.to_string();
                    let failed = targets.into_iter().map(|name| (name, reason.clone())).collect();
                    Ok(Updated { failed, ..Updated::default() })
                }
            },
            Address::Path(path) => self.take(path, &targets, feeds, client, state, now),
        }
    }

    fn fetch(
        &self,
        remote: &Remote<'_>,
        targets: &BTreeSet<String>,
        feeds: &Feeds,
        client: &Client<'_>,
        mut state: State,
        now: Timestamp,
    ) -> Result<Updated, FetchError> {
        let mut updated = Updated::default();
        let mut silent = None;
        for name in targets {
            if let Some(reason) = &silent {
                updated.failed.insert(name.clone(), String::clone(reason));
                continue;
            }
            match self.refresh(remote, name, feeds, client, &mut state, now) {
                Ok(()) => {}
                Err(error @ FetchError::Io { .. }) => return Err(error),
                Err(error) => {
                    let reason = error.to_string();
                    // Where nobody answers, asking for the next would only take time.
                    if matches!(error, FetchError::Request { answered: false, .. }) {
                        silent = Some(reason.clone());
                    }
                    updated.failed.insert(name.clone(), reason);
                }
            }
        }
        if silent.is_none() {
            let opened = match remote {
                Remote::Web(_) => None,
                Remote::Artifact(opened) => Some(*opened),
            };
            self.refresh_lists(feeds, opened, client, &mut state, &mut updated)?;
        }
        let is_whole = Database::open(&self.path()).is_ok();
        if (state.unbuilt || !is_whole) && !state.ecosystems.is_empty() {
            let names: Vec<String> = state.ecosystems.keys().cloned().collect();
            self.build(&self.folder.join("osv"), &names, client, now)?;
            state.unbuilt = false;
            updated.changed = true;
        }
        self.keep(&state)?;
        Ok(updated)
    }

    /// Brings one ecosystem to what its address has.
    fn refresh(
        &self,
        remote: &Remote<'_>,
        name: &str,
        feeds: &Feeds,
        client: &Client<'_>,
        state: &mut State,
        now: Timestamp,
    ) -> Result<(), FetchError> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(FetchError::refused(name, "no ecosystem is called so"));
        }
        let folder = self.folder.join("osv").join(name);
        let mut held = state.ecosystems.get(name).cloned().unwrap_or_default();
        // An artifact has no list of changes: whoever makes one pushes whole archives.
        let is_current = match remote {
            Remote::Web(base) if folder.join("all.zip").exists() => {
                let address = format!("{base}/{}", encode(name));
                self.catch_up(&address, &folder, &mut held, client, state)?
            }
            _ => false,
        };
        if !is_current {
            self.archive(remote, name, &mut held, client, state)?;
        }
        (held.address, held.checked) = (feeds.advisories.to_string(), now);
        state.ecosystems.insert(name.to_owned(), held);
        Ok(())
    }

    /// Brings the archive in a folder to what its address has, record by record. False if that cannot be done: then it has
    /// to be fetched whole.
    fn catch_up(
        &self,
        address: &str,
        folder: &Path,
        held: &mut Held,
        client: &Client<'_>,
        state: &mut State,
    ) -> Result<bool, FetchError> {
        let Some(newest) = held.newest else { return Ok(false) };
        let Some(changes) = self.changes(address, newest, held, client)? else { return Ok(false) };
        if changes.is_empty() {
            return Ok(true);
        }
        let Some(records) = self.records(address, &changes, client)? else { return Ok(false) };
        self.spoil(state)?;
        for (file, bytes) in records {
            replace(&folder.join(file), &bytes)?;
        }
        held.newest = held.newest.max(changes.iter().map(|change| change.modified).max());
        Ok(true)
    }

    /// The changes since `newest`; none if they are too many or the address has no list of them.
    fn changes(
        &self,
        address: &str,
        newest: Timestamp,
        held: &mut Held,
        client: &Client<'_>,
    ) -> Result<Option<Vec<Change>>, FetchError> {
        let address = format!("{address}/modified_id.csv");
        let (bytes, etag) = match client.read(&address, held.list_etag.as_deref(), LIST_LIMIT) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Some(Vec::new())),
            Err(FetchError::Request { answered: true, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&bytes);
        let wrong = |reason| FetchError::refused(&address, reason);
        let first = changes::parse(&text, Timestamp::MIN, 1).map_err(wrong)?;
        let last = text.lines().next().and_then(|line| line.split_once(',')?.0.parse::<Timestamp>().ok());
        if first.is_some_and(|changes| changes.is_empty()) || last.is_some_and(|last| last < newest) {
            return Err(FetchError::refused(&address, self.older(last, newest)));
        }
        let changes = changes::parse(&text, newest, MOST_CHANGES).map_err(wrong)?;
        if changes.is_some() {
            held.list_etag = etag;
        }
        Ok(changes)
    }

    /// Changed records, checked, each with its file's name; none if one of them is not there any more.
    fn records(
        &self,
        address: &str,
        changes: &[Change],
        client: &Client<'_>,
    ) -> Result<Option<Files>, FetchError> {
        let mut records = Vec::new();
        for change in changes {
            let address = format!("{address}/{}.json", encode(&change.id));
            let bytes = match client.read(&address, None, source::MAX_RECORD) {
                Ok(found) => found.map(|(bytes, _)| bytes).unwrap_or_default(),
                Err(FetchError::Request { answered: true, .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            let record = osv::read(&bytes)
                .map_err(|error| FetchError::refused(&address, format!("it is no record: {error}")))?;
            if record.advisory.id != change.id
                || record.advisory.modified.is_none_or(|at| at < change.modified)
            {
                return Err(FetchError::refused(
                    &address,
                    "it is not the record that the list of changes names",
                ));
            }
            records.push((format!("{}.json", change.id), bytes));
        }
        Ok(Some(records))
    }

    /// Fetches an ecosystem's archive, if it changed.
    fn archive(
        &self,
        remote: &Remote<'_>,
        name: &str,
        held: &mut Held,
        client: &Client<'_>,
        state: &mut State,
    ) -> Result<(), FetchError> {
        let (incoming, folder) = (self.folder.join("incoming"), self.folder.join("osv").join(name));
        let staged = incoming.join(name);
        fs::create_dir_all(&staged).map_err(FetchError::io(&staged))?;
        let (file, place) = (staged.join("all.zip"), folder.join("all.zip"));
        let known = held.archive_etag.as_deref().filter(|_| place.exists());
        let (address, got) = match remote {
            Remote::Web(base) => {
                let address = format!("{base}/{}/all.zip", encode(name));
                let got = client.fetch(&address, known, &file, ARCHIVE_LIMIT)?;
                (address, got)
            }
            Remote::Artifact(opened) => {
                let title = format!("{name}/all.zip");
                let got = artifact::fetch(opened, &title, known, &file, ARCHIVE_LIMIT, client)?;
                (title, got)
            }
        };
        let etag = match got {
            Got::Unchanged => return Ok(()),
            Got::New(etag) => etag,
        };
        let checked = self.inspect(&incoming, name, &address, held.archive);
        if checked.is_err() {
            let _ = fs::remove_dir_all(&staged);
        }
        let newest = checked?;
        self.spoil(state)?;
        fs::create_dir_all(&folder).map_err(FetchError::io(&folder))?;
        fs::rename(&file, &place).map_err(FetchError::io(&place))?;
        // Records that came one by one, unless they are newer than the whole.
        for entry in fs::read_dir(&folder).map_err(FetchError::io(&folder))?.flatten() {
            let path = entry.path();
            let is_record = path.extension().is_some_and(|extension| extension == "json");
            let modified = || osv::read(&fs::read(&path).ok()?).ok()?.advisory.modified;
            if is_record && modified().is_none_or(|at| at <= newest) {
                let _ = fs::remove_file(&path);
            }
        }
        let _ = fs::remove_dir_all(&staged);
        *held = Held {
            archive_etag: etag,
            archive: Some(newest),
            newest: held.newest.max(Some(newest)),
            ..Held::default()
        };
        Ok(())
    }

    /// Reads an archive whole, and with it the checksums of its records: its newest one.
    fn inspect(
        &self,
        folder: &Path,
        name: &str,
        address: &str,
        had: Option<Timestamp>,
    ) -> Result<Timestamp, FetchError> {
        #[derive(Deserialize)]
        struct Dated {
            modified: Timestamp,
        }
        let mut newest: Option<Timestamp> = None;
        source::records(folder, name, |_, bytes| {
            let dated: Option<Dated> = serde_json::from_slice(bytes).ok();
            newest = newest.max(dated.map(|dated| dated.modified));
        })
        .map_err(|error| match error {
            source::SourceError::Archive { error, .. } => {
                FetchError::refused(address, format!("it is no whole zip archive: {error}"))
            }
            source::SourceError::Io { error, .. } => {
                FetchError::refused(address, format!("a record in it cannot be read: {error}"))
            }
            other => FetchError::Source(other),
        })?;
        let newest = newest.ok_or_else(|| FetchError::refused(address, "there is no record in it"))?;
        match had {
            Some(had) if newest < had => Err(FetchError::refused(address, self.older(Some(newest), had))),
            _ => Ok(newest),
        }
    }

    fn older(&self, newest: Option<Timestamp>, had: Timestamp) -> String {
        let newest = newest.map_or_else(|| "nothing".to_owned(), |at| format!("its last change is of {at}"));
        let folder = self.folder.display();
        format!(
            "it is older than what is here ({newest}, here {had}); to take it all the same, remove {folder}"
        )
    }

    pub(super) fn refresh_lists(
        &self,
        feeds: &Feeds,
        opened: Option<&Artifact>,
        client: &Client<'_>,
        state: &mut State,
        updated: &mut Updated,
    ) -> Result<(), FetchError> {
        for (list, address) in [(List::Exploited, &feeds.exploited), (List::Estimates, &feeds.estimates)] {
            let Some(address) = address else { continue };
            let mut etag = match list {
                List::Exploited => state.exploited.clone(),
                List::Estimates => state.estimates.clone(),
            };
            match list.refresh(client, address, opened, &self.folder, &mut etag) {
                Ok(true) => self.spoil(state)?,
                Ok(false) => {}
                Err(error) => {
                    updated.warnings.push(error.to_string());
                    continue;
                }
            }
            match list {
                List::Exploited => state.exploited = etag,
                List::Estimates => state.estimates = etag,
            }
        }
        Ok(())
    }

    pub(super) fn build(
        &self,
        records: &Path,
        names: &[String],
        client: &Client<'_>,
        now: Timestamp,
    ) -> Result<(), FetchError> {
        (client.progress)(Progress::Building);
        let fresh = self.fresh();
        build(records, Some(names), &lists::read(&self.folder), &fresh, now)?;
        self.put(&fresh)
    }

    /// Puts a new database where the old one is, unless it is older.
    pub(super) fn put(&self, fresh: &Path) -> Result<(), FetchError> {
        let checked = self.is_newer(fresh);
        if checked.is_err() {
            let _ = fs::remove_file(fresh);
        }
        checked?;
        fs::rename(fresh, self.path()).map_err(FetchError::io(&self.path()))
    }

    fn is_newer(&self, fresh: &Path) -> Result<(), FetchError> {
        let Ok(old) = Database::open(&self.path()) else { return Ok(()) };
        let newest = |database: &Database| {
            let mut newest = BTreeMap::<String, Timestamp>::new();
            for (name, held) in &database.status().ecosystems {
                if let Some(at) = held.newest {
                    let known = newest.entry(distribution::base(name).to_owned()).or_insert(at);
                    *known = at.max(*known);
                }
            }
            newest
        };
        let fresh = newest(&Database::open(fresh)?);
        for (name, had) in newest(&old) {
            if let Some(at) = fresh.get(&name).filter(|at| **at < had) {
                return Err(FetchError::refused(&name, self.older(Some(*at), had)));
            }
        }
        Ok(())
    }

    pub(super) fn fresh(&self) -> PathBuf {
        self.folder.join("database.new")
    }

    /// Notes, before anything is replaced, that the database is not of what is held.
    fn spoil(&self, state: &mut State) -> Result<(), FetchError> {
        if state.unbuilt {
            return Ok(());
        }
        state.unbuilt = true;
        self.keep(state)
    }

    /// One that cannot be read says that nothing is held: it is fetched again.
    fn state(&self) -> State {
        let bytes = fs::read(self.folder.join("state.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    pub(super) fn keep(&self, state: &State) -> Result<(), FetchError> {
        let path = self.folder.join("state.json");
        let bytes = serde_json::to_vec_pretty(state).map_err(|error| FetchError::io(&path)(error.into()))?;
        replace(&path, &bytes)
    }
}

/// Replaces a file whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), FetchError> {
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(FetchError::io(path))
}
