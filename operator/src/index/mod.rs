//! What decisions are made from, in memory: facts, what each node has, and the cluster's namespaces, nodes and pods.
//!
//! ```text
//! agents ─► nodes, facts ─┐                          ┌─► admission: read()
//! API server ─► cluster ──┼─► Index, Changes in order ─┼─► replicas: every change to the followers
//! store ─► facts, seen ───┘                          └─► reconcile: reports, events
//! ```
//!
//! [`Index`] is a plain value behind apply, delete and reset methods. [`SharedIndex`] adds a lock: take [`SharedIndex::read`],
//! decide, let go. The guards cannot be held across an await (they are not `Send`).

mod cluster;
mod eligible;
mod facts;
mod freshness;
mod lineage;
mod nodes;
mod reduce;
mod resolve;
mod seen;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as k8s;
use pratique_core::lineage::{Base, Evidence};
use pratique_core::package::PackageCounts;
use pratique_core::{Digest, ImageFacts};
use tokio::sync::broadcast;

pub use cluster::{ClusterIndex, Pod, PodContainer};
pub use eligible::{Node, eligible};
pub use facts::FactsIndex;
pub use freshness::{Freshness, MAX_LAG};
pub use nodes::{NodeImage, NodeImages, NodesIndex};
pub use resolve::{Candidate, PullPolicy};
pub use seen::FirstSeenIndex;

/// Changes kept for a slow reader; one that falls further behind reads the whole index again.
const CHANGES: usize = 16_384;

/// What changed. Sent while the index is locked, so a reader that subscribes under [`SharedIndex::read`] misses nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Facts of this image arrived or were replaced.
    Facts(Digest),
    /// The facts of this image were dropped.
    FactsRemoved(Digest),
    /// The images of this node changed.
    NodeImages(String),
    /// What agents said of this node was dropped.
    NodeImagesRemoved(String),
    /// This image was seen running in this namespace, first or earlier than known.
    FirstSeen {
        /// The namespace.
        namespace: String,
        /// The image (config digest).
        image: Digest,
    },
    /// A pod appeared or changed.
    Pod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A pod ended or was deleted.
    PodRemoved {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Labels of a namespace changed.
    Namespace(String),
    /// A Node object changed.
    Node(String),
}

/// All that decisions need. See the module's documentation.
#[derive(Debug)]
pub struct Index {
    facts: FactsIndex,
    packages: HashMap<Digest, Listed>,
    nodes: NodesIndex,
    cluster: ClusterIndex,
    seen: FirstSeenIndex,
    freshness: Freshness,
    changes: broadcast::Sender<Change>,
}

/// What is known of an image's inventory.
#[derive(Debug)]
struct Listed {
    counts: PackageCounts,
    here: bool,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            facts: FactsIndex::default(),
            packages: HashMap::new(),
            nodes: NodesIndex::default(),
            cluster: ClusterIndex::default(),
            seen: FirstSeenIndex::default(),
            freshness: Freshness::default(),
            changes: broadcast::Sender::new(CHANGES),
        }
    }
}

impl Index {
    /// Facts of images.
    pub fn facts(&self) -> &FactsIndex {
        &self.facts
    }

    /// The scanned image that another was built on: of those whose layers are its first, and fewer, the one with the most.
    /// Of several with the same layers the first by name counts.
    pub fn base(&self, facts: &ImageFacts) -> Option<Base> {
        let most = self.facts.below(facts).next()?.layers.len();
        let bases = self.facts.below(facts).take_while(|below| below.layers.len() == most);
        let name = bases.filter_map(|below| self.nodes.references(&below.image).into_iter().next()).min();
        Some(Base { name, layers: most, evidence: Evidence::Layers })
    }

    /// How many packages an image has, once the leader has its inventory.
    pub fn packages(&self, image: &Digest) -> Option<&PackageCounts> {
        self.packages.get(image).map(|listed| &listed.counts)
    }

    /// Whether the image's inventory is in this replica's own store.
    pub fn has_inventory(&self, image: &Digest) -> bool {
        self.packages.get(image).is_some_and(|listed| listed.here)
    }

    /// What each node's image store holds.
    pub fn nodes(&self) -> &NodesIndex {
        &self.nodes
    }

    /// Namespaces, nodes and pods.
    pub fn cluster(&self) -> &ClusterIndex {
        &self.cluster
    }

    /// When an image was first seen running in a namespace.
    pub fn seen(&self) -> &FirstSeenIndex {
        &self.seen
    }

    /// How far behind the leader this replica is.
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// The nodes on which a pod with this spec may run.
    pub fn eligible_nodes(&self, spec: &k8s::PodSpec) -> Vec<&Node> {
        self.cluster.nodes().filter(|node| eligible(spec, node)).collect()
    }

