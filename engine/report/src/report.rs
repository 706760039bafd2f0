//! What a report is made of, whatever was scanned.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pratique_core::facts::Trust;
use pratique_core::lineage::Base;
use pratique_core::package::{Ecosystem, Inventory};
use pratique_core::policy::Decision;
use pratique_core::{Digest, Finding, Gap, ImageFacts, Platform, Severity, Suppressed, Verdict};

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
    /// What it was built on, if anything tells that.
    pub base: Option<Base>,
}

/// Where in an image something comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From its base.
    Base,
    /// From a layer of its own.
    Own,
}

impl Origin {
    /// Both.
    pub const ALL: [Origin; 2] = [Self::Base, Self::Own];

    /// The name as it is written in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Own => "own",
        }
    }
}

impl Image {
    /// What facts say of the image itself; they do not say what it was built on.
    pub fn of(facts: &ImageFacts) -> Self {
        Self {
            id: facts.image.clone(),
            manifests: facts.manifests.clone(),
            indexes: facts.indexes.clone(),
            platform: facts.platform.clone(),
            created: facts.created,
            user: facts.user.clone(),
            layers: facts.layers.clone(),
            trust: facts.trust,
            base: None,
        }
    }
}

/// Whether packages were matched with advisories, and with how old ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Vulnerabilities {
    /// A list of packages was asked for, and nothing else.
    #[default]
    NotAsked,
    /// They were switched off.
    Off,
    /// There is no package that could have any.
    NoPackages,
    /// There were no advisories to match with; a gap says why.
    NotCovered,
    /// They were matched with these.
    Matched(Advisories),
}

impl Vulnerabilities {
    /// The name as it is written in reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotAsked => "NotAsked",
            Self::Off => "Off",
            Self::NoPackages => "NoPackages",
            Self::NotCovered => "NotCovered",
            Self::Matched(_) => "Matched",
        }
    }

    /// As of when the advisories are; none: packages were matched with none.
    pub fn as_of(&self) -> Option<Timestamp> {
        match self {
            Self::Matched(advisories) => Some(advisories.as_of()),
            Self::NotAsked | Self::Off | Self::NoPackages | Self::NotCovered => None,
        }
    }

    /// All names.
    pub const NAMES: [&'static str; 5] = ["NotAsked", "Off", "NoPackages", "NotCovered", "Matched"];
}

/// The advisories that packages were matched with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisories {
    /// When the database was built.
    pub built: Timestamp,
    /// By OSV ecosystem, those that occur in the target and in the database.
    pub ecosystems: BTreeMap<String, AdvisoryAge>,
    /// Why they could not be brought up to date, if so.
    pub problem: Option<String>,
}

/// How old the advisories of one ecosystem are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdvisoryAge {
    /// The last change of any of them.
    pub newest: Option<Timestamp>,
    /// When they were last compared with those at their source; none: that is not known.
    pub checked: Option<Timestamp>,
}

impl Advisories {
    /// As of when they are: the time of the ecosystem that was compared longest ago, or the database's.
    pub fn as_of(&self) -> Timestamp {
        self.ecosystems.values().map(|age| age.checked.unwrap_or(self.built)).min().unwrap_or(self.built)
    }
}

/// What to do about a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Upgrade {
    /// Its package URL.
    pub purl: String,
    /// Its name.
    pub name: String,
    /// The version that is there.
    pub installed: String,
    /// The smallest version at which none of its flaws that have a fix remains.
    pub version: String,
    /// How many findings that clears.
    pub clears: usize,
}

/// What becomes of an image's flaws with a newer base image, each by its name, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewerBase {
    /// The newer base, as it was asked for.
    pub reference: String,
    /// Flaws that are gone.
    pub clears: Vec<String>,
    /// Flaws that the image has still.
    pub keeps: Vec<String>,
    /// Flaws that the image has not yet.
    pub brings: Vec<String>,
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
    /// What was found and does not count, sorted.
    pub suppressed: Vec<Suppressed>,
    /// What was missed.
    pub gaps: Vec<Gap>,
    /// Whether packages were matched with advisories.
    pub vulnerabilities: Vulnerabilities,
    /// The smallest upgrades that clear all findings that have a fix, sorted.
    pub upgrades: Vec<Upgrade>,
    /// What a newer base image would do, if one was named.
    pub newer_base: Option<NewerBase>,
    /// What policies decided, if they were asked.
    pub decision: Option<Decision>,
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

    /// Whether what a layer brought comes from the image's base, or from its own layers. None: there is no base that is
    /// known, or no layer of it.
    pub fn origin(&self, layer: Option<&Digest>) -> Option<Origin> {
        let image = self.image.as_ref()?;
        let (base, layer) = (image.base.as_ref()?, layer?);
        let place = image.layers.iter().position(|own| own == layer)?;
        Some(if place < base.layers { Origin::Base } else { Origin::Own })
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

    /// What does not count, worst first; among equals in order.
    pub(crate) fn suppressed_worst_first(&self) -> Vec<&Suppressed> {
        let mut suppressed: Vec<&Suppressed> = self.suppressed.iter().collect();
        suppressed.sort_by(|a, b| b.finding.severity.cmp(&a.finding.severity).then_with(|| a.cmp(b)));
        suppressed
    }
}
