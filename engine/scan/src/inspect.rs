//! One file and those who want it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pratique_core::GapKind;
use pratique_core::inspect::{Extent, FileInput, FileMode, HEAD, Kind, ReadAt};
use pratique_detect::FileReport;
use pratique_fs::{Content, EntryKind, FsPath, Metadata};

use crate::archive::Unpacking;
use crate::aside::{Loaded, Looked, MAX_FILE, Rest};
use crate::matcher::{Candidate, Want, settle, want_metadata};
use crate::stream::{From, Handout, Takers, crashed};
use crate::timings::Work;
use crate::{DetectorFacts, Engine, FileFacts};

/// Bytes of a stream that are kept in memory for random access; what is longer goes to the scratch file.
const SPOOL_MEMORY: u64 = 16 << 20;

/// What comes of a file.
pub(crate) enum Inspected {
    /// What was noted; none if nobody noted anything.
    Done(Option<FileFacts>),
    /// All of it, for others to look into.
    Loaded(Loaded),
}

/// How many bytes of a file were handed out in pieces and how that ended, or why there were none.
type Streamed = Result<(u64, io::Result<()>), (GapKind, String)>;

/// Hands files to those who want them; keeps one buffer for all of them.
pub(crate) struct Inspector<'e> {
    engine: &'e Engine,
    /// Where a stream is kept that somebody wants random access to.
    scratch: Option<&'e File>,
    buffer: Vec<u8>,
    wants: Vec<Want>,
    /// A piece of a file that somebody wants as a stream.
    piece: Vec<u8>,
    /// Bytes read so far.
    pub(crate) bytes: u64,
    /// Files read so far.
    pub(crate) opened: u64,
}

impl<'e> Inspector<'e> {
    pub(crate) fn new(engine: &'e Engine, scratch: Option<&'e File>) -> Self {
        Self {
            engine,
            scratch,
            buffer: Vec::new(),
            wants: Vec::new(),
            piece: Vec::new(),
            bytes: 0,
            opened: 0,
        }
    }

    /// Reads a file once, as far as those need it who still want it when they have seen how it begins, and asks them; or
    /// leaves that to others, if they want much of it and it is not too long. A file that could not be read, or ended early,
    /// is a problem of each.
    pub(crate) fn inspect(
        &mut self,
        path: &FsPath,
        metadata: &Metadata,
        candidates: &[Candidate],
        content: &mut dyn Content,
    ) -> Inspected {
        self.buffer.clear();
        let by_content = candidates.iter().any(|candidate| !candidate.interest.heads.is_empty());
        let reads = |candidate: &Candidate| candidate.interest.extent != Extent::Metadata;
        self.opened += u64::from(candidates.iter().any(reads));
        let mut read = Ok(());
        if by_content {
            read = self.fill(content, HEAD);
        }
        settle(candidates, &self.buffer, &mut self.wants);
        if self.wants.is_empty() {
            // Nobody can tell whether it would have been wanted.
            let facts = read_problem(&read, &self.buffer, 0).map(|reason| {
                let facts = problem_of_each(self.engine, candidates, GapKind::Unreadable, &reason);
                self.facts(path, metadata, facts)
            });
            return Inspected::Done(facts);
        }
        let is_for_others = self.engine.threads().is_some() && self.wants.iter().any(Want::is_long);
        if is_for_others && read.is_ok() && metadata.size <= MAX_FILE as u64 {
            self.buffer.reserve_exact((metadata.size as usize).saturating_sub(self.buffer.len()));
            let read = self.fill(content, MAX_FILE);
            // One that says less than it has goes on being read.
            if self.buffer.len() < MAX_FILE {
                return Inspected::Loaded(Loaded {
                    path: path.clone(),
                    metadata: metadata.clone(),
                    wants: std::mem::take(&mut self.wants),
                    bytes: std::mem::take(&mut self.buffer),
                    rest: Rest(read.err()),
                    by_metadata: want_metadata(candidates),
                });
            }
        }
        Inspected::Done(self.ask_for(path, metadata, content, read))
    }

    /// Looks into a file that another has read.
    pub(crate) fn look_into(&mut self, file: Loaded) -> Looked {
        let Loaded { path, metadata, wants, bytes, mut rest, by_metadata } = file;
        (self.wants, self.buffer) = (wants, bytes);
        let facts = self.ask_for(&path, &metadata, &mut rest, Ok(()));
        Looked { path, metadata, by_metadata, facts }
    }

