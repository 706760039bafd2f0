//! What a child is asked, and what it answers: frames over its standard input and output.

use std::os::fd::RawFd;
use std::time::Duration;

use jiff::Timestamp;
use pratique_core::attempts::Guessing;
use pratique_core::package::Inventory;
use pratique_core::{Digest, Gap, GapKind, ImageConfig, ImageFacts, Platform};
use pratique_fs::OverlayAttributes;
use pratique_scan::{INVENTORY, ImageMeta, LayerFacts, LayerState};
use pratique_wire::scanner::{Counters, Done};
use pratique_wire::{attempts, inventory};
use prost::Message;
use serde::{Deserialize, Serialize};

/// Largest frame between scanner and child, in bytes: the facts of one layer, whose size the child bounds.
pub(super) const MAX_FRAME: usize = 32 << 20;

/// The first frame to a child. The second holds the user's rules, sealed; with [`Task::Judge`] the attempts at passwords
/// that are known follow ([`pratique_wire::attempts`]), and one per layer ([`encode_state`]).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// Detectors to run.
    pub(super) detectors: Vec<String>,
    /// Memory it may use, in bytes.
    pub(super) memory: u64,
    /// What to do.
    pub(super) task: Task,
}

/// What to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Task {
    /// Read one layer.
    Scan {
        /// The layer.
        source: Source,
        /// An empty file of the scanner's, for large files of a compressed layer.
        scratch: Option<RawFd>,
    },
    /// Judge an image from its layers' facts.
    Judge(Box<Judgement>),
}

/// An image to be judged.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Judgement {
    #[serde(with = "ImageMetaForm")]
    pub(super) meta: ImageMeta,
    /// How long one hash may be worked on.
    pub(super) hash_budget: Duration,
    /// Now.
    pub(super) judged_at: Timestamp,
    /// All layers, base first, if files have to be read again; else none.
    pub(super) sources: Option<Vec<Source>>,
}

/// A layer and the inherited descriptor to read it from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Source {
    /// The layer.
    pub(super) diff_id: Digest,
    /// The descriptor.
    pub(super) descriptor: RawFd,
    /// What it is.
    pub(super) form: Form,
}

/// What a layer is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Form {
    /// The folder the runtime unpacked it to.
    Folder {
        /// Which attributes mark what is hidden.
        attributes: Attributes,
    },
    /// Its blob.
    Blob {
        /// The blob's own digest.
        digest: Digest,
    },
}

/// [`OverlayAttributes`] as they travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Attributes {
    Trusted,
    User,
}

impl From<Attributes> for OverlayAttributes {
    fn from(attributes: Attributes) -> Self {
        match attributes {
            Attributes::Trusted => Self::Trusted,
            Attributes::User => Self::User,
        }
    }
}

/// [`ImageMeta`] as it travels; the engine knows nothing of processes.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ImageMeta")]
struct ImageMetaForm {
    image: Digest,
    manifests: Vec<Digest>,
    indexes: Vec<Digest>,
    platform: Platform,
    created: Option<Timestamp>,
    config: ImageConfig,
    layers: Vec<Digest>,
    names: Vec<String>,
}

/// What a child answers.
#[derive(Debug)]
pub(super) enum Answer {
    /// The layer's facts.
    Layer(Box<LayerFacts>),
    /// Nothing of the layer could be read.
    Missing(Gap),
    /// What came out of the image.
    Image(Box<Judged>),
    /// Links lead to files of interest: the layers are needed to follow them.
    NeedsSources,
}

/// What came out of an image.
#[derive(Debug)]
pub(super) struct Judged {
    /// What every gate decides on.
    pub(super) facts: ImageFacts,
    /// What it is made of.
    pub(super) inventory: Inventory,
    /// What came of guessing passwords.
    pub(super) guessing: Guessing,
}

const LAYER: u8 = 1;
const MISSING: u8 = 2;
const IMAGE: u8 = 3;
const NEEDS_SOURCES: u8 = 4;

