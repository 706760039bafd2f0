//! What one policy holds against one image, whoever asks.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::exceptions::CompiledException;
use super::rules::{Cause, CompiledBody};
use super::{Action, ContainerKind, Policy, RunAs, Scanned};
use crate::detector::VULNERABILITY;
use crate::reference::Reference;
use crate::{Finding, Gap, ImageFacts};

/// What is asked of one image.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// None where it could not be read.
    pub(super) reference: Option<&'a Reference>,
    pub(super) namespace: Option<&'a str>,
    pub(super) kind: ContainerKind,
    pub(super) run_as: RunAs,
    pub(super) now: Timestamp,
}

/// A rule or a field that holds.
#[derive(Debug)]
pub(super) struct Hold<'a> {
    pub(super) rule: &'a str,
    pub(super) action: Action,
    pub(super) reason: Cow<'static, str>,
    /// Worst first.
    pub(super) findings: Vec<&'a Finding>,
    /// When it began to hold, as far as the image tells; the policy's last change may be later.
    pub(super) since: Option<Timestamp>,
}

impl<'a> Hold<'a> {
    pub(super) fn new(rule: &'a str, action: Action, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { rule, action, reason: reason.into(), findings: Vec::new(), since: None }
    }

    fn because(rule: &'a str, cause: Cause) -> Self {
        Self { since: cause.since, ..Self::new(rule, Action::Deny, cause.reason) }
    }

    fn since(self, since: Timestamp) -> Self {
        Self { since: Some(since), ..self }
    }
}

/// Findings of one rule that an exception accepts.
pub(super) struct Accepted<'a> {
    pub(super) rule: &'a str,
    pub(super) exception: &'a str,
    pub(super) findings: usize,
}

impl Policy {
    /// What it holds against the reference and the security context, whatever the image is.
    pub(super) fn judge_reference<'a>(&'a self, question: Question<'_>) -> impl Iterator<Item = Hold<'a>> {
        self.rules
            .iter()
            .flat_map(move |rule| {
                let CompiledBody::Image(image) = &rule.body else { return [None, None] };
                [image.test_reference(question.reference), image.test_user(question.kind, question.run_as)]
                    .map(|cause| cause.map(|cause| Hold::because(&rule.name, cause)))
            })
            .flatten()
    }