    /// Asks those who want a file of which the buffer holds the start. `read` is how reading that ended.
    fn ask_for(
        &mut self,
        path: &FsPath,
        metadata: &Metadata,
        content: &mut dyn Content,
        mut read: io::Result<()>,
    ) -> Option<FileFacts> {
        let window = self.wants.iter().map(|want| want.window).max().unwrap_or(0);
        if read.is_ok() {
            read = self.fill(content, window);
        }
        let expected = metadata.size.min(window as u64);
        let problem = read_problem(&read, &self.buffer, expected);
        let size = metadata.size.max(self.buffer.len() as u64);
        let whole = self.wants.iter().filter_map(|want| want.whole).filter(|limit| size <= *limit).max();
        let counted = Counted::default();
        let access = whole.filter(|_| problem.is_none()).map(|_| self.access(content, size, &counted));
        let has_all = matches!(access, Some(Ok(_)));
        let mut takers = self.takers(path, metadata, size, has_all);
        let mut unpacking = Unpacking::new(self.engine, path, mode(metadata), size, takers.subjects());
        let (access, streamed) = match access {
            Some(access) => {
                let streamed = self.stream_accessed(&mut takers, &access, &mut unpacking);
                (access, streamed)
            }
            None => {
                let streamed = self.stream(&mut takers, content, problem.as_deref(), &mut unpacking);
                (Ok(Access::Buffer), streamed)
            }
        };
        let mut reports = takers.finish(size, streamed);
        let mut detectors = self.ask(path, metadata, Kind::File, problem.as_deref(), access, &mut reports);
        detectors.extend(unpacking.finish());
        self.bytes += counted.0.get();
        (!detectors.is_empty()).then(|| self.facts(path, metadata, detectors))
    }

    /// Asks those who want nothing but metadata. None if none of them noted anything.
    pub(crate) fn inspect_metadata(
        &mut self,
        path: &FsPath,
        metadata: &Metadata,
        target: Option<&[u8]>,
        candidates: &[Candidate],
    ) -> Option<FileFacts> {
        self.buffer.clear();
        settle(candidates, &[], &mut self.wants);
        let kind = match metadata.kind {
            EntryKind::File => Kind::File,
            EntryKind::Directory => Kind::Folder,
            EntryKind::Symlink => Kind::Link(target.unwrap_or_default()),
            EntryKind::Device | EntryKind::Fifo | EntryKind::Socket => Kind::Special,
        };
        let detectors = self.ask(path, metadata, kind, None, Ok(Access::Buffer), &mut BTreeMap::new());
        (!detectors.is_empty()).then(|| self.facts(path, metadata, detectors))
    }

