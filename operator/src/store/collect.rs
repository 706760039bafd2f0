//! Facts of images that no node has and no pod runs go after a while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pratique_core::Digest;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::index::{Index, SharedIndex};
use crate::lease::Leadership;

/// How often unused facts are looked for.
const INTERVAL: Duration = Duration::from_secs(60);

/// Since when each image has been unused. Lives as long as the process: a restart starts the count anew.
#[derive(Debug, Default)]
pub(super) struct Unused(HashMap<Digest, Instant>);

impl Unused {
    /// The images that have been unused for `unused_after` by `now`.
    pub(super) fn due(&mut self, index: &Index, now: Instant, unused_after: Duration) -> Vec<Digest> {
        let used = index.used_images();
        self.0.retain(|image, _| !used.contains(image) && index.facts().get(image).is_some());
        let unused = index.facts().iter().map(|facts| &facts.image).filter(|image| !used.contains(image));
        unused
            .filter(|image| {
                let since = *self.0.entry((*image).clone()).or_insert(now);
                now.saturating_duration_since(since) >= unused_after
            })
            .cloned()
            .collect()
    }
}

/// Drops unused facts from the index while this replica leads; store, reports and followers see the change.
pub async fn collect_unused(
    index: SharedIndex,
    leadership: watch::Receiver<Leadership>,
    unused_after: Duration,
    shutdown: CancellationToken,
) {
    let mut unused = Unused::default();
    let mut tick = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        let due = unused.due(&index.read(), Instant::now(), unused_after);
        if leadership.borrow().epoch().is_none() {
            continue;
        }
        for image in due {
            info!(%image, "report dropped: no node has had the image for {unused_after:?}");
            index.write().remove_facts(&image);
        }
    }
}
