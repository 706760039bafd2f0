//! What a policy says, as somebody wrote it.

use jiff::{SignedDuration, Timestamp};

use super::Selector;
use crate::{Category, Severity};

/// A policy before it is compiled. The fields are those of the ScanPolicy object.
#[derive(Debug, Clone)]
pub struct PolicySpec {
    /// The object's name.
    pub name: String,
    /// When its rules last changed: what they refuse was no violation before.
    pub since: Timestamp,
    /// Which images and pods it speaks of.
    pub matching: MatchSpec,
    /// What happens to a pod that violates it.
    pub enforcement: Enforcement,
    /// Ids of the detectors that are to look at what it matches; `*` stands for all.
    pub detectors: Vec<String>,
    /// What is done about an image nobody has scanned, or not lately enough.
    pub unscanned: Action,
    /// Age from which a scan no longer counts.
    pub max_scan_age: SignedDuration,
    /// What is done about gaps of detectors that the rules use.
    pub incomplete: Action,
    /// What is done about an image whose scan gave nothing usable.
    pub error: Action,
    /// What is done about images for platforms nobody can scan.
    pub unsupported: Action,
    /// What is done about images that already ran when a violation appeared.
    pub existing: ExistingWorkloads,
    /// The rules; a pod violates the policy if any of them holds.
    pub deny: Vec<Rule>,
    /// Findings that are accepted.
    pub exceptions: Vec<Exception>,
}

impl PolicySpec {
    /// A policy with the default of every field, in force since `since`.
    pub fn new(name: impl Into<String>, since: Timestamp) -> Self {
        Self {
            name: name.into(),
            since,
            matching: MatchSpec::default(),
            enforcement: Enforcement::Enforce,
            detectors: vec!["*".to_owned()],
            unscanned: Action::Warn,
            max_scan_age: SignedDuration::from_hours(720),
            incomplete: Action::Warn,
            error: Action::Warn,
            unsupported: Action::Allow,
            existing: ExistingWorkloads {
                action: Action::Warn,
                grace_period: SignedDuration::from_hours(168),
            },
            deny: Vec::new(),
            exceptions: Vec::new(),
        }
    }
}

/// Which images and pods a policy speaks of. All parts must hold; a part that is absent always does.
#[derive(Debug, Clone, Default)]
pub struct MatchSpec {
    /// Over the labels of the pod's namespace.
    pub namespaces: Selector,
    /// Over the labels of the pod.
    pub objects: Selector,
    /// Patterns over image references ([`crate::reference::PatternSet`]); empty stands for all images.
    pub images: Vec<String>,
    /// Patterns of images that are left out.
    pub exclude_images: Vec<String>,
}

/// What happens to a pod that violates a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enforcement {
    /// It is admitted, and the violation is recorded.
    Audit,
    /// It is admitted, with a warning to whoever made it.
    Warn,
    /// It is refused.
    Enforce,
}

/// What is done about a state of an image that is no finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Nothing.
    Allow,
    /// The pod is admitted with a warning, or less where the policy's enforcement is less.
    Warn,
    /// The pod is refused, or less where the policy's enforcement is less.
    Deny,
}

/// The grace for images that already ran in the pod's namespace when the violation appeared.
///
/// A violation appears at the latest of: the policy's last change, the time its cause became known
/// ([`super::Scanned::since`]), and, where age is the cause, the time the age was reached. From then on the grace
/// period runs; within it `action` stands in place of a refusal, and never makes an effect worse. Rules about the
/// workload have no grace: they speak of the pod, and no image tells whether the same pod ran before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExistingWorkloads {
    /// In place of a refusal; `Allow` still records the violation.
    pub action: Action,
    /// How long.
    pub grace_period: SignedDuration,
}

/// One reason to refuse a pod.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Unique within the policy.
    pub name: String,
    /// When it holds.
    pub body: Body,
}

