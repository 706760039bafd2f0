//! What must hold whatever the policy and the image: more evidence never makes a decision milder.

use proptest::prelude::*;

use super::*;
use crate::{Gap, GapKind};

fn severities() -> impl Strategy<Value = Severity> {
    proptest::sample::select(Severity::ALL.to_vec())
}

fn findings() -> impl Strategy<Value = Finding> {
    (severities(), any::<bool>(), proptest::sample::select(vec!["/etc/shadow", "/opt/a", "/b"])).prop_map(
        |(severity, group, path)| Finding {
            rule: if group { "linux-group" } else { "linux-account" }.into(),
            path: Some(path.into()),
            ..finding(severity)
        },
    )
}

fn actions() -> impl Strategy<Value = Action> {
    proptest::sample::select(vec![Action::Allow, Action::Warn, Action::Deny])
}

prop_compose! {
    fn selectors()(
        min_severity in proptest::option::of(severities()),
        category in any::<bool>(),
        path in any::<bool>(),
        group in any::<bool>(),
    ) -> FindingSelector {
        FindingSelector {
            categories: if category { vec![Category::WeakPassword] } else { vec![] },
            min_severity: min_severity.or(Some(Severity::Low)),
            rules: if group { vec!["weak-password/linux-group".into()] } else { vec![] },
            paths: if path { vec!["/etc/*".into()] } else { vec![] },
            vulnerabilities: Vec::new(),
        }
    }
}

prop_compose! {
    fn policies()(
        selectors in proptest::collection::vec(selectors(), 1..3),
        accepted in proptest::option::of(selectors()),
        enforcement in proptest::sample::select(vec![Enforcement::Enforce, Enforcement::Warn, Enforcement::Audit]),
        unscanned in actions(),
        incomplete in actions(),
        error in actions(),
        grace in actions(),
        expires in -200i64..200,
        since in 0i64..500,
    ) -> PolicySpec {
        let rules = selectors.into_iter().enumerate();
        PolicySpec {
            enforcement,
            unscanned,
            incomplete,
            error,
            since: hours_ago(since),
            existing: ExistingWorkloads { action: grace, grace_period: SignedDuration::from_hours(100) },
            deny: rules.map(|(n, selector)| Rule { name: format!("r{n}"), body: Body::Finding(selector) }).collect(),
            exceptions: accepted.map(|findings| Exception {
                name: "known".into(),
                findings,
                images: vec!["**".into()],
                namespaces: Vec::new(),
                expires: hours_ago(expires),
                reason: "known".into(),
            }).into_iter().collect(),
            ..PolicySpec::new("any", now())
        }
    }
}

prop_compose! {
    fn images()(
        findings in proptest::collection::vec(findings(), 0..4),
        gap in any::<bool>(),
        failed in any::<bool>(),
        ran in any::<bool>(),
        judged in 0i64..900,
    ) -> ImageFacts {
        ImageFacts {
            gaps: if gap { vec![Gap::of_image(GapKind::Limit, "too much")] } else { vec![] },
            error: failed.then(|| "broken".to_owned()),
            detectors: if ran { [("weak-password".to_owned(), "1".to_owned())].into() } else { BTreeMap::new() },
            judged_at: hours_ago(judged),
            ..facts(findings)
        }
    }
}

fn effect_at(policies: &[PolicySpec], facts: &ImageFacts, ran: Option<i64>, at: Timestamp) -> Option<Effect> {
    let compiled: Vec<Policy> = policies.iter().map(compile).collect();
    let container = Container { first_ran: ran.map(hours_ago), ..container("web", vec![scanned(facts)]) };
    decide(&compiled, &request(vec![container]), at).effect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_more_finding_gap_or_policy_never_makes_it_milder(
        policy in policies(), another in policies(), image in images(), more in findings(), ran in proptest::option::of(0i64..400),
    ) {
        let policies = [policy, another];
        let before = effect_at(&policies[..1], &image, ran, now());
        prop_assert!(effect_at(&policies, &image, ran, now()) >= before);
        let mut worse = image.clone();
        worse.findings.push(more);
        prop_assert!(effect_at(&policies[..1], &worse, ran, now()) >= before);
        let mut worse = image;
        worse.gaps.push(Gap::of_image(GapKind::Crashed, "it died"));
        prop_assert!(effect_at(&policies[..1], &worse, ran, now()) >= before);
    }

    #[test]
    fn time_alone_never_makes_it_milder(
        policy in policies(), image in images(), ran in proptest::option::of(0i64..400), hours in 0i64..500,
    ) {
        let policies = [policy];
        let later = now() + SignedDuration::from_hours(hours);
        prop_assert!(effect_at(&policies, &image, ran, later) >= effect_at(&policies, &image, ran, now()));
    }

    #[test]
    fn an_exception_or_a_grace_never_makes_it_worse(policy in policies(), image in images(), ran in 0i64..400) {
        let without = PolicySpec { exceptions: Vec::new(), ..policy.clone() };
        let effect = |policy: &PolicySpec, ran| effect_at(std::slice::from_ref(policy), &image, ran, now());
        prop_assert!(effect(&policy, None) <= effect(&without, None));
        prop_assert!(effect(&policy, Some(ran)) <= effect(&policy, None));
    }

    #[test]
    fn a_policy_that_does_not_enforce_never_refuses(policy in policies(), image in images()) {
        if policy.enforcement != Enforcement::Enforce {
            prop_assert!(effect_at(&[policy], &image, None, now()) < Some(Effect::Deny));
        }
    }

    #[test]
    fn the_explanation_and_the_decision_agree(policy in policies(), image in images()) {
        let policy = compile(&policy);
        let reference = "docker.io/library/web".parse().unwrap();
        let explained = explain(&policy, Scanned::new(&image), std::slice::from_ref(&reference), now()).unwrap();
        let decided = decide([&policy], &request(vec![container("web", vec![scanned(&image)])]), now());
        prop_assert_eq!(explained.effect, decided.effect());
    }
}
