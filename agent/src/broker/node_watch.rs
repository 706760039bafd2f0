//! Keeps [`Node`] as the runtime has it: by its event stream, and by listing it whole after every reconnect and every
//! few minutes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use containerd_client::services::v1::SubscribeRequest;
use containerd_client::services::v1::events_client::EventsClient;
use pratique_fs::Error;
use pratique_fs::containerd::{Containerd, StatePaths};
use pratique_wire::scanner::Identity;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use super::exchange::{Desk, Fault};
use super::node::{Listed, Node, Target, by_target};
use super::scanner::Scanner;
use crate::backoff::{Backoff, jittered};
use crate::metrics::Metrics;

/// A pull makes several events at once: it is listed again when none came for this long…
const QUIET: Duration = Duration::from_millis(200);
/// …or when they do not end.
const LONGEST: Duration = Duration::from_secs(2);
/// Names this agent's views and leases in containerd.
const OWNER: &str = "agent";
/// How long it takes until images that could not be identified are tried again.
const AGAIN: Duration = Duration::from_secs(15);

/// Watches one runtime.
pub struct NodeWatch {
    /// The runtime's socket.
    pub socket: PathBuf,
    /// Its state, as it is mounted.
    pub state: StatePaths,
    /// Who identifies images.
    pub scanner: Arc<Scanner>,
    /// Told when the runtime answers, and when it no longer does.
    pub containerd: watch::Sender<Option<Arc<Containerd>>>,
    /// Told what the node has.
    pub node: Arc<watch::Sender<Node>>,
    /// Counts images and containers.
    pub metrics: Arc<Metrics>,
    /// Time between full listings.
    pub resync: Duration,
}

impl NodeWatch {
    /// Watches for good.
    pub async fn run(self) {
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(15));
        let mut identities = BTreeMap::new();
        let mut swept = false;
        loop {
            match self.watch(&mut identities, &mut swept, &mut backoff).await {
                Ok(()) => tracing::warn!("containerd ended its event stream; connecting again"),
                Err(error) => tracing::warn!(%error, "no runtime to watch; trying again"),
            }
            self.metrics.runtime.set(0);
            self.containerd.send_replace(None);
            tokio::time::sleep(backoff.pause()).await;
        }
    }

    /// Connects, lists, and follows the events until they end.
    async fn watch(
        &self,
        identities: &mut BTreeMap<Target, Identity>,
        swept: &mut bool,
        backoff: &mut Backoff,
    ) -> Result<(), Error> {
        let containerd = Arc::new(Containerd::connect(&self.socket, OWNER).await?);
        if !*swept {
            match containerd.sweep().await? {
                0 => {}
                count => tracing::info!(count, "removed views and leases that an earlier agent had left"),
            }
            *swept = true;
        }
        // The events first: what happens while the runtime is listed is then not missed.
        let mut events = subscribe(&containerd);
        self.containerd.send_replace(Some(containerd.clone()));
        self.metrics.runtime.set(1);
        tracing::info!(socket = %self.socket.display(), version = containerd.version().await?, "watching containerd");
        // containerd does not say when a subscription has begun, so that the second listing comes soon.
        let mut settled = false;
        loop {
            let complete = self.list(&containerd, identities).await?;
            backoff.reset();
            let again = Instant::now() + jittered(if complete && settled { self.resync } else { AGAIN });
            settled = true;
            match timeout_at(again, events.recv()).await {
                Err(_) => {}
                Ok(Some(Ok(()))) => settle(&mut events).await,
                Ok(Some(Err(status))) => {
                    let runtime = format!("containerd at {}", self.socket.display());
                    return Err(Error::Runtime {
                        runtime,
                        reason: format!("its event stream broke: {}", status.message()),
                    });
                }
                Ok(None) => return Ok(()),
            }
        }
    }

    /// Lists everything; tells whether all of it could be identified.
    async fn list(
        &self,
        containerd: &Containerd,
        identities: &mut BTreeMap<Target, Identity>,
    ) -> Result<bool, Error> {
        let images = by_target(containerd.images().await?);
        self.metrics.containers.set(count(containerd.containers().await?.len()));
        identities.retain(|target, _| images.iter().any(|listed| listed.target == *target));
        let desk = Desk { containerd, scanner: &self.scanner, state: &self.state };
        let mut unknown = 0;
        for Listed { target, references } in &images {
            if identities.contains_key(target) {
                continue;
            }
            match desk.identify(target).await {
                Ok(identity) => {
                    identities.insert(target.clone(), identity);
                }
                Err(Fault::Lost(lost)) => {
                    // Nobody can say what the images are: better nothing is said than that they are gone.
                    tracing::warn!(%lost, "images cannot be identified now");
                    return Ok(false);
                }
                Err(Fault::Failed(reason)) => {
                    unknown += 1;
                    tracing::warn!(digest = %target.digest, ?references, reason, "an image cannot be identified");
                }
            }
        }
        self.metrics.unidentified.set(count(unknown));
        self.node.send_if_modified(|node| {
            let before = node.clone();
            node.list(&images, identities);
            *node != before
        });
        self.metrics.images.set(count(self.node.borrow().images().len()));
        Ok(unknown == 0)
    }
}

/// Tells that something happened to images or containers, not what: the listing says that. Ends with the stream.
///
/// In a task of its own: containerd answers a subscription with its first event and not before.
fn subscribe(containerd: &Containerd) -> mpsc::Receiver<Result<(), Status>> {
    let mut client = EventsClient::new(containerd.channel());
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let filters = ["images", "containers"].map(|what| format!("topic~=\"^/{what}/\"")).to_vec();
        let follow = async {
            let mut events = client.subscribe(SubscribeRequest { filters }).await?.into_inner();
            while events.message().await?.is_some() {
                // One that waits to be read says all.
                let _ = sender.try_send(Ok(()));
            }
            Ok(())
        };
        tokio::select! {
            ended = follow => if let Err(status) = ended {
                // Whoever no longer watches needs no reason.
                let _ = sender.send(Err(status)).await;
            },
            () = sender.closed() => {}
        }
    });
    receiver
}

/// Waits until no more events come for a moment. An end of the stream is met again by the next read.
async fn settle(events: &mut mpsc::Receiver<Result<(), Status>>) {
    let longest = Instant::now() + LONGEST;
    loop {
        let quiet = (Instant::now() + QUIET).min(longest);
        match timeout_at(quiet, events.recv()).await {
            Ok(Some(Ok(()))) if Instant::now() < longest => {}
            _ => return,
        }
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
