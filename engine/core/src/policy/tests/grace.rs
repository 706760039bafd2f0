use rstest::rstest;

use super::*;

/// Judges a risky image whose findings have been known, by a policy that has been in force, and which first ran in the
/// namespace, these many hours ago.
fn judge_known(spec: PolicySpec, known: i64, in_force: i64, ran: Option<i64>) -> Decision {
    let risky = facts(vec![finding(Severity::High)]);
    let candidate = Candidate::Scanned(Scanned { since: hours_ago(known), ..Scanned::new(&risky) });
    let container = Container { first_ran: ran.map(hours_ago), ..container("web", vec![candidate]) };
    let spec = PolicySpec { since: hours_ago(in_force), ..spec };
    decide([&compile(&spec)], &request(vec![container]), now())
}

#[rstest]
#[case::never_ran(10, 1000, None, Effect::Deny)]
#[case::ran_before_the_finding(10, 1000, Some(50), Effect::Warn)]
#[case::ran_when_it_was_found(10, 1000, Some(10), Effect::Warn)]
#[case::ran_only_after_the_finding(10, 1000, Some(9), Effect::Deny)]
#[case::ran_before_the_policy(1000, 10, Some(50), Effect::Warn)]
#[case::ran_only_after_the_policy(1000, 10, Some(9), Effect::Deny)]
#[case::the_grace_still_runs(167, 1000, Some(500), Effect::Warn)]
#[case::the_grace_is_over(168, 1000, Some(500), Effect::Deny)]
#[case::the_later_of_finding_and_policy_counts(500, 100, Some(200), Effect::Warn)]
fn an_image_that_already_ran_has_a_grace(
    #[case] known: i64,
    #[case] in_force: i64,
    #[case] ran: Option<i64>,
    #[case] effect: Effect,
) {
    let decision = judge_known(weak_passwords(), known, in_force, ran);
    assert_eq!(decision.effect(), Some(effect), "{decision:?}");
    assert_eq!(decision.violations[0].grace_until.is_some(), effect == Effect::Warn);
}

#[rstest]
#[case(Action::Allow, Enforcement::Enforce, Effect::Audit)]
#[case(Action::Warn, Enforcement::Enforce, Effect::Warn)]
#[case(Action::Deny, Enforcement::Enforce, Effect::Deny)]
#[case(Action::Warn, Enforcement::Audit, Effect::Audit)]
#[case(Action::Allow, Enforcement::Warn, Effect::Audit)]
fn the_grace_never_makes_an_effect_worse(
    #[case] action: Action,
    #[case] enforcement: Enforcement,
    #[case] effect: Effect,
) {
    let existing = ExistingWorkloads { action, grace_period: SignedDuration::from_hours(168) };
    let spec = PolicySpec { existing, enforcement, ..weak_passwords() };
    assert_eq!(judge_known(spec, 10, 1000, Some(50)).effect(), Some(effect));
}

#[test]
fn a_later_scan_with_the_same_outcome_does_not_start_the_grace_anew() {
    let first = facts(vec![finding(Severity::High)]);
    let again = ImageFacts { judged_at: now(), ..first.clone() };
    let since = known_since(None, &first, first.judged_at);
    assert_eq!(since, first.judged_at);
    assert_eq!(known_since(Some((&first, since)), &again, now()), since);
    let likely = |epss: &str| {
        let mut flaw = finding(Severity::High);
        flaw.attributes.insert("epss".into(), epss.into());
        ImageFacts { judged_at: now(), ..facts(vec![flaw]) }
    };
    let known = Some((&first, since));
    assert_eq!(known_since(known, &likely("0.5"), now()), since, "estimates move every day");
    let worse = ImageFacts { judged_at: now(), ..facts(vec![finding(Severity::Critical)]) };
    assert_eq!(known_since(Some((&first, since)), &worse, now()), now());
}

#[test]
fn age_is_a_violation_from_the_day_it_is_reached() {
    let rule = ImageRule { max_age: Some(SignedDuration::from_hours(500)), ..Default::default() };
    let policy = compile(&spec(Body::Image(rule)));
    let effect = |created: i64| {
        let facts = ImageFacts { created: Some(hours_ago(created)), ..facts(vec![]) };
        let container =
            Container { first_ran: Some(hours_ago(400)), ..container("web", vec![scanned(&facts)]) };
        decide([&policy], &request(vec![container]), now()).effect()
    };
    assert_eq!((effect(510), effect(500 + 168)), (Some(Effect::Warn), Some(Effect::Deny)));
}

#[test]
fn what_a_pod_asks_for_has_no_grace() {
    let clean = facts(vec![]);
    let container = Container {
        privileged: true,
        first_ran: Some(hours_ago(2000)),
        ..container("web", vec![scanned(&clean)])
    };
    let rule = WorkloadRule { privileged: true, ..Default::default() };
    assert!(decide([&compile(&spec(Body::Workload(rule)))], &request(vec![container]), now()).is_denied());
}
