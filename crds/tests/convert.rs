//! Policies as people write them, in core's words.

use jiff::{SignedDuration, Timestamp};
use pratique_core::policy::{self, Body, Policy, contradictions};
use pratique_core::{Category, Severity};
use pratique_crds::ScanPolicy;
use rstest::rstest;

fn read(yaml: &str) -> ScanPolicy {
    serde_yaml::from_str(yaml).expect(yaml)
}

fn with_spec(spec: &str) -> ScanPolicy {
    read(&format!(
        "{{apiVersion: pratique.dev/v1alpha1, kind: ScanPolicy, metadata: {{name: p}}, spec: {spec}}}"
    ))
}

#[test]
fn a_full_policy_keeps_every_field() {
    let spec = read(include_str!("../testdata/baseline.yaml")).to_policy().unwrap();
    assert_eq!(spec.name, "baseline");
    assert_eq!(spec.enforcement, policy::Enforcement::Enforce);
    assert_eq!(spec.matching.images, ["*/**"]);
    assert_ne!(spec.matching.namespaces, policy::Selector::default());
    assert_eq!(spec.detectors, ["*"]);
    assert_eq!(spec.max_scan_age, SignedDuration::from_hours(720));
    assert_eq!(spec.existing.grace_period, SignedDuration::from_hours(168));
    assert_eq!(spec.unsupported, policy::Action::Allow);
    let [planted, origin, escape] = spec.deny.as_slice() else { panic!("{:?}", spec.deny) };
    assert!(matches!(&planted.body, Body::Finding(rule) if rule.categories == [Category::WeakPassword]
        && rule.min_severity == Some(Severity::Low)));
    assert!(
        matches!(&origin.body, Body::Image(rule) if rule.runs_as_root && rule.repositories_not_in.len() == 1
        && rule.max_age == Some(SignedDuration::from_hours(8760)))
    );
    assert!(matches!(&escape.body, Body::Workload(rule) if rule.privileged && rule.host_namespaces
        && rule.host_paths == ["/var/run/*", "/"] && rule.added_capabilities == ["SYS_ADMIN"]));
    let [exception] = spec.exceptions.as_slice() else { panic!("{:?}", spec.exceptions) };
    assert_eq!(exception.expires, "2027-01-31T00:00:00Z".parse().unwrap());
    assert_eq!(exception.findings.rules, ["weak-password/linux-account"]);
    Policy::compile(&spec).unwrap();
    assert_eq!(contradictions(&spec, "2026-06-01T00:00:00Z".parse().unwrap()), Vec::<String>::new());
}

#[test]
fn a_rule_on_flaws_keeps_every_field() {
    let spec = with_spec(
        "{deny: [{name: flaws, vulnerability: {minSeverity: High, fixAvailable: false, minAge: 24h, knownExploited: true, \
         minEpss: 0.25, minCount: 3, ids: [CVE-2026-1], packages: [dash]}}]}",
    );
    let spec = spec.to_policy().unwrap();
    let Body::Vulnerability(rule) = &spec.deny[0].body else { panic!("{:?}", spec.deny) };
    let whole = policy::VulnerabilityRule {
        min_severity: Some(Severity::High),
        fix_available: Some(false),
        min_age: Some(SignedDuration::from_hours(24)),
        known_exploited: true,
        min_epss: Some(0.25),
        min_count: Some(3),
        ids: vec!["CVE-2026-1".to_owned()],
        packages: vec!["dash".to_owned()],
    };
    assert_eq!(*rule, whole);
    Policy::compile(&spec).unwrap();
    for (rule, field) in [("minAge: soon", "minAge"), ("minCount: -1", "minCount")] {
        let spec = with_spec(&format!("{{deny: [{{name: flaws, vulnerability: {{{rule}}}}}]}}"));
        assert!(spec.to_policy().unwrap_err().field.contains(field), "{rule}");
    }
}

#[test]
fn what_is_left_out_has_the_defaults_of_core() {
    let (read, own) = (with_spec("{}").to_policy().unwrap(), policy::PolicySpec::new("p", Timestamp::MIN));
    assert_eq!(format!("{read:?}"), format!("{own:?}"));
}

#[rstest]
#[case("{maxScanAge: 30d}", "maxScanAge")]
#[case("{maxScanAge: -5h}", "maxScanAge")]
#[case("{existingWorkloads: {gracePeriod: soon}}", "existingWorkloads.gracePeriod")]
#[case("{deny: [{name: a}]}", "deny[a]")]
#[case("{deny: [{name: a, image: {runsAsRoot: true}, finding: {minSeverity: Low}}]}", "deny[a]")]
#[case("{deny: [{name: a, image: {maxAge: old}}]}", "deny[a].image.maxAge")]
#[case("{match: {objectSelector: {matchExpressions: [{key: a, operator: In}]}}}", "match.objectSelector")]
fn what_is_wrong_names_its_field(#[case] spec: &str, #[case] field: &str) {
    assert_eq!(with_spec(spec).to_policy().unwrap_err().field, field);
}

#[test]
fn a_policy_is_in_force_since_its_last_change() {
    let dated = |fields: &str| {
        let yaml = format!(
            "{{apiVersion: pratique.dev/v1alpha1, kind: ScanPolicy, spec: {{}}, metadata: {{name: p, \
             creationTimestamp: '2026-01-01T00:00:00Z', managedFields: [{fields}]}}}}"
        );
        read(&yaml).to_policy().unwrap().since.to_string()
    };
    assert_eq!(dated(""), "2026-01-01T00:00:00Z");
    assert_eq!(dated("{manager: kubectl, time: '2026-02-01T00:00:00Z'}"), "2026-02-01T00:00:00Z");
    assert_eq!(
        dated("{manager: operator, subresource: status, time: '2026-03-01T00:00:00Z'}"),
        "2026-01-01T00:00:00Z"
    );
}