    /// Every change from now on, in order.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Whether any node has the image or any pod runs it.
    pub fn used_images(&self) -> HashSet<Digest> {
        let mut used: HashSet<Digest> = self.nodes.images().map(|(image, _)| image.clone()).collect();
        used.extend(self.running_images().map(|(_, image)| image));
        used
    }

    /// Every pod with each image (config digest) that it is known to run.
    pub fn running_images(&self) -> impl Iterator<Item = (&Arc<Pod>, Digest)> {
        self.cluster.pods().flat_map(move |pod| {
            let node = pod.node.as_deref().unwrap_or_default();
            let digests = pod.containers.iter().filter_map(|container| container.running.as_ref());
            digests.filter_map(move |digest| Some((pod, self.image_on_node(digest, node)?)))
        })
    }

    /// Takes in facts of an image.
    pub fn apply_facts(&mut self, facts: Arc<ImageFacts>) {
        let image = facts.image.clone();
        if self.facts.apply(facts, None) {
            self.notify(Change::Facts(image));
        }
    }

    /// Takes in facts from the store or the leader, with the time since when the same was known there.
    pub fn apply_known_facts(&mut self, facts: Arc<ImageFacts>, since: Timestamp) {
        let image = facts.image.clone();
        if self.facts.apply(facts, Some(since)) {
            self.notify(Change::Facts(image));
        }
    }

    /// Takes in facts that were judged anew at `now` without a scan: what they say has been known since then, unless it was
    /// known before.
    pub fn apply_judged_facts(&mut self, facts: Arc<ImageFacts>, now: Timestamp) {
        let since = self.facts.since_when(&facts, now);
        self.apply_known_facts(facts, since);
    }

    /// The image's inventory is in this replica's store, and has so many packages.
    pub fn apply_packages(&mut self, image: &Digest, counts: PackageCounts) {
        let changed = self.packages(image) != Some(&counts);
        self.packages.insert(image.clone(), Listed { counts, here: true });
        if changed {
            self.notify(Change::Facts(image.clone()));
        }
    }

    /// The leader's inventory of the image has so many packages.
    pub fn apply_known_packages(&mut self, image: &Digest, counts: PackageCounts) {
        if self.packages(image) != Some(&counts) {
            // What lies in this replica's store is another list.
            self.packages.insert(image.clone(), Listed { counts, here: false });
            self.notify(Change::Facts(image.clone()));
        }
    }

    /// The image's inventory is no longer in this replica's store.
    pub fn lost_inventory(&mut self, image: &Digest) {
        if let Some(listed) = self.packages.get_mut(image) {
            listed.here = false;
        }
    }

    /// Drops the facts of an image, and what is known of its packages.
    pub fn remove_facts(&mut self, image: &Digest) {
        self.packages.remove(image);
        if self.facts.remove(image).is_some() {
            self.notify(Change::FactsRemoved(image.clone()));
        }
    }

    /// Replaces what is known of a node's images.
    pub fn reset_node_images(&mut self, node: &str, images: Vec<NodeImage>) {
        self.nodes.reset(node, images);
        self.notify(Change::NodeImages(node.to_owned()));
    }

    /// Adds images to a node, or replaces what was known of them, and takes others away.
    pub fn apply_node_images(&mut self, node: &str, images: Vec<NodeImage>, gone: &[Digest]) {
        let removed = self.nodes.gone(node, gone);
        let added = self.nodes.apply(node, images);
        if added || removed {
            self.notify(Change::NodeImages(node.to_owned()));
        }
    }

    /// Forgets a node's images.
    pub fn remove_node_images(&mut self, node: &str) {
        if self.nodes.remove(node) {
            self.notify(Change::NodeImagesRemoved(node.to_owned()));
        }
    }

    /// Takes over a leader's state in one step: what it does not hold is dropped. What this replica has seen running
    /// itself is kept.
    pub fn reset_replicated(&mut self, state: Replicated, now: Timestamp) {
        let images: HashSet<&Digest> = state.facts.iter().map(|(facts, _)| &facts.image).collect();
        let unknown = self.facts.iter().map(|facts| &facts.image).filter(|image| !images.contains(image));
        for image in unknown.cloned().collect::<Vec<_>>() {
            self.remove_facts(&image);
        }
        let nodes: HashSet<&str> = state.nodes.iter().map(|(node, _)| node.as_str()).collect();
        let unknown = self.nodes.names().filter(|node| !nodes.contains(node)).map(str::to_owned);
        for node in unknown.collect::<Vec<_>>() {
            self.remove_node_images(&node);
        }
        for (facts, since) in state.facts {
            self.apply_known_facts(facts, since);
        }
        for (image, counts) in state.packages {
            self.apply_known_packages(&image, counts);
        }
        for (node, images) in state.nodes {
            self.reset_node_images(&node, images);
        }
        for (namespace, image, at) in state.seen {
            self.apply_first_seen(&namespace, &image, at, now);
        }
    }

