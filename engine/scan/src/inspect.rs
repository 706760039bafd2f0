//! One file and the detectors that want it.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pratique_core::GapKind;
use pratique_detect::{FileInput, FileMode, FileReport};
use pratique_fs::{FsPath, Metadata};

use crate::{DetectorFacts, Engine, FileFacts, Want};

/// Hands files to detectors; keeps one buffer for all of them.
pub(crate) struct Inspector<'e> {
    engine: &'e Engine,
    buffer: Vec<u8>,
    /// Why what is in the buffer is less than it should be.
    problem: Option<String>,
    /// Bytes read so far.
    pub(crate) bytes: u64,
    /// Files read so far.
    pub(crate) opened: u64,
}

impl<'e> Inspector<'e> {
    pub(crate) fn new(engine: &'e Engine) -> Self {
        Self { engine, buffer: Vec::new(), problem: None, bytes: 0, opened: 0 }
    }

    /// Reads the start of a file once, as far as the largest window in `wants` needs. What is read stays until the next
    /// call.
    pub(crate) fn load(&mut self, metadata: &Metadata, wants: &[Want], content: &mut dyn Read) {
        let window = wants.iter().map(|want| want.window).max().unwrap_or(0);
        let expected = metadata.size.min(window as u64);
        // The size is the source's word: no more is reserved than a moderate window, the rest grows as bytes arrive.
        self.buffer.clear();
        self.buffer.reserve(expected.min(1 << 20) as usize);
        let read = content.take(window as u64).read_to_end(&mut self.buffer);
        self.opened += 1;
        self.bytes += self.buffer.len() as u64;
        self.problem = read_problem(read, expected);
    }

    /// Asks every detector in `wants` about what was loaded. None if none of them noted anything. A file that could not
    /// be read, or ended early, is a problem of each.
    pub(crate) fn inspect(&self, path: &FsPath, metadata: &Metadata, wants: &[Want]) -> Option<FileFacts> {
        let size = metadata.size.max(self.buffer.len() as u64);
        let mode = FileMode { permissions: metadata.permissions, uid: metadata.uid, gid: metadata.gid };
        let mut detectors = Vec::new();
        for want in wants {
            let detector = self.engine.detectors()[want.detector];
            let bytes = &self.buffer[..self.buffer.len().min(want.window)];
            let input = FileInput { path: path.as_bytes(), mode, size, bytes, content: &self.buffer };
            let mut report =
                catch_unwind(AssertUnwindSafe(|| detector.inspect(&input))).unwrap_or_else(|_| {
                    // The panic's message may quote the file, so it is not repeated.
                    let reason = "the detector failed on this file: an error in Pratique".to_owned();
                    FileReport { facts: Vec::new(), problems: vec![(GapKind::Crashed, reason)] }
                });
            report.problems.extend(self.problem.iter().map(|reason| (GapKind::Unreadable, reason.clone())));
            if !report.facts.is_empty() || !report.problems.is_empty() {
                detectors.push(DetectorFacts {
                    detector: detector.info().id.to_owned(),
                    facts: report.facts,
                    problems: report.problems,
                });
            }
        }
        (!detectors.is_empty()).then(|| FileFacts { path: path.clone(), mode, size, detectors })
    }

    /// Facts that say that a wanted file could not be read at all.
    pub(crate) fn unreadable(
        &self,
        path: &FsPath,
        metadata: &Metadata,
        wants: &[Want],
        reason: &str,
    ) -> FileFacts {
        let detectors = wants
            .iter()
            .map(|want| DetectorFacts {
                detector: self.engine.detectors()[want.detector].info().id.to_owned(),
                facts: Vec::new(),
                problems: vec![(GapKind::Unreadable, reason.to_owned())],
            })
            .collect();
        let mode = FileMode { permissions: metadata.permissions, uid: metadata.uid, gid: metadata.gid };
        FileFacts { path: path.clone(), mode, size: metadata.size, detectors }
    }
}

/// Why fewer bytes came than the file should have.
fn read_problem(read: io::Result<usize>, expected: u64) -> Option<String> {
    match read {
        Err(error) => Some(format!("reading broke off: {error}")),
        Ok(read) if (read as u64) < expected => Some(format!(
            "the file ended after {read} bytes where at least {expected} were expected; it changed or is damaged"
        )),
        Ok(_) => None,
    }
}
