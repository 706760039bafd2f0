//! Which images may a container run? A reference means what the kubelet of an eligible node would run for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use pratique_core::{Digest, ImageFacts, Reference};

use super::Index;
use super::eligible::Node;

/// When a kubelet asks the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    /// At every start.
    Always,
    /// If the node lacks the image.
    IfNotPresent,
    /// Not at all.
    Never,
}

impl PullPolicy {
    /// The policy in force: the container's own word, else Kubernetes' default, which is Always for the tag `latest`
    /// (written or implied) and IfNotPresent for any other tag or a digest.
    pub fn of(written: Option<&str>, reference: &Reference) -> Self {
        match written {
            Some("Always") => Self::Always,
            Some("Never") => Self::Never,
            Some("IfNotPresent") => Self::IfNotPresent,
            _ if reference.digest().is_none() && reference.tag_or_latest() == Some("latest") => Self::Always,
            _ => Self::IfNotPresent,
        }
    }
}

/// One image that a container may run.
#[derive(Debug, Clone, PartialEq)]
pub enum Candidate {
    /// Its facts are known.
    Scanned(Arc<ImageFacts>),
    /// It may run, and nobody has looked at it.
    Unscanned {
        /// The config digest, if at least that is known.
        image: Option<Digest>,
        /// Why it counts as unscanned, as a clause for people.
        reason: String,
    },
    /// It may run where nobody can scan (Windows…).
    Unsupported {
        /// Where, as a clause for people.
        reason: String,
    },
}

impl Candidate {
    fn unscanned(reason: impl Into<String>) -> Self {
        Self::Unscanned { image: None, reason: reason.into() }
    }
}

impl Index {
    /// The images that `reference` may stand for on `nodes`, each once; never empty.
    ///
    /// A replica that is too far behind the leader answers that it does not know.
    pub fn resolve(
        &self,
        reference: &Reference,
        pull: PullPolicy,
        nodes: &[&Node],
        now: Instant,
    ) -> Vec<Candidate> {
        if !self.freshness().is_fresh(now) {
            return vec![Candidate::unscanned("this replica of the operator has lost touch with its leader")];
        }
        if nodes.is_empty() {
            return vec![Candidate::unscanned("no node fits the pod's node name, selector or affinity")];
        }
        let mut found = Found::default();
        let supported: Vec<&Node> =
            nodes.iter().copied().filter(|node| node.platform.os == "linux").collect();
        if let Some(node) = nodes.iter().find(|node| node.platform.os != "linux") {
            found.unsupported = Some(format!("nodes of {} cannot be scanned", node.platform));
        }
        if !supported.is_empty() {
            match digest_of(reference) {
                Some(digest) => self.resolve_digest(&digest, &supported, &mut found),
                None => self.resolve_tag(&tagged(reference), pull, &supported, &mut found),
            }
        }
        found.into_candidates(self)
    }

    fn resolve_digest(&self, digest: &Digest, nodes: &[&Node], found: &mut Found) {
        let images = self.images_of(digest);
        if images.is_empty() {
            found.reasons.insert("no node has an image with this digest yet".to_owned());
            return;
        }
        if !images.iter().any(|image| self.leads_by_index(digest, image)) {
            // A config or manifest digest stands for one image, whatever the node's platform.
            found.images.extend(images);
            return;
        }
        for node in nodes {
            let mut covered = false;
            for image in &images {
                if self.made_for(image, node) {
                    covered = true;
                    found.images.insert(image.clone());
                }
            }
            if !covered {
                found.reasons.insert(format!("the image for {} is on no node yet", node.platform));
            }
        }
    }

    fn resolve_tag(&self, reference: &str, pull: PullPolicy, nodes: &[&Node], found: &mut Found) {
        if pull == PullPolicy::Always {
            found
                .reasons
                .insert("pull policy Always: the registry decides, its digest is not known".to_owned());
            return;
        }
        let mut lacking = Names::default();
        let mut unreported = Names::default();
        for node in nodes {
            match self.nodes().get(&node.name) {
                None => unreported.add(&node.name),
                Some(images) => match images.by_reference(reference) {
                    Some(image) => {
                        found.images.insert(image.clone());
                    }
                    None => lacking.add(&node.name),
                },
            }
        }
        if unreported.count > 0 {
            found.reasons.insert(format!("no agent has reported {unreported} yet"));
        }
        if lacking.count > 0 && pull == PullPolicy::IfNotPresent {
            found.reasons.insert(format!("{lacking} would pull it, and the registry's digest is not known"));
        }
        if found.images.is_empty() && found.reasons.is_empty() {
            found.reasons.insert("pull policy Never, and no node that fits has the image".to_owned());
        }
    }

