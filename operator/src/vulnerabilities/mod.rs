//! Which packages are vulnerable: the leader keeps a database of advisories, and matches inventories with it.
//!
//! ```text
//! advisories' address ─► keeper ─► database ─┐            ┌─► index ─► admission, replicas, ScanReports
//! VEX documents ────────► keeper ────────────┼─► judge ───┤
//! scan results, stored inventories ──────────┘            └─► notices: a new Critical with a fix in what runs
//! ```
//!
//! What was found is part of the image's facts and travels with them; the other replicas need no database. A result is
//! judged as it arrives, and every stored inventory again when the advisories change; no image is read for it.

mod judge;
mod keeper;
mod metrics;
mod notices;
mod rematch;
#[cfg(test)]
mod tests;
mod vex;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use pratique_core::package::Inventory;
use pratique_core::{Digest, ImageFacts};
use pratique_http::{RetryPolicy, TransportOptions};
use pratique_vulns::fetch::{self, Feeds, Logins};
use pratique_vulns::vex::Statement;
use tokio::sync::{Notify as Signal, OwnedRwLockReadGuard, RwLock};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::index::SharedIndex;
use crate::store::ReportStore;

pub use judge::forget;
pub use metrics::Metrics;
pub use notices::Notify;

/// Keeps the advisories and judges stored inventories by them, while this replica leads. `operator`: the object that people
/// look at when advisories cannot be had.
pub async fn lead(
    vulnerabilities: Vulnerabilities,
    settings: Settings,
    notify: Notify,
    operator: ObjectReference,
    reign: CancellationToken,
) {
    let work = async {
        tokio::join!(
            rematch::rematch(vulnerabilities.clone(), notify.clone()),
            keeper::keep(vulnerabilities, settings, notify, operator),
        )
    };
    reign.run_until_cancelled(work).await;
}

/// How advisories are had.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where they come from.
    pub feeds: Feeds,
    /// How that is reached.
    pub transport: TransportOptions,
    /// Who to be for the registry of an artifact; files are read anew at every refresh.
    pub logins: Logins,
    /// How often a request that failed is tried again.
    pub retry: RetryPolicy,
    /// The folder they are kept in.
    pub folder: PathBuf,
    /// How often they are compared with those at their address.
    pub interval: Duration,
    /// Folder of VEX documents.
    pub vex: Option<PathBuf>,
}

/// What packages are matched with.
#[derive(Default)]
pub struct Advice {
    /// The database; none: there is none yet.
    advisories: Option<fetch::Advisories>,
    /// What VEX documents say, from old to new.
    statements: Vec<Statement>,
}

/// What results are judged by, and which images are to be judged again. Cheap to clone.
#[derive(Clone)]
pub struct Vulnerabilities(Arc<Shared>);

struct Shared {
    index: SharedIndex,
    store: ReportStore,
    advice: Arc<RwLock<Arc<Advice>>>,
    work: Mutex<Work>,
    /// There is something to judge.
    due: Signal,
    /// An ecosystem occurs that did not before.
    occurred: Signal,
    /// Nothing is left to judge.
    done: Signal,
}

#[derive(Default)]
struct Work {
    queue: VecDeque<Digest>,
    queued: HashSet<Digest>,
    busy: usize,
    /// OSV's names of the ecosystems that inventories have packages of.
    ecosystems: BTreeSet<String>,
}

/// What holds while a result is judged and taken in: new advisories wait for it, so that they find it where all others are.
pub struct Judging {
    advice: OwnedRwLockReadGuard<Arc<Advice>>,
}

impl Vulnerabilities {
    /// Without advisories until this replica [leads](lead).
    pub fn new(index: SharedIndex, store: ReportStore) -> Self {
        Self(Arc::new(Shared {
            index,
            store,
            advice: Arc::default(),
            work: Mutex::default(),
            due: Signal::new(),
            occurred: Signal::new(),
            done: Signal::new(),
        }))
    }

    /// Must be held from before facts are judged until they are in the index.
    pub async fn judging(&self) -> Judging {
        Judging { advice: self.0.advice.clone().read_owned().await }
    }

    /// Facts with what advisories say of the image's packages, in place of what an earlier match said.
    pub async fn judge(&self, judging: &Judging, facts: ImageFacts, inventory: Inventory) -> ImageFacts {
        self.occur(&inventory);
        let (advice, known) =
            (judging.advice.clone(), self.0.index.read().facts().get(&facts.image).cloned());
        let image = facts.image.clone();
        let fallback = facts.clone();
        let judged = tokio::task::spawn_blocking(move || {
            judge::judged(facts, &inventory, &advice, known.as_deref(), Timestamp::now())
        });
        judged.await.unwrap_or_else(|panic| {
            error!(%image, %panic, "its packages could not be matched");
            judge::failed(fallback, "matching them failed; the operator's log says why")
        })
    }

    /// Puts other advice in place, and has all images judged by it whose inventories are here.
    async fn advise(&self, advice: Advice) {
        let mut current = self.0.advice.write().await;
        *current = Arc::new(advice);
        let index = self.0.index.read();
        let listed =
            index.facts().iter().map(|facts| &facts.image).filter(|image| index.has_inventory(image));
        let mut work = self.work();
        for image in listed {
            work.push(image);
        }
        drop(work);
        self.0.due.notify_waiters();
    }

    /// Notes which ecosystems an inventory has packages of.
    fn occur(&self, inventory: &Inventory) {
        let mut work = self.work();
        let before = work.ecosystems.len();
        work.ecosystems.extend(fetch::ecosystems(inventory).into_keys());
        if work.ecosystems.len() > before {
            self.0.occurred.notify_one();
        }
    }

    /// Ecosystems that occur.
    fn ecosystems(&self) -> BTreeSet<String> {
        self.work().ecosystems.clone()
    }

    /// Waits until all that was to be judged is.
    async fn settled(&self) {
        loop {
            let mut done = std::pin::pin!(self.0.done.notified());
            done.as_mut().enable();
            if self.work().is_done() {
                return;
            }
            done.await;
        }
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.0.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    fn push(&mut self, image: &Digest) {
        if self.queued.insert(image.clone()) {
            self.queue.push_back(image.clone());
        }
    }

    fn pop(&mut self) -> Option<Digest> {
        let image = self.queue.pop_front()?;
        self.queued.remove(&image);
        self.busy += 1;
        Some(image)
    }

    fn is_done(&self) -> bool {
        self.queue.is_empty() && self.busy == 0
    }
}
