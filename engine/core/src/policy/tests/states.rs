use rstest::rstest;

use super::*;
use crate::{Gap, GapKind};

fn gap(detector: Option<&str>) -> Gap {
    Gap {
        kind: GapKind::Timeout,
        detector: detector.map(str::to_owned),
        path: Some("/etc/shadow-".into()),
        layer: None,
        reason: "its hash takes too long".into(),
    }
}

/// A policy whose fields for states are all `action`.
fn strict(action: Action) -> PolicySpec {
    PolicySpec {
        unscanned: action,
        incomplete: action,
        error: action,
        unsupported: action,
        ..weak_passwords()
    }
}

fn unscanned<'a>() -> Candidate<'a> {
    Candidate::Unscanned { digest: None, reason: "no node has it".into() }
}

fn unsupported<'a>() -> Candidate<'a> {
    let platform = Platform { os: "windows".into(), architecture: "amd64".into(), variant: String::new() };
    Candidate::Unsupported { platform }
}

fn of_candidate(spec: &PolicySpec, candidates: Vec<Candidate<'_>>) -> Decision {
    decide([&compile(spec)], &request(vec![container("web", candidates)]), now())
}

#[rstest]
#[case(Action::Allow, None)]
#[case(Action::Warn, Some(Effect::Warn))]
#[case(Action::Deny, Some(Effect::Deny))]
fn each_state_is_decided_by_its_own_field(#[case] action: Action, #[case] effect: Option<Effect>) {
    let incomplete = ImageFacts { gaps: vec![gap(None)], ..facts(vec![]) };
    let failed = ImageFacts {
        error: Some("no manifest".into()),
        detectors: BTreeMap::new(),
        created: None,
        ..facts(vec![])
    };
    let old = ImageFacts { judged_at: hours_ago(721), ..facts(vec![]) };
    let other_detectors = ImageFacts { detectors: BTreeMap::new(), ..facts(vec![]) };
    let states = [
        ("incomplete", vec![scanned(&incomplete)]),
        ("error", vec![scanned(&failed)]),
        ("unscanned", vec![scanned(&old)]),
        ("unscanned", vec![scanned(&other_detectors)]),
        ("unscanned", vec![unscanned()]),
        ("unscanned", vec![]),
        ("unsupported", vec![unsupported()]),
    ];
    let allowed = strict(Action::Allow);
    for (field, candidates) in states {
        let mut spec = allowed.clone();
        match field {
            "incomplete" => spec.incomplete = action,
            "error" => spec.error = action,
            "unscanned" => spec.unscanned = action,
            _ => spec.unsupported = action,
        }
        let decision = of_candidate(&spec, candidates);
        let expected: Vec<_> = effect.map(|effect| (field, effect)).into_iter().collect();
        assert_eq!(held(&decision), expected, "{field} {action:?}");
    }
}

#[rstest]
#[case(Enforcement::Enforce, Effect::Deny)]
#[case(Enforcement::Warn, Effect::Warn)]
#[case(Enforcement::Audit, Effect::Audit)]
fn nothing_acts_more_than_the_policy_enforces(#[case] enforcement: Enforcement, #[case] most: Effect) {
    let spec = PolicySpec { enforcement, ..strict(Action::Deny) };
    let risky = ImageFacts { gaps: vec![gap(None)], ..facts(vec![finding(Severity::High)]) };
    for candidate in [scanned(&risky), unscanned(), unsupported()] {
        assert_eq!(of_candidate(&spec, vec![candidate]).effect(), Some(most));
    }
}

#[test]
fn a_clean_part_does_not_hide_a_gap_and_a_gap_does_not_hide_a_finding() {
    let both = ImageFacts { gaps: vec![gap(None)], ..facts(vec![finding(Severity::High)]) };
    let decision = judge(&strict(Action::Warn), &both);
    assert_eq!(held(&decision), [("planted", Effect::Deny), ("incomplete", Effect::Warn)]);
}

#[test]
fn only_gaps_of_detectors_that_the_rules_use_count() {
    let of = |detector| ImageFacts { gaps: vec![gap(detector)], ..facts(vec![]) };
    let spec = strict(Action::Deny);
    assert!(judge(&spec, &of(Some("weak-password"))).is_denied());
    assert!(judge(&spec, &of(None)).is_denied());
    assert!(!judge(&spec, &of(Some("another"))).is_denied());
    let no_findings = PolicySpec {
        deny: vec![Rule {
            name: "no-escape".into(),
            body: Body::Workload(WorkloadRule { privileged: true, ..Default::default() }),
        }],
        ..spec
    };
    assert!(!judge(&no_findings, &of(None)).is_denied());
}

#[test]
fn a_scan_is_old_from_the_first_moment_beyond_its_age() {
    let spec = strict(Action::Deny);
    let exactly = ImageFacts { judged_at: hours_ago(720), ..facts(vec![]) };
    assert!(!judge(&spec, &exactly).is_denied());
    let beyond = ImageFacts { judged_at: hours_ago(720) - SignedDuration::from_secs(1), ..facts(vec![]) };
    assert!(judge(&spec, &beyond).is_denied());
    let of_a_fast_clock = ImageFacts { judged_at: hours_ago(-5), ..facts(vec![]) };
    assert!(!judge(&spec, &of_a_fast_clock).is_denied());
}

#[test]
fn findings_of_an_old_scan_still_count() {
    let old = ImageFacts { judged_at: hours_ago(721), ..facts(vec![finding(Severity::High)]) };
    let decision = judge(&strict(Action::Allow), &old);
    assert_eq!(held(&decision), [("planted", Effect::Deny)]);
}

#[test]
fn a_reference_that_cannot_be_read_is_unscanned_for_every_policy() {
    let matching = MatchSpec { images: vec!["quay.io/**".into()], ..Default::default() };
    let policy = compile(&PolicySpec { matching, ..strict(Action::Deny) });
    let decision = decide([&policy], &request(vec![container("No Reference", vec![])]), now());
    assert_eq!(held(&decision), [("unscanned", Effect::Deny)]);
}
