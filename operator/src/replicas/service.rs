//! The gRPC service `Replicas`: a snapshot of the leader's index, then every change.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use pratique_core::Digest;
use pratique_core::digest::InvalidDigest;
use pratique_wire::inventory::encode;
use pratique_wire::replicas::{
    FirstSeen, FollowRequest, Heartbeat, InventoryPart, InventoryRequest, Synced, Update, replicas_server,
    update,
};
use pratique_wire::{CHUNK, PROTOCOL};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::{info, warn};

use super::convert;
use crate::auth::{AuthError, Authenticator, bearer};
use crate::index::{Change, SharedIndex};
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::store::ReportStore;

/// How often a follower hears that the leader is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// A follower that takes no update in for this long is given up; it will come back.
const PATIENCE: Duration = Duration::from_secs(30);

/// Updates queued for one follower.
const QUEUE: usize = 64;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct ReplicasService {
    index: SharedIndex,
    store: ReportStore,
    leadership: watch::Receiver<Leadership>,
    synced: Arc<AtomicBool>,
    authenticator: Arc<dyn Authenticator>,
    account: (String, String),
    metrics: Metrics,
}

impl ReplicasService {
    /// A service that answers callers of the operator's own service account, given as namespace and name, and is followed
    /// from when `synced` says that decisions can rest on the index.
    pub fn new(
        index: SharedIndex,
        store: ReportStore,
        leadership: watch::Receiver<Leadership>,
        synced: Arc<AtomicBool>,
        authenticator: Arc<dyn Authenticator>,
        account: (String, String),
        metrics: Metrics,
    ) -> Self {
        Self { index, store, leadership, synced, authenticator, account, metrics }
    }

    /// The service for a tonic server, with the protocol's bound on messages.
    pub fn into_server(self) -> replicas_server::ReplicasServer<Self> {
        replicas_server::ReplicasServer::new(self).max_encoding_message_size(super::MAX_UPDATE)
    }
}

#[tonic::async_trait]
impl replicas_server::Replicas for ReplicasService {
    type FollowStream = ReceiverStream<Result<Update, Status>>;
    type InventoryStream = futures::stream::Iter<std::vec::IntoIter<Result<InventoryPart, Status>>>;

    async fn inventory(
        &self,
        request: Request<InventoryRequest>,
    ) -> Result<Response<Self::InventoryStream>, Status> {
        self.admit(&request).await?;
        let image = request.into_inner().image.parse();
        let image: Digest =
            image.map_err(|error: InvalidDigest| Status::invalid_argument(error.to_string()))?;
        let stored =
            self.store.inventory(&image).await.map_err(|error| Status::internal(error.to_string()))?;
        let mut parts = Vec::new();
        if let Some(inventory) = stored {
            // It fits: what is stored was decoded from what did.
            let bytes = Bytes::from(encode(&inventory).0);
            let starts = (0..bytes.len()).step_by(CHUNK);
            parts.extend(
                starts.map(|start| {
                    Ok(InventoryPart { part: bytes.slice(start..bytes.len().min(start + CHUNK)) })
                }),
            );
        } else {
            self.index.write().lost_inventory(&image);
        }
        Ok(Response::new(futures::stream::iter(parts)))
    }

