//! A policy made ready for many decisions: globs and selectors compiled once.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::exceptions::CompiledException;
use super::matching::Matcher;
use super::rules::CompiledRule;
use super::{Action, Body, Enforcement, ExistingWorkloads, PolicySpec};
use crate::detector::{DETECTORS, DetectorInfo, IMAGE_CONFIG, VULNERABILITY, all};

/// What violations are called that are about no rule ([`super::Violation::rule`]).
const RESERVED: [&str; 4] = ["incomplete", "error", "unscanned", "unsupported"];

/// A compiled policy.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) name: String,
    pub(super) since: Timestamp,
    pub(super) matcher: Matcher,
    pub(super) enforcement: Enforcement,
    pub(super) unscanned: Action,
    pub(super) max_scan_age: SignedDuration,
    pub(super) incomplete: Action,
    pub(super) error: Action,
    pub(super) unsupported: Action,
    pub(super) existing: ExistingWorkloads,
    pub(super) rules: Vec<CompiledRule>,
    pub(super) exceptions: Vec<CompiledException>,
    /// Ids of the detectors that are to look at what it matches.
    scan: BTreeSet<&'static str>,
    /// Ids of the detectors whose findings its rules test.
    used: BTreeSet<&'static str>,
}

/// Why a policy cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}`: {reason}")]
pub struct InvalidPolicy {
    /// Which field, such as `deny[planted].finding.paths`.
    pub field: String,
    /// Why, as a sentence.
    pub reason: String,
}

impl InvalidPolicy {
    pub(super) fn new(field: impl Into<String>, reason: impl ToString) -> Self {
        Self { field: field.into(), reason: reason.to_string() }
    }
}

impl Policy {
    /// Compiles what somebody wrote. Fails where a glob or a duration is wrong; what is well-formed and can never
    /// hold is for [`super::contradictions`].
    pub fn compile(spec: &PolicySpec) -> Result<Self, InvalidPolicy> {
        if spec.max_scan_age <= SignedDuration::ZERO {
            return Err(InvalidPolicy::new("maxScanAge", "it must be longer than nothing"));
        }
        if spec.existing.grace_period < SignedDuration::ZERO {
            return Err(InvalidPolicy::new("existingWorkloads.gracePeriod", "it must not be negative"));
        }
        if let Some(rule) = spec.deny.iter().find(|rule| RESERVED.contains(&rule.name.as_str())) {
            return Err(InvalidPolicy::new(
                format!("deny[{}].name", rule.name),
                "the name is that of a field and would make messages ambiguous",
            ));
        }
        let rules = spec.deny.iter().map(CompiledRule::new).collect::<Result<Vec<_>, _>>()?;
        let exceptions = spec.exceptions.iter().map(CompiledException::new).collect::<Result<Vec<_>, _>>()?;
        let scan = scanned_detectors(spec);
        let used = used_detectors(spec, &scan);
        Ok(Self {
            name: spec.name.clone(),
            since: spec.since,
            matcher: Matcher::new(&spec.matching)?,
            enforcement: spec.enforcement,
            unscanned: spec.unscanned,
            max_scan_age: spec.max_scan_age,
            incomplete: spec.incomplete,
            error: spec.error,
            unsupported: spec.unsupported,
            existing: spec.existing,
            rules,
            exceptions,
            scan,
            used,
        })
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What happens to a pod that violates it.
    pub fn enforcement(&self) -> Enforcement {
        self.enforcement
    }

    /// Age from which a scan no longer counts.
    pub fn max_scan_age(&self) -> SignedDuration {
        self.max_scan_age
    }

    /// Ids of the detectors that are to look at what it matches.
    pub fn scan_detectors(&self) -> &BTreeSet<&'static str> {
        &self.scan
    }

    /// Ids of the detectors whose findings its rules test: an image they did not all look at is unscanned for it, and
    /// their gaps alone make an image incomplete for it.
    pub fn used_detectors(&self) -> &BTreeSet<&'static str> {
        &self.used
    }

    /// Exceptions that still hold at `now` and end within `span` of it, each with the time it ends.
    pub fn exceptions_ending(
        &self,
        now: Timestamp,
        span: SignedDuration,
    ) -> impl Iterator<Item = (&str, Timestamp)> {
        self.exceptions
            .iter()
            .map(|exception| (exception.name.as_str(), exception.expires))
            .filter(move |(_, expires)| *expires > now && expires.duration_since(now) <= span)
    }
}

/// Those that the policy names, and what its rules know an image's user by.
fn scanned_detectors(spec: &PolicySpec) -> BTreeSet<&'static str> {
    let all = spec.detectors.iter().any(|id| id == "*");
    let is_named = |id: &str| all || spec.detectors.iter().any(|own| own == id);
    let asks_user = spec.deny.iter().any(|rule| asks_user(&rule.body));
    let is_scanned = |id: &&str| is_named(id) || (asks_user && *id == IMAGE_CONFIG);
    DETECTORS.iter().map(|detector| detector.id).filter(is_scanned).collect()
}

/// Whether a rule asks whether the image's process is root: the image's own accounts may say so.
fn asks_user(body: &Body) -> bool {
    matches!(body, Body::Image(rule) if rule.runs_as_root)
}

/// A rule that names categories or rules uses the detectors that give them; another uses all that the policy has run.
fn used_detectors(spec: &PolicySpec, scan: &BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    let mut used = BTreeSet::new();
    for rule in &spec.deny {
        let selector = match &rule.body {
            Body::Finding(selector) => selector,
            body if asks_user(body) => {
                used.insert(IMAGE_CONFIG);
                continue;
            }
            Body::Vulnerability(_) => {
                used.insert(VULNERABILITY.id);
                continue;
            }
            Body::License(_) | Body::Image(_) | Body::Workload(_) => continue,
        };
        let names_none = selector.categories.is_empty() && selector.rules.is_empty();
        let is_used = |detector: &&DetectorInfo| {
            if names_none { scan.contains(detector.id) } else { selector.may_select(detector) }
        };
        used.extend(all().filter(is_used).map(|detector| detector.id));
        if !selector.vulnerabilities.is_empty() {
            used.insert(VULNERABILITY.id);
        }
    }
    used
}
