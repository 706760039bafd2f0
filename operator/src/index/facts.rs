//! Complete facts of images, by image and by every digest that leads to one.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use pratique_core::policy::known_since;
use pratique_core::{Digest, ImageFacts};

use super::lineage::ByLayers;

#[derive(Debug)]
struct Known {
    facts: Arc<ImageFacts>,
    since: Timestamp,
}

/// Facts by image (config digest), and the manifest and index digests that lead to them.
#[derive(Debug, Default)]
pub struct FactsIndex {
    images: HashMap<Digest, Known>,
    aliases: Aliases,
    by_layers: ByLayers,
}

impl FactsIndex {
    /// The facts of an image.
    pub fn get(&self, image: &Digest) -> Option<&Arc<ImageFacts>> {
        self.images.get(image).map(|known| &known.facts)
    }

    /// Since when the same was known of an image: a later scan that finds the same does not move it.
    pub fn since(&self, image: &Digest) -> Option<Timestamp> {
        self.images.get(image).map(|known| known.since)
    }

    /// Since when what `facts` say is known, if they were found at `now`.
    pub(super) fn since_when(&self, facts: &ImageFacts, now: Timestamp) -> Timestamp {
        let before = self.images.get(&facts.image).map(|known| (&*known.facts, known.since));
        known_since(before, facts, now)
    }

    /// Images that a manifest or index digest leads to (an index: one per platform).
    pub fn by_alias(&self, digest: &Digest) -> &[Digest] {
        self.aliases.get(digest)
    }

    /// Images that have the first layers of this one and no others, those with the most layers first.
    pub(super) fn below<'a>(&'a self, facts: &'a ImageFacts) -> impl Iterator<Item = &'a Arc<ImageFacts>> {
        let known = self.by_layers.below(&facts.layers);
        known.filter_map(|(count, image)| {
            let below = self.get(image)?;
            (below.layers == facts.layers[..count]).then_some(below)
        })
    }

    /// All facts, in no order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<ImageFacts>> {
        self.images.values().map(|known| &known.facts)
    }

    /// How many images have facts.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there are no facts.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Takes in facts; returns false if they are what was known. `since`: since when the same was known elsewhere.
    pub(super) fn apply(&mut self, facts: Arc<ImageFacts>, since: Option<Timestamp>) -> bool {
        let since = since.unwrap_or_else(|| self.since_when(&facts, facts.judged_at));
        let before = self.images.get(&facts.image);
        if before.is_some_and(|known| *known.facts == *facts && known.since == since) {
            return false;
        }
        self.remove(&facts.image);
        for alias in facts.manifests.iter().chain(&facts.indexes) {
            self.aliases.add(alias, &facts.image);
        }
        self.by_layers.add(&facts);
        self.images.insert(facts.image.clone(), Known { facts, since });
        true
    }

    /// Forgets an image; returns its facts if there were any.
    pub(super) fn remove(&mut self, image: &Digest) -> Option<Arc<ImageFacts>> {
        let facts = self.images.remove(image)?.facts;
        for alias in facts.manifests.iter().chain(&facts.indexes) {
            self.aliases.remove(alias, image);
        }
        self.by_layers.remove(&facts);
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
