//! Judges images again whose inventories are stored: one inventory of each worker in memory, no image read.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use jiff::Timestamp;
use pratique_core::Digest;
use tokio::runtime::Handle;
use tokio::time::sleep;
use tracing::{error, warn};

use super::notices::{self, Notify};
use super::{Vulnerabilities, judge};
use crate::store::StoreError;

/// Images that are judged at a time at most.
const WORKERS: usize = 4;

/// Pause after an inventory that could not be read.
const RETRY: Duration = Duration::from_secs(5);

/// Works the queue off for as long as it is polled.
pub(super) async fn rematch(vulnerabilities: Vulnerabilities, notify: Notify) {
    let workers = available_parallelism().map_or(1, usize::from).min(WORKERS);
    let work = (0..workers).map(|_| work(&vulnerabilities, &notify));
    futures::future::join_all(work).await;
}

async fn work(vulnerabilities: &Vulnerabilities, notify: &Notify) {
    loop {
        let mut due = std::pin::pin!(vulnerabilities.0.due.notified());
        due.as_mut().enable();
        let next = vulnerabilities.work().pop();
        let Some(image) = next else {
            due.await;
            continue;
        };
        // Whatever comes of it, also if this replica stops leading in the middle.
        let _busy = Busy(vulnerabilities);
        match judge_again(vulnerabilities, &image, notify).await {
            Ok(true) => {}
            Ok(false) => vulnerabilities.work().push(&image),
            Err(error) => {
                warn!(%image, %error, "its inventory cannot be read; it is tried again");
                vulnerabilities.work().push(&image);
                sleep(RETRY).await;
            }
        }
    }
}

/// Says that one image less is worked on, and whether none is left.
struct Busy<'v>(&'v Vulnerabilities);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut work = self.0.work();
        work.busy -= 1;
        if work.is_done() {
            self.0.0.done.notify_waiters();
        }
    }
}

/// Judges one image; false if another result of it came meanwhile.
async fn judge_again(
    vulnerabilities: &Vulnerabilities,
    image: &Digest,
    notify: &Notify,
) -> Result<bool, StoreError> {
    let judging = vulnerabilities.judging().await;
    let shared = &vulnerabilities.0;
    let facts = {
        let index = shared.index.read();
        index.facts().get(image).filter(|_| index.has_inventory(image)).cloned()
    };
    let Some(facts) = facts.filter(|facts| facts.error.is_none()) else { return Ok(true) };
    let (advice, runtime) = (judging.advice.clone(), Handle::current());
    let (known, worker) = (facts.clone(), vulnerabilities.clone());
    let judged = tokio::task::spawn_blocking(move || {
        let Some(inventory) = runtime.block_on(worker.0.store.inventory(&known.image))? else {
            return Ok(None);
        };
        worker.occur(&inventory);
        let fresh = known.as_ref().clone();
        Ok::<_, StoreError>(Some(judge::judged(fresh, &inventory, &advice, Some(&known), Timestamp::now())))
    });
    let judged = match judged.await {
        Ok(Ok(Some(judged))) => judged,
        Ok(Ok(None)) => {
            shared.index.write().lost_inventory(image);
            return Ok(true);
        }
        Ok(Err(error)) => return Err(error),
        Err(panic) => {
            error!(%image, %panic, "its packages could not be matched");
            let mut fresh = facts.as_ref().clone();
            judge::forget(&mut fresh);
            judge::failed(fresh, "matching them failed; the operator's log says why")
        }
    };
    let mut index = shared.index.write();
    if !index.facts().get(image).is_some_and(|current| Arc::ptr_eq(current, &facts)) {
        return Ok(false);
    }
    let judged = Arc::new(judged);
    index.apply_judged_facts(judged.clone(), Timestamp::now());
    notices::tell(&index, notify, &facts, &judged);
    Ok(true)
}
