//! What the broker knows of its node.

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::{Digest, Reference};
use pratique_fs::containerd::RuntimeImage;
use pratique_wire::agents::NodeImage;
use pratique_wire::scanner::Identity;

use super::roster::NodeImages;

/// Where an image can be had from the runtime.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The runtime's namespace.
    pub namespace: String,
    /// Digest of the index or manifest that the runtime's image points to.
    pub digest: Digest,
    /// Media type the runtime gives for it.
    pub media_type: String,
}

/// An image as the runtime lists it, by what it points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What it points to.
    pub target: Target,
    /// Normalised references with tag or digest.
    pub references: BTreeSet<String>,
}

/// Images with one target together, under the references that their names are. Names that are none, such as the CRI
/// plugin's `sha256:…`, are left out.
pub fn by_target(images: Vec<RuntimeImage>) -> Vec<Listed> {
    let mut targets: BTreeMap<Target, BTreeSet<String>> = BTreeMap::new();
    for RuntimeImage { namespace, name, target, media_type } in images {
        let references = targets.entry(Target { namespace, digest: target, media_type }).or_default();
        if !name.starts_with("sha256:") {
            references.extend(name.parse::<Reference>().ok().map(|reference| reference.to_string()));
        }
    }
    targets.into_iter().map(|(target, references)| Listed { target, references }).collect()
}

/// An image of the node: what the operator is told, and where it can be had.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// As it is told.
    pub image: NodeImage,
    /// Every place it can be had from; several names, platforms or namespaces may lead to one config.
    pub targets: Vec<Target>,
}

/// The node: empty and unlisted at first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    known: BTreeMap<String, Known>,
    /// Detectors whose result this agent holds, by image.
    done: BTreeMap<String, Vec<String>>,
    listed: bool,
}

impl Node {
    /// Whether the runtime was listed at least once.
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    /// The images as the operator is told of them.
    pub fn images(&self) -> NodeImages {
        self.known
            .iter()
            .map(|(id, known)| {
                let mut image = known.image.clone();
                image.detectors_done = self.done.get(id).cloned().unwrap_or_default();
                (id.clone(), image)
            })
            .collect()
    }

    /// The image with this config digest.
    pub fn get(&self, image: &str) -> Option<&Known> {
        self.known.get(image)
    }

    /// Takes a whole listing. What is identified by none of `identities` is left out.
    pub fn list(&mut self, listing: &[Listed], identities: &BTreeMap<Target, Identity>) {
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        for listed in listing {
            if let Some(identity) = identities.get(&listed.target) {
                known
                    .entry(identity.image.clone())
                    .or_insert_with(|| Known { image: blank(identity), targets: Vec::new() })
                    .add(listed, identity);
                // What was held when the image was identified, until a scan says it anew: it outlives this process.
                if !identity.detectors_done.is_empty() {
                    self.done
                        .entry(identity.image.clone())
                        .or_insert_with(|| identity.detectors_done.clone());
                }
            }
        }
        self.done.retain(|id, _| known.contains_key(id));
        self.known = known;
        self.listed = true;
    }

    /// Notes that the result of these detectors (`id@rules`) is held for `image`.
    pub fn scanned(&mut self, image: &str, detectors: Vec<String>) {
        if self.known.contains_key(image) {
            self.done.insert(image.to_owned(), detectors);
        }
    }
}

fn blank(identity: &Identity) -> NodeImage {
    NodeImage {
        image: identity.image.clone(),
        platform_os: identity.platform_os.clone(),
        platform_architecture: identity.platform_architecture.clone(),
        platform_variant: identity.platform_variant.clone(),
        ..NodeImage::default()
    }
}

impl Known {
    fn add(&mut self, listed: &Listed, identity: &Identity) {
        merge(&mut self.image.manifests, &identity.manifests);
        merge(&mut self.image.indexes, &identity.indexes);
        merge(&mut self.image.references, &listed.references);
        self.image.size = self.image.size.max(identity.size);
        self.targets.push(listed.target.clone());
    }
}

fn merge<'a>(list: &mut Vec<String>, more: impl IntoIterator<Item = &'a String>) {
    list.extend(more.into_iter().cloned());
    list.sort_unstable();
    list.dedup();
}

/// This machine's processor in the OCI image specification's (Go's) words.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(byte: u8) -> Digest {
        Digest::sha256([byte; 32])
    }

    fn target(byte: u8) -> Target {
        Target { namespace: "k8s.io".into(), digest: digest(byte), media_type: "m".into() }
    }

    fn listed(byte: u8, reference: &str) -> Listed {
        Listed { target: target(byte), references: [reference.to_owned()].into() }
    }

    fn identity(image: &str, manifest: u8) -> Identity {
        Identity { image: image.into(), manifests: vec![digest(manifest).into()], ..Identity::default() }
    }

    #[test]
    fn names_of_one_target_come_together_and_ids_are_no_names() {
        let image = |namespace: &str, name: &str| RuntimeImage {
            namespace: namespace.into(),
            name: name.into(),
            target: digest(1),
            media_type: "m".into(),
        };
        let id = format!("sha256:{}", "ab".repeat(32));
        let images = by_target(vec![
            image("k8s.io", "docker.io/library/x:1"),
            image("k8s.io", &id),
            image("k8s.io", "x:2"),
            image("moby", "x:1"),
        ]);
        assert_eq!(images.len(), 2);
        let references: Vec<&String> = images[0].references.iter().collect();
        assert_eq!(references, ["docker.io/library/x:1", "docker.io/library/x:2"]);
    }

    #[test]
    fn names_and_manifests_of_one_config_come_together() {
        let mut node = Node::default();
        assert!(!node.is_listed());
        let listing = [listed(2, "x:2"), listed(1, "x:1"), listed(9, "x:3")];
        let identities = [(target(1), identity("c", 1)), (target(2), identity("c", 2))].into();
        node.list(&listing, &identities);
        let images = node.images();
        assert_eq!(images.len(), 1);
        assert_eq!(images["c"].references, ["x:1", "x:2"]);
        assert_eq!(images["c"].manifests, [String::from(digest(1)), String::from(digest(2))]);
        assert_eq!(node.get("c").unwrap().targets, [target(2), target(1)]);
        assert!(node.is_listed());
    }

    #[test]
    fn results_are_held_as_long_as_the_image() {
        let mut node = Node::default();
        let listing = [listed(1, "x:1")];
        let identities = [(target(1), identity("c", 1))].into();
        node.list(&listing, &identities);
        node.scanned("c", vec!["weak-password@1".into()]);
        node.scanned("other", vec!["weak-password@1".into()]);
        node.list(&listing, &identities);
        assert_eq!(node.images()["c"].detectors_done, ["weak-password@1"]);
        node.list(&[], &identities);
        node.list(&listing, &identities);
        assert!(node.images()["c"].detectors_done.is_empty());
    }

    #[test]
    fn what_the_scanner_kept_over_a_restart_is_held() {
        let mut node = Node::default();
        let kept = Identity { detectors_done: vec!["weak-password@1".into()], ..identity("c", 1) };
        node.list(&[listed(1, "docker.io/library/a:1")], &[(target(1), kept)].into());
        assert_eq!(node.images()["c"].detectors_done, ["weak-password@1"]);
        node.scanned("c", vec!["weak-password@2".into()]);
        assert_eq!(node.images()["c"].detectors_done, ["weak-password@2"]);
    }
}
