//! What an image's config says beside its layers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How an image is to be run and how it was built, as written
/// (<https://github.com/opencontainers/image-spec/blob/main/config.md#properties>).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageConfig {
    /// User, and group after a colon.
    pub user: String,
    /// Environment, `NAME=value` each.
    pub env: Vec<String>,
    /// Program and arguments that always come first.
    pub entrypoint: Vec<String>,
    /// Arguments that a user's replace.
    pub cmd: Vec<String>,
    /// Folder the process starts in.
    pub working_dir: String,
    /// Labels, and of the manifest's annotations those that say what it was built on.
    pub labels: BTreeMap<String, String>,
    /// Ports it listens on, such as `8080/tcp`, sorted.
    pub exposed_ports: Vec<String>,
    /// Folders that become volumes, sorted.
    pub volumes: Vec<String>,
    /// Whether a health check is set, and not to `NONE` (Docker's extension).
    pub healthcheck: bool,
    /// Who made it, as they say.
    pub author: String,
    /// The steps of its build, first step first.
    pub history: Vec<HistoryEntry>,
}

impl ImageConfig {
    /// Whether its process runs as uid 0 unless whoever starts it says otherwise.
    pub fn runs_as_root(&self) -> bool {
        is_root(&self.user)
    }
}

/// Whether `User` of an image's config means uid 0: empty, `root` or a number that is 0, with or without a group.
pub(crate) fn is_root(user: &str) -> bool {
    let user = user.split(':').next().unwrap_or_default();
    // As runtimes read a number: `00`, `+0` and `-0` are 0.
    matches!(user, "" | "root") || user.parse::<i64>() == Ok(0)
}

/// A step of an image's build.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When, as written.
    pub created: String,
    /// The instruction.
    pub created_by: String,
    /// A remark.
    pub comment: String,
    /// Whether it made no layer.
    pub empty_layer: bool,
}
