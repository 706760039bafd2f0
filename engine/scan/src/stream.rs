//! One file in pieces, for all who want it as a stream.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pratique_core::GapKind;
use pratique_core::inspect::{OVERLAP, PIECE, Piece, ReadAt};
use pratique_detect::{FileReport, Stream};

use crate::Engine;
use crate::timings::Work;

/// Those who take one file's pieces.
pub(crate) struct Takers<'e> {
    engine: &'e Engine,
    takers: Vec<Taker>,
}

struct Taker {
    /// Place in [`crate::Engine::subjects`].
    subject: usize,
    /// Bytes of the file that it wants at most.
    limit: u64,
    /// None once it has failed.
    stream: Option<Box<dyn Stream>>,
    /// Whether it got its last piece.
    done: bool,
}

impl<'e> Takers<'e> {
    pub(crate) fn new(engine: &'e Engine) -> Self {
        Self { engine, takers: Vec::new() }
    }

    pub(crate) fn push(&mut self, subject: usize, limit: u64, stream: Option<Box<dyn Stream>>) {
        self.takers.push(Taker { subject, limit, stream, done: false });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.takers.is_empty()
    }

    /// Hands out `content` in pieces, which are put together in `window`, as far as anybody wants it. How many bytes
    /// there were; an error comes after all that was read before it.
    pub(crate) fn read(&mut self, content: &mut dyn Read, window: &mut Vec<u8>) -> (u64, io::Result<()>) {
        let limit = self.takers.iter().map(|taker| taker.limit).max().unwrap_or(0);
        let mut content = content.take(limit);
        let (mut offset, mut seen) = (0, 0);
        window.clear();
        window.reserve_exact(PIECE);
        loop {
            let room = (PIECE - window.len()) as u64;
            let read = content.by_ref().take(room).read_to_end(window).map(|_| ());
            let last = read.is_err() || window.len() < PIECE;
            let piece = Piece { bytes: window, offset, seen, last };
            for taker in &mut self.takers {
                let new = piece.bytes.len().saturating_sub(piece.seen) as u64;
                let work = Work::File { subject: taker.subject, new: offset == 0, bytes: new };
                self.engine.measure(work, || taker.take(piece));
            }
            if last || self.takers.iter().all(|taker| taker.done) {
                return (offset + window.len() as u64, read);
            }
            window.drain(..PIECE - OVERLAP);
            offset += (PIECE - OVERLAP) as u64;
            seen = OVERLAP;
        }
    }

    /// What each noted of a file of `size` bytes, by its place in [`crate::Engine::subjects`], and why it did not get
    /// all of it: `read` is what [`Takers::read`] gave, or why that was not possible.
    pub(crate) fn finish(
        self,
        size: u64,
        read: Result<(u64, io::Result<()>), (GapKind, String)>,
    ) -> BTreeMap<usize, FileReport> {
        let report = |taker: Taker| {
            let (subject, limit, failed) = (taker.subject, taker.limit, taker.stream.is_none());
            let mut report = taker.finish();
            match &read {
                _ if failed => {}
                Err(refusal) => report.problems.push(refusal.clone()),
                Ok((_, Err(error))) => {
                    report.problems.push((GapKind::Unreadable, format!("reading broke off: {error}")));
                }
                Ok((bytes, Ok(()))) if *bytes < size.min(limit) => {
                    let expected = size.min(limit);
                    let reason = format!(
                        "the file ended after {bytes} bytes where at least {expected} were expected; it changed or \
                         is damaged"
                    );
                    report.problems.push((GapKind::Unreadable, reason));
                }
                Ok((bytes, Ok(()))) if size.max(*bytes) > limit => {
                    let size = size.max(*bytes);
                    let reason = format!("only the first {limit} of its {size} bytes were looked at");
                    report.problems.push((GapKind::Limit, reason));
                }
                Ok(_) => {}
            }
            (subject, report)
        };
        let Self { engine, takers } = self;
        let report = |taker: Taker| {
            let work = Work::File { subject: taker.subject, new: false, bytes: 0 };
            engine.measure(work, || report(taker))
        };
        takers.into_iter().map(report).collect()
    }
}

impl Taker {
    fn take(&mut self, piece: Piece<'_>) {
        let Some(stream) = self.stream.as_mut().filter(|_| !self.done) else {
            self.done = true;
            return;
        };
        let left = usize::try_from(self.limit - piece.offset).unwrap_or(usize::MAX);
        let bytes = &piece.bytes[..piece.bytes.len().min(left)];
        let piece =
            Piece { bytes, last: piece.last || bytes.len() == left, seen: piece.seen.min(left), ..piece };
        self.done = piece.last;
        if catch_unwind(AssertUnwindSafe(|| stream.take(&piece))).is_err() {
            self.stream = None;
        }
    }

    fn finish(self) -> FileReport {
        let finished = self.stream.map(|stream| catch_unwind(AssertUnwindSafe(|| stream.finish())));
        finished.and_then(Result::ok).unwrap_or_else(crashed)
    }
}

/// What is noted where a detector failed. The panic's message may quote the file, so it is not repeated.
pub(crate) fn crashed() -> FileReport {
    let reason = "the detector failed on this file: an error in Pratique".to_owned();
    FileReport { facts: Vec::new(), problems: vec![(GapKind::Crashed, reason)] }
}

/// Reads on from an offset of what is accessible at random.
pub(crate) struct From<'r> {
    pub(crate) source: &'r dyn ReadAt,
    pub(crate) offset: u64,
}

impl Read for From<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}
