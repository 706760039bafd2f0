//! What the runtimes of this machine have.

use pratique_core::Digest;

use crate::{Result, SourceKind, SourceOptions, containerd, containers_storage, docker};

/// An image as its source lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedImage {
    /// Where it is: the runtime's namespace, the storage folder, or (Docker) how the engine keeps images.
    pub place: String,
    /// What it is known by; none for an image that has lost its name.
    pub names: Vec<String>,
    /// The ID as the runtime lists it: the config digest (with Docker's containerd image store that of its index or
    /// manifest); none if its documents cannot be read.
    pub image: Option<Digest>,
    /// Its other digests: of its manifests and the indexes that lead to them, as far as the source knows them.
    pub others: Vec<Digest>,
    /// Bytes it takes by the source's word: compressed or not, shared layers included; none if it does not say.
    pub size: Option<u64>,
}

/// A container as its runtime lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedContainer {
    /// The runtime's namespace, or the storage folder; empty where there is only one.
    pub place: String,
    /// Its id.
    pub id: String,
    /// Its names; none where the runtime has only ids.
    pub names: Vec<String>,
    /// The image it was made from, as the runtime names it.
    pub image: String,
    /// Whether a process of it runs; none if the source does not know.
    pub running: Option<bool>,
}

/// The runtimes that can be listed, in the order in which references are looked for.
pub const RUNTIMES: [SourceKind; 3] =
    [SourceKind::Containerd, SourceKind::Docker, SourceKind::ContainersStorage];

/// The images of one of [`RUNTIMES`], sorted; other sources have no list.
///
/// # Errors
/// The runtime is not on this machine, or does not answer.
pub fn images(kind: SourceKind, options: &SourceOptions) -> Result<Vec<ListedImage>> {
    let mut listed = match kind {
        SourceKind::Containerd => containerd::list_images(options)?,
        SourceKind::Docker => docker::list_images(options)?,
        SourceKind::ContainersStorage => containers_storage::list_images(options)?,
        _ => Vec::new(),
    };
    listed.sort();
    Ok(listed)
}

/// The containers of one of [`RUNTIMES`], sorted, those that do not run among them; other sources have no list.
///
/// # Errors
/// The runtime is not on this machine, or does not answer.
pub fn containers(kind: SourceKind, options: &SourceOptions) -> Result<Vec<ListedContainer>> {
    let mut listed = match kind {
        SourceKind::Containerd => containerd::list_containers(options)?,
        SourceKind::Docker => docker::list_containers(options)?,
        SourceKind::ContainersStorage => containers_storage::list_containers(options)?,
        _ => Vec::new(),
    };
    listed.sort();
    Ok(listed)
}
