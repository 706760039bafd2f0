//! What the API server knows and decisions need: namespaces, nodes, pods.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use pratique_core::Digest;
use pratique_core::policy::ContainerKind;

use super::eligible::Node;

/// A container of a running pod and the image it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodContainer {
    /// Which list of the pod's spec it comes from.
    pub kind: ContainerKind,
    /// Its name.
    pub name: String,
    /// The image as the spec writes it.
    pub image: String,
    /// The digest its runtime reports for the image (a manifest's, an index's or the config's), once it has started.
    pub running: Option<Digest>,
}

/// A pod, reduced to what is needed to say which workload runs which images where.
#[derive(Debug, Clone, PartialEq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The node it is bound to.
    pub node: Option<String>,
    /// Its controller, one step up (a ReplicaSet, not the Deployment).
    pub controller: Option<OwnerReference>,
    /// Whether it mirrors a static pod of its node.
    pub mirror: bool,
    /// When its node took it on.
    pub started: Option<Timestamp>,
    /// What of its spec policies look at: images, volumes that are host paths or images, security contexts, host
    /// namespaces, node name. All else is left out.
    pub spec: k8s::PodSpec,
    /// Its containers.
    pub containers: Vec<PodContainer>,
}

/// Namespaces, nodes and pods by name.
#[derive(Debug, Default)]
pub struct ClusterIndex {
    namespaces: HashMap<String, BTreeMap<String, String>>,
    nodes: BTreeMap<String, Node>,
    pods: HashMap<String, HashMap<String, Arc<Pod>>>,
}

impl ClusterIndex {
    /// Labels of a namespace.
    pub fn namespace(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        self.namespaces.get(name)
    }

    /// Names of all namespaces, in no order.
    pub fn namespaces(&self) -> impl ExactSizeIterator<Item = &str> {
        self.namespaces.keys().map(String::as_str)
    }

    /// All nodes, by name.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &Node> {
        self.nodes.values()
    }

    /// A node.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// All pods, in no order.
    pub fn pods(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.pods.values().flat_map(HashMap::values)
    }

    /// A pod.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&Arc<Pod>> {
        self.pods.get(namespace)?.get(name)
    }

    pub(super) fn apply_namespace(&mut self, namespace: &k8s::Namespace) -> bool {
        let Some(name) = namespace.metadata.name.clone() else { return false };
        let labels = namespace.metadata.labels.clone().unwrap_or_default();
        self.namespaces.insert(name, labels.clone()) != Some(labels)
    }

    pub(super) fn remove_namespace(&mut self, name: &str) {
        self.namespaces.remove(name);
    }

    pub(super) fn apply_node(&mut self, node: Node) -> bool {
        let unchanged = self.nodes.get(&node.name) == Some(&node);
        self.nodes.insert(node.name.clone(), node);
        !unchanged
    }

    pub(super) fn remove_node(&mut self, name: &str) -> bool {
        self.nodes.remove(name).is_some()
    }

    pub(super) fn apply_pod(&mut self, pod: Pod) -> bool {
        let pods = self.pods.entry(pod.namespace.clone()).or_default();
        if pods.get(&pod.name).is_some_and(|known| **known == pod) {
            return false;
        }
        pods.insert(pod.name.clone(), Arc::new(pod));
        true
    }

    pub(super) fn remove_pod(&mut self, namespace: &str, name: &str) -> bool {
        let Some(pods) = self.pods.get_mut(namespace) else { return false };
        let removed = pods.remove(name).is_some();
        if pods.is_empty() {
            self.pods.remove(namespace);
        }
        removed
    }
}