    /// The image ran in the namespace since `at`, and still did at `now`.
    pub fn apply_first_seen(&mut self, namespace: &str, image: &Digest, at: Timestamp, now: Timestamp) {
        if self.seen.apply(namespace, image, at, now) {
            self.notify(Change::FirstSeen { namespace: namespace.to_owned(), image: image.clone() });
        }
    }

    /// Since when each image has run in each namespace, by the pods that run now.
    pub fn running_since(&self, now: Timestamp) -> HashMap<(String, Digest), Timestamp> {
        let mut running = HashMap::new();
        for (pod, image) in self.running_images() {
            let started = pod.started.unwrap_or(now);
            let since = running.entry((pod.namespace.clone(), image)).or_insert(started);
            *since = started.min(*since);
        }
        running
    }

    /// Notes what runs at `now`, and forgets what has not run for `unused_after`.
    pub fn refresh_seen(
        &mut self,
        running: HashMap<(String, Digest), Timestamp>,
        now: Timestamp,
        unused_after: Duration,
    ) {
        for ((namespace, image), since) in running {
            self.apply_first_seen(&namespace, &image, since, now);
        }
        self.seen.expire(now, unused_after);
    }

    /// Says how far behind the leader this replica is.
    pub fn set_freshness(&mut self, freshness: Freshness) {
        self.freshness = freshness;
    }

    /// Takes in a namespace.
    pub fn apply_namespace(&mut self, namespace: &k8s::Namespace) {
        if self.cluster.apply_namespace(namespace) {
            self.notify(Change::Namespace(namespace.metadata.name.clone().unwrap_or_default()));
        }
    }

    /// Forgets a namespace.
    pub fn remove_namespace(&mut self, name: &str) {
        self.cluster.remove_namespace(name);
        self.seen.remove_namespace(name);
    }

    /// Takes in a node.
    pub fn apply_node(&mut self, node: &k8s::Node) {
        let Some(node) = reduce::node(node) else { return };
        let name = node.name.clone();
        if self.cluster.apply_node(node) {
            self.notify(Change::Node(name));
        }
    }

    /// Forgets a node and what its agent said.
    pub fn remove_node(&mut self, name: &str) {
        if self.cluster.remove_node(name) {
            self.notify(Change::Node(name.to_owned()));
        }
        self.remove_node_images(name);
    }

    /// Takes in a pod; one that has ended counts as deleted.
    pub fn apply_pod(&mut self, pod: &k8s::Pod) {
        match reduce::pod(pod) {
            Some(pod) => {
                let (namespace, name) = (pod.namespace.clone(), pod.name.clone());
                if self.cluster.apply_pod(pod) {
                    self.notify(Change::Pod { namespace, name });
                }
            }
            None => self.remove_pod(
                pod.metadata.namespace.as_deref().unwrap_or_default(),
                pod.metadata.name.as_deref().unwrap_or_default(),
            ),
        }
    }

    /// Forgets a pod.
    pub fn remove_pod(&mut self, namespace: &str, name: &str) {
        if self.cluster.remove_pod(namespace, name) {
            self.notify(Change::PodRemoved { namespace: namespace.to_owned(), name: name.to_owned() });
        }
    }

    fn notify(&self, change: Change) {
        // Nobody listening is no error.
        let _ = self.changes.send(change);
    }
}

/// The part of the index that comes from agents: what a follower receives from its leader.
#[derive(Debug, Default)]
pub struct Replicated {
    /// Facts of all images, each with the time since when the same was known.
    pub facts: Vec<(Arc<ImageFacts>, Timestamp)>,
    /// How many packages images have.
    pub packages: Vec<(Digest, PackageCounts)>,
    /// All reported nodes with their images.
    pub nodes: Vec<(String, Vec<NodeImage>)>,
    /// Namespace, image, and when it was first seen running there.
    pub seen: Vec<(String, Digest, Timestamp)>,
}

/// The index, shared by every task of the operator.
#[derive(Debug, Clone, Default)]
pub struct SharedIndex(Arc<RwLock<Index>>);

impl SharedIndex {
    /// For decisions: many at once, each short.
    pub fn read(&self) -> RwLockReadGuard<'_, Index> {
        // A panic under the lock leaves plain maps behind that are still whole.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For changes.
    pub fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
