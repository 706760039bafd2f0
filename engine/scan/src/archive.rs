//! Files within files: zip, gzip, bzip2, xz, Zstandard and tar, in one another, for those who ask for them.
//!
//! An archive is read in order and once, from the same reading that hands out its pieces: a zip by the headers before
//! its files, not by its directory (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, 4.3), gzip by RFC 1952,
//! xz by <https://tukaani.org/xz/xz-file-format.txt>, Zstandard by RFC 8878.
//! Nothing of it is kept but the pieces of the file that is being unpacked.

mod behind;
mod zip;

use std::io::{self, BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pratique_core::inspect::{FileInput, FileMode, Kind};
use pratique_core::{ArchiveFormat, GapKind};
use pratique_detect::FileReport;
use pratique_fs::{FsPath, TarMembers};
use pratique_inventory::{WINDOW_LOG, unpacked};

use crate::stream::{Handout, Takers, crashed};
use crate::{DetectorFacts, Engine};

/// Archives within each other that are looked into.
const MAX_DEPTH: usize = 4;
/// Files of one archive, those of archives in it included.
const MAX_MEMBERS: usize = 100_000;
/// Bytes that one archive is unpacked to, likewise.
const MAX_BYTES: u64 = 1 << 30;
/// Bytes of a name within an archive.
const MAX_NAME: usize = 4096;
/// Bytes of facts and problems that are kept of one archive.
const MAX_NOTED: usize = 4 << 20;

/// Bytes that tell what an archive is.
const HEAD: usize = 512;
/// Bytes of a compressed file that are read at a time.
const BUFFER: usize = 32 << 10;

/// Looks into one file, if it is an archive.
pub(crate) struct Unpacking<'e> {
    engine: &'e Engine,
    path: &'e FsPath,
    mode: FileMode,
    /// Bytes of the file.
    size: u64,
    /// Who wants files within archives, by place in [`Engine::subjects`].
    subjects: Vec<usize>,
    members: usize,
    bytes: u64,
    /// Room for pieces of files within archives, used again.
    rooms: Vec<Vec<u8>>,
    noted: Vec<DetectorFacts>,
    weight: usize,
    /// Why some of it was not looked at.
    problems: Vec<(GapKind, String)>,
}

/// Why an archive is not read on.
enum Stop {
    /// A limit of all archives in the file.
    Limit(String),
    /// Unpacking it takes more memory than [`WINDOW_LOG`] allows.
    Window(String),
    /// Its bytes, or those of the file it lies in, are not what they should be.
    Broken(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        let text = error.to_string();
        // Of Zstandard's errors only the text is handed on.
        match error.kind() == io::ErrorKind::OutOfMemory || text.contains("requires too much memory") {
            true => Self::Window(text),
            false => Self::Broken(text),
        }
    }
}

impl Stop {
    /// As a problem of `what`, the archive.
    fn told(self, what: &str) -> (GapKind, String) {
        match self {
            Self::Limit(reason) => (GapKind::Limit, reason),
            Self::Window(error) => {
                let most = (1 << WINDOW_LOG) / (1 << 20);
                let reason = format!(
                    "{what} was packed with a window of more than {most} MiB and is not unpacked: {error}"
                );
                (GapKind::Limit, reason)
            }
            Self::Broken(error) => (GapKind::Malformed, format!("{what} cannot be read on: {error}")),
        }
    }
}

type Flow = Result<(), Stop>;

impl<'e> Unpacking<'e> {
    /// For a file that `takers` take, of which some may want what lies in it.
    pub(crate) fn new(
        engine: &'e Engine,
        path: &'e FsPath,
        mode: FileMode,
        size: u64,
        takers: impl Iterator<Item = usize>,
    ) -> Self {
        let subjects = takers.filter(|subject| engine.subjects()[*subject].looks_into_archives()).collect();
        Self {
            engine,
            path,
            mode,
            size,
            subjects,
            members: 0,
            bytes: 0,
            rooms: Vec::new(),
            noted: Vec::new(),
            weight: 0,
            problems: Vec::new(),
        }
    }

    /// Reads `file` as far as it is an archive: to its end, or not at all but for a few bytes.
    pub(crate) fn look_into(&mut self, file: &mut dyn Read) {
        if self.subjects.is_empty() {
            return;
        }
        match catch_unwind(AssertUnwindSafe(|| self.unpack(file, &[], self.size, 0))) {
            Ok(Ok(())) => {}
            Ok(Err(stop)) => {
                let (kind, reason) = stop.told("the archive");
                self.problem(kind, reason);
            }
            Err(_) => self.problems.extend(crashed().problems),
        }
    }

    /// What was noted of files in it, and what of it could not be looked at.
    pub(crate) fn finish(self) -> Vec<DetectorFacts> {
        let mut noted = self.noted;
        if !self.problems.is_empty() {
            noted.extend(self.subjects.iter().map(|subject| DetectorFacts {
                detector: self.engine.subjects()[*subject].id().to_owned(),
                member: None,
                facts: Vec::new(),
                problems: self.problems.clone(),
            }));
        }
        noted
    }

    /// Once of each reason: an archive of a thousand encrypted files is one problem.
    fn problem(&mut self, kind: GapKind, reason: String) {
        if self.problems.len() < 16 && !self.problems.iter().any(|(_, known)| *known == reason) {
            self.problems.push((kind, reason));
        }
    }

