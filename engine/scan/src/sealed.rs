//! Facts as bytes, for caches: a mark, the schema's version, the facts in postcard's form
//! (<https://postcard.jamesmunns.com/wire-format>) and a checksum against damage.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::SCHEMA_VERSION;

/// Bytes of encoded facts that are decoded at most: far above what [`crate::Limits`] lets a layer have.
const MAX_ENCODED: usize = 256 << 20;

const CHECKSUM_LENGTH: usize = 16;

/// Why bytes are no facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no facts of a layer: {reason}; scan the layer again")]
pub struct InvalidFacts {
    reason: String,
}

impl InvalidFacts {
    pub(crate) fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string() }
    }
}

/// Facts as bytes that begin with `mark`.
pub(crate) fn seal(mark: [u8; 4], facts: &impl Serialize) -> Vec<u8> {
    let mut bytes = mark.to_vec();
    bytes.extend(SCHEMA_VERSION.to_le_bytes());
    // Writing to a Vec cannot fail, and no type here refuses to be serialised.
    let mut bytes = postcard::to_extend(facts, bytes).unwrap_or_default();
    let sum = checksum(&bytes);
    bytes.extend(sum);
    bytes
}

/// The facts that [`seal`] wrote. Any other bytes are an error, and cost no more memory than a small multiple of their
/// length.
pub(crate) fn open<T: DeserializeOwned>(mark: [u8; 4], bytes: &[u8]) -> Result<T, InvalidFacts> {
    if bytes.len() > MAX_ENCODED {
        return Err(InvalidFacts::new(format!(
            "{} bytes are more than the limit of {MAX_ENCODED}",
            bytes.len()
        )));
    }
    let (content, sum) = bytes
        .len()
        .checked_sub(CHECKSUM_LENGTH)
        .map(|end| bytes.split_at(end))
        .ok_or_else(|| InvalidFacts::new("they are too few"))?;
    if checksum(content) != sum {
        return Err(InvalidFacts::new("the checksum does not fit; they were damaged"));
    }
    let Some((header, body)) = content.split_first_chunk::<6>() else {
        return Err(InvalidFacts::new("they are too few"));
    };
    if header[..4] != mark {
        return Err(InvalidFacts::new("they begin with another mark"));
    }
    let version = u16::from_le_bytes([header[4], header[5]]);
    if version != SCHEMA_VERSION {
        return Err(InvalidFacts::new(format!(
            "their schema is {version}, this build's is {SCHEMA_VERSION}"
        )));
    }
    let (facts, rest) = postcard::take_from_bytes(body).map_err(InvalidFacts::new)?;
    if !rest.is_empty() {
        return Err(InvalidFacts::new(format!("{} bytes follow their end", rest.len())));
    }
    Ok(facts)
}

pub(crate) fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let mut sum = [0; CHECKSUM_LENGTH];
    sum.copy_from_slice(&Sha256::digest(bytes)[..CHECKSUM_LENGTH]);
    sum
}
