//! Looking into files on other threads, while the one who reads a layer or root goes on reading.
//!
//! Results come in the order in which the files were read, and when they come is decided by how many bytes wait, never by who is
//! done: the same input gives the same facts, however many threads there are.

use std::collections::{HashSet, VecDeque};
use std::io::{self, Read};
use std::mem;
use std::sync::mpsc::{self, Receiver};

use pratique_fs::{Content, FsPath, Metadata};
use rayon::Scope;

use crate::inspect::Inspector;
use crate::matcher::Want;
use crate::timings::Work;
use crate::{Engine, FileFacts};

/// Bytes of a file that is looked into elsewhere; a longer one is looked into as it comes.
pub(crate) const MAX_FILE: usize = 4 << 20;

/// Bytes of files, and files, that are handed over together: one handing over costs as much as looking into a few small files.
const BATCH: (usize, usize) = (256 << 10, 64);

/// Bytes of files that wait or are looked into.
const MAX_WAITING: usize = 8 << 20;

/// Does the work, and whatever it hands over to the engine's threads.
pub(crate) fn with_threads<'e, T>(engine: &'e Engine, work: impl FnOnce(Option<&Scope<'e>>) -> T) -> T {
    match engine.threads() {
        Some(threads) => threads.in_place_scope(|scope| work(Some(scope))),
        None => work(None),
    }
}

/// A file that was read, as far as it could be.
pub(crate) struct Loaded {
    pub(crate) path: FsPath,
    pub(crate) metadata: Metadata,
    /// Who wants it.
    pub(crate) wants: Vec<Want>,
    pub(crate) bytes: Vec<u8>,
    /// What comes behind the bytes: nothing, or why reading broke off.
    pub(crate) rest: Rest,
    /// Whether somebody wants its metadata alone.
    pub(crate) by_metadata: bool,
}

/// The same file, looked into.
pub(crate) struct Looked {
    pub(crate) path: FsPath,
    pub(crate) metadata: Metadata,
    pub(crate) by_metadata: bool,
    pub(crate) facts: Option<FileFacts>,
}

/// The end of a file.
pub(crate) struct Rest(pub(crate) Option<io::Error>);

impl Read for Rest {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl Content for Rest {}

/// Files that others look into.
pub(crate) struct Aside<'s, 'e> {
    engine: &'e Engine,
    scope: Option<&'s Scope<'e>>,
    batch: Vec<Loaded>,
    /// Bytes of the batch.
    size: usize,
    /// Batches that were handed over, and the bytes of each.
    pending: VecDeque<(usize, Receiver<Vec<Looked>>)>,
    /// Bytes of all of these, and of the batch.
    waiting: usize,
    /// What waits.
    paths: HashSet<FsPath>,
}

impl<'s, 'e> Aside<'s, 'e> {
    /// `scope`: of [`with_threads`].
    pub(crate) fn new(engine: &'e Engine, scope: Option<&'s Scope<'e>>) -> Self {
        Self {
            engine,
            scope,
            batch: Vec::new(),
            size: 0,
            pending: VecDeque::new(),
            waiting: 0,
            paths: HashSet::new(),
        }
    }

    /// Whether a file waits whose result did not come yet.
    pub(crate) fn has(&self, path: &FsPath) -> bool {
        !self.paths.is_empty() && self.paths.contains(path)
    }

    /// Takes a file over. [`Aside::next`] is to be asked then.
    pub(crate) fn push(&mut self, file: Loaded) {
        // A file of no bytes waits, too.
        let size = file.bytes.len() + mem::size_of::<Loaded>();
        self.size += size;
        self.waiting += size;
        self.paths.insert(file.path.clone());
        self.batch.push(file);
        if self.size >= BATCH.0 || self.batch.len() >= BATCH.1 {
            self.hand_over();
        }
    }

    /// The next results, if more waits than may, or if `all` are wanted.
    pub(crate) fn next(&mut self, all: bool) -> Option<Vec<Looked>> {
        if all && !self.batch.is_empty() {
            self.hand_over();
        }
        if !all && self.waiting <= MAX_WAITING {
            return None;
        }
        let (size, results) = self.pending.pop_front()?;
        self.waiting -= size;
        // There is no answer only if an error of Pratique ended a job, which then ends the scope as well.
        let looked = self.engine.measure(Work::Waiting, || results.recv()).unwrap_or_default();
        for file in &looked {
            self.paths.remove(&file.path);
        }
        Some(looked)
    }

    fn hand_over(&mut self) {
        let (batch, engine) = (mem::take(&mut self.batch), self.engine);
        let (sender, receiver) = mpsc::sync_channel(1);
        self.pending.push_back((mem::take(&mut self.size), receiver));
        let look = move || {
            let looked = engine.measure(Work::Aside, || {
                let mut inspector = Inspector::new(engine, None);
                batch.into_iter().map(|file| inspector.look_into(file)).collect()
            });
            // Whoever broke off reading waits no longer.
            let _ = sender.send(looked);
        };
        match self.scope {
            Some(scope) => scope.spawn(|_| look()),
            None => look(),
        }
    }
}
