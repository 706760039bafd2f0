use rstest::rstest;

use super::*;

fn exception() -> Exception {
    Exception {
        name: "known".into(),
        findings: FindingSelector { rules: vec!["weak-password/linux-account".into()], ..Default::default() },
        images: vec!["registry.example.com/shop/*".into()],
        namespaces: Vec::new(),
        expires: hours_ago(-1),
        reason: "replaced next week".into(),
    }
}

fn with(exception: Exception) -> PolicySpec {
    PolicySpec { exceptions: vec![exception], ..weak_passwords() }
}

#[rstest]
#[case::all_hold(exception(), false)]
#[case::ended(Exception { expires: now(), ..exception() }, true)]
#[case::another_image(Exception { images: vec!["quay.io/**".into()], ..exception() }, true)]
#[case::another_finding(Exception { findings: FindingSelector { paths: vec!["/opt/**".into()], ..Default::default() }, ..exception() }, true)]
#[case::this_namespace(Exception { namespaces: vec!["shop".into()], ..exception() }, false)]
#[case::another_namespace(Exception { namespaces: vec!["bank".into()], ..exception() }, true)]
fn an_exception_accepts_what_it_names(#[case] exception: Exception, #[case] refused: bool) {
    let decision = judge(&with(exception), &facts(vec![finding(Severity::High)]));
    assert_eq!(decision.is_denied(), refused, "{decision:?}");
    assert_eq!(decision.suppressed.len(), usize::from(!refused));
}

#[test]
fn what_is_accepted_stays_visible_and_the_rest_refuses() {
    let group = Finding { rule: "linux-group".into(), ..finding(Severity::Low) };
    let decision = judge(
        &with(exception()),
        &facts(vec![finding(Severity::High), group.clone(), finding(Severity::Critical)]),
    );
    assert_eq!(decision.violations[0].findings, [group]);
    let suppressed = &decision.suppressed[0];
    assert_eq!(
        (suppressed.rule.as_str(), suppressed.exception.as_str(), suppressed.findings),
        ("planted", "known", 2)
    );
}

#[test]
fn an_explanation_knows_no_namespace() {
    let risky = facts(vec![finding(Severity::High)]);
    let reference = "registry.example.com/shop/web".parse().unwrap();
    let names = std::slice::from_ref(&reference);
    let explain =
        |exception| explain(&compile(&with(exception)), Scanned::new(&risky), names, now()).unwrap();
    let everywhere = explain(exception());
    assert_eq!((everywhere.effect, everywhere.exceptions.as_slice()), (None, &["known".to_owned()][..]));
    let in_one = explain(Exception { namespaces: vec!["shop".into()], ..exception() });
    assert_eq!(in_one.effect, Some(Effect::Deny));
    assert!(
        in_one.reasons[0].starts_with("planted: WeakPassword High: account root"),
        "{:?}",
        in_one.reasons
    );
}

#[test]
fn an_explanation_is_of_the_references_that_the_policy_names() {
    let risky = facts(vec![finding(Severity::High)]);
    let matching = MatchSpec { images: vec!["quay.io/**".into()], ..Default::default() };
    let policy = compile(&PolicySpec { matching, ..weak_passwords() });
    let names = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
    assert_eq!(explain(&policy, Scanned::new(&risky), &names(&["nginx"]), now()), None);
    let both = explain(&policy, Scanned::new(&risky), &names(&["nginx", "quay.io/a/b"]), now()).unwrap();
    assert_eq!(both.effect, Some(Effect::Deny));
    assert!(explain(&policy, Scanned::new(&risky), &[], now()).is_some());
}

#[test]
fn exceptions_that_end_soon_are_named() {
    let policy = compile(&PolicySpec {
        exceptions: vec![
            exception(),
            Exception { name: "ended".into(), expires: hours_ago(1), ..exception() },
            Exception { name: "later".into(), expires: hours_ago(-1000), ..exception() },
        ],
        ..weak_passwords()
    });
    let ending: Vec<_> = policy.exceptions_ending(now(), SignedDuration::from_hours(168)).collect();
    assert_eq!(ending, [("known", hours_ago(-1))]);
}
