//! Where an engine keeps its images, by what it says of itself.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::oci::or_default;
use crate::{OverlayAttributes, Owners};

/// The namespace of Docker's own in containerd, unless the engine names another.
const NAMESPACE: &str = "moby";

/// What `/info` answers, as far as it matters here
/// (<https://docs.docker.com/reference/api/engine/version/v1.47/#tag/System/operation/SystemInfo>).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Info {
    #[serde(deserialize_with = "or_default")]
    driver: String,
    /// Pairs.
    #[serde(deserialize_with = "or_default")]
    driver_status: Vec<Vec<String>>,
    #[serde(deserialize_with = "or_default")]
    docker_root_dir: PathBuf,
    #[serde(deserialize_with = "or_default")]
    security_options: Vec<String>,
    /// Since Docker 27.
    containerd: Option<InfoContainerd>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct InfoContainerd {
    #[serde(deserialize_with = "or_default")]
    address: PathBuf,
    #[serde(deserialize_with = "or_default")]
    namespaces: Namespaces,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Namespaces {
    #[serde(deserialize_with = "or_default")]
    containers: String,
}

/// Where images are kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Storage {
    /// A folder for each layer.
    Overlay2 {
        /// The engine's data root.
        root: PathBuf,
        /// Which attributes its overlays honour.
        attributes: OverlayAttributes,
        /// How the owners of files are shifted.
        owners: Owners,
    },
    /// In containerd, whose snapshotter is named.
    Containerd {
        /// Snapshotter.
        snapshotter: String,
        /// Its socket, if the engine says.
        socket: Option<PathBuf>,
        /// The namespace with the images.
        namespace: String,
    },
    /// In folders that are not read here, for a reason.
    Other {
        /// Storage driver.
        driver: String,
        /// Why its folders are not read.
        reason: &'static str,
    },
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlay2 { .. } => f.write_str("overlay2"),
            Self::Containerd { snapshotter, .. } => write!(f, "containerd image store, {snapshotter}"),
            Self::Other { driver, .. } => f.write_str(driver),
        }
    }
}

impl Info {
    pub(super) fn storage(self) -> Storage {
        let has_option = |name: &str| self.security_options.iter().any(|option| option == name);
        let other = |reason| Storage::Other { driver: self.driver.clone(), reason };
        if self.status("driver-type") == Some("io.containerd.snapshotter.v1") {
            let place = self.containerd.unwrap_or_default();
            let namespace = Some(place.namespaces.containers).filter(|name| !name.is_empty());
            return Storage::Containerd {
                snapshotter: self.driver,
                socket: Some(place.address).filter(|address| address.is_absolute()),
                namespace: namespace.unwrap_or_else(|| NAMESPACE.to_owned()),
            };
        }
        if self.driver != "overlay2" {
            return other("the engine keeps no folder for each layer");
        }
        if self.status("Native Overlay Diff") == Some("false") {
            return other("its overlays redirect folders");
        }
        if has_option("name=rootless") {
            return other("owners on disk are those of a user's own namespace");
        }
        let owners = match (has_option("name=userns"), owners_of(&self.docker_root_dir)) {
            (false, _) => Owners::default(),
            (true, Some(owners)) => owners,
            (true, None) => return other("its data root does not name the owners of its user namespace"),
        };
        let attributes = match self.status("userxattr") {
            Some("true") => OverlayAttributes::User,
            _ => OverlayAttributes::Trusted,
        };
        Storage::Overlay2 { root: self.docker_root_dir, attributes, owners }
    }

    fn status(&self, key: &str) -> Option<&str> {
        self.driver_status.iter().find_map(|pair| match pair.as_slice() {
            [own, value] if own == key => Some(value.as_str()),
            _ => None,
        })
    }
}

/// The ids of root in the engine's user namespace: with `userns-remap` the data root is a folder named `UID.GID`
/// (<https://docs.docker.com/engine/security/userns-remap/>).
fn owners_of(root: &Path) -> Option<Owners> {
    let (uid, gid) = root.file_name()?.to_str()?.split_once('.')?;
    Some(Owners { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(json: &str) -> Storage {
        serde_json::from_str::<Info>(json).expect(json).storage()
    }

    fn overlay2(root: &str, attributes: OverlayAttributes, owners: Owners) -> Storage {
        Storage::Overlay2 { root: root.into(), attributes, owners }
    }

    #[test]
    fn an_engine_tells_where_its_images_are() {
        let none = Owners::default();
        for (json, wanted) in [
            (
                r#"{"Driver": "overlay2", "DockerRootDir": "/var/lib/docker", "SecurityOptions": null,
                    "DriverStatus": [["Native Overlay Diff", "true"], ["userxattr", "false"]]}"#,
                overlay2("/var/lib/docker", OverlayAttributes::Trusted, none),
            ),
            (
                r#"{"Driver": "overlay2", "DockerRootDir": "/d", "DriverStatus": [["userxattr", "true"]]}"#,
                overlay2("/d", OverlayAttributes::User, none),
            ),
            (
                r#"{"Driver": "overlay2", "DockerRootDir": "/d/231072.231073",
                    "SecurityOptions": ["name=seccomp,profile=default", "name=userns"]}"#,
                overlay2(
                    "/d/231072.231073",
                    OverlayAttributes::Trusted,
                    Owners { uid: 231_072, gid: 231_073 },
                ),
            ),
            (
                r#"{"Driver": "overlayfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}"#,
                Storage::Containerd {
                    snapshotter: "overlayfs".to_owned(),
                    socket: None,
                    namespace: "moby".to_owned(),
                },
            ),
            (
                r#"{"Driver": "native", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
                    "Containerd": {"Address": "/run/c.sock", "Namespaces": {"Containers": "other"}}}"#,
                Storage::Containerd {
                    snapshotter: "native".to_owned(),
                    socket: Some("/run/c.sock".into()),
                    namespace: "other".to_owned(),
                },
            ),
        ] {
            assert_eq!(storage(json), wanted, "{json}");
        }
    }

    #[test]
    fn folders_that_would_be_misread_are_not_read() {
        for json in [
            r#"{"Driver": "vfs", "DockerRootDir": "/d"}"#,
            r#"{"Driver": "fuse-overlayfs", "DockerRootDir": "/d"}"#,
            r#"{"Driver": "overlay2", "DockerRootDir": "/d", "DriverStatus": [["Native Overlay Diff", "false"]]}"#,
            r#"{"Driver": "overlay2", "DockerRootDir": "/d", "SecurityOptions": ["name=rootless"]}"#,
            r#"{"Driver": "overlay2", "DockerRootDir": "/d", "SecurityOptions": ["name=userns"]}"#,
            r#"{"DriverStatus": [["driver-type"], [], ["a", "b", "c"]]}"#,
            "{}",
        ] {
            assert!(matches!(storage(json), Storage::Other { .. }), "{json}");
        }
    }
}