    /// Images (config digests) that a config, manifest or index digest leads to, by facts or on any node.
    pub fn images_of(&self, digest: &Digest) -> BTreeSet<Digest> {
        let mut images: BTreeSet<Digest> = self.facts().by_alias(digest).iter().cloned().collect();
        images.extend(self.nodes().by_alias(digest).cloned());
        if self.facts().get(digest).is_some() || self.nodes().holds(digest) {
            images.insert(digest.clone());
        }
        images
    }

    /// The image that a digest reported by the runtime of `node` stands for there.
    pub fn image_on_node(&self, digest: &Digest, node: &str) -> Option<Digest> {
        let mut images = self.images_of(digest);
        if images.len() > 1
            && let Some(known) = self.nodes().get(node)
        {
            images.retain(|image| known.get(image).is_some());
        }
        if images.len() == 1 { images.pop_first() } else { None }
    }

    fn leads_by_index(&self, digest: &Digest, image: &Digest) -> bool {
        self.facts().get(image).is_some_and(|facts| facts.indexes.contains(digest))
            || self.nodes().holders(image).any(|node| {
                let known = self.nodes().get(node).and_then(|images| images.get(image));
                known.is_some_and(|known| known.indexes.contains(digest))
            })
    }

    /// Whether an image is made for a node's operating system and processor. Of an image that says neither it is
    /// assumed, the careful answer.
    fn made_for(&self, image: &Digest, node: &Node) -> bool {
        let known = self.facts().get(image).map(|facts| &facts.platform).or_else(|| {
            let holder = self.nodes().holders(image).next()?;
            Some(&self.nodes().get(holder)?.get(image)?.platform)
        });
        known.is_none_or(|platform| {
            (platform.os.is_empty() || platform.os == node.platform.os)
                && (platform.architecture.is_empty() || platform.architecture == node.platform.architecture)
        })
    }
}

/// The digest of a reference. A bare image ID, which a kubelet looks up as such, reads as the repository
/// `docker.io/library/sha256` with the hexadecimal digits as tag.
fn digest_of(reference: &Reference) -> Option<Digest> {
    if let Some(digest) = reference.digest() {
        return Some(digest.clone());
    }
    let id = reference.registry() == "docker.io" && reference.repository() == "library/sha256";
    id.then(|| format!("sha256:{}", reference.tag().unwrap_or_default()).parse().ok())?
}

/// Name and tag as a node's image store writes them.
fn tagged(reference: &Reference) -> String {
    format!("{}:{}", reference.name(), reference.tag_or_latest().unwrap_or("latest"))
}

/// What was found so far; ordered, so that the same question has the same answer.
#[derive(Default)]
struct Found {
    images: BTreeSet<Digest>,
    reasons: BTreeSet<String>,
    unsupported: Option<String>,
}

impl Found {
    fn into_candidates(self, index: &Index) -> Vec<Candidate> {
        let images = self.images.into_iter().map(|image| match index.facts().get(&image) {
            Some(facts) => Candidate::Scanned(facts.clone()),
            None => {
                Candidate::Unscanned { image: Some(image), reason: "it has not been scanned yet".to_owned() }
            }
        });
        images
            .chain(self.reasons.into_iter().map(Candidate::unscanned))
            .chain(self.unsupported.map(|reason| Candidate::Unsupported { reason }))
            .collect()
    }
}

/// Node names for a sentence: the first and how many more.
#[derive(Default)]
struct Names {
    first: String,
    count: usize,
}

impl Names {
    fn add(&mut self, name: &str) {
        if self.count == 0 {
            self.first = format!("node {name}");
        }
        self.count += 1;
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.first)?;
        if self.count > 1 { write!(f, " and {} more", self.count - 1) } else { Ok(()) }
    }
}
