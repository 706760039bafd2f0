//! What of a pod brings an image, and with which rights.

use k8s_openapi::api::core::v1 as k8s;
use pratique_core::policy::{ContainerKind, HostPath, Pod, RunAs};

/// One container or image volume of a pod, borrowed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub kind: ContainerKind,
    /// The image reference as written.
    pub image: &'a str,
    /// The pull policy as written.
    pub pull: Option<&'a str>,
    /// Privileged, or a HostProcess container of Windows.
    pub privileged: bool,
    /// Capabilities it adds.
    pub added_capabilities: Vec<&'a str>,
    /// The user it runs as, the pod's setting merged in.
    pub run_as: RunAs,
}

/// All parts of a pod. A container without an image has none (the API server demands one except in templates).
pub(crate) fn parts(spec: &k8s::PodSpec) -> Vec<Part<'_>> {
    let pod = spec.security_context.as_ref();
    let normal = spec.containers.iter().map(|c| {
        part(ContainerKind::Container, &c.name, &c.image, &c.image_pull_policy, &c.security_context, pod)
    });
    let init = spec.init_containers.iter().flatten().map(|c| {
        part(ContainerKind::Init, &c.name, &c.image, &c.image_pull_policy, &c.security_context, pod)
    });
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(|c| {
        part(ContainerKind::Ephemeral, &c.name, &c.image, &c.image_pull_policy, &c.security_context, pod)
    });
    let volumes = spec.volumes.iter().flatten().filter_map(|volume| {
        let source = volume.image.as_ref()?;
        part(ContainerKind::Volume, &volume.name, &source.reference, &source.pull_policy, &None, None)
    });
    init.chain(normal).chain(ephemeral).flatten().chain(volumes).collect()
}

fn part<'a>(
    kind: ContainerKind,
    name: &'a str,
    image: &'a Option<String>,
    pull: &'a Option<String>,
    own: &'a Option<k8s::SecurityContext>,
    pod: Option<&'a k8s::PodSecurityContext>,
) -> Option<Part<'a>> {
    let own = own.as_ref();
    let host_process =
        |options: Option<&k8s::WindowsSecurityContextOptions>| options.and_then(|o| o.host_process);
    let windows = host_process(own.and_then(|own| own.windows_options.as_ref()))
        .or_else(|| host_process(pod.and_then(|pod| pod.windows_options.as_ref())));
    Some(Part {
        name,
        kind,
        image: image.as_deref().filter(|image| !image.is_empty())?,
        pull: pull.as_deref().filter(|pull| !pull.is_empty()),
        privileged: own.and_then(|own| own.privileged).unwrap_or(false) || windows.unwrap_or(false),
        added_capabilities: own
            .and_then(|own| own.capabilities.as_ref()?.add.as_ref())
            .map(|add| add.iter().map(String::as_str).collect())
            .unwrap_or_default(),
        run_as: RunAs {
            user: own.and_then(|own| own.run_as_user).or_else(|| pod?.run_as_user),
            non_root: own
                .and_then(|own| own.run_as_non_root)
                .or_else(|| pod?.run_as_non_root)
                .unwrap_or(false),
        },
    })
}

/// The parts of `new` that `old` lacks or has with another image.
pub(super) fn changed<'a>(new: &'a k8s::PodSpec, old: &k8s::PodSpec) -> Vec<Part<'a>> {
    let before = parts(old);
    let is_known = |part: &Part<'_>| {
        before.iter().any(|old| (old.kind, old.name, old.image) == (part.kind, part.name, part.image))
    };
    parts(new).into_iter().filter(|part| !is_known(part)).collect()
}

/// What the pod as a whole asks for.
pub(crate) fn pod(spec: &k8s::PodSpec) -> Pod<'_> {
    Pod {
        host_pid: spec.host_pid.unwrap_or(false),
        host_ipc: spec.host_ipc.unwrap_or(false),
        host_network: spec.host_network.unwrap_or(false),
        host_paths: spec
            .volumes
            .iter()
            .flatten()
            .filter_map(|volume| {
                Some(HostPath { volume: &volume.name, path: &volume.host_path.as_ref()?.path })
            })
            .collect(),
    }
}
