use rstest::rstest;

use super::*;

fn selector(selector: FindingSelector) -> PolicySpec {
    spec(Body::Finding(selector))
}

#[rstest]
#[case(PolicySpec { detectors: vec!["wifi".into()], ..weak_passwords() }, "no detector `wifi`")]
#[case(selector(FindingSelector { categories: vec![Category::Runtime], ..Default::default() }), "category Runtime")]
#[case(selector(FindingSelector { rules: vec!["weak-password/wifi".into()], ..Default::default() }), "no detector has a rule")]
#[case(PolicySpec { detectors: vec!["wifi".into()], ..weak_passwords() }, "names no detector that gives")]
#[case(PolicySpec { exceptions: vec![Exception {
    name: "old".into(), findings: FindingSelector { min_severity: Some(Severity::Low), ..Default::default() },
    images: vec!["**".into()], namespaces: vec![], expires: hours_ago(1), reason: "x".into() }], ..weak_passwords() }, "exceptions[old].expires: it ended")]
fn what_can_never_hold_is_said(#[case] spec: PolicySpec, #[case] sentence: &str) {
    let found = contradictions(&spec, now());
    assert!(found.iter().any(|said| said.contains(sentence)), "{found:?}");
}

#[test]
fn a_sound_policy_has_no_contradictions() {
    assert_eq!(contradictions(&weak_passwords(), now()), Vec::<String>::new());
}

#[rstest]
#[case(selector(FindingSelector::default()), "deny[planted].finding")]
#[case(selector(FindingSelector { rules: vec!["linux-account".into()], ..Default::default() }), "deny[planted].finding.rules")]
#[case(selector(FindingSelector { paths: vec!["etc".into()], ..Default::default() }), "deny[planted].finding.paths")]
#[case(selector(FindingSelector { paths: vec!["/[".into()], ..Default::default() }), "deny[planted].finding.paths")]
#[case(spec(Body::Vulnerability(VulnerabilityRule::default())), "deny[planted].vulnerability")]
#[case(spec(Body::Vulnerability(VulnerabilityRule { min_epss: Some(40.0), ..Default::default() })), "deny[planted].vulnerability.minEpss")]
#[case(spec(Body::Image(ImageRule::default())), "deny[planted].image")]
#[case(spec(Body::Image(ImageRule { repositories_not_in: vec!["nginx".into()], ..Default::default() })), "deny[planted].image.repositoriesNotIn")]
#[case(spec(Body::Image(ImageRule { max_age: Some(SignedDuration::ZERO), ..Default::default() })), "deny[planted].image.maxAge")]
#[case(spec(Body::Workload(WorkloadRule::default())), "deny[planted].workload")]
#[case(spec(Body::Workload(WorkloadRule { host_paths: vec!["/a**".into()], ..Default::default() })), "deny[planted].workload.hostPaths")]
#[case(PolicySpec { max_scan_age: SignedDuration::ZERO, ..weak_passwords() }, "maxScanAge")]
#[case(PolicySpec { matching: MatchSpec { images: vec!["nginx".into()], ..Default::default() }, ..weak_passwords() }, "match.images")]
#[case(PolicySpec { deny: vec![Rule { name: "error".into(), ..weak_passwords().deny[0].clone() }], ..weak_passwords() }, "deny[error].name")]
fn what_is_malformed_names_its_field(#[case] spec: PolicySpec, #[case] field: &str) {
    assert_eq!(Policy::compile(&spec).unwrap_err().field, field);
}

#[test]
fn the_detectors_that_rules_use_are_known() {
    assert!(compile(&weak_passwords()).used_detectors().contains("weak-password"));
    let any = selector(FindingSelector { min_severity: Some(Severity::High), ..Default::default() });
    assert!(compile(&any).used_detectors().contains("weak-password"));
    let rule = WorkloadRule { privileged: true, ..Default::default() };
    assert!(compile(&spec(Body::Workload(rule))).used_detectors().is_empty());
    let by_age = ImageRule { max_age: Some(SignedDuration::from_hours(1)), ..ImageRule::default() };
    assert!(compile(&spec(Body::Image(by_age))).used_detectors().is_empty());
}

#[test]
fn a_rule_on_the_user_has_its_detector_run_and_waits_for_it() {
    let body = Body::Image(ImageRule { runs_as_root: true, ..ImageRule::default() });
    let secrets = PolicySpec { detectors: vec!["secret".into()], unscanned: Action::Deny, ..spec(body) };
    let policy = Policy::compile(&secrets).unwrap();
    assert!(policy.scan_detectors().iter().eq(&[detector::IMAGE_CONFIG, "secret"]));
    let mut facts = facts(vec![]);
    let is_denied = |facts: &ImageFacts| {
        decide([&policy], &request(vec![container("web", vec![scanned(facts)])]), now()).is_denied()
    };
    assert!(is_denied(&facts), "its accounts were not looked at");
    facts.detectors.insert(detector::IMAGE_CONFIG.into(), "5".into());
    assert!(!is_denied(&facts));
}
