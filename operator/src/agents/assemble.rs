//! Scan results that arrive in chunks, put together and checked.

use std::collections::HashMap;

use jiff::Timestamp;
use pratique_core::attempts::Attempts;
use pratique_core::package::Inventory;
use pratique_core::{Digest, ImageFacts};
use pratique_wire::agents::ScanResult;
use pratique_wire::attempts::{self, MAX_ENCODED};
use pratique_wire::facts_proto;
use pratique_wire::inventory::{self, MAX_INVENTORY};
use prost::Message;

/// Longest facts that are accepted, in bytes.
pub(super) const MAX_RESULT: usize = 16 << 20;

/// Why a result was thrown away.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadResult {
    /// Chunks are missing or repeated.
    #[error("chunk {got} arrived where {expected} was due")]
    OutOfOrder {
        /// The chunk's number.
        got: u32,
        /// The number that was due.
        expected: u32,
    },
    /// It is longer than [`MAX_RESULT`], [`MAX_INVENTORY`] or [`MAX_ENCODED`].
    #[error(
        "its facts are longer than {MAX_RESULT} bytes, its inventory than {MAX_INVENTORY}, or its attempts than {MAX_ENCODED}"
    )]
    TooLong,
    /// Its bytes are no facts.
    #[error("its bytes are no facts: {0}")]
    Undecodable(#[from] prost::DecodeError),
    /// Its facts are malformed.
    #[error(transparent)]
    Invalid(#[from] pratique_wire::facts::InvalidFacts),
    /// Its attempts at passwords are malformed.
    #[error(transparent)]
    InvalidAttempts(#[from] attempts::InvalidAttempts),
    /// Its inventory is malformed.
    #[error(transparent)]
    InvalidInventory(#[from] inventory::InvalidInventory),
    /// It speaks of another image than the one assigned.
    #[error("it is about image {got}, and {expected} was assigned")]
    OtherImage {
        /// The image it speaks of.
        got: Digest,
        /// The image assigned.
        expected: Digest,
    },
}

/// The bytes of a result.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    chunks: u32,
    /// Encoded facts.
    pub(super) facts: Vec<u8>,
    /// An encoded inventory; none from an agent that lists no packages.
    pub(super) inventory: Option<Vec<u8>>,
    /// Encoded attempts at passwords.
    attempts: Vec<u8>,
}

/// Results under way on one stream, by claim.
#[derive(Debug, Default)]
pub(super) struct Assembly(HashMap<String, Parts>);

impl Assembly {
    /// Takes in a chunk; returns the whole result's bytes with the last one. After an error the claim starts anew.
    pub(super) fn push(&mut self, chunk: &ScanResult) -> Result<Option<Parts>, BadResult> {
        let mut parts = self.0.remove(&chunk.claim).unwrap_or_default();
        if chunk.chunk != parts.chunks {
            return Err(BadResult::OutOfOrder { got: chunk.chunk, expected: parts.chunks });
        }
        parts.chunks += 1;
        append(&mut parts.facts, &chunk.part, MAX_RESULT)?;
        if let Some(part) = &chunk.inventory {
            append(parts.inventory.get_or_insert_default(), part, MAX_INVENTORY)?;
        }
        append(&mut parts.attempts, &chunk.attempts, MAX_ENCODED)?;
        if chunk.last {
            return Ok(Some(parts));
        }
        self.0.insert(chunk.claim.clone(), parts);
        Ok(None)
    }

    /// Forgets a claim's chunks.
    pub(super) fn forget(&mut self, claim: &str) {
        self.0.remove(claim);
    }
}

fn append(bytes: &mut Vec<u8>, part: &[u8], limit: usize) -> Result<(), BadResult> {
    if bytes.len() + part.len() > limit {
        return Err(BadResult::TooLong);
    }
    bytes.extend_from_slice(part);
    Ok(())
}

/// What a result says, if it is about `image`. Who scanned it and when are this operator's words, not the node's.
pub(super) fn result(
    parts: &Parts,
    image: &Digest,
    node: &str,
    now: Timestamp,
) -> Result<(ImageFacts, Option<Inventory>, Attempts), BadResult> {
    let mut facts = ImageFacts::try_from(facts_proto::ImageFacts::decode(parts.facts.as_slice())?)?;
    if facts.image != *image {
        return Err(BadResult::OtherImage { got: facts.image, expected: image.clone() });
    }
    facts.scanned_by = node.to_owned();
    facts.judged_at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let inventory = parts.inventory.as_deref().map(inventory::decode).transpose()?;
    Ok((facts, inventory, attempts::decode(&parts.attempts)?))
}
