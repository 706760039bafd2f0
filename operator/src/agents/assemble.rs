//! Scan results that arrive in chunks, put together and checked.

use std::collections::HashMap;

use jiff::Timestamp;
use pratique_core::{Digest, ImageFacts};
use pratique_wire::agents::ScanResult;
use pratique_wire::facts_proto;
use prost::Message;

/// Longest result that is accepted, in bytes.
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
    /// It is longer than [`MAX_RESULT`].
    #[error("it is longer than {MAX_RESULT} bytes")]
    TooLong,
    /// Its bytes are no facts.
    #[error("its bytes are no facts: {0}")]
    Undecodable(#[from] prost::DecodeError),
    /// Its facts are malformed.
    #[error(transparent)]
    Invalid(#[from] pratique_wire::facts::InvalidFacts),
    /// It speaks of another image than the one assigned.
    #[error("it is about image {got}, and {expected} was assigned")]
    OtherImage {
        /// The image it speaks of.
        got: Digest,
        /// The image assigned.
        expected: Digest,
    },
}

/// Results under way on one stream, by claim.
#[derive(Debug, Default)]
pub(super) struct Assembly(HashMap<String, (u32, Vec<u8>)>);

impl Assembly {
    /// Takes in a chunk; returns the whole result's bytes with the last one. After an error the claim starts anew.
    pub(super) fn push(&mut self, chunk: &ScanResult) -> Result<Option<Vec<u8>>, BadResult> {
        let (expected, mut bytes) = self.0.remove(&chunk.claim).unwrap_or_default();
        if chunk.chunk != expected {
            return Err(BadResult::OutOfOrder { got: chunk.chunk, expected });
        }
        if bytes.len() + chunk.part.len() > MAX_RESULT {
            return Err(BadResult::TooLong);
        }
        bytes.extend_from_slice(&chunk.part);
        if chunk.last {
            return Ok(Some(bytes));
        }
        self.0.insert(chunk.claim.clone(), (expected + 1, bytes));
        Ok(None)
    }

    /// Forgets a claim's chunks.
    pub(super) fn forget(&mut self, claim: &str) {
        self.0.remove(claim);
    }
}

/// The facts that `bytes` hold, if they are about `image`. Who scanned it and when are this operator's words, not the
/// node's.
pub(super) fn facts(
    bytes: &[u8],
    image: &Digest,
    node: &str,
    now: Timestamp,
) -> Result<ImageFacts, BadResult> {
    let mut facts = ImageFacts::try_from(facts_proto::ImageFacts::decode(bytes)?)?;
    if facts.image != *image {
        return Err(BadResult::OtherImage { got: facts.image, expected: image.clone() });
    }
    facts.scanned_by = node.to_owned();
    facts.judged_at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    Ok(facts)
}
