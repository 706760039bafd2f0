//! When an image was first seen running in a namespace: what `existingWorkloads` is decided by.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use pratique_core::Digest;

/// First and last time of one image in one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    first: Timestamp,
    last: Timestamp,
}

/// Namespace and image to the time the image was first seen running there.
#[derive(Debug, Default)]
pub struct FirstSeenIndex {
    namespaces: HashMap<String, HashMap<Digest, Seen>>,
}

impl FirstSeenIndex {
    /// When the image was first seen running in the namespace.
    pub fn get(&self, namespace: &str, image: &Digest) -> Option<Timestamp> {
        self.namespaces.get(namespace)?.get(image).map(|seen| seen.first)
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Digest, Timestamp)> {
        self.namespaces.iter().flat_map(|(namespace, images)| {
            images.iter().map(move |(image, seen)| (namespace.as_str(), image, seen.first))
        })
    }

    /// The image ran in the namespace since `at` and still did at `now`; returns true if that is earlier than known.
    pub(super) fn apply(&mut self, namespace: &str, image: &Digest, at: Timestamp, now: Timestamp) -> bool {
        let images = self.namespaces.entry(namespace.to_owned()).or_default();
        match images.get_mut(image) {
            Some(seen) => {
                seen.last = seen.last.max(now);
                let earlier = at < seen.first;
                seen.first = seen.first.min(at);
                earlier
            }
            None => {
                images.insert(image.clone(), Seen { first: at, last: now });
                true
            }
        }
    }

    /// Forgets a namespace that was deleted.
    pub(super) fn remove_namespace(&mut self, namespace: &str) {
        self.namespaces.remove(namespace);
    }

    /// Forgets what has not run for `unused_after`.
    pub(super) fn expire(&mut self, now: Timestamp, unused_after: Duration) {
        let limit = i64::try_from(unused_after.as_secs()).unwrap_or(i64::MAX);
        for images in self.namespaces.values_mut() {
            images.retain(|_, seen| now.as_second().saturating_sub(seen.last.as_second()) <= limit);
        }
        self.namespaces.retain(|_, images| !images.is_empty());
    }
}
