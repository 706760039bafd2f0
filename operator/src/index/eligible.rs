//! On which nodes may a pod run? nodeName, nodeSelector, required node affinity and operating system count; taints,
//! resources and inter-pod rules do not: they change from minute to minute, and a node too many only makes the answer
//! more careful.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, PodSpec};
use pratique_core::Platform;

/// What of a Node object decides where a pod may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its operating system and processor.
    pub platform: Platform,
    /// Whether its Ready condition is true.
    pub ready: bool,
}

/// Whether `node` may run a pod with this spec.
pub fn eligible(spec: &PodSpec, node: &Node) -> bool {
    if let Some(name) = spec.node_name.as_deref().filter(|name| !name.is_empty()) {
        return name == node.name;
    }
    if spec.os.as_ref().is_some_and(|os| os.name != node.platform.os) {
        return false;
    }
    let selected =
        spec.node_selector.iter().flatten().all(|(key, value)| node.labels.get(key) == Some(value));
    let required = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref())
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    selected
        && required.is_none_or(|selector| selector.node_selector_terms.iter().any(|term| holds(term, node)))
}

/// A term holds if all its requirements do; an empty one never holds (as in Kubernetes).
fn holds(term: &NodeSelectorTerm, node: &Node) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    (!expressions.is_empty() || !fields.is_empty())
        && expressions.iter().all(|requirement| fulfils(requirement, node.labels.get(&requirement.key)))
        && fields
            .iter()
            .all(|requirement| requirement.key == "metadata.name" && fulfils(requirement, Some(&node.name)))
}

fn fulfils(requirement: &NodeSelectorRequirement, value: Option<&String>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let number = |text: &String| text.parse::<i64>().ok();
    let limit = values.first().and_then(number);
    match requirement.operator.as_str() {
        "In" => value.is_some_and(|value| values.contains(value)),
        "NotIn" => value.is_none_or(|value| !values.contains(value)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => value.and_then(number).zip(limit).is_some_and(|(value, limit)| value > limit),
        "Lt" => value.and_then(number).zip(limit).is_some_and(|(value, limit)| value < limit),
        _ => false,
    }
}
