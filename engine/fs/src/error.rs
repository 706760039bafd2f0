//! Errors of reading images and containers.

use std::io;

use pratique_core::GapKind;
use pratique_registry::Error as RegistryError;

/// Result of reading.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be read. Each message names the thing, the reason and, where there is one, the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such path.
    #[error("{path}: no such file or folder in this root")]
    NotFound {
        /// The path, escaped.
        path: String,
    },
    /// The operation does not fit the entry's kind: opening a device, listing a file.
    #[error("{path}: {reason}")]
    WrongKind {
        /// The path, escaped.
        path: String,
        /// What it is and what was wanted.
        reason: &'static str,
    },
    /// More than 40 links, or a cycle of them.
    #[error("{path}: too many links on the way (more than 40), or they form a cycle")]
    LinkLoop {
        /// The path, escaped.
        path: String,
    },
    /// A limit was reached.
    #[error("{what}: {limit}")]
    Limit {
        /// What was read.
        what: String,
        /// The limit, in words.
        limit: String,
    },
    /// Foreign bytes that are not what their format demands.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// What was read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The content does not have the digest it is named by.
    #[error(
        "{what} has another digest than it is named by: wanted {wanted}, got {got}; it was changed or damaged"
    )]
    DigestMismatch {
        /// What was read.
        what: String,
        /// Digest it should have.
        wanted: String,
        /// Digest it has.
        got: String,
    },
    /// A form this build cannot read: a media type, a snapshotter.
    #[error("{what} is not supported: {reason}")]
    Unsupported {
        /// What was met.
        what: String,
        /// Why, and what would be.
        reason: String,
    },
    /// No image or container answers to what was asked for.
    #[error("no image or container answers to `{query}`{hint}")]
    NoMatch {
        /// What was asked for.
        query: String,
        /// What there is instead; empty or starting with `: `.
        hint: String,
    },
    /// What was asked for means several images or containers.
    #[error("`{query}` means several: {choices}; name one of them")]
    Ambiguous {
        /// What was asked for.
        query: String,
        /// Some of what it means, separated by commas.
        choices: String,
    },
    /// A source is not on this machine, or this user may not ask it.
    #[error("{source_name} cannot be asked: {reason}")]
    NotHere {
        /// The source and its address.
        source_name: String,
        /// Why, and what to do.
        reason: String,
    },
    /// No source has what was asked for.
    #[error("no source has `{query}`:{said}")]
    NoSource {
        /// What was asked for.
        query: String,
        /// A line for each source that was asked.
        said: String,
    },
    /// It was there and is not any more: deleted while it was read. Worth another try if it is still listed.
    #[error("{what} was deleted while it was read; it is read anew if it comes back")]
    Gone {
        /// What was read.
        what: String,
    },
    /// The runtime answered with an error, or not at all.
    #[error("{runtime}: {reason}")]
    Runtime {
        /// The runtime and its address.
        runtime: String,
        /// What it said.
        reason: String,
    },
    /// A registry did not give what it was asked for.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The operating system refused.
    /// The answer stands in the message, so it is no `source`: a chain of causes would say it twice.
    #[error("{what}: {error}")]
    Io {
        /// What was read.
        what: String,
        /// The system's answer.
        error: io::Error,
    },
}

impl Error {
    /// An I/O error on `what`.
    pub fn io(what: impl Into<String>, error: io::Error) -> Self {
        Self::Io { what: what.into(), error }
    }

    /// Whether it says that a source does not have something, or is not there itself: another may have it.
    pub fn is_absence(&self) -> bool {
        match self {
            Self::NoMatch { .. } | Self::NotHere { .. } => true,
            Self::Registry(error) => matches!(error, RegistryError::Request { status: Some(404), .. }),
            _ => false,
        }
    }

    /// The word for the gap that this error leaves in a result.
    pub fn gap_kind(&self) -> GapKind {
        match self {
            Self::Limit { .. } | Self::LinkLoop { .. } => GapKind::Limit,
            Self::Malformed { .. }
            | Self::DigestMismatch { .. }
            | Self::Registry(RegistryError::Malformed { .. } | RegistryError::DigestMismatch { .. }) => {
                GapKind::Malformed
            }
            Self::Unsupported { .. } | Self::WrongKind { .. } => GapKind::Unsupported,
            Self::NotFound { .. }
            | Self::NoMatch { .. }
            | Self::Ambiguous { .. }
            | Self::NotHere { .. }
            | Self::NoSource { .. }
            | Self::Gone { .. }
            | Self::Runtime { .. }
            | Self::Registry(_)
            | Self::Io { .. } => GapKind::Unreadable,
        }
    }
}
