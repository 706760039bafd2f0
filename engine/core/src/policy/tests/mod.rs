mod checks;
mod exceptions;
mod grace;
mod messages;
mod monotone;
mod rules;
mod states;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::facts::Trust;
use crate::{Category, Digest, Finding, ImageFacts, Platform, Severity, detector};

/// A fixed now, well after the times that the builders use.
fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn hours_ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

fn finding(severity: Severity) -> Finding {
    Finding {
        detector: "weak-password".into(),
        rule: "linux-account".into(),
        category: Category::WeakPassword,
        severity,
        message: "account root has a weak password (ro****, scheme sha512)".into(),
        path: Some("/etc/shadow".into()),
        layer: Some(Digest::sha256([0xab; 32])),
        attributes: BTreeMap::new(),
    }
}

/// Facts of a young, complete image that runs as its own user and has these findings.
fn facts(findings: Vec<Finding>) -> ImageFacts {
    ImageFacts {
        image: Digest::sha256([0x3f; 32]),
        manifests: Vec::new(),
        indexes: Vec::new(),
        platform: Platform { os: "linux".into(), architecture: "amd64".into(), variant: String::new() },
        created: Some(hours_ago(100)),
        user: "app".into(),
        layers: Vec::new(),
        licenses: None,
        detectors: [("weak-password".to_owned(), "1".to_owned())].into(),
        findings,
        gaps: Vec::new(),
        suppressed: Vec::new(),
        advisories: None,
        error: None,
        judged_at: hours_ago(10),
        scanned_by: "node1".into(),
        trust: Trust::Blobs,
    }
}

/// A policy of a thousand hours ago with one rule.
fn spec(body: Body) -> PolicySpec {
    PolicySpec {
        deny: vec![Rule { name: "planted".into(), body }],
        ..PolicySpec::new("baseline", hours_ago(1000))
    }
}

fn weak_passwords() -> PolicySpec {
    spec(Body::Finding(FindingSelector { categories: vec![Category::WeakPassword], ..Default::default() }))
}

fn compile(spec: &PolicySpec) -> Policy {
    Policy::compile(spec).unwrap()
}

/// A container `web` whose image is one of the candidates.
fn container<'a>(image: &'a str, candidates: Vec<Candidate<'a>>) -> Container<'a> {
    Container {
        name: "web",
        kind: ContainerKind::Container,
        image,
        privileged: false,
        added_capabilities: Vec::new(),
        run_as: RunAs::default(),
        candidates,
        first_ran: None,
    }
}

fn scanned(facts: &ImageFacts) -> Candidate<'_> {
    Candidate::Scanned(Scanned::new(facts))
}

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();

fn request<'a>(containers: Vec<Container<'a>>) -> Request<'a> {
    Request {
        namespace: "shop",
        namespace_labels: &NO_LABELS,
        pod_labels: &NO_LABELS,
        pod: Pod::default(),
        containers,
    }
}

/// Judges a pod with one container of an image with these facts.
fn judge(spec: &PolicySpec, facts: &ImageFacts) -> Decision {
    decide(
        [&compile(spec)],
        &request(vec![container("registry.example.com/shop/web:1.4", vec![scanned(facts)])]),
        now(),
    )
}

/// The rules that hold, each with its effect.
fn held(decision: &Decision) -> Vec<(&str, Effect)> {
    decision.violations.iter().map(|violation| (violation.rule.as_str(), violation.effect)).collect()
}

/// A flaw of dash, known for a month, which goes by two other names; `more` adds attributes or replaces them.
fn flaw(id: &str, more: &[(&str, &str)]) -> Finding {
    let attributes = [
        ("id", id),
        ("aliases", "GHSA-1 DSA-1-1"),
        ("package", "dash"),
        ("published", "2026-05-01T00:00:00Z"),
    ];
    let attributes =
        attributes.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Finding {
        detector: "vulnerability".into(),
        rule: "package".into(),
        category: Category::Vulnerability,
        attributes: attributes.collect(),
        ..finding(Severity::High)
    }
}

/// What a scan with advisories gave.
fn flaws(findings: Vec<Finding>) -> ImageFacts {
    let mut facts = facts(findings);
    facts.detectors.insert("vulnerability".into(), "advisories of 2026-05-31".into());
    facts
}

#[test]
fn a_clean_image_passes_and_a_finding_refuses_it() {
    assert_eq!(judge(&weak_passwords(), &facts(vec![])), Decision::default());
    let decision = judge(&weak_passwords(), &facts(vec![finding(Severity::High)]));
    assert_eq!(held(&decision), [("planted", Effect::Deny)]);
    assert!(decision.is_denied());
}

#[test]
fn every_candidate_of_a_container_is_judged() {
    let (clean, risky) = (facts(vec![]), facts(vec![finding(Severity::High)]));
    let request = request(vec![container("web", vec![scanned(&clean), scanned(&risky)])]);
    assert!(decide([&compile(&weak_passwords())], &request, now()).is_denied());
}

#[test]
fn every_kind_of_container_is_judged() {
    let risky = facts(vec![finding(Severity::High)]);
    for kind in
        [ContainerKind::Container, ContainerKind::Init, ContainerKind::Ephemeral, ContainerKind::Volume]
    {
        let container = Container { kind, ..container("web", vec![scanned(&risky)]) };
        assert!(
            decide([&compile(&weak_passwords())], &request(vec![container]), now()).is_denied(),
            "{kind:?}"
        );
    }
}

#[test]
fn each_policy_is_tested_for_itself_and_the_worst_counts() {
    let risky = facts(vec![finding(Severity::High)]);
    let audit = PolicySpec { name: "audit".into(), enforcement: Enforcement::Audit, ..weak_passwords() };
    let warn = PolicySpec { name: "warn".into(), enforcement: Enforcement::Warn, ..weak_passwords() };
    let policies = [compile(&audit), compile(&weak_passwords()), compile(&warn)];
    let request = request(vec![container("web", vec![scanned(&risky)])]);
    let decision = decide(&policies, &request, now());
    let said: Vec<_> =
        decision.violations.iter().map(|violation| (violation.policy.as_str(), violation.effect)).collect();
    assert_eq!(said, [("baseline", Effect::Deny), ("warn", Effect::Warn), ("audit", Effect::Audit)]);
    assert_eq!(decide(&policies[..1], &request, now()).effect(), Some(Effect::Audit));
}
