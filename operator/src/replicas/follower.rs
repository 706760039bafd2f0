//! A replica that does not lead keeps its index like the leader's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use pratique_core::package::PackageCounts;
use pratique_core::{Digest, ImageFacts};
use pratique_wire::PROTOCOL;
use pratique_wire::replicas::{FollowRequest, Update, update};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};
use tracing::{info, warn};

use super::convert;
use super::dial::{Trust, dial};
use crate::index::{Freshness, NodeImage, Replicated, SharedIndex};
use crate::lease::Leadership;

/// A leader that has not said a word for this long is dialled anew; three heartbeats are lost by then.
const SILENCE: Duration = Duration::from_secs(15);

/// Wait between two attempts.
const RETRY: Duration = Duration::from_secs(1);

/// Follows whoever leads, until `shutdown`.
pub async fn follow(
    index: SharedIndex,
    trust: Trust,
    mut leadership: watch::Receiver<Leadership>,
    shutdown: CancellationToken,
) {
    let mut led = false;
    loop {
        let now = leadership.borrow_and_update().clone();
        if led && now.epoch().is_none() {
            // Until now this replica's word was the truth; from now on it ages.
            index
                .write()
                .set_freshness(Freshness::Following { received: Instant::now(), lag: Duration::ZERO });
        }
        led = now.epoch().is_some();
        let changed = leadership.changed();
        match now {
            Leadership::Leading { .. } => {
                index.write().set_freshness(Freshness::Leading);
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    _ = changed => {}
                }
            }
            Leadership::Following { leader } => tokio::select! {
                () = shutdown.cancelled() => return,
                _ = changed => {}
                () = keep_following(&index, &trust, &leader) => {}
            },
            Leadership::Unknown => tokio::select! {
                () = shutdown.cancelled() => return,
                _ = changed => {}
            },
        }
    }
}

