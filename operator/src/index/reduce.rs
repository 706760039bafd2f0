//! From API objects to the few fields the index keeps of them.

use k8s_openapi::api::core::v1 as k8s;
use pratique_core::policy::ContainerKind;
use pratique_core::{Digest, Platform};

use super::cluster::{Pod, PodContainer};
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
        started: status.and_then(|status| status.start_time.as_ref()).map(|time| time.0),
        spec: reduced(spec),
        containers: containers(spec, status),
    })
}

/// A spec without everything that policies do not look at (environments, probes, mounts… : most of its size).
fn reduced(spec: &k8s::PodSpec) -> k8s::PodSpec {
    let container = |container: &k8s::Container| k8s::Container {
        name: container.name.clone(),
        image: container.image.clone(),
        image_pull_policy: container.image_pull_policy.clone(),
        security_context: container.security_context.clone(),
        ..k8s::Container::default()
    };
    let ephemeral = |container: &k8s::EphemeralContainer| k8s::EphemeralContainer {
        name: container.name.clone(),
        image: container.image.clone(),
        image_pull_policy: container.image_pull_policy.clone(),
        security_context: container.security_context.clone(),
        ..k8s::EphemeralContainer::default()
    };
    let volume = |volume: &k8s::Volume| {
        (volume.host_path.is_some() || volume.image.is_some()).then(|| k8s::Volume {
            name: volume.name.clone(),
            host_path: volume.host_path.clone(),
            image: volume.image.clone(),
            ..k8s::Volume::default()
        })
    };
    k8s::PodSpec {
        containers: spec.containers.iter().map(container).collect(),
        init_containers: spec.init_containers.as_ref().map(|list| list.iter().map(container).collect()),
        ephemeral_containers: spec
            .ephemeral_containers
            .as_ref()
            .map(|list| list.iter().map(ephemeral).collect()),
        volumes: spec.volumes.as_ref().map(|list| list.iter().filter_map(volume).collect()),
        security_context: spec.security_context.clone(),
        host_pid: spec.host_pid,
        host_ipc: spec.host_ipc,
        host_network: spec.host_network,
        node_name: spec.node_name.clone(),
        os: spec.os.clone(),
        ..k8s::PodSpec::default()
    }
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
