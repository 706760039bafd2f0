//! What each detector costs, for whoever wants to know where a scan's time goes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::engine::{INVENTORY, Subject, is_inventory};

/// What the rest of the walk is called: reading and unpacking layers, hashing their blobs, matching paths.
pub const WALK: &str = "walk";

/// What one detector cost, or all package parsers together, or the walk itself. Layers that are read, and files that are
/// looked into, at the same time add up, so the sum may be more than the time that passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// A detector's id, [`INVENTORY`], or [`WALK`].
    pub id: String,
    /// Time spent in files.
    pub files_time: Duration,
    /// Time spent on putting together what was noted; of the inventory too.
    pub judging_time: Duration,
    /// Files that it was asked about; entries of a layer that it wanted nothing but metadata of are among them.
    pub files: u64,
    /// Bytes that were handed to it, or that it could have read.
    pub bytes: u64,
}

/// Sums that several threads add to.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    /// One for each of [`crate::Engine::subjects`].
    subjects: Vec<Sums>,
    walk: Sums,
    aside: Sums,
    waiting: Sums,
}

#[derive(Debug, Default)]
struct Sums {
    files_nanos: AtomicU64,
    judging_nanos: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
}

/// What is being measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// A file, or a piece of one, by a subject.
    File { subject: usize, new: bool, bytes: u64 },
    /// Judging, by a subject.
    Judging { subject: usize },
    /// A layer or root as a whole.
    Walk,
    /// Files that are looked into by another thread than the one that reads.
    Aside,
    /// The thread that reads waits for those.
    Waiting,
}

impl Timings {
    pub(crate) fn new(subjects: usize) -> Self {
        Self { subjects: (0..subjects).map(|_| Sums::default()).collect(), ..Self::default() }
    }

    pub(crate) fn measure<T>(&self, work: Work, run: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = run();
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let (sums, is_judging, files, bytes) = match work {
            Work::File { subject, new, bytes } => (&self.subjects[subject], false, u64::from(new), bytes),
            Work::Judging { subject } => (&self.subjects[subject], true, 0, 0),
            Work::Walk => (&self.walk, false, 1, 0),
            Work::Aside => (&self.aside, false, 1, 0),
            Work::Waiting => (&self.waiting, false, 1, 0),
        };
        let time = if is_judging { &sums.judging_nanos } else { &sums.files_nanos };
        time.fetch_add(nanos, Ordering::Relaxed);
        sums.files.fetch_add(files, Ordering::Relaxed);
        sums.bytes.fetch_add(bytes, Ordering::Relaxed);
        result
    }

    /// The costs by id, the walk last: what is left of its time.
    pub(crate) fn costs(&self, subjects: &[Subject]) -> Vec<Cost> {
        let mut costs: BTreeMap<&str, Cost> = BTreeMap::new();
        let mut in_files = Duration::ZERO;
        for (subject, sums) in subjects.iter().zip(&self.subjects) {
            let id = if is_inventory(subject.id()) { INVENTORY } else { subject.id() };
            let cost = costs.entry(id).or_insert_with(|| Cost { id: id.to_owned(), ..Cost::default() });
            cost.files_time += nanos(&sums.files_nanos);
            cost.judging_time += nanos(&sums.judging_nanos);
            cost.files += sums.files.load(Ordering::Relaxed);
            cost.bytes += sums.bytes.load(Ordering::Relaxed);
            in_files += nanos(&sums.files_nanos);
        }
        let walk = nanos(&self.walk.files_nanos) + nanos(&self.aside.files_nanos);
        let other = in_files + nanos(&self.waiting.files_nanos);
        let rest = Cost { id: WALK.to_owned(), files_time: walk.saturating_sub(other), ..Cost::default() };
        costs.into_values().chain([rest]).collect()
    }
}

fn nanos(sum: &AtomicU64) -> Duration {
    Duration::from_nanos(sum.load(Ordering::Relaxed))
}