    async fn follow(&self, request: Request<FollowRequest>) -> Result<Response<Self::FollowStream>, Status> {
        self.admit(&request).await?;
        let FollowRequest { protocol, replica } = request.into_inner();
        // N serves N-1: during an upgrade the older replica follows, or is followed.
        if protocol == 0 || protocol > PROTOCOL {
            return Err(Status::failed_precondition(format!(
                "the replica speaks protocol {protocol}, this leader up to {PROTOCOL}"
            )));
        }
        // A replica that came to lead before it ever knew anything would have its followers forget what they know.
        if !self.synced.load(Ordering::Relaxed) {
            return Err(Status::unavailable("this leader has not heard from all agents yet"));
        }
        let (updates, outbound) = mpsc::channel(QUEUE);
        let service = self.clone();
        tokio::spawn(async move {
            service.metrics.followers_connected.inc();
            info!(replica, "follower connected");
            let mut sender = Sender { updates, revision: 0 };
            if let Err(status) = service.stream(&mut sender).await {
                let _ = tokio::time::timeout(PATIENCE, sender.updates.send(Err(status))).await;
            }
            info!(replica, "follower gone");
            service.metrics.followers_connected.dec();
        });
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

impl ReplicasService {
    /// Lets in replicas of the operator, while this one leads.
    async fn admit<T>(&self, request: &Request<T>) -> Result<(), Status> {
        if self.leadership.borrow().epoch().is_none() {
            return Err(Status::failed_precondition("this replica does not lead"));
        }
        let caller = self.authenticator.caller(&bearer(request.metadata())?).await?;
        if (&caller.namespace, &caller.service_account) != (&self.account.0, &self.account.1) {
            return Err(AuthError::Refused("it is not the operator's".to_owned()).into());
        }
        Ok(())
    }

    async fn stream(&self, sender: &mut Sender) -> Result<(), Status> {
        let mut leadership = self.leadership.clone();
        let mut changes = self.snapshot(sender).await?;
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            let first = tokio::select! {
                _ = heartbeat.tick() => {
                    let heartbeat = update::Update::Heartbeat(Heartbeat {});
                    sender.send(Update { update: Some(heartbeat), ..Update::default() }).await?;
                    continue;
                }
                changed = leadership.changed() => {
                    if changed.is_err() || leadership.borrow_and_update().epoch().is_none() {
                        return Err(Status::failed_precondition("this replica no longer leads"));
                    }
                    continue;
                }
                () = sender.updates.closed() => return Ok(()),
                change = changes.recv() => change,
            };
            for change in batch(first, &mut changes)? {
                if let Some(update) = self.update(change) {
                    sender.send(update).await?;
                }
            }
        }
    }

    /// Sends everything, and returns the changes that came after it.
    async fn snapshot(&self, sender: &mut Sender) -> Result<broadcast::Receiver<Change>, Status> {
        let (changes, facts, nodes, seen) = {
            let index = self.index.read();
            let facts: Vec<_> = index.facts().iter().map(|facts| State::Facts(facts.image.clone())).collect();
            let nodes: Vec<_> = index.nodes().names().map(str::to_owned).collect();
            let seen: Vec<_> = index
                .seen()
                .iter()
                .map(|(namespace, image, _)| (namespace.to_owned(), image.clone()))
                .collect();
            (index.subscribe(), facts, nodes, seen)
        };
        let nodes = nodes.into_iter().map(State::Node);
        let seen = seen.into_iter().map(|(namespace, image)| State::Seen(namespace, image));
        for state in facts.into_iter().chain(nodes).chain(seen) {
            if let Some(update) = self.update(state) {
                sender.send(update).await?;
            }
        }
        sender.send(Update { update: Some(update::Update::Synced(Synced {})), ..Update::default() }).await?;
        Ok(changes)
    }

    /// The newest word on something that changed; none if there is nothing to say any more.
    fn update(&self, state: State) -> Option<Update> {
        let index = self.index.read();
        let (mut facts_since, mut packages) = (0, None);
        let update = match state {
            State::Facts(image) => match index.facts().get(&image).cloned() {
                Some(facts) => {
                    facts_since = index.facts().since(&image)?.as_second();
                    packages = index.packages(&image).map(convert::package_counts);
                    drop(index);
                    update::Update::Facts((*facts).clone().into())
                }
                None => update::Update::FactsRemoved(image.into()),
            },
            State::Node(node) => match index.nodes().get(&node) {
                Some(images) => update::Update::NodeTags(convert::node_tags(&node, images)),
                None => update::Update::NodeRemoved(node),
            },
            State::Seen(namespace, image) => {
                let at = index.seen().get(&namespace, &image)?.as_second();
                update::Update::FirstSeen(FirstSeen { namespace, image: image.into(), at })
            }
        };
        Some(Update { update: Some(update), facts_since, packages, ..Update::default() })
    }
}

/// Something a follower must hear the newest word on.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Facts(Digest),
    Node(String),
    Seen(String, Digest),
}

/// A change and all that wait behind it, each thing once: a burst over one node is one update.
fn batch(
    first: Result<Change, RecvError>,
    changes: &mut broadcast::Receiver<Change>,
) -> Result<BTreeSet<State>, Status> {
    let lagged = |n| {
        warn!(missed = n, "a follower is too slow; it starts anew");
        Status::data_loss("the follower is too slow and must start anew")
    };
    let mut states = BTreeSet::new();
    let mut next = match first {
        Ok(change) => Some(change),
        Err(RecvError::Lagged(n)) => return Err(lagged(n)),
        Err(RecvError::Closed) => return Err(Status::unavailable("the leader stops")),
    };
    while let Some(change) = next {
        states.extend(match change {
            Change::Facts(image) | Change::FactsRemoved(image) => Some(State::Facts(image)),
            Change::NodeImages(node) | Change::NodeImagesRemoved(node) => Some(State::Node(node)),
            Change::FirstSeen { namespace, image } => Some(State::Seen(namespace, image)),
            // Every replica watches the API server itself.
            _ => None,
        });
        next = match changes.try_recv() {
            Ok(change) => Some(change),
            Err(TryRecvError::Lagged(n)) => return Err(lagged(n)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        };
    }
    Ok(states)
}

struct Sender {
    updates: mpsc::Sender<Result<Update, Status>>,
    revision: u64,
}

impl Sender {
    async fn send(&mut self, mut update: Update) -> Result<(), Status> {
        self.revision += 1;
        update.revision = self.revision;
        update.sent_at_ms = Timestamp::now().as_millisecond();
        self.updates
            .send_timeout(Ok(update), PATIENCE)
            .await
            .map_err(|_| Status::resource_exhausted("the follower takes no updates in"))
    }
}
