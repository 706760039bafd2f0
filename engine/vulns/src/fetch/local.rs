//! Advisories that lie on this machine: a folder, a zip of it, a built database.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Component, Path};

use jiff::Timestamp;

use super::store::{Held, State};
use super::{Address, Client, Feeds, FetchError, Store, Updated};
use crate::database::{Database, MAGIC};
use crate::{distribution, source};

/// Bytes that a zip of several ecosystems unpacks to at most.
const UNPACKED_LIMIT: u64 = 16 << 30;

impl Store {
    /// Takes a folder, a zip of such a folder, or a built database.
    pub(super) fn take(
        &self,
        path: &Path,
        targets: &BTreeSet<String>,
        feeds: &Feeds,
        client: &Client<'_>,
        mut state: State,
        now: Timestamp,
    ) -> Result<Updated, FetchError> {
        let mut updated = Updated { changed: true, ..Updated::default() };
        let mut unpacked = None;
        let mut feeds = feeds.clone();
        if path.is_file() {
            let mut magic = [0; 8];
            let read =
                File::open(path).and_then(|mut file| file.read(&mut magic)).map_err(FetchError::io(path))?;
            if magic[..read] == *MAGIC {
                return self.adopt(path, targets, state);
            }
            let folder = tempfile::tempdir_in(&self.folder).map_err(FetchError::io(&self.folder))?;
            unpack(path, folder.path())?;
            let beside = Feeds::of(Address::Path(folder.path().to_owned()));
            feeds.exploited = feeds.exploited.or(beside.exploited);
            feeds.estimates = feeds.estimates.or(beside.estimates);
            unpacked = Some(folder);
        }
        let folder = unpacked.as_ref().map_or(path, |folder| folder.path());
        let there: BTreeSet<String> = source::ecosystems(folder)?.into_iter().collect();
        for name in targets.difference(&there) {
            updated.failed.insert(name.clone(), format!("{} has no advisories of {name}", path.display()));
        }
        self.lacks_nothing(path, &there, &state)?;
        let names: Vec<String> = targets.intersection(&there).cloned().collect();
        if names.is_empty() {
            updated.changed = false;
            return Ok(updated);
        }
        for address in [&mut feeds.exploited, &mut feeds.estimates] {
            // Whoever hands over a folder need not have lists in it.
            if matches!(address, Some(Address::Path(path)) if !path.exists()) {
                *address = None;
            }
        }
        self.refresh_lists(&feeds, None, client, &mut state, &mut updated)?;
        self.build(folder, &names, client, now)?;
        let address = path.display().to_string();
        let held = |name: String| (name, Held { address: address.clone(), checked: now, ..Held::default() });
        state.ecosystems = names.into_iter().map(held).collect();
        state.unbuilt = false;
        self.keep(&state)?;
        Ok(updated)
    }

    /// Takes a built database.
    fn adopt(
        &self,
        path: &Path,
        targets: &BTreeSet<String>,
        mut state: State,
    ) -> Result<Updated, FetchError> {
        let fresh = self.fresh();
        fs::copy(path, &fresh).map_err(FetchError::io(&fresh))?;
        let database = Database::open(&fresh).and_then(|database| database.verify().map(|()| database));
        let status = database
            .map_err(|error| FetchError::refused(path.display(), error.to_string()))?
            .status()
            .clone();
        let there = status.ecosystems.keys().map(|name| distribution::base(name).to_owned()).collect();
        self.lacks_nothing(path, &there, &state)?;
        self.put(&fresh)?;
        let held = Held { address: path.display().to_string(), checked: status.built, ..Held::default() };
        let names = status.ecosystems.keys().map(|name| distribution::base(name).to_owned());
        state.ecosystems = names.map(|name| (name, held.clone())).collect();
        state.unbuilt = false;
        self.keep(&state)?;
        let missing = targets.iter().filter(|name| !state.ecosystems.contains_key(*name));
        let reason = |name: &String| format!("{} has no advisories of {name}", path.display());
        let failed = missing.map(|name| (name.clone(), reason(name))).collect();
        Ok(Updated { changed: true, failed, warnings: Vec::new() })
    }

    /// Refuses what has no advisories of an ecosystem that a good database here has some of.
    fn lacks_nothing(&self, path: &Path, there: &BTreeSet<String>, state: &State) -> Result<(), FetchError> {
        let missing = state.ecosystems.keys().find(|name| !there.contains(*name));
        let Some(missing) = missing.filter(|_| Database::open(&self.path()).is_ok()) else { return Ok(()) };
        let folder = self.folder.display();
        let reason = format!(
            "it has no advisories of {missing}, which are here; to take it all the same, remove {folder}"
        );
        Err(FetchError::refused(path.display(), reason))
    }
}

/// Unpacks a zip of a folder as OSV publishes: `<ecosystem>/…` and the lists beside; nothing deeper.
fn unpack(archive: &Path, folder: &Path) -> Result<(), FetchError> {
    let wrong = |reason: String| FetchError::refused(archive.display(), reason);
    let broken = |error: zip::result::ZipError| wrong(format!("it is no whole zip archive: {error}"));
    let mut zip =
        zip::ZipArchive::new(File::open(archive).map_err(FetchError::io(archive))?).map_err(broken)?;
    let mut left = UNPACKED_LIMIT;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        let path = Path::new(&name);
        let parts = path.components().count();
        if entry.is_dir() || parts > 2 || !path.components().all(|part| matches!(part, Component::Normal(_)))
        {
            continue;
        }
        let out = folder.join(path);
        let parent = out.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(FetchError::io(parent))?;
        let mut file = File::create(&out).map_err(FetchError::io(&out))?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read =
                entry.read(&mut buffer).map_err(|error| wrong(format!("{name} cannot be read: {error}")))?;
            if read == 0 {
                break;
            }
            left = left
                .checked_sub(read as u64)
                .ok_or_else(|| wrong("it unpacks to more than 16 GiB".to_owned()))?;
            file.write_all(&buffer[..read]).map_err(FetchError::io(&out))?;
        }
    }
    Ok(())
}