async fn keep_following(index: &SharedIndex, trust: &Trust, leader: &str) {
    let mut known = String::new();
    loop {
        let ended = match connect(trust, leader).await {
            Ok(updates) => {
                info!(leader, "following");
                known.clear();
                receive(index, updates).await
            }
            Err(error) => error,
        };
        // The same reason every second is said once.
        if ended != known {
            warn!(leader, reason = ended, "the leader's stream ended");
            known = ended;
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn connect(trust: &Trust, leader: &str) -> Result<tonic::Streaming<Update>, String> {
    let mut client = dial(trust, leader).await?;
    let mut request = Request::new(FollowRequest { protocol: PROTOCOL, replica: trust.replica.clone() });
    trust.sign(&mut request).await?;
    match tokio::time::timeout(SILENCE, client.follow(request)).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(status.to_string()),
        Err(_) => Err("the leader does not answer".to_owned()),
    }
}

/// Takes updates in until the stream ends; returns why it did.
pub(super) async fn receive(
    index: &SharedIndex,
    mut updates: impl Stream<Item = Result<Update, Status>> + Unpin,
) -> String {
    let mut follower = Follower::default();
    loop {
        let update = match tokio::time::timeout(SILENCE, updates.next()).await {
            Ok(Some(Ok(update))) => update,
            Ok(Some(Err(status))) => return status.to_string(),
            Ok(None) => return "the leader closed it".to_owned(),
            Err(_) => return format!("nothing was heard for {SILENCE:?}"),
        };
        if let Err(reason) = follower.apply(index, update, Timestamp::now(), Instant::now()) {
            return reason;
        }
    }
}

/// One stream's state: a snapshot under way, then updates one by one.
#[derive(Debug)]
pub(super) struct Follower {
    /// What was received before `Synced`; none after it.
    snapshot: Option<Replicated>,
    revision: u64,
    delay: Delay,
}

impl Default for Follower {
    fn default() -> Self {
        Self { snapshot: Some(Replicated::default()), revision: 0, delay: Delay::default() }
    }
}

/// An update that can be applied.
enum Checked {
    Facts(Arc<ImageFacts>, Timestamp, Option<PackageCounts>),
    FactsRemoved(Digest),
    Node(String, Vec<NodeImage>),
    NodeRemoved(String),
    Seen(String, Digest, Timestamp),
    Synced,
    Nothing,
}

impl Follower {
    /// Takes in one update; the reason if the stream cannot be trusted any longer.
    pub(super) fn apply(
        &mut self,
        index: &SharedIndex,
        update: Update,
        now: Timestamp,
        received: Instant,
    ) -> Result<(), String> {
        if update.revision != self.revision + 1 {
            return Err(format!("update {} followed {}: some are missing", update.revision, self.revision));
        }
        self.revision = update.revision;
        let lag = self.delay.excess(update.sent_at_ms, now.as_millisecond());
        let checked = check(update)?;
        match (&mut self.snapshot, checked) {
            (_, Checked::Nothing) => {}
            (Some(snapshot), Checked::Synced) => {
                let snapshot = std::mem::take(snapshot);
                self.snapshot = None;
                info!(images = snapshot.facts.len(), nodes = snapshot.nodes.len(), "in step with the leader");
                index.write().reset_replicated(snapshot, now);
            }
            (None, Checked::Synced) => {}
            (Some(snapshot), Checked::Facts(facts, since, packages)) => {
                snapshot.packages.extend(packages.map(|counts| (facts.image.clone(), counts)));
                snapshot.facts.push((facts, since));
            }
            (Some(snapshot), Checked::Node(node, images)) => snapshot.nodes.push((node, images)),
            (Some(snapshot), Checked::Seen(namespace, image, at)) => {
                snapshot.seen.push((namespace, image, at))
            }
            (Some(_), Checked::FactsRemoved(_) | Checked::NodeRemoved(_)) => {}
            (None, Checked::Facts(facts, since, packages)) => {
                let image = facts.image.clone();
                let mut index = index.write();
                index.apply_known_facts(facts, since);
                if let Some(counts) = packages {
                    index.apply_known_packages(&image, counts);
                }
            }
            (None, Checked::FactsRemoved(image)) => index.write().remove_facts(&image),
            (None, Checked::Node(node, images)) => index.write().reset_node_images(&node, images),
            (None, Checked::NodeRemoved(node)) => index.write().remove_node_images(&node),
            (None, Checked::Seen(namespace, image, at)) => {
                index.write().apply_first_seen(&namespace, &image, at, now)
            }
        }
        if self.snapshot.is_none() {
            index.write().set_freshness(Freshness::Following { received, lag });
        }
        Ok(())
    }
}

fn check(update: Update) -> Result<Checked, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("update {} is malformed: {error}", update.revision);
    let digest = |text: &str| text.parse::<Digest>().map_err(|error| wrong(&error));
    Ok(match update.update {
        Some(update::Update::Facts(facts)) => {
            let since = Timestamp::from_second(update.facts_since).map_err(|error| wrong(&error))?;
            let facts = ImageFacts::try_from(facts).map_err(|error| wrong(&error))?;
            Checked::Facts(Arc::new(facts), since, update.packages.as_ref().map(convert::counted))
        }
        Some(update::Update::FactsRemoved(image)) => Checked::FactsRemoved(digest(&image)?),
        Some(update::Update::NodeTags(tags)) => {
            Checked::Node(tags.node, convert::node_images(tags.images).map_err(|error| wrong(&error))?)
        }
        Some(update::Update::NodeRemoved(node)) => Checked::NodeRemoved(node),
        Some(update::Update::FirstSeen(seen)) => Checked::Seen(
            seen.namespace,
            digest(&seen.image)?,
            Timestamp::from_second(seen.at).map_err(|error| wrong(&error))?,
        ),
        Some(update::Update::Synced(_)) => Checked::Synced,
        // A heartbeat, or something a newer leader says.
        Some(update::Update::Heartbeat(_)) | None => Checked::Nothing,
    })
}

/// How long updates are on their way in excess of the quickest one: free of the difference between two clocks.
#[derive(Debug, Default)]
struct Delay {
    quickest: Option<i64>,
}

impl Delay {
    fn excess(&mut self, sent_ms: i64, now_ms: i64) -> Duration {
        let delay = now_ms.saturating_sub(sent_ms);
        let quickest = self.quickest.map_or(delay, |quickest| quickest.min(delay));
        self.quickest = Some(quickest);
        Duration::from_millis(u64::try_from(delay.saturating_sub(quickest)).unwrap_or(0))
    }
}
