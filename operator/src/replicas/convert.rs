//! Index entries to and from the wire.

use pratique_core::digest::InvalidDigest;
use pratique_core::package::{Ecosystem, PackageCounts};
use pratique_core::{Digest, Platform};
use pratique_wire::replicas::{self as proto, NodeTags, TaggedImage};

use crate::index::{NodeImage, NodeImages};

pub(super) fn package_counts(counts: &PackageCounts) -> proto::PackageCounts {
    let ecosystems = counts.ecosystems.iter();
    let ecosystems = ecosystems.map(|(ecosystem, count)| (ecosystem.purl_type().to_owned(), *count));
    proto::PackageCounts { total: counts.total, ecosystems: ecosystems.collect() }
}

/// Ecosystems that this release does not know are left to the total.
pub(super) fn counted(counts: &proto::PackageCounts) -> PackageCounts {
    let count = |ecosystem: Ecosystem| Some((ecosystem, *counts.ecosystems.get(ecosystem.purl_type())?));
    PackageCounts { total: counts.total, ecosystems: Ecosystem::ALL.into_iter().filter_map(count).collect() }
}

pub(super) fn node_tags(node: &str, images: &NodeImages) -> NodeTags {
    let texts = |digests: &[Digest]| digests.iter().map(Digest::to_string).collect();
    let images = images.iter().map(|image| TaggedImage {
        image: image.image.to_string(),
        references: image.references.clone(),
        manifests: texts(&image.manifests),
        indexes: texts(&image.indexes),
        platform_os: image.platform.os.clone(),
        platform_architecture: image.platform.architecture.clone(),
    });
    NodeTags { node: node.to_owned(), images: images.collect() }
}

pub(super) fn node_images(images: Vec<TaggedImage>) -> Result<Vec<NodeImage>, InvalidDigest> {
    let digests = |texts: Vec<String>| texts.into_iter().map(|text| text.parse()).collect::<Result<_, _>>();
    let images = images.into_iter().map(|image| {
        Ok(NodeImage {
            image: image.image.parse()?,
            manifests: digests(image.manifests)?,
            indexes: digests(image.indexes)?,
            references: image.references,
            platform: Platform {
                os: image.platform_os,
                architecture: image.platform_architecture,
                variant: String::new(),
            },
            // Only the leader plans scans, and it asks the agents.
            detectors_done: Vec::new(),
        })
    });
    images.collect()
}
