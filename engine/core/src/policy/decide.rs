//! The decision on a pod.

use jiff::Timestamp;

use super::judge::{Hold, Question};
use super::request::{Candidate, Container, Request, Scanned};
use super::rules::CompiledBody;
use super::{Action, Decision, Effect, Policy, Suppressed, ViolatingContainer, Violation};
use crate::Digest;
use crate::reference::Reference;

/// Judges a pod by every policy, each for itself: the pod is refused if any policy that enforces refuses it.
///
/// A policy speaks of the pod if its selectors select the pod's namespace and labels, and of each of its images that
/// the policy's patterns match. Rules on the workload concern the containers of those images, and the pod as a whole
/// if there is any. A reference that cannot be read is every policy's business, and unscanned.
pub fn decide<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    request: &Request<'_>,
    now: Timestamp,
) -> Decision {
    let references: Vec<Option<Reference>> =
        request.containers.iter().map(|container| container.image.parse().ok()).collect();
    let mut decision = Decision::default();
    for policy in policies {
        if policy.matcher.selects_pod(request.namespace_labels, request.pod_labels) {
            let selected = request
                .containers
                .iter()
                .zip(references.iter().map(Option::as_ref))
                .filter(|(_, reference)| policy.matcher.selects_image(*reference));
            Judgement { policy, request, now, decision: &mut decision }.of_pod(selected.collect());
        }
    }
    decision.violations.sort_by_key(|violation| std::cmp::Reverse(violation.effect));
    decision
}

/// One policy at work on one request.
struct Judgement<'p, 'r> {
    policy: &'p Policy,
    request: &'r Request<'r>,
    now: Timestamp,
    decision: &'r mut Decision,
}

impl Judgement<'_, '_> {
    fn of_pod(&mut self, selected: Vec<(&Container<'_>, Option<&Reference>)>) {
        if selected.is_empty() {
            return;
        }
        for rule in &self.policy.rules {
            if let CompiledBody::Workload(workload) = &rule.body
                && let Some(reason) = workload.test_pod(&self.request.pod)
            {
                self.violate(Hold::new(&rule.name, Action::Deny, reason), None, None);
            }
        }
        for (container, reference) in selected {
            self.of_container(container, reference);
        }
    }

    fn of_container(&mut self, container: &Container<'_>, reference: Option<&Reference>) {
        let question = Question {
            reference,
            namespace: Some(self.request.namespace),
            kind: container.kind,
            run_as: container.run_as,
            now: self.now,
        };
        let named = |image: Option<&Digest>, report: Option<&str>| ViolatingContainer {
            name: container.name.to_owned(),
            kind: container.kind,
            reference: reference.map_or_else(|| container.image.to_owned(), Reference::to_string),
            image: image.cloned(),
            report: report.map(str::to_owned),
        };
        for rule in &self.policy.rules {
            if let CompiledBody::Workload(workload) = &rule.body
                && let Some(reason) = workload.test_container(container)
            {
                self.violate(Hold::new(&rule.name, Action::Deny, reason), Some(named(None, None)), None);
            }
        }
        let policy = self.policy;
        for hold in policy.judge_reference(question) {
            self.violate(hold, Some(named(None, None)), container.first_ran);
        }
        if reference.is_none() {
            let reason = "its reference cannot be read, so nobody knows which image it is";
            self.state("unscanned", policy.unscanned, reason, named(None, None), container.first_ran);
        } else if container.candidates.is_empty() {
            let reason = "nobody knows which image it stands for";
            self.state("unscanned", policy.unscanned, reason, named(None, None), container.first_ran);
        }
        for candidate in &container.candidates {
            match candidate {
                Candidate::Scanned(scanned) => {
                    let named = named(Some(&scanned.facts.image), scanned.report);
                    self.of_facts(*scanned, question, named, container.first_ran);
                }
                Candidate::Unscanned { digest, reason } => {
                    let reason = format!("it has not been scanned: {reason}");
                    let named = named(digest.as_ref(), None);
                    self.state("unscanned", policy.unscanned, reason, named, container.first_ran);
                }
                Candidate::Unsupported { platform } => {
                    let reason = format!("images for {platform} cannot be scanned");
                    let named = named(None, None);
                    self.state("unsupported", policy.unsupported, reason, named, container.first_ran);
                }
            }
        }
    }

    fn of_facts(
        &mut self,
        scanned: Scanned<'_>,
        question: Question<'_>,
        named: ViolatingContainer,
        first_ran: Option<Timestamp>,
    ) {
        let policy = self.policy;
        let (holds, accepted) = policy.judge_facts(scanned, question);
        for hold in holds {
            self.violate(hold, Some(named.clone()), first_ran);
        }
        self.decision.suppressed.extend(accepted.into_iter().map(|accepted| Suppressed {
            policy: policy.name.clone(),
            rule: accepted.rule.to_owned(),
            exception: accepted.exception.to_owned(),
            reference: named.reference.clone(),
            image: scanned.facts.image.clone(),
            findings: accepted.findings,
        }));
    }

    fn state(
        &mut self,
        field: &str,
        action: Action,
        reason: impl Into<String>,
        named: ViolatingContainer,
        first_ran: Option<Timestamp>,
    ) {
        self.violate(Hold::new(field, action, reason.into()), Some(named), first_ran);
    }

    /// Notes what holds, with the effect that the action, the policy's enforcement and the grace leave it.
    fn violate(
        &mut self,
        hold: Hold<'_>,
        container: Option<ViolatingContainer>,
        first_ran: Option<Timestamp>,
    ) {
        let policy = self.policy;
        let Some(wanted) = hold.action.effect() else { return };
        let full = wanted.min(Effect::from(policy.enforcement));
        let grace_until = first_ran.and_then(|first_ran| {
            let appeared = hold.since.map_or(policy.since, |since| since.max(policy.since));
            let until = appeared.checked_add(policy.existing.grace_period).unwrap_or(Timestamp::MAX);
            (first_ran <= appeared && self.now < until).then_some(until)
        });
        let effect = match grace_until {
            Some(_) => full.min(policy.existing.action.effect().unwrap_or(Effect::Audit)),
            None => full,
        };
        let findings =
            hold.findings.iter().take(Violation::QUOTED).map(|finding| (*finding).clone()).collect();
        self.decision.violations.push(Violation {
            policy: policy.name.clone(),
            rule: hold.rule.to_owned(),
            effect,
            container,
            reason: hold.reason.into_owned(),
            findings,
            more: hold.findings.len().saturating_sub(Violation::QUOTED),
            grace_until: grace_until.filter(|_| effect < full),
        });
    }
}