    /// Those who want a file as a stream, and do not want, or get, all of it.
    fn takers(&self, path: &FsPath, metadata: &Metadata, size: u64, has_all: bool) -> Takers<'e> {
        let mut takers = Takers::new(self.engine);
        for want in &self.wants {
            let Some(limit) = want.stream else { continue };
            if has_all && want.whole.is_some_and(|limit| size <= limit) {
                continue;
            }
            let bytes = &self.buffer[..self.buffer.len().min(want.window)];
            let input = FileInput {
                path: path.as_bytes(),
                kind: Kind::File,
                mode: mode(metadata),
                capability: metadata.capability.as_deref(),
                size,
                bytes,
                content: &bytes,
            };
            let subject = &self.engine.subjects()[want.subject];
            match catch_unwind(AssertUnwindSafe(|| subject.stream(&input))) {
                Ok(None) => {}
                Ok(Some(stream)) => takers.push(want.subject, limit, Some(stream)),
                Err(_) => takers.push(want.subject, limit, None),
            }
        }
        takers
    }

    /// Hands a file of which the buffer holds the start to those who take it in pieces.
    fn stream(
        &mut self,
        takers: &mut Takers<'_>,
        content: &mut dyn Content,
        problem: Option<&str>,
        unpacking: &mut Unpacking<'_>,
    ) -> Streamed {
        if takers.is_empty() {
            return Ok((0, Ok(())));
        }
        let start = self.buffer.len() as u64;
        let (bytes, read) = match problem {
            None => {
                let mut whole = self.buffer.as_slice().chain(content);
                let mut handout = Handout::new(takers, &mut whole, &mut self.piece);
                unpacking.look_into(&mut handout);
                handout.finish()
            }
            Some(_) => Handout::new(takers, &mut self.buffer.as_slice(), &mut self.piece).finish(),
        };
        self.bytes += bytes.saturating_sub(start);
        match problem {
            None => Ok((bytes, read)),
            Some(reason) => Err((GapKind::Unreadable, reason.to_owned())),
        }
    }

    /// The same of a file that is accessible at random: it is not read a second time from where it comes from.
    fn stream_accessed(
        &mut self,
        takers: &mut Takers<'_>,
        access: &Result<Access<'_>, (GapKind, String)>,
        unpacking: &mut Unpacking<'_>,
    ) -> Streamed {
        let source: &dyn ReadAt = match access {
            _ if takers.is_empty() => return Ok((0, Ok(()))),
            Ok(Access::Source(source)) => source,
            Ok(Access::Scratch(scratch)) => scratch,
            Ok(Access::Buffer) => &self.buffer,
            Err(refusal) => {
                let _ = Handout::new(takers, &mut self.buffer.as_slice(), &mut self.piece).finish();
                return Err(refusal.clone());
            }
        };
        let rest = From { source, offset: self.buffer.len() as u64 };
        let mut whole = self.buffer.as_slice().chain(rest);
        let mut handout = Handout::new(takers, &mut whole, &mut self.piece);
        unpacking.look_into(&mut handout);
        Ok(handout.finish())
    }

    /// Reads on until `window` bytes of the file's start are in the buffer, or it ends.
    fn fill(&mut self, content: &mut dyn Content, window: usize) -> io::Result<()> {
        let before = self.buffer.len();
        let more = window.saturating_sub(before) as u64;
        let read = content.take(more).read_to_end(&mut self.buffer);
        self.bytes += (self.buffer.len() - before) as u64;
        read.map(|_| ())
    }

    /// Random access to a file of which the buffer holds the start.
    fn access<'c>(
        &mut self,
        content: &'c mut dyn Content,
        size: u64,
        counted: &'c Counted,
    ) -> Result<Access<'c>, (GapKind, String)>
    where
        'e: 'c,
    {
        let unreadable = |error: io::Error| (GapKind::Unreadable, format!("reading broke off: {error}"));
        if size <= self.buffer.len() as u64 {
            return Ok(Access::Buffer);
        }
        // The borrow of what is given would outlive the other branch, so it is asked for twice.
        if content.random_access().map_err(unreadable)?.is_some() {
            return match content.random_access().map_err(unreadable)? {
                Some(source) => Ok(Access::Source(CountedSource { source, counted })),
                None => Ok(Access::Buffer),
            };
        }
        if size <= SPOOL_MEMORY {
            let start = self.buffer.len();
            self.fill(content, size as usize).map_err(unreadable)?;
            if (self.buffer.len() as u64) < size {
                let reason = read_problem(&Ok(()), &self.buffer, size).unwrap_or_default();
                self.buffer.truncate(start);
                return Err((GapKind::Unreadable, reason));
            }
            return Ok(Access::Buffer);
        }
        let Some(mut scratch) = self.scratch else {
            let reason = format!(
                "it has {size} bytes and comes as a stream; without a scratch file at most {SPOOL_MEMORY} are kept"
            );
            return Err((GapKind::Limit, reason));
        };
        let unwritable =
            |error: io::Error| (GapKind::Unreadable, format!("the scratch file cannot be written: {error}"));
        scratch.set_len(0).and_then(|()| scratch.seek(SeekFrom::Start(0))).map_err(unwritable)?;
        scratch.write_all(&self.buffer).map_err(unwritable)?;
        let left = size - self.buffer.len() as u64;
        let copied = io::copy(&mut content.take(left), &mut scratch).map_err(unreadable)?;
        self.bytes += copied;
        if copied < left {
            let reason = format!(
                "the file ended after {} bytes where {size} were expected; it changed or is damaged",
                size - left + copied
            );
            return Err((GapKind::Unreadable, reason));
        }
        Ok(Access::Scratch(Scratch(scratch)))
    }

    fn ask(
        &self,
        path: &FsPath,
        metadata: &Metadata,
        kind: Kind<'_>,
        problem: Option<&str>,
        access: Result<Access<'_>, (GapKind, String)>,
        streamed: &mut BTreeMap<usize, FileReport>,
    ) -> Vec<DetectorFacts> {
        let mode = mode(metadata);
        let size = metadata.size.max(self.buffer.len() as u64);
        let mut detectors = Vec::new();
        for want in &self.wants {
            let subject = &self.engine.subjects()[want.subject];
            let bytes = &self.buffer[..self.buffer.len().min(want.window)];
            let refused = match (want.whole, &access) {
                (Some(limit), _) if size > limit => {
                    Some((GapKind::Limit, format!("it has {size} bytes; at most {limit} are looked into")))
                }
                (Some(_), Err((kind, reason))) => Some((*kind, reason.clone())),
                _ => None,
            };
            let mut report = match (streamed.remove(&want.subject), refused) {
                (Some(report), None) => report,
                (Some(mut report), Some(refusal)) => {
                    if !report.problems.contains(&refusal) {
                        report.problems.push(refusal);
                    }
                    report
                }
                (None, _) if want.stream.is_some() && want.whole.is_none() => FileReport::default(),
                (None, Some(refusal)) => FileReport { facts: Vec::new(), problems: vec![refusal] },
                (None, None) => {
                    let content: &dyn ReadAt = match &access {
                        Ok(Access::Source(source)) if want.whole.is_some() => source,
                        Ok(Access::Scratch(scratch)) if want.whole.is_some() => scratch,
                        Ok(Access::Buffer) if want.whole.is_some() => &self.buffer,
                        _ => &bytes,
                    };
                    let capability = metadata.capability.as_deref();
                    let path = path.as_bytes();
                    let input = FileInput { path, kind, mode, capability, size, bytes, content };
                    let bytes = if want.whole.is_some() { size } else { bytes.len() as u64 };
                    let work = Work::File { subject: want.subject, new: true, bytes };
                    let inspect = || catch_unwind(AssertUnwindSafe(|| subject.inspect(&input)));
                    self.engine.measure(work, inspect).unwrap_or_else(|_| crashed())
                }
            };
            let problem = problem.filter(|_| want.window > 0 && want.stream.is_none());
            report.problems.extend(problem.map(|reason| (GapKind::Unreadable, reason.to_owned())));
            if !report.facts.is_empty() || !report.problems.is_empty() {
                detectors.push(DetectorFacts {
                    detector: subject.id().to_owned(),
                    member: None,
                    facts: report.facts,
                    problems: report.problems,
                });
            }
        }
        detectors
    }

    /// Facts that say that a wanted file could not be read at all.
    pub(crate) fn unreadable(
        &self,
        path: &FsPath,
        metadata: &Metadata,
        candidates: &[Candidate],
        reason: &str,
    ) -> FileFacts {
        let facts = problem_of_each(self.engine, candidates, GapKind::Unreadable, reason);
        self.facts(path, metadata, facts)
    }

    fn facts(&self, path: &FsPath, metadata: &Metadata, detectors: Vec<DetectorFacts>) -> FileFacts {
        let size = metadata.size.max(self.buffer.len() as u64);
        FileFacts { path: path.clone(), mode: mode(metadata), size, detectors }
    }
}

