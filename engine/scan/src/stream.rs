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
    /// Whether it gets no more pieces.
    done: bool,
    /// Whether that is because it wants none.
    satisfied: bool,
}

/// A file on its way: whoever reads it sees that those who take its pieces get them.
pub(crate) struct Handout<'r, 'e> {
    content: io::Take<&'r mut dyn Read>,
    takers: &'r mut Takers<'e>,
    /// The piece that is being put together.
    window: &'r mut Vec<u8>,
    offset: u64,
    seen: usize,
    /// How reading ended, once it has.
    ended: Option<io::Result<()>>,
}

impl<'r, 'e> Handout<'r, 'e> {
    /// The pieces are put together in `window`.
    pub(crate) fn new(
        takers: &'r mut Takers<'e>,
        content: &'r mut dyn Read,
        window: &'r mut Vec<u8>,
    ) -> Self {
        let limit = takers.takers.iter().map(|taker| taker.limit).max().unwrap_or(0);
        window.clear();
        window.reserve_exact(PIECE);
        Self { content: content.take(limit), takers, window, offset: 0, seen: 0, ended: None }
    }

    /// Hands out what is left, as far as anybody wants it. How many bytes the file had; an error comes after all that
    /// was read before it.
    pub(crate) fn finish(mut self) -> (u64, io::Result<()>) {
        while self.ended.is_none() && !self.takers.are_done() {
            let room = (PIECE - self.window.len()) as u64;
            let read = self.content.by_ref().take(room).read_to_end(self.window);
            if read.is_err() || self.window.len() < PIECE {
                self.ended = Some(read.map(|_| ()));
            } else {
                self.hand_out();
            }
        }
        let bytes = self.offset + self.window.len() as u64;
        match self.ended.take() {
            Some(ended) => {
                let piece = Piece { bytes: self.window, offset: self.offset, seen: self.seen, last: true };
                self.takers.take(piece);
                (bytes, ended)
            }
            None => (bytes, Ok(())),
        }
    }

    /// Hands out a full piece.
    fn hand_out(&mut self) {
        let piece = Piece { bytes: self.window, offset: self.offset, seen: self.seen, last: false };
        self.takers.take(piece);
        self.window.drain(..PIECE - OVERLAP);
        self.offset += (PIECE - OVERLAP) as u64;
        self.seen = OVERLAP;
    }
}

impl Read for Handout<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended.is_some() {
            return Ok(0);
        }
        let most = buffer.len().min(PIECE - self.window.len());
        match self.content.read(&mut buffer[..most]) {
            Ok(0) if most > 0 => self.ended = Some(Ok(())),
            Ok(read) => {
                self.window.extend_from_slice(&buffer[..read]);
                if self.window.len() == PIECE {
                    self.hand_out();
                }
                return Ok(read);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            // Kept: it is the file that is at fault, not what somebody makes of it.
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                self.ended = Some(Err(error));
                return Err(told);
            }
        }
        Ok(0)
    }
}

impl<'e> Takers<'e> {
    pub(crate) fn new(engine: &'e Engine) -> Self {
        Self { engine, takers: Vec::new() }
    }

    pub(crate) fn push(&mut self, subject: usize, limit: u64, stream: Option<Box<dyn Stream>>) {
        self.takers.push(Taker { subject, limit, stream, done: false, satisfied: false });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.takers.is_empty()
    }

    /// Those who take pieces, by their place in [`crate::Engine::subjects`].
    pub(crate) fn subjects(&self) -> impl Iterator<Item = usize> {
        self.takers.iter().map(|taker| taker.subject)
    }

    /// Whether nobody wants more.
    pub(crate) fn are_done(&self) -> bool {
        self.takers.iter().all(|taker| taker.done)
    }

    fn take(&mut self, piece: Piece<'_>) {
        let new = piece.bytes.len().saturating_sub(piece.seen) as u64;
        for taker in &mut self.takers {
            let work = Work::File { subject: taker.subject, new: piece.offset == 0, bytes: new };
            self.engine.measure(work, || taker.take(piece));
        }
    }

    /// What each noted of a file of `size` bytes, by its place in [`crate::Engine::subjects`], and why it did not get
    /// all of it: `read` is what [`Handout::finish`] gave, or why that was not possible.
    pub(crate) fn finish(
        self,
        size: u64,
        read: Result<(u64, io::Result<()>), (GapKind, String)>,
    ) -> BTreeMap<usize, FileReport> {
        let report = |taker: Taker| {
            let (subject, limit) = (taker.subject, taker.limit);
            let all_told = taker.stream.is_none() || taker.satisfied;
            let mut report = taker.finish();
            match &read {
                _ if all_told => {}
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
        match catch_unwind(AssertUnwindSafe(|| {
            stream.take(&piece);
            stream.is_done()
        })) {
            Ok(false) => {}
            Ok(true) => (self.done, self.satisfied) = (true, true),
            Err(_) => self.stream = None,
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
