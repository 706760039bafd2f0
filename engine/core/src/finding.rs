//! What a detector found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, Severity};

/// What kind of risk a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Category {
    /// A package with a known flaw.
    Vulnerability,
    /// A credential left in the image.
    Secret,
    /// A password that can be guessed.
    WeakPassword,
    /// Malicious software or a miner.
    Malware,
    /// A page that runs commands for whoever asks.
    Webshell,
    /// A way back in that somebody left.
    Backdoor,
    /// A way from less to more privilege.
    Escalation,
    /// A file that is not what its package delivered.
    Tampering,
    /// A risky setting of the image.
    ImageConfig,
    /// A risky step in the image's build history.
    History,
    /// A licence the policy does not allow.
    License,
    /// Something seen while the container ran.
    Runtime,
    /// Reported by a plugin.
    Plugin,
}

impl Category {
    /// All categories.
    pub const ALL: [Category; 13] = [
        Self::Vulnerability,
        Self::Secret,
        Self::WeakPassword,
        Self::Malware,
        Self::Webshell,
        Self::Backdoor,
        Self::Escalation,
        Self::Tampering,
        Self::ImageConfig,
        Self::History,
        Self::License,
        Self::Runtime,
        Self::Plugin,
    ];

    /// The name as it is written in objects and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vulnerability => "Vulnerability",
            Self::Secret => "Secret",
            Self::WeakPassword => "WeakPassword",
            Self::Malware => "Malware",
            Self::Webshell => "Webshell",
            Self::Backdoor => "Backdoor",
            Self::Escalation => "Escalation",
            Self::Tampering => "Tampering",
            Self::ImageConfig => "ImageConfig",
            Self::History => "History",
            Self::License => "License",
            Self::Runtime => "Runtime",
            Self::Plugin => "Plugin",
        }
    }
}

impl std::fmt::Display for Category {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Category {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|category| category.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no category of findings"))
    }
}

/// One risk, at one place of an image or container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// Id of the detector, such as `weak-password`.
    pub detector: String,
    /// Id of the rule within the detector, such as `linux-account`.
    pub rule: String,
    /// What kind of risk.
    pub category: Category,
    /// How bad.
    pub severity: Severity,
    /// One sentence for people that names the thing found: secrets and passwords in it are masked.
    pub message: String,
    /// Absolute path inside the image, with bytes that are no UTF-8 escaped as `\xNN`; none where the finding is
    /// about the image as a whole.
    pub path: Option<String>,
    /// The layer (diff ID) that brought the file.
    pub layer: Option<Digest>,
    /// Details by name, such as `user` and `scheme`; part of the detector's documented output. Masked like `message`.
    pub attributes: BTreeMap<String, String>,
}

/// A finding that somebody says does not matter: it does not count, and stays to be seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Suppressed {
    /// What was found.
    pub finding: Finding,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: String,
}
