//! Folders of layers, held against garbage collection.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use containerd_client::services::v1::snapshots::snapshots_client::SnapshotsClient;
use containerd_client::services::v1::snapshots::{RemoveSnapshotRequest, ViewSnapshotRequest};
use containerd_client::services::v1::{
    CreateRequest, DeleteRequest, ListRequest, ListResourcesRequest, leases_client::LeasesClient,
};
use containerd_client::types::Mount;
use jiff::Timestamp;
use pratique_core::Digest;

use super::Containerd;
use crate::{Error, OverlayAttributes, Result};

/// Label that makes containerd drop a lease by itself (<https://github.com/containerd/containerd/blob/main/docs/garbage-collection.md>).
const EXPIRES: &str = "containerd.io/gc.expire";
/// Label that marks leases of ours, with the owner as its value.
const OWNER: &str = "pratique.dev/owner";

/// The folder of one layer, as a path on the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFolder {
    /// Where.
    pub path: PathBuf,
    /// Which attributes its overlay honours.
    pub attributes: OverlayAttributes,
}

/// A lease, and read-only snapshots made under it: while it lasts, garbage collection leaves the folders of the viewed
/// layers alone. containerd drops it when it expires; [`Self::release`] does at once.
pub struct View {
    containerd: Containerd,
    namespace: String,
    lease: String,
    /// The mounts of each view made, by snapshotter and key.
    made: BTreeMap<(String, String), Vec<Mount>>,
}

