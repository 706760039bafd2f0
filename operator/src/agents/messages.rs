//! What agents say, checked and bounded.

use std::collections::HashMap;

use pratique_core::digest::InvalidDigest;
use pratique_core::{Digest, Platform};
use pratique_wire::agents as proto;
use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::index::NodeImage;

/// Most references, manifests, indexes or results of one image that are taken in; the rest is dropped.
const MAX_LIST: usize = 4096;

/// Longest reference that is taken in, in bytes; longer ones are dropped. (Repository 255, tag 128, digest 135.)
const MAX_REFERENCE: usize = 1024;

/// SHA-256 of an encoded `NodeImage`, as in rosters.
pub(super) type NodeImageHash = [u8; 32];

/// An image as a node reported it.
#[derive(Debug)]
pub(super) struct ReportedImage {
    pub(super) image: NodeImage,
    pub(super) hash: NodeImageHash,
}

/// A roster by image; entries that are malformed are left out, so that their images are asked for again.
pub(super) fn roster(roster: proto::Roster) -> HashMap<Digest, NodeImageHash> {
    let entries = roster.entries.into_iter();
    entries
        .filter_map(|entry| Some((entry.image.parse().ok()?, entry.hash.as_ref().try_into().ok()?)))
        .collect()
}

/// The images that are well-formed, and the first reason why one is not.
pub(super) fn images(images: proto::Images) -> (Vec<ReportedImage>, Option<InvalidDigest>) {
    let mut wrong = None;
    let images = images.images.into_iter();
    let images =
        images.filter_map(|image| reported(image).map_err(|error| wrong.get_or_insert(error).clone()).ok());
    (images.collect(), wrong)
}

/// The digests that are well-formed.
pub(super) fn digests(texts: &[String]) -> Vec<Digest> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

fn reported(image: proto::NodeImage) -> Result<ReportedImage, InvalidDigest> {
    let hash = Sha256::digest(image.encode_to_vec()).into();
    let list = |texts: Vec<String>| {
        texts.into_iter().take(MAX_LIST).map(|text| text.parse()).collect::<Result<_, _>>()
    };
    let references = image.references.into_iter().filter(|reference| reference.len() <= MAX_REFERENCE);
    let image = NodeImage {
        image: image.image.parse()?,
        manifests: list(image.manifests)?,
        indexes: list(image.indexes)?,
        references: references.take(MAX_LIST).collect(),
        platform: Platform {
            os: image.platform_os,
            architecture: image.platform_architecture,
            variant: image.platform_variant,
        },
        detectors_done: image.detectors_done.into_iter().take(MAX_LIST).collect(),
    };
    Ok(ReportedImage { image, hash })
}