    /// Reads an archive of `size` bytes, if that is known, whose name within the file is `name`, empty for the file itself.
    fn unpack(&mut self, file: &mut dyn Read, name: &[u8], size: u64, depth: usize) -> Flow {
        let mut head = Vec::with_capacity(HEAD);
        (&mut *file).take(HEAD as u64).read_to_end(&mut head)?;
        let format = match ArchiveFormat::of(&head) {
            None => behind::find(&mut head, file, size)?,
            format => format,
        };
        let Some(format) = format else {
            if let Some(name) = ArchiveFormat::unread(&head) {
                self.problem(GapKind::Unsupported, format!("it is packed by {name} and was not looked into"));
            }
            return Ok(());
        };
        if depth == MAX_DEPTH {
            let reason =
                format!("archives that lie deeper than {MAX_DEPTH} in one another are not looked into");
            self.problem(GapKind::Limit, reason);
            return Ok(());
        }
        let mut file = BufReader::with_capacity(BUFFER, head.as_slice().chain(file));
        match format {
            ArchiveFormat::Zip => return zip::read(self, &mut file, name, depth),
            ArchiveFormat::Tar => {}
            // What only compresses has one file in it, without a name of its own.
            ArchiveFormat::Gzip | ArchiveFormat::Bzip2 | ArchiveFormat::Xz | ArchiveFormat::Zstd => {
                return self.member(&mut unpacked(file, format)?, name, u64::MAX, depth + 1);
            }
        }
        let mut tar = TarMembers::new(file, "the archive".to_owned(), pratique_fs::Limits::default());
        let broken = |error: pratique_fs::Error| Stop::from(io::Error::other(error.to_string()));
        while let Some((own, size)) = tar.next_file().map_err(broken)? {
            let own = joined(name, &own);
            self.member(&mut tar, &own, size, depth + 1)?;
        }
        Ok(())
    }

    /// Hands out a file within an archive, and what lies in it.
    fn member(&mut self, content: &mut dyn Read, name: &[u8], size: u64, depth: usize) -> Flow {
        self.members += 1;
        if self.members > MAX_MEMBERS {
            return Err(Stop::Limit(format!(
                "it has more than {MAX_MEMBERS} files; the rest was not looked at"
            )));
        }
        let path = match name {
            [] => self.path.as_bytes().to_vec(),
            name => [self.path.as_bytes(), b"!/", name].concat(),
        };
        let nothing: &[u8] = &[];
        let input = FileInput {
            path: &path,
            kind: Kind::File,
            mode: self.mode,
            capability: None,
            size,
            bytes: nothing,
            content: &nothing,
        };
        let mut takers = Takers::new(self.engine);
        for subject in &self.subjects {
            match catch_unwind(AssertUnwindSafe(|| self.engine.subjects()[*subject].stream(&input))) {
                Ok(None) => {}
                Ok(Some(stream)) => takers.push(*subject, MAX_BYTES, Some(stream)),
                Err(_) => takers.push(*subject, MAX_BYTES, None),
            }
        }
        let room = MAX_BYTES.saturating_sub(self.bytes);
        let mut bounded = content.take(room);
        let mut window = self.rooms.pop().unwrap_or_default();
        let mut handout = Handout::new(&mut takers, &mut bounded, &mut window);
        let inner = self.unpack(&mut handout, name, size, depth);
        let (_, read) = handout.finish();
        self.rooms.push(window);
        // To its end, so that the next one is found.
        let rest = io::copy(&mut bounded, &mut io::sink());
        self.bytes += room - bounded.limit();
        let is_full = bounded.limit() == 0;
        for (subject, report) in takers.finish(0, Ok((0, Ok(())))) {
            self.note(subject, name, report);
        }
        if is_full {
            let reason = format!("it unpacks to more than {MAX_BYTES} bytes; the rest was not looked at");
            return Err(Stop::Limit(reason));
        }
        read.and(rest.map(|_| ()))?;
        match inner {
            // The archive around it is read on.
            Err(stop @ (Stop::Window(_) | Stop::Broken(_))) => {
                let (kind, reason) = stop.told("an archive in it");
                self.problem(kind, reason);
                Ok(())
            }
            other => other,
        }
    }

    fn note(&mut self, subject: usize, name: &[u8], report: FileReport) {
        if report.facts.is_empty() && report.problems.is_empty() {
            return;
        }
        let facts = DetectorFacts {
            detector: self.engine.subjects()[subject].id().to_owned(),
            member: Some(name.to_owned()).filter(|name| !name.is_empty()),
            facts: report.facts,
            problems: report.problems,
        };
        self.weight += facts.weight();
        if self.weight > MAX_NOTED {
            let reason =
                format!("more than {MAX_NOTED} bytes would be noted of files in it; some were dropped");
            self.problem(GapKind::Limit, reason);
            return;
        }
        self.noted.push(facts);
    }
}

/// A file's name within an archive of which the name is known, bounded.
fn joined(archive: &[u8], own: &[u8]) -> Vec<u8> {
    let own = own.strip_prefix(b"./").unwrap_or(own);
    let mut name = archive.to_vec();
    if !name.is_empty() {
        name.extend(b"!/");
    }
    name.extend(own);
    name.truncate(MAX_NAME);
    name
}

/// Reads `buffer` full; how much there was.
fn fill(source: &mut dyn BufRead, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
