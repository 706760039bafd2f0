//! A client of registries, by the OCI distribution specification
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>): manifests, blobs and artifacts of
//! files, mirrors, logins. It blocks, writes nothing to disk, and of what it carries knows only the form of a user's rules.
//!
//! What is believed: nothing but digests. A tag's document is taken as the registry gives it, and everything below it by
//! its digest.

mod artifact;
mod blob;
mod challenge;
mod client;
mod failure;
mod helper;
mod login;
mod options;
mod rule_files;
mod token;

pub use artifact::{Artifact, ArtifactAddress, ArtifactFile};
pub use blob::{BlobReader, RemoteBlob};
pub use client::{Client, Document, Wanted};
pub use failure::Error;
pub use login::{Credential, LoginFile, Logins};
pub use options::{Mirror, RegistryOptions};
pub use pratique_http::{Patience, Proxies, RetryPolicy};
pub use rule_files::read_rules;

/// Bytes of one manifest at most. 4 MiB, as registries take them.
pub const DOCUMENT_LIMIT: u64 = 4 << 20;

/// Result of asking a registry.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The readers of foreign text, for fuzzing.
#[doc(hidden)]
pub mod readers {
    pub use crate::artifact::parse as artifact;
    pub use crate::challenge::parse as challenges;
    pub use crate::failure::said;
    pub use crate::helper::parse as helper_answer;
    pub use crate::login::Config as LoginConfig;
    pub use crate::rule_files::choose as rule_files;
    pub use crate::token::parse as token;
    pub use pratique_http::{content_range, join, next_link};
}
