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

/// An exception for a flaw.
fn of_flaws(names: &[&str]) -> Exception {
    let vulnerabilities = names.iter().map(|name| (*name).to_owned()).collect();
    Exception { findings: FindingSelector { vulnerabilities, ..Default::default() }, ..exception() }
}

fn narrowed(findings: FindingSelector) -> Exception {
    let vulnerabilities = vec!["CVE-2026-1".to_owned()];
    Exception { findings: FindingSelector { vulnerabilities, ..findings }, ..exception() }
}

/// The image has CVE-2026-1, which is GHSA-1 too, in dash and in libdash, and CVE-2026-11 in dash.
#[rstest]
#[case::by_its_name(of_flaws(&["CVE-2026-1"]), 2)]
#[case::by_another_of_its_names(of_flaws(&["GHSA-1"]), 2)]
#[case::by_two_of_its_names(of_flaws(&["CVE-2026-1", "GHSA-1"]), 2)]
#[case::all_of_them(of_flaws(&["CVE-2026-1", "CVE-2026-11"]), 3)]
#[case::a_name_that_begins_so(of_flaws(&["CVE-2026-"]), 0)]
#[case::a_pattern_is_no_name(of_flaws(&["CVE-2026-*"]), 0)]
#[case::ended(Exception { expires: now(), ..of_flaws(&["CVE-2026-1"]) }, 0)]
#[case::another_image(Exception { images: vec!["quay.io/**".into()], ..of_flaws(&["CVE-2026-1"]) }, 0)]
#[case::another_namespace(Exception { namespaces: vec!["bank".into()], ..of_flaws(&["CVE-2026-1"]) }, 0)]
#[case::this_namespace(Exception { namespaces: vec!["shop".into()], ..of_flaws(&["CVE-2026-1"]) }, 2)]
#[case::where_it_lies(narrowed(FindingSelector { paths: vec!["/opt/**".into()], ..Default::default() }), 1)]
#[case::where_it_does_not(narrowed(FindingSelector { paths: vec!["/srv/**".into()], ..Default::default() }), 0)]
#[case::as_severe(narrowed(FindingSelector { min_severity: Some(Severity::High), ..Default::default() }), 2)]
#[case::not_so_severe(narrowed(FindingSelector { min_severity: Some(Severity::Critical), ..Default::default() }), 0)]
#[case::its_rule(narrowed(FindingSelector { rules: vec!["vulnerability/package".into()], ..Default::default() }), 2)]
#[case::a_rule_for_other_flaws(narrowed(FindingSelector { rules: vec!["vulnerability/end-of-life".into()], ..Default::default() }), 0)]
#[case::all_flaws(Exception { findings: FindingSelector { categories: vec![Category::Vulnerability], ..Default::default() }, ..exception() }, 3)]
#[case::another_category(Exception { findings: FindingSelector { categories: vec![Category::Malware], ..Default::default() }, ..exception() }, 0)]
fn an_exception_accepts_the_flaws_that_it_names(#[case] exception: Exception, #[case] accepted: usize) {
    let mut elsewhere = flaw("CVE-2026-1", &[("package", "libdash")]);
    elsewhere.path = Some("/opt/libdash/meta.json".into());
    let found =
        flaws(vec![flaw("CVE-2026-1", &[]), elsewhere, flaw("CVE-2026-11", &[("aliases", "GHSA-11")])]);
    // So many different flaws of packages refuse; the rule takes fewer.
    for min_count in 1..=4 {
        let rule = VulnerabilityRule { min_count: Some(min_count), ..Default::default() };
        let spec = PolicySpec { exceptions: vec![exception.clone()], ..spec(Body::Vulnerability(rule)) };
        let decision = judge(&spec, &found);
        assert_eq!(decision.is_denied(), 3 - accepted >= min_count as usize, "{min_count}: {decision:?}");
        assert_eq!(decision.suppressed.iter().map(|one| one.findings).sum::<usize>(), accepted);
    }
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
    let said = format!("known, until {}: replaced next week", hours_ago(-1).strftime("%F"));
    assert_eq!((everywhere.effect, everywhere.exceptions), (None, vec![said]));
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
