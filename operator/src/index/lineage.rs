//! Which scanned image another was built on, told by their layers.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use pratique_core::{Digest, ImageFacts};

/// Images by their layers: one lookup for each layer of the image that is asked for, whatever the number of images.
#[derive(Debug, Default)]
pub(super) struct ByLayers {
    images: HashMap<u64, Vec<Digest>>,
    state: RandomState,
}

impl ByLayers {
    pub(super) fn add(&mut self, facts: &ImageFacts) {
        if let Some(key) = self.keys(&facts.layers).last() {
            self.images.entry(key).or_default().push(facts.image.clone());
        }
    }

    pub(super) fn remove(&mut self, facts: &ImageFacts) {
        let Some(key) = self.keys(&facts.layers).last() else { return };
        if let Some(images) = self.images.get_mut(&key) {
            images.retain(|image| *image != facts.image);
            if images.is_empty() {
                self.images.remove(&key);
            }
        }
    }

    /// Images that may have the first layers of these and no others, most layers first, with the number of layers. Hashes
    /// alone are compared.
    pub(super) fn below<'a>(&'a self, layers: &'a [Digest]) -> impl Iterator<Item = (usize, &'a Digest)> {
        let proper = layers.len().saturating_sub(1);
        let keys: Vec<(usize, u64)> = (1..).zip(self.keys(layers)).take(proper).collect();
        let of =
            move |(count, key)| self.images.get(&key).into_iter().flatten().map(move |image| (count, image));
        keys.into_iter().rev().flat_map(of)
    }

    /// The hash of the first layer, of the first two, and so on.
    fn keys<'a>(&self, layers: &'a [Digest]) -> impl Iterator<Item = u64> + use<'a> {
        let mut hasher = self.state.build_hasher();
        layers.iter().map(move |layer| {
            layer.hash(&mut hasher);
            hasher.finish()
        })
    }
}
