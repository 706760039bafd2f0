//! Complete facts of images, by image and by every digest that leads to one.

use std::collections::HashMap;
use std::sync::Arc;

use pratique_core::{Digest, ImageFacts};

/// Facts by image (config digest), and the manifest and index digests that lead to them.
#[derive(Debug, Default)]
pub struct FactsIndex {
    images: HashMap<Digest, Arc<ImageFacts>>,
    aliases: Aliases,
}

impl FactsIndex {
    /// The facts of an image.
    pub fn get(&self, image: &Digest) -> Option<&Arc<ImageFacts>> {
        self.images.get(image)
    }

    /// Images that a manifest or index digest leads to (an index: one per platform).
    pub fn by_alias(&self, digest: &Digest) -> &[Digest] {
        self.aliases.get(digest)
    }

    /// All facts, in no order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<ImageFacts>> {
        self.images.values()
    }

    /// How many images have facts.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there are no facts.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Takes in facts; returns false if they are what was known.
    pub(super) fn apply(&mut self, facts: Arc<ImageFacts>) -> bool {
        if self.images.get(&facts.image).is_some_and(|known| **known == *facts) {
            return false;
        }
        self.remove(&facts.image);
        for alias in facts.manifests.iter().chain(&facts.indexes) {
            self.aliases.add(alias, &facts.image);
        }
        self.images.insert(facts.image.clone(), facts);
        true
    }

    /// Forgets an image; returns its facts if there were any.
    pub(super) fn remove(&mut self, image: &Digest) -> Option<Arc<ImageFacts>> {
        let facts = self.images.remove(image)?;
        for alias in facts.manifests.iter().chain(&facts.indexes) {
            self.aliases.remove(alias, image);
        }
        Some(facts)
    }
}

/// Digest to the images it leads to; the lists stay short (one entry per platform).
#[derive(Debug, Default)]
pub(super) struct Aliases(HashMap<Digest, Vec<Digest>>);

impl Aliases {
    pub(super) fn get(&self, alias: &Digest) -> &[Digest] {
        self.0.get(alias).map_or(&[], Vec::as_slice)
    }

    pub(super) fn add(&mut self, alias: &Digest, image: &Digest) {
        let images = self.0.entry(alias.clone()).or_default();
        if !images.contains(image) {
            images.push(image.clone());
        }
    }

    pub(super) fn remove(&mut self, alias: &Digest, image: &Digest) {
        if let Some(images) = self.0.get_mut(alias) {
            images.retain(|known| known != image);
            if images.is_empty() {
                self.0.remove(alias);
            }
        }
    }
}
