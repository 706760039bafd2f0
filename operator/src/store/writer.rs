//! Keeps the store like the index: every change is written behind, the newest state only.

use std::collections::HashSet;
use std::time::Duration;

use pratique_core::Digest;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{FirstSeen, ReportStore, StoreError};
use crate::index::{Change, SharedIndex};
use crate::metrics::Metrics;

/// Wait after a failed write.
const RETRY: Duration = Duration::from_secs(5);

/// How often the first-seen table is written if it changed.
const SEEN_INTERVAL: Duration = Duration::from_secs(30);

/// Writes what changes until `shutdown`, then what is left. `changes` must be subscribed before the index is filled by
/// anything but the store.
pub async fn write_behind(
    store: ReportStore,
    index: SharedIndex,
    mut changes: broadcast::Receiver<Change>,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    let mut pending: HashSet<Digest> = HashSet::new();
    let mut seen_changed = false;
    let mut seen_due = tokio::time::interval(SEEN_INTERVAL);
    seen_due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut retry_at = None;
    loop {
        metrics.store_pending.set(i64::try_from(pending.len()).unwrap_or(i64::MAX));
        let idle = pending.is_empty() || retry_at.is_some_and(|at| at > tokio::time::Instant::now());
        let wake = retry_at.unwrap_or_else(|| tokio::time::Instant::now() + SEEN_INTERVAL);
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            change = changes.recv() => match change {
                Ok(Change::Facts(image) | Change::FactsRemoved(image)) => drop(pending.insert(image)),
                Ok(Change::FirstSeen { .. }) => seen_changed = true,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => {
                    // Removals that were missed leave an object behind; it is collected as unused after the next start.
                    pending.extend(index.read().facts().iter().map(|facts| facts.image.clone()));
                    seen_changed = true;
                }
                Err(RecvError::Closed) => break,
            },
            _ = seen_due.tick(), if seen_changed => {
                seen_changed = note(store.put_seen(&seen(&index)).await, &metrics).is_err();
            }
            () = tokio::time::sleep_until(wake), if retry_at.is_some() => retry_at = None,
            () = std::future::ready(()), if !idle => {
                if let Some(image) = pending.iter().next().cloned() {
                    if note(write(&store, &index, &image).await, &metrics).is_ok() {
                        pending.remove(&image);
                    } else {
                        retry_at = Some(tokio::time::Instant::now() + RETRY);
                    }
                }
            }
        }
    }
    for image in pending {
        // What cannot be written now is scanned again, from the agents' caches.
        if note(write(&store, &index, &image).await, &metrics).is_err() {
            break;
        }
    }
    if seen_changed {
        let _ = note(store.put_seen(&seen(&index)).await, &metrics);
    }
}

async fn write(store: &ReportStore, index: &SharedIndex, image: &Digest) -> Result<(), StoreError> {
    let known = {
        let index = index.read();
        let packages = index.packages(image).cloned();
        let facts = index.facts().get(image).cloned().zip(index.facts().since(image));
        facts.map(|(facts, since)| (facts, since, packages))
    };
    match known {
        Some((facts, since, packages)) => store.put(&facts, since, packages).await,
        None => store.delete(image).await,
    }
}

fn seen(index: &SharedIndex) -> Vec<FirstSeen> {
    let index = index.read();
    let seen = index.seen().iter();
    seen.map(|(namespace, image, at)| FirstSeen { namespace: namespace.to_owned(), image: image.clone(), at })
        .collect()
}

fn note(result: Result<(), StoreError>, metrics: &Metrics) -> Result<(), StoreError> {
    result.inspect_err(|error| {
        metrics.store_errors.inc();
        warn!(%error, "report not stored");
    })
}
