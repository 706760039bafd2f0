//! Rules on what a pod asks for.

use globset::GlobSet;

use super::path_globs;
use crate::policy::{Container, InvalidPolicy, Pod, WorkloadRule};

/// [`WorkloadRule`], compiled.
#[derive(Debug, Clone)]
pub(in crate::policy) struct CompiledWorkloadRule {
    privileged: bool,
    host_namespaces: bool,
    host_paths: Option<GlobSet>,
    /// Without `CAP_`, in upper case.
    capabilities: Vec<String>,
}

impl CompiledWorkloadRule {
    pub(in crate::policy) fn new(rule: &WorkloadRule, field: &str) -> Result<Self, InvalidPolicy> {
        let is_empty = !rule.privileged
            && !rule.host_namespaces
            && rule.host_paths.is_empty()
            && rule.added_capabilities.is_empty();
        if is_empty {
            return Err(InvalidPolicy::new(
                field,
                "set at least one of privileged, hostNamespaces, hostPaths and addedCapabilities",
            ));
        }
        Ok(Self {
            privileged: rule.privileged,
            host_namespaces: rule.host_namespaces,
            host_paths: path_globs(&rule.host_paths, &format!("{field}.hostPaths"))?,
            capabilities: rule.added_capabilities.iter().map(|name| plain(name)).collect(),
        })
    }

    /// Why the pod as a whole violates the rule.
    pub(in crate::policy) fn test_pod(&self, pod: &Pod<'_>) -> Option<String> {
        if self.host_namespaces {
            let shared: Vec<&str> =
                [(pod.host_pid, "hostPID"), (pod.host_ipc, "hostIPC"), (pod.host_network, "hostNetwork")]
                    .into_iter()
                    .filter_map(|(is_set, name)| is_set.then_some(name))
                    .collect();
            if !shared.is_empty() {
                return Some(format!("it shares namespaces of the node ({})", shared.join(", ")));
            }
        }
        let paths = self.host_paths.as_ref()?;
        pod.host_paths
            .iter()
            .find(|volume| paths.is_match(clean(volume.path)))
            .map(|volume| format!("volume {} mounts {} of the node", volume.volume, volume.path))
    }

    /// Why one container violates the rule.
    pub(in crate::policy) fn test_container(&self, container: &Container<'_>) -> Option<String> {
        if self.privileged && container.privileged {
            return Some("it is privileged".to_owned());
        }
        let refuses_all = self.capabilities.iter().any(|own| own == "ALL");
        let refused = container.added_capabilities.iter().map(|name| plain(name)).find(|name| {
            !self.capabilities.is_empty()
                && (refuses_all || name == "ALL" || self.capabilities.contains(name))
        })?;
        Some(format!("it adds the capability {refused}"))
    }
}

/// A capability's name without `CAP_`, in upper case.
fn plain(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    name.strip_prefix("CAP_").map_or(name.clone(), str::to_owned)
}

/// A path without repeated and trailing slashes and without `.` parts, as the kernel would read it. The API server
/// refuses `..` in host paths.
fn clean(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    format!("/{}", parts.join("/"))
}