fn mode(metadata: &Metadata) -> FileMode {
    FileMode { permissions: metadata.permissions, uid: metadata.uid, gid: metadata.gid }
}

/// The same problem for everybody who might want a file.
fn problem_of_each(
    engine: &Engine,
    candidates: &[Candidate],
    kind: GapKind,
    reason: &str,
) -> Vec<DetectorFacts> {
    let mut subjects: Vec<usize> = candidates.iter().map(|candidate| candidate.subject).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let facts = |subject: usize| DetectorFacts {
        detector: engine.subjects()[subject].id().to_owned(),
        member: None,
        facts: Vec::new(),
        problems: vec![(kind, reason.to_owned())],
    };
    subjects.into_iter().map(facts).collect()
}

/// Where random access goes to.
enum Access<'c> {
    /// The whole file is in the buffer, or nobody may have more.
    Buffer,
    Source(CountedSource<'c>),
    Scratch(Scratch<'c>),
}

/// Counts bytes that are read at random.
#[derive(Default)]
struct Counted(Cell<u64>);

struct CountedSource<'c> {
    source: &'c dyn ReadAt,
    counted: &'c Counted,
}

impl ReadAt for CountedSource<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.source.read_at(buffer, offset)?;
        self.counted.0.set(self.counted.0.get() + read as u64);
        Ok(read)
    }
}

struct Scratch<'c>(&'c File);

impl ReadAt for Scratch<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
}

/// Why fewer bytes came than the file should have.
fn read_problem(read: &io::Result<()>, buffer: &[u8], expected: u64) -> Option<String> {
    match read {
        Err(error) => Some(format!("reading broke off: {error}")),
        Ok(()) if (buffer.len() as u64) < expected => Some(format!(
            "the file ended after {} bytes where at least {expected} were expected; it changed or is damaged",
            buffer.len()
        )),
        Ok(()) => None,
    }
}
