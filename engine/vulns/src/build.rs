//! Building the database from records.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::advisory::{Advisory, Affected};
use crate::database::{Database, DatabaseError, EcosystemStatus, End, HEAD, MAGIC, Status, VERSION, key};
use crate::exploits::Exploits;
use crate::source::{self, SourceError};
use crate::table::{Index, Writer};
use crate::{distribution, flaw, nvd, osv};

/// What a build met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildStats {
    /// Advisories taken.
    pub advisories: usize,
    /// What they say of packages.
    pub statements: usize,
    /// Records left out because they were withdrawn.
    pub withdrawn: usize,
    /// Ranges of commits, which are not kept.
    pub git_ranges: usize,
    /// Records that could not be read, the first hundred with the reason.
    pub unreadable: Vec<String>,
    /// How many could not be read.
    pub unreadable_count: usize,
    /// Statements a part of which could not be read; matching names them where they matter.
    pub problems: usize,
    /// The file's size in bytes.
    pub size: u64,
}

/// Why no database was built. The old one is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The records could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file could not be written.
    #[error("{}: {error}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What was written does not read back.
    #[error("what was written does not read back: {0}")]
    Verify(#[from] DatabaseError),
    /// Nothing was found: more likely a wrong folder than a world without flaws.
    #[error("{}: no advisory in it; give a folder that has <ecosystem>/all.zip", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

#[derive(Default)]
struct Collected {
    advisories: Vec<Advisory>,
    /// Statements by package.
    packages: BTreeMap<Vec<u8>, Vec<Affected>>,
    names: BTreeMap<String, Vec<u32>>,
    seen: HashSet<String>,
    ecosystems: BTreeMap<String, EcosystemStatus>,
    /// By ecosystem, when the last of its withdrawn advisories changed: data that have it are as new as that.
    withdrawn: BTreeMap<String, Option<Timestamp>>,
    /// NVD's, by CVE.
    vectors: HashMap<String, String>,
    stats: BuildStats,
}

impl Collected {
    fn add(&mut self, file: &str, bytes: &[u8], wanted: Option<&[String]>) {
        let record = match osv::read(bytes) {
            Ok(record) => record,
            Err(error) => return self.count_unreadable(file, &error),
        };
        // OSV publishes a record under every ecosystem that it speaks of, and of two states of one the newer comes first.
        if !self.seen.insert(record.advisory.id.clone()) {
            return;
        }
        self.stats.git_ranges += record.git_ranges;
        if record.withdrawn {
            self.stats.withdrawn += 1;
            for (ecosystem, ..) in record.affected {
                let last = self.withdrawn.entry(ecosystem).or_default();
                *last = record.advisory.modified.max(*last);
            }
            return;
        }
        let Ok(number) = u32::try_from(self.advisories.len()) else { return };
        let advisory = record.advisory;
        let mut any = false;
        for (ecosystem, name, mut affected) in record.affected {
            let base = distribution::base(&ecosystem);
            if wanted.is_some_and(|wanted| !wanted.iter().any(|name| name == base)) {
                continue;
            }
            any = true;
            affected.advisory = number;
            self.stats.statements += 1;
            self.stats.problems += usize::from(affected.problem.is_some());
            self.packages.entry(key(&ecosystem, &name)).or_default().push(affected);
            let status = self.ecosystems.entry(ecosystem).or_default();
            status.statements += 1;
            status.newest = status.newest.max(advisory.modified);
        }
        if !any {
            return;
        }
        for name in [&advisory.id].into_iter().chain(&advisory.aliases).chain(&advisory.upstream) {
            let numbers = self.names.entry(name.clone()).or_default();
            if numbers.last() != Some(&number) {
                numbers.push(number);
            }
        }
        self.advisories.push(advisory);
    }

    fn add_vectors(&mut self, file: &str, bytes: &[u8]) {
        if let Err(error) = nvd::add(&mut self.vectors, bytes) {
            self.count_unreadable(file, &error);
        }
    }

    fn count_unreadable(&mut self, file: &str, error: &serde_json::Error) {
        self.stats.unreadable_count += 1;
        if self.stats.unreadable.len() < 100 {
            self.stats.unreadable.push(format!("{file}: {error}"));
        }
    }

    /// What is known of each CVE: of attacks all, of NVD's vectors those that an advisory may want.
    fn known(&mut self, exploits: &Exploits) -> Exploits {
        let mut known = exploits.clone();
        for advisory in &self.advisories {
            let names = [&advisory.id].into_iter().chain(&advisory.aliases).chain(&advisory.upstream);
            for name in names.chain(&advisory.related).map(|name| flaw::canonical(name)) {
                if let Some(vector) = self.vectors.remove(name) {
                    known.entry(name.to_owned()).or_default().vector = Some(vector);
                }
            }
        }
        known
    }
}

/// Builds a database from the records of a folder and puts it at `out`, where an older one is replaced at once and whole.
/// `wanted` are OSV's ecosystems without release; none: all that the folder has. NVD's feeds may lie in [`nvd::FOLDER`].
///
/// # Errors
/// If the records cannot be read whole or the file cannot be written; then nothing at `out` has changed.
pub fn build(
    folder: &Path,
    wanted: Option<&[String]>,
    exploits: &Exploits,
    out: &Path,
    now: Timestamp,
) -> Result<BuildStats, BuildError> {
    let mut collected = Collected::default();
    for ecosystem in source::ecosystems(folder)? {
        if ecosystem == nvd::FOLDER {
            source::records(folder, &ecosystem, |file, bytes| collected.add_vectors(file, bytes))?;
        } else if wanted.is_none_or(|wanted| wanted.contains(&ecosystem)) {
            source::records(folder, &ecosystem, |file, bytes| collected.add(file, bytes, wanted))?;
        }
    }
    for (name, status) in &mut collected.ecosystems {
        status.newest = status.newest.max(collected.withdrawn.get(name).copied().flatten());
    }
    if collected.advisories.is_empty() {
        return Err(BuildError::Empty { path: folder.to_owned() });
    }
    let failed = |error| BuildError::Write { path: out.to_owned(), error };
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Advisories are no secret, and who builds the database may be another user than who reads it.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(parent).map_err(failed)?;
    let known = collected.known(exploits);
    let size = write(&collected, &known, now, file.as_file_mut()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    Database::open(file.path())?.verify()?;
    file.persist(out).map_err(|error| failed(error.error))?;
    // The name itself must outlive a power cut too.
    std::fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed)?;
    let mut stats = collected.stats;
    stats.advisories = collected.advisories.len();
    stats.size = size;
    Ok(stats)
}

/// Counts into the checksum whatever passes.
struct Hashed<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn write(
    collected: &Collected,
    exploits: &Exploits,
    now: Timestamp,
    file: &mut std::fs::File,
) -> io::Result<u64> {
    file.seek(SeekFrom::Start(HEAD))?;
    let mut out = Hashed { out: BufWriter::new(file.try_clone()?), hash: Sha256::new() };
    let mut offset = HEAD;
    let packages =
        table(&mut out, &mut offset, collected.packages.iter().map(|(key, value)| (key.clone(), value)))?;
    let numbered = collected.advisories.iter().zip(0u32..);
    let advisories = table(
        &mut out,
        &mut offset,
        numbered.map(|(advisory, number)| (number.to_be_bytes().to_vec(), advisory)),
    )?;
    let by_text = |text: &String| text.clone().into_bytes();
    let names =
        table(&mut out, &mut offset, collected.names.iter().map(|(name, value)| (by_text(name), value)))?;
    let known = table(&mut out, &mut offset, exploits.iter().map(|(cve, value)| (by_text(cve), value)))?;
    out.flush()?;
    let Hashed { out, hash } = out;
    drop(out);
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let end = End {
        status: Status {
            built: now,
            ecosystems: collected.ecosystems.clone(),
            advisories: count(collected.advisories.len()),
            exploits: count(exploits.len()),
        },
        blocks_sha256: hash.finalize().into(),
        packages,
        advisories,
        names,
        exploits: known,
    };
    let end = postcard::to_allocvec(&end).map_err(io::Error::other)?;
    file.write_all(&end)?;
    let mut head = Vec::with_capacity(64);
    head.extend_from_slice(MAGIC);
    for number in [u64::from(VERSION), offset, end.len() as u64] {
        head.extend_from_slice(&number.to_le_bytes());
    }
    head.extend_from_slice(&Sha256::digest(&end));
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&head)?;
    Ok(offset + end.len() as u64)
}

fn table<'a, V: serde::Serialize + 'a>(
    out: &mut impl Write,
    offset: &mut u64,
    entries: impl Iterator<Item = (Vec<u8>, &'a V)>,
) -> io::Result<Index> {
    let mut writer = Writer::new(out, offset)?;
    for (key, value) in entries {
        writer.add(&key, &postcard::to_allocvec(value).map_err(io::Error::other)?)?;
    }
    writer.finish()
}