impl Answer {
    /// The answer as a frame.
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Layer(facts) => tagged(LAYER, facts.encode()),
            Self::Missing(gap) => tagged(MISSING, encode_gap(&gap)),
            Self::Image(image) => tagged(IMAGE, encode_image(*image)),
            Self::NeedsSources => vec![NEEDS_SOURCES],
        }
    }

    /// The answer in a frame. A child that read hostile bytes may say anything.
    pub(super) fn decode(frame: &[u8]) -> Result<Self, String> {
        let (tag, body) = frame.split_first().ok_or("it is empty")?;
        match *tag {
            LAYER => LayerFacts::decode(body)
                .map(|facts| Self::Layer(facts.into()))
                .map_err(|error| error.to_string()),
            MISSING => serde_json::from_slice(body).map(Self::Missing).map_err(|error| error.to_string()),
            IMAGE => decode_image(body).map(|image| Self::Image(image.into())),
            NEEDS_SOURCES => Ok(Self::NeedsSources),
            other => Err(format!("{other} is no kind of answer")),
        }
    }
}

/// A judged image as the broker gets it. What does not fit of the inventory is a gap of the facts.
fn encode_image(Judged { mut facts, inventory, guessing }: Judged) -> Vec<u8> {
    let (bytes, left_out) = inventory::encode(&inventory);
    if left_out > 0 {
        let reason = format!("{left_out} packages are not listed: the inventory would be too long");
        facts
            .gaps
            .push(Gap { detector: Some(INVENTORY.to_owned()), ..Gap::of_image(GapKind::Limit, reason) });
    }
    Done {
        facts: Some(facts.into()),
        inventory: Some(bytes.into()),
        attempts: attempts::encode(&guessing.attempts).into(),
        counters: Some(Counters { password_guesses: guessing.guesses, ..Counters::default() }),
        ..Done::default()
    }
    .encode_to_vec()
}

fn decode_image(body: &[u8]) -> Result<Judged, String> {
    let done = Done::decode(body).map_err(|error| error.to_string())?;
    let facts = done.facts.unwrap_or_default().try_into();
    let facts = facts.map_err(|error: pratique_wire::facts::InvalidFacts| error.to_string())?;
    let inventory = inventory::decode(&done.inventory.unwrap_or_default());
    let inventory = inventory.map_err(|error| error.to_string())?;
    let guessing = Guessing {
        attempts: attempts::decode(&done.attempts).map_err(|error| error.to_string())?,
        guesses: done.counters.unwrap_or_default().password_guesses,
    };
    Ok(Judged { facts, inventory, guessing })
}

/// What there is of a layer, before a child that judges decodes it.
#[derive(Debug)]
pub(super) enum State {
    /// Encoded facts.
    Facts(Vec<u8>),
    /// Why there are none.
    Missing(Gap),
}

/// A layer's state as a frame.
pub(super) fn encode_state(state: State) -> Vec<u8> {
    match state {
        State::Facts(facts) => tagged(LAYER, facts),
        State::Missing(gap) => tagged(MISSING, encode_gap(&gap)),
    }
}

/// The layer's state in a frame; damaged facts are a gap.
pub(super) fn decode_state(frame: &[u8]) -> LayerState {
    match Answer::decode(frame) {
        Ok(Answer::Layer(facts)) => LayerState::Read(facts),
        Ok(Answer::Missing(gap)) => LayerState::Missing(gap),
        Ok(_) => LayerState::Missing(Gap::of_image(
            GapKind::Malformed,
            "its facts are no facts: an error in Pratique",
        )),
        Err(reason) => LayerState::Missing(Gap::of_image(GapKind::Malformed, reason)),
    }
}

fn tagged(tag: u8, mut body: Vec<u8>) -> Vec<u8> {
    body.insert(0, tag);
    body
}

fn encode_gap(gap: &Gap) -> Vec<u8> {
    // A gap has no map with keys that are no text, and none of its parts refuses to be written.
    serde_json::to_vec(gap).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_survive_the_pipe_and_nonsense_is_an_error() {
        let gap = Gap::of_image(GapKind::Limit, "too long");
        assert!(
            matches!(Answer::decode(&Answer::Missing(gap.clone()).encode()), Ok(Answer::Missing(own)) if own == gap)
        );
        assert!(matches!(Answer::decode(&Answer::NeedsSources.encode()), Ok(Answer::NeedsSources)));
        for nonsense in [&b""[..], b"\x01facts", b"\x02{", b"\x03\xff", b"\x09"] {
            assert!(Answer::decode(nonsense).is_err(), "{nonsense:?}");
        }
        assert!(matches!(decode_state(&encode_state(State::Facts(b"x".to_vec()))), LayerState::Missing(_)));
        assert_eq!(decode_state(&encode_state(State::Missing(gap.clone()))), LayerState::Missing(gap));
    }
}
