//! From API objects to the few fields the index keeps of them.

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as k8s;
use pratique_core::{Digest, Platform};

use super::cluster::{ContainerKind, Pod, PodContainer};
use super::eligible::Node;

pub(super) fn node(node: &k8s::Node) -> Option<Node> {
    let labels = node.metadata.labels.clone().unwrap_or_default();
    let status = node.status.as_ref();
    let info = status.and_then(|status| status.node_info.as_ref());
    // Before the kubelet's first status the labels it was registered with say the same.
    let word =
        |info: Option<&String>, label: &str| info.or_else(|| labels.get(label)).cloned().unwrap_or_default();
    Some(Node {
        name: node.metadata.name.clone()?,
        platform: Platform {
            os: word(info.map(|info| &info.operating_system), "kubernetes.io/os"),
            architecture: word(info.map(|info| &info.architecture), "kubernetes.io/arch"),
            variant: String::new(),
        },
        ready: status
            .and_then(|status| status.conditions.as_ref())
            .is_some_and(|conditions| conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")),
        labels,
    })
}

/// A pod that has not ended; none if it has, or is no object of the API server.
pub(super) fn pod(pod: &k8s::Pod) -> Option<Pod> {
    let spec = pod.spec.as_ref()?;
    let status = pod.status.as_ref();
    if matches!(status.and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed")) {
        return None;
    }
    let meta = &pod.metadata;
    Some(Pod {
        namespace: meta.namespace.clone()?,
        name: meta.name.clone()?,
        uid: meta.uid.clone().unwrap_or_default(),
        labels: meta.labels.clone().unwrap_or_default(),
        node: spec.node_name.clone(),
        controller: meta
            .owner_references
            .iter()
            .flatten()
            .find(|owner| owner.controller == Some(true))
            .cloned(),
        mirror: meta.annotations.iter().flatten().any(|(key, _)| key == "kubernetes.io/config.mirror"),
        started: status
            .and_then(|status| status.start_time.as_ref())
            .and_then(|time| Timestamp::from_second(time.0.as_second()).ok()),
        containers: containers(spec, status),
    })
}

fn containers(spec: &k8s::PodSpec, status: Option<&k8s::PodStatus>) -> Vec<PodContainer> {
    let container = |kind,
                     name: &str,
                     image: Option<&String>,
                     statuses: Option<&Vec<k8s::ContainerStatus>>| PodContainer {
        kind,
        name: name.to_owned(),
        image: image.cloned().unwrap_or_default(),
        running: statuses
            .into_iter()
            .flatten()
            .find(|status| status.name == name)
            .and_then(|status| running_digest(&status.image_id)),
    };
    let init = spec.init_containers.iter().flatten().map(|c| {
        let statuses = status.and_then(|status| status.init_container_statuses.as_ref());
        container(ContainerKind::Init, &c.name, c.image.as_ref(), statuses)
    });
    let normal = spec.containers.iter().map(|c| {
        let statuses = status.and_then(|status| status.container_statuses.as_ref());
        container(ContainerKind::Container, &c.name, c.image.as_ref(), statuses)
    });
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(|c| {
        let statuses = status.and_then(|status| status.ephemeral_container_statuses.as_ref());
        container(ContainerKind::Ephemeral, &c.name, c.image.as_ref(), statuses)
    });
    init.chain(normal).chain(ephemeral).collect()
}

/// `imageID` of a container status: `repository@digest`, `runtime://repository@digest` or a bare digest.
fn running_digest(image_id: &str) -> Option<Digest> {
    let digest = image_id.rsplit_once('@').map_or(image_id, |(_, digest)| digest);
    digest.rsplit_once("//").map_or(digest, |(_, digest)| digest).parse().ok()
}
