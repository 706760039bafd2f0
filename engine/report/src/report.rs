//! What a report is made of, whatever was scanned.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pratique_core::facts::Trust;
use pratique_core::package::{Ecosystem, Inventory};
use pratique_core::{Digest, Finding, Gap, Platform, Severity, Verdict};

/// The program that made a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name, such as `pratique`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What was asked for, and what was taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The reference or path as it was asked for.
    pub reference: String,
    /// The source it was taken from, such as `containerd`, `docker-archive` or `dir`.
    pub source: String,
    /// What it is.
    pub kind: TargetKind,
}

/// What kind of thing was scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// An image.
    Image,
    /// A container, running or not.
    Container,
    /// A folder: a root file system or a project.
    Root,
    /// One file.
    File,
}

impl TargetKind {
    /// All kinds.
    pub const ALL: [TargetKind; 4] = [Self::Image, Self::Container, Self::Root, Self::File];

    /// The name as it is written in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Container => "container",
            Self::Root => "root",
            Self::File => "file",
        }
    }
}

/// What is known of an image, or of the image that a container runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The config digest (image ID).
    pub id: Digest,
    /// Manifest digests that led to it.
    pub manifests: Vec<Digest>,
    /// Index digests that led to it.
    pub indexes: Vec<Digest>,
    /// Platform it is made for.
    pub platform: Platform,
    /// When its config says it was built.
    pub created: Option<Timestamp>,
    /// `config.User` as written.
    pub user: String,
    /// Layers (diff IDs), base first.
    pub layers: Vec<Digest>,
    /// Whether every layer was verified against its digest, or read from unpacked folders.
    pub trust: Trust,
}

/// The result of scanning one target: everything that any format writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Who made it.
    pub tool: Tool,
    /// What was scanned.
    pub target: Target,
    /// The image; none for folders and files.
    pub image: Option<Image>,
    /// What it is made of.
    pub inventory: Inventory,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What was missed.
    pub gaps: Vec<Gap>,
    /// Detectors that ran, with the version of their rule set.
    pub detectors: BTreeMap<String, String>,
    /// Why nothing usable came out, if so.
    pub error: Option<String>,
    /// When it was scanned. The only time in a report besides the image's own, so that the same result gives the same
    /// bytes.
    pub scanned_at: Timestamp,
}

impl Report {
    /// The summary of the result.
    pub fn verdict(&self) -> Verdict {
        Verdict::over(self.error.as_deref(), &self.gaps, &self.findings)
    }

    /// How many findings there are of each severity, worst first, without those that have none.
    pub fn severities(&self) -> Vec<(Severity, usize)> {
        let count = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        let counts = Severity::ALL.into_iter().rev().map(|severity| (severity, count(severity)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// How many packages there are of each ecosystem, in the ecosystems' order, without those that have none.
    pub fn ecosystems(&self) -> Vec<(Ecosystem, usize)> {
        let mut counts = BTreeMap::new();
        for package in &self.inventory.packages {
            *counts.entry(package.package.ecosystem).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    /// The findings, worst first; among equals in the order of detector, rule and place.
    pub(crate) fn worst_first(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
        findings
    }
}