    /// What it holds against a scanned image: rules, then gaps, then errors, then what makes it unscanned.
    pub(super) fn judge_facts<'a>(
        &'a self,
        scanned: Scanned<'a>,
        question: Question<'_>,
    ) -> (Vec<Hold<'a>>, Vec<Accepted<'a>>) {
        let facts = scanned.facts;
        let (mut holds, mut accepted) = (Vec::new(), Vec::new());
        for rule in &self.rules {
            match &rule.body {
                CompiledBody::Finding(selector) => {
                    let found = facts.findings.iter().filter(|finding| selector.selects(finding));
                    let findings = self.without_accepted(&rule.name, found, question, &mut accepted);
                    if !findings.is_empty() {
                        let hold = Hold::new(&rule.name, Action::Deny, "").since(scanned.since);
                        holds.push(Hold { findings, ..hold });
                    }
                }
                CompiledBody::Vulnerability(flaws) => {
                    let found = facts.findings.iter().filter(|finding| flaws.selects(finding, question.now));
                    let findings = self.without_accepted(&rule.name, found, question, &mut accepted);
                    if flaws.is_enough(&findings) {
                        let hold = Hold::new(&rule.name, Action::Deny, "").since(scanned.since);
                        holds.push(Hold { findings, ..hold });
                    }
                }
                CompiledBody::Image(image) => {
                    let causes = image.test_facts(facts, question.kind, question.run_as, question.now);
                    holds.extend(causes.map(|cause| Hold::because(&rule.name, cause)));
                }
                CompiledBody::License(licenses) => {
                    let reason = facts.licenses.as_ref().and_then(|own| licenses.test(own));
                    holds.extend(
                        reason.map(|reason| Hold::new(&rule.name, Action::Deny, reason).since(scanned.since)),
                    );
                }
                CompiledBody::Workload(_) => {}
            }
        }
        let states = [
            (self.incomplete, self.incomplete(facts).map(|reason| ("incomplete", reason, scanned.since))),
            (self.error, error(facts).map(|reason| ("error", reason, scanned.since))),
            (self.unscanned, self.not_scanned(scanned, question.now)),
        ];
        for (action, state) in states {
            if let (true, Some((field, reason, since))) = (action != Action::Allow, state) {
                holds.push(Hold::new(field, action, reason).since(since));
            }
        }
        (holds, accepted)
    }

    /// `found` without what an exception accepts, worst first.
    fn without_accepted<'a>(
        &'a self,
        rule: &'a str,
        found: impl Iterator<Item = &'a Finding>,
        question: Question<'_>,
        accepted: &mut Vec<Accepted<'a>>,
    ) -> Vec<&'a Finding> {
        let exceptions: Vec<&CompiledException> = self
            .exceptions
            .iter()
            .filter(|exception| {
                question
                    .reference
                    .is_some_and(|reference| exception.holds(reference, question.namespace, question.now))
            })
            .collect();
        let mut findings = Vec::new();
        for finding in found {
            let Some(exception) = exceptions.iter().find(|exception| exception.accepts(finding)) else {
                findings.push(finding);
                continue;
            };
            match accepted.iter_mut().find(|one| one.rule == rule && one.exception == exception.name) {
                Some(one) => one.findings += 1,
                None => accepted.push(Accepted { rule, exception: &exception.name, findings: 1 }),
            }
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }

    /// Why the image is incomplete for this policy: gaps of the detectors its rules use.
    fn incomplete(&self, facts: &ImageFacts) -> Option<String> {
        let concerns = |gap: &&Gap| self.used_detectors().iter().any(|detector| gap.concerns(detector));
        let mut gaps = facts.gaps.iter().filter(concerns);
        let first = gaps.next()?;
        let place = first.path.as_ref().map(|path| format!(" in {path}")).unwrap_or_default();
        let more = match gaps.count() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        Some(format!("its scan is incomplete: {}{place}{more}", first.reason))
    }

    /// Why a scanned image counts as unscanned for this policy, and since when.
    fn not_scanned(&self, scanned: Scanned<'_>, now: Timestamp) -> Option<(&'static str, String, Timestamp)> {
        let facts = scanned.facts;
        let missing: Vec<&str> = self
            .used_detectors()
            .iter()
            .copied()
            .filter(|detector| facts.error.is_none() && !facts.detectors.contains_key(*detector))
            .collect();
        if !missing.is_empty() {
            let reason = format!("its scan did not include the detector {}", missing.join(", "));
            return Some(("unscanned", reason, scanned.since));
        }
        let asks_licenses = || self.rules.iter().any(|rule| matches!(rule.body, CompiledBody::License(_)));
        if facts.error.is_none() && facts.licenses.is_none() && asks_licenses() {
            return Some(("unscanned", "its scan did not list licences".to_owned(), scanned.since));
        }
        let advisories = facts.advisories.filter(|_| self.used_detectors().contains(VULNERABILITY.id));
        // Advisories are told by their day: they have its age once it is over.
        let day = SignedDuration::from_hours(24);
        let ages = [
            ("its last scan is", Some(facts.judged_at), self.max_scan_age),
            ("its advisories are", advisories, self.max_scan_age.saturating_add(day)),
        ];
        ages.into_iter().find_map(|(what, at, limit)| {
            let at = at.filter(|at| now.duration_since(*at) > limit)?;
            let reason =
                format!("{what} of {}, more than {:#} ago", at.strftime("%Y-%m-%d"), self.max_scan_age);
            Some(("unscanned", reason, at.checked_add(limit).unwrap_or(at)))
        })
    }
}

fn error(facts: &ImageFacts) -> Option<String> {
    facts.error.as_ref().map(|error| format!("its scan failed: {error}"))
}
