//! What each node's image store holds, as its agent reported it: which digest a reference stands for there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use pratique_core::{Digest, Platform};

/// An image in a node's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeImage {
    /// The config digest.
    pub image: Digest,
    /// Manifest digests that lead to it.
    pub manifests: Vec<Digest>,
    /// Index digests that lead to it.
    pub indexes: Vec<Digest>,
    /// Normalised references with tag or digest.
    pub references: Vec<String>,
    /// Platform it is made for.
    pub platform: Platform,
    /// Detectors of which the node's agent still holds a result, as `id@rule set`.
    pub detectors_done: Vec<String>,
}

/// One node's images.
#[derive(Debug, Default)]
pub struct NodeImages {
    images: HashMap<Digest, Arc<NodeImage>>,
    references: HashMap<String, Digest>,
}

impl NodeImages {
    /// The image that a normalised reference stands for on this node.
    pub fn by_reference(&self, reference: &str) -> Option<&Digest> {
        self.references.get(reference)
    }

    /// An image of this node.
    pub fn get(&self, image: &Digest) -> Option<&Arc<NodeImage>> {
        self.images.get(image)
    }

    /// All images of this node, in no order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<NodeImage>> {
        self.images.values()
    }
}

/// All nodes that an agent has reported at least once.
#[derive(Debug, Default)]
pub struct NodesIndex {
    nodes: BTreeMap<String, NodeImages>,
    holders: HashMap<Digest, HashSet<String>>,
    aliases: HashMap<Digest, HashMap<Digest, usize>>,
}

impl NodesIndex {
    /// What is known of a node; none: no agent has ever reported it.
    pub fn get(&self, node: &str) -> Option<&NodeImages> {
        self.nodes.get(node)
    }

    /// Names of all nodes that were reported, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    /// Every image on any node, in no order, with the names of the nodes that have it.
    pub fn images(&self) -> impl ExactSizeIterator<Item = (&Digest, &HashSet<String>)> {
        self.holders.iter()
    }

    /// Names of the nodes that have an image, in no order.
    pub fn holders(&self, image: &Digest) -> impl Iterator<Item = &str> {
        self.holders.get(image).into_iter().flatten().map(String::as_str)
    }

    /// Whether any node has the image.
    pub fn holds(&self, image: &Digest) -> bool {
        self.holders.contains_key(image)
    }

    /// Images that a manifest or index digest leads to on any node.
    pub fn by_alias(&self, digest: &Digest) -> impl Iterator<Item = &Digest> {
        self.aliases.get(digest).into_iter().flat_map(HashMap::keys)
    }

    /// References under which any node knows the image, sorted, each once.
    pub fn references(&self, image: &Digest) -> Vec<String> {
        let mut references: Vec<String> = self
            .holders(image)
            .filter_map(|node| self.nodes.get(node)?.get(image))
            .flat_map(|known| known.references.iter().cloned())
            .collect();
        references.sort_unstable();
        references.dedup();
        references
    }

    /// Replaces everything known of a node.
    pub(super) fn reset(&mut self, node: &str, images: Vec<NodeImage>) {
        self.remove(node);
        self.nodes.insert(node.to_owned(), NodeImages::default());
        self.apply(node, images);
    }

    /// Adds images to a node or replaces what was known of them; returns false if nothing changed.
    pub(super) fn apply(&mut self, node: &str, images: Vec<NodeImage>) -> bool {
        let mut changed = !self.nodes.contains_key(node);
        self.nodes.entry(node.to_owned()).or_default();
        for image in images {
            if self
                .nodes
                .get(node)
                .and_then(|known| known.get(&image.image))
                .is_some_and(|known| **known == image)
            {
                continue;
            }
            changed = true;
            self.forget(node, &image.image);
            for alias in image.manifests.iter().chain(&image.indexes) {
                *self.aliases.entry(alias.clone()).or_default().entry(image.image.clone()).or_default() += 1;
            }
            self.holders.entry(image.image.clone()).or_default().insert(node.to_owned());
            let known = self.nodes.entry(node.to_owned()).or_default();
            for reference in &image.references {
                known.references.insert(reference.clone(), image.image.clone());
            }
            known.images.insert(image.image.clone(), Arc::new(image));
        }
        changed
    }

    /// Takes images from a node; returns false if it had none of them.
    pub(super) fn gone(&mut self, node: &str, images: &[Digest]) -> bool {
        images.iter().fold(false, |changed, image| self.forget(node, image) | changed)
    }

    /// Forgets a node; returns false if it was unknown.
    pub(super) fn remove(&mut self, node: &str) -> bool {
        let Some(images) = self.nodes.get(node) else { return false };
        for image in images.images.keys().cloned().collect::<Vec<_>>() {
            self.forget(node, &image);
        }
        self.nodes.remove(node);
        true
    }

    fn forget(&mut self, node: &str, image: &Digest) -> bool {
        let Some(known) = self.nodes.get_mut(node) else { return false };
        let Some(old) = known.images.remove(image) else { return false };
        // A tag may have moved to another image of this node in the meantime.
        for reference in &old.references {
            if known.references.get(reference) == Some(image) {
                known.references.remove(reference);
            }
        }
        for alias in old.manifests.iter().chain(&old.indexes) {
            if let Some(images) = self.aliases.get_mut(alias) {
                if let Some(count) = images.get_mut(image) {
                    *count -= 1;
                    if *count == 0 {
                        images.remove(image);
                    }
                }
                if images.is_empty() {
                    self.aliases.remove(alias);
                }
            }
        }
        if let Some(holders) = self.holders.get_mut(image) {
            holders.remove(node);
            if holders.is_empty() {
                self.holders.remove(image);
            }
        }
        true
    }
}