/// What a rule looks at.
#[derive(Debug, Clone)]
pub enum Body {
    /// Holds if any finding of the image satisfies every field.
    Finding(FindingSelector),
    /// Holds if enough flaws of the image's packages satisfy every field.
    Vulnerability(VulnerabilityRule),
    /// Holds if a package's licence is refused.
    License(LicenseRule),
    /// Holds if the image satisfies any field.
    Image(ImageRule),
    /// Holds if the pod satisfies any field.
    Workload(WorkloadRule),
}

/// Findings that satisfy every field given.
#[derive(Debug, Clone, Default)]
pub struct FindingSelector {
    /// The finding's category is one of these; empty: any.
    pub categories: Vec<Category>,
    /// The finding is at least so severe. `Unknown` severity satisfies no minimum.
    pub min_severity: Option<Severity>,
    /// The finding's rule, written `detector/rule`, is one of these; empty: any.
    pub rules: Vec<String>,
    /// The finding's path matches one of these globs (absolute; `*` stops at `/`, `**` does not); empty: any.
    pub paths: Vec<String>,
    /// The finding is of a flaw that goes by one of these names (CVE-… or another); empty: any.
    pub vulnerabilities: Vec<String>,
}

/// Flaws of packages that satisfy every field given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VulnerabilityRule {
    /// It is at least so severe. `Unknown` severity satisfies no minimum.
    pub min_severity: Option<Severity>,
    /// A version with a fix is known, or is not.
    pub fix_available: Option<bool>,
    /// It was published at least so long ago; one whose day is not known counts as old.
    pub min_age: Option<SignedDuration>,
    /// CISA lists it as exploited.
    pub known_exploited: bool,
    /// The likelihood that it is used within 30 days, by FIRST, is at least so high; 0 to 1.
    pub min_epss: Option<f64>,
    /// There are at least so many different ones in the image; none: one.
    pub min_count: Option<u32>,
    /// It goes by one of these names; empty: any.
    pub ids: Vec<String>,
    /// The package has one of these names; empty: any.
    pub packages: Vec<String>,
}

/// Licences that packages may not have. A package's licence is an SPDX expression: of alternatives (OR) one that is
/// accepted is enough, of what is joined (AND) all must be. One that is neither denied nor, if anything is allowed, missing
/// from that list is accepted.
#[derive(Debug, Clone, Default)]
pub struct LicenseRule {
    /// Patterns of licences that are refused: SPDX identifiers with `*`, alone or `WITH` an exception. Alone they match
    /// with any exception.
    pub deny: Vec<String>,
    /// Patterns of the only licences that are accepted; empty: all.
    pub allow: Vec<String>,
    /// Packages whose licence is not known, or no SPDX expression, are refused unless `allow` names its words.
    pub unknown: bool,
}

/// Properties of an image; any that holds makes the rule hold.
#[derive(Debug, Clone, Default)]
pub struct ImageRule {
    /// The reference matches none of these patterns; empty: not asked.
    pub repositories_not_in: Vec<String>,
    /// Its container would run as uid 0. Image volumes run nothing.
    pub runs_as_root: bool,
    /// It was built longer ago, or does not say when.
    pub max_age: Option<SignedDuration>,
}

/// Properties of a pod; any that holds makes the rule hold.
#[derive(Debug, Clone, Default)]
pub struct WorkloadRule {
    /// A container is privileged.
    pub privileged: bool,
    /// The pod shares the host's PID, IPC or network namespace.
    pub host_namespaces: bool,
    /// The pod mounts a host path that matches one of these globs (`*` stops at `/`, `**` does not).
    pub host_paths: Vec<String>,
    /// A container adds one of these capabilities, with or without `CAP_`. `ALL` in the rule stands for any, and a
    /// container that adds `ALL` adds each.
    pub added_capabilities: Vec<String>,
}

/// Findings that are accepted on some images for some time.
#[derive(Debug, Clone)]
pub struct Exception {
    /// Unique within the policy.
    pub name: String,
    /// Which findings.
    pub findings: FindingSelector,
    /// Patterns of the images ([`crate::reference::PatternSet`]).
    pub images: Vec<String>,
    /// Names of namespaces; empty: all.
    pub namespaces: Vec<String>,
    /// From then on it no longer holds.
    pub expires: Timestamp,
    /// Why the findings are accepted.
    pub reason: String,
}