impl Containerd {
    /// Takes a lease that ends by itself after `lifetime`.
    pub async fn view(&self, namespace: &str, lifetime: Duration) -> Result<View> {
        let mut random = [0; 16];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| Error::io("random bytes for the name of a lease", error.into()))?;
        let lease = format!("pratique-{}-{:032x}", self.owner, u128::from_ne_bytes(random));
        let expires = Timestamp::now()
            .checked_add(lifetime)
            .map_err(|error| self.failed(format!("a lease cannot last {lifetime:?}: {error}")))?;
        let labels = HashMap::from([
            (EXPIRES.to_owned(), format!("{expires:.0}")),
            (OWNER.to_owned(), self.owner.clone()),
        ]);
        let request = self.request(namespace, None, CreateRequest { id: lease.clone(), labels })?;
        self.call("leases", LeasesClient::new(self.channel()).create(request)).await?;
        Ok(View { containerd: self.clone(), namespace: namespace.to_owned(), lease, made: BTreeMap::new() })
    }

    /// Removes leases and views of this owner that an earlier process left behind, in all namespaces. Gives how many
    /// leases there were.
    pub async fn sweep(&self) -> Result<usize> {
        let mut swept = 0;
        for namespace in self.namespaces().await? {
            let message = ListRequest { filters: vec![format!("labels.\"{OWNER}\"=={}", self.owner)] };
            let request = self.request(&namespace, None, message)?;
            let leases = self.call("leases", LeasesClient::new(self.channel()).list(request)).await?.leases;
            for lease in leases {
                // Never anyone else's, whatever the filter was taken for.
                if lease.labels.get(OWNER) != Some(&self.owner) {
                    continue;
                }
                let message = ListResourcesRequest { id: lease.id.clone() };
                let request = self.request(&namespace, None, message)?;
                let listed =
                    self.call("leases", LeasesClient::new(self.channel()).list_resources(request)).await?;
                let views = listed.resources.into_iter().filter_map(|resource| {
                    let snapshotter = resource.r#type.strip_prefix("snapshots/")?.to_owned();
                    resource.id.starts_with(&lease.id).then_some(((snapshotter, resource.id), Vec::new()))
                });
                let (namespace, made) = (namespace.clone(), views.collect());
                View { containerd: self.clone(), namespace, lease: lease.id, made }.release().await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

impl View {
    /// The folder with the topmost layer of a chain, by the chain's ID. [`Error::Unsupported`] if the snapshotter
    /// answers no such folder, [`Error::NotFound`] if the layer is not unpacked.
    pub async fn folder(
        &mut self,
        snapshotter: &str,
        chain_id: &Digest,
        bottom: bool,
    ) -> Result<LayerFolder> {
        let mounts = self.mounts(snapshotter, chain_id).await?;
        topmost(snapshotter, mounts, bottom)
    }

    /// The folder with all layers of a chain, by the chain's ID. [`Error::Unsupported`] if the snapshotter keeps no such
    /// folders, [`Error::NotFound`] if the chain is not unpacked.
    pub async fn tree(&mut self, snapshotter: &str, chain_id: &Digest) -> Result<PathBuf> {
        whole(snapshotter, self.mounts(snapshotter, chain_id).await?)
    }

    async fn mounts(&mut self, snapshotter: &str, chain_id: &Digest) -> Result<&[Mount]> {
        let key = (snapshotter.to_owned(), format!("{}-{}", self.lease, chain_id.short()));
        let mounts = match self.made.remove(&key) {
            Some(mounts) => mounts,
            None => self.make(snapshotter, &key.1, chain_id).await?,
        };
        Ok(self.made.entry(key).or_insert(mounts))
    }

    async fn make(&self, snapshotter: &str, key: &str, chain_id: &Digest) -> Result<Vec<Mount>> {
        let message = ViewSnapshotRequest {
            snapshotter: snapshotter.to_owned(),
            key: key.to_owned(),
            parent: chain_id.to_string(),
            labels: HashMap::new(),
        };
        let request = self.containerd.request(&self.namespace, Some(&self.lease), message)?;
        let mut client = SnapshotsClient::new(self.containerd.channel());
        Ok(self.containerd.call("snapshots", client.view(request)).await?.mounts)
    }

    /// Removes the views and the lease. What is left after an error goes when the lease expires.
    pub async fn release(self) -> Result<()> {
        let mut result = Ok(());
        for (snapshotter, key) in self.made.keys() {
            let message = RemoveSnapshotRequest { snapshotter: snapshotter.clone(), key: key.clone() };
            let request = self.containerd.request(&self.namespace, None, message)?;
            let mut client = SnapshotsClient::new(self.containerd.channel());
            let removed = self.containerd.call("snapshots", client.remove(request)).await;
            result = result.and(ignore_absent(removed));
        }
        let message = DeleteRequest { id: self.lease.clone(), sync: false };
        let request = self.containerd.request(&self.namespace, None, message)?;
        let deleted = self
            .containerd
            .call("leases", LeasesClient::new(self.containerd.channel()).delete(request))
            .await;
        result.and(ignore_absent(deleted))
    }
}

fn ignore_absent(result: Result<()>) -> Result<()> {
    match result {
        Err(Error::NotFound { .. }) => Ok(()),
        other => other,
    }
}

fn unsupported(snapshotter: &str, reason: &str) -> Error {
    Error::Unsupported {
        what: format!("snapshotter {}", snapshotter.chars().take(64).collect::<String>()),
        reason: format!("{reason}; the layer's blob is needed"),
    }
}

/// The topmost layer's folder, from the mounts that would show its whole chain. Only of snapshotters that are known to
/// keep plain folders: others mount something of their own in them, and where that is not seen they look empty.
fn topmost(snapshotter: &str, mounts: &[Mount], bottom: bool) -> Result<LayerFolder> {
    let unsupported = |reason| unsupported(snapshotter, reason);
    let [mount] = mounts else {
        return Err(unsupported("it answers other than one mount"));
    };
    let attributes = match mount.options.iter().any(|option| option == "userxattr") {
        true => OverlayAttributes::User,
        false => OverlayAttributes::Trusted,
    };
    let folder = match (snapshotter, mount.r#type.as_str()) {
        ("overlayfs", "overlay") => {
            let lower = mount.options.iter().find_map(|option| option.strip_prefix("lowerdir="));
            lower
                .and_then(|list| list.split(':').next())
                .ok_or_else(|| unsupported("its overlay names no lowerdir"))?
        }
        ("overlayfs", "bind") => &mount.source,
        ("native", _) if bottom => {
            return whole(snapshotter, mounts).map(|path| LayerFolder { path, attributes });
        }
        ("native", _) => return Err(unsupported("its folders hold whole chains and not one layer")),
        _ => return Err(unsupported("it answers no folders of layers")),
    };
    Ok(LayerFolder { path: absolute(snapshotter, folder)?, attributes })
}

/// The folder with a whole chain, from the mounts that would show it.
fn whole(snapshotter: &str, mounts: &[Mount]) -> Result<PathBuf> {
    match (snapshotter, mounts) {
        ("native", [mount]) if mount.r#type == "bind" => absolute(snapshotter, &mount.source),
        _ => Err(unsupported(snapshotter, "it answers no folders of whole chains")),
    }
}

fn absolute(snapshotter: &str, folder: &str) -> Result<PathBuf> {
    match PathBuf::from(folder) {
        path if path.is_absolute() => Ok(path),
        _ => Err(unsupported(snapshotter, "it answers a folder without an absolute path")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(kind: &str, source: &str, options: &[&str]) -> Mount {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Mount { r#type: kind.to_owned(), source: source.to_owned(), target: String::new(), options }
    }

    #[test]
    fn the_topmost_folder_is_the_first_lower_one() {
        let overlay =
            mount("overlay", "overlay", &["index=off", "userxattr", "lowerdir=/s/3/fs:/s/2/fs:/s/1/fs"]);
        let folder = topmost("overlayfs", &[overlay], false).expect("a folder");
        assert_eq!(folder, LayerFolder { path: "/s/3/fs".into(), attributes: OverlayAttributes::User });
        let bind = mount("bind", "/s/1/fs", &["ro", "rbind"]);
        let folder = topmost("overlayfs", &[bind], true).expect("a folder");
        assert_eq!(folder, LayerFolder { path: "/s/1/fs".into(), attributes: OverlayAttributes::Trusted });
    }

    #[test]
    fn what_is_no_single_layers_folder_is_refused() {
        let bind = || mount("bind", "/s/1", &["ro"]);
        for (snapshotter, mounts, bottom) in [
            ("stargz", vec![mount("overlay", "overlay", &["lowerdir=/s/1/fs"])], true),
            ("native", vec![bind()], false),
            ("devmapper", vec![mount("ext4", "/dev/mapper/x", &[])], true),
            ("overlayfs", vec![mount("overlay", "overlay", &[])], false),
            ("overlayfs", vec![bind(), bind()], true),
            ("overlayfs", vec![mount("bind", "relative", &[])], true),
        ] {
            let error = topmost(snapshotter, &mounts, bottom).expect_err(snapshotter);
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        }
    }

    #[test]
    fn whole_trees_are_those_of_native() {
        assert_eq!(
            whole("native", &[mount("bind", "/s/1", &["ro"])]).expect("a folder"),
            PathBuf::from("/s/1")
        );
        for (snapshotter, mounts) in [
            ("native", vec![]),
            ("native", vec![mount("bind", "s/1", &["ro"])]),
            ("native", vec![mount("overlay", "/s/1", &[])]),
            ("overlayfs", vec![mount("bind", "/s/1", &[])]),
        ] {
            let error = whole(snapshotter, &mounts).expect_err(snapshotter);
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        }
    }
}
