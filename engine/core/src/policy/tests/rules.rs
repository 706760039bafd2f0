use rstest::rstest;

use super::*;

fn selector() -> FindingSelector {
    FindingSelector::default()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[rstest]
#[case::category(FindingSelector { categories: vec![Category::WeakPassword], ..selector() }, true)]
#[case::another_category(FindingSelector { categories: vec![Category::Malware], ..selector() }, false)]
#[case::one_of_categories(FindingSelector { categories: vec![Category::Malware, Category::WeakPassword], ..selector() }, true)]
#[case::its_severity(FindingSelector { min_severity: Some(Severity::High), ..selector() }, true)]
#[case::a_lower_minimum(FindingSelector { min_severity: Some(Severity::Low), ..selector() }, true)]
#[case::a_higher_minimum(FindingSelector { min_severity: Some(Severity::Critical), ..selector() }, false)]
#[case::rule(FindingSelector { rules: strings(&["weak-password/linux-account"]), ..selector() }, true)]
#[case::another_rule(FindingSelector { rules: strings(&["weak-password/linux-group"]), ..selector() }, false)]
#[case::another_detector(FindingSelector { rules: strings(&["other/linux-account"]), ..selector() }, false)]
#[case::path(FindingSelector { paths: strings(&["/etc/shadow"]), ..selector() }, true)]
#[case::path_glob(FindingSelector { paths: strings(&["/etc/*"]), ..selector() }, true)]
#[case::path_anywhere(FindingSelector { paths: strings(&["**/shadow"]), ..selector() }, true)]
#[case::a_star_stops_at_a_slash(FindingSelector { paths: strings(&["/*"]), ..selector() }, false)]
#[case::another_path(FindingSelector { paths: strings(&["/etc/passwd"]), ..selector() }, false)]
#[case::all_hold(FindingSelector { categories: vec![Category::WeakPassword], min_severity: Some(Severity::Low), rules: strings(&["weak-password/linux-account"]), paths: strings(&["/etc/**"]), ..selector() }, true)]
#[case::one_of_all_fails(FindingSelector { categories: vec![Category::WeakPassword], min_severity: Some(Severity::Low), rules: strings(&["weak-password/linux-account"]), paths: strings(&["/opt/**"]), ..selector() }, false)]
fn a_finding_satisfies_every_field(#[case] selector: FindingSelector, #[case] holds: bool) {
    let decision = judge(&spec(Body::Finding(selector)), &facts(vec![finding(Severity::High)]));
    assert_eq!(decision.is_denied(), holds, "{decision:?}");
}

#[test]
fn unknown_severity_satisfies_no_minimum_and_no_path_satisfies_no_glob() {
    let unknown = facts(vec![Finding { path: None, ..finding(Severity::Unknown) }]);
    let lowest = FindingSelector { min_severity: Some(Severity::Negligible), ..selector() };
    assert!(!judge(&spec(Body::Finding(lowest)), &unknown).is_denied());
    let anywhere = FindingSelector { paths: strings(&["/**"]), ..selector() };
    assert!(!judge(&spec(Body::Finding(anywhere)), &unknown).is_denied());
    assert!(judge(&weak_passwords(), &unknown).is_denied());
}

fn image_rule(rule: ImageRule) -> Policy {
    compile(&spec(Body::Image(rule)))
}

#[rstest]
#[case(&["registry.example.com/**"], "registry.example.com/shop/web:1", false)]
#[case(&["registry.example.com/**"], "nginx", true)]
#[case(&["registry.example.com/**", "docker.io/library/*"], "nginx", false)]
#[case(&["registry.example.com/**"], "registry.example.com.evil.org/web", true)]
#[case(&["registry.example.com/**"], "No Reference", true)]
fn an_image_comes_from_an_allowed_repository(
    #[case] allowed: &[&str],
    #[case] image: &str,
    #[case] refused: bool,
) {
    let policy = image_rule(ImageRule { repositories_not_in: strings(allowed), ..Default::default() });
    let clean = facts(vec![]);
    let decision = decide([&policy], &request(vec![container(image, vec![scanned(&clean)])]), now());
    assert_eq!(decision.is_denied(), refused, "{decision:?}");
}

#[rstest]
#[case::image_user("", RunAs::default(), ContainerKind::Container, true)]
#[case::image_root_by_name("root:app", RunAs::default(), ContainerKind::Init, true)]
#[case::image_root_by_number("0:0", RunAs::default(), ContainerKind::Ephemeral, true)]
#[case::image_other("app", RunAs::default(), ContainerKind::Container, false)]
#[case::pod_sets_another("", RunAs { user: Some(1000), non_root: false }, ContainerKind::Container, false)]
#[case::pod_sets_root("app", RunAs { user: Some(0), non_root: false }, ContainerKind::Container, true)]
#[case::pod_forbids_root("", RunAs { user: None, non_root: true }, ContainerKind::Container, false)]
#[case::volumes_run_nothing("", RunAs::default(), ContainerKind::Volume, false)]
fn the_user_is_the_pods_or_else_the_images(
    #[case] user: &str,
    #[case] run_as: RunAs,
    #[case] kind: ContainerKind,
    #[case] refused: bool,
) {
    let policy = image_rule(ImageRule { runs_as_root: true, ..Default::default() });
    let facts = ImageFacts { user: user.into(), ..facts(vec![]) };
    let container = Container { kind, run_as, ..container("web", vec![scanned(&facts)]) };
    assert_eq!(decide([&policy], &request(vec![container]), now()).is_denied(), refused);
}

#[rstest]
#[case::found(detector::IMAGE_CONFIG, detector::RUNS_AS_ROOT, None, true)]
#[case::of_another_rule(detector::IMAGE_CONFIG, "moving-base", None, false)]
#[case::of_another_detector("weak-password", detector::RUNS_AS_ROOT, None, false)]
#[case::pod_sets_another(detector::IMAGE_CONFIG, detector::RUNS_AS_ROOT, Some(1000), false)]
fn a_user_whom_the_images_accounts_make_root_is_root(
    #[case] by: &str,
    #[case] rule: &str,
    #[case] pods: Option<i64>,
    #[case] refused: bool,
) {
    let policy = image_rule(ImageRule { runs_as_root: true, ..Default::default() });
    let found = Finding { detector: by.into(), rule: rule.into(), ..finding(Severity::Negligible) };
    let facts = ImageFacts { user: "app".into(), ..facts(vec![found]) };
    let run_as = RunAs { user: pods, non_root: false };
    let container = Container { run_as, ..container("web", vec![scanned(&facts)]) };
    assert_eq!(decide([&policy], &request(vec![container]), now()).is_denied(), refused);
}

#[rstest]
#[case(Some(hours_ago(99)), false)]
#[case(Some(hours_ago(100)), false)]
#[case(Some(hours_ago(101)), true)]
#[case(Some(Timestamp::UNIX_EPOCH), true)]
#[case(None, true)]
fn an_image_is_young_enough_and_says_so(#[case] created: Option<Timestamp>, #[case] refused: bool) {
    let rule = ImageRule { max_age: Some(SignedDuration::from_hours(100)), ..Default::default() };
    let decision = judge(&spec(Body::Image(rule)), &ImageFacts { created, ..facts(vec![]) });
    assert_eq!(decision.is_denied(), refused, "{decision:?}");
}

fn no_escape() -> WorkloadRule {
    WorkloadRule {
        privileged: true,
        host_namespaces: true,
        host_paths: strings(&["/", "/var/run/*"]),
        added_capabilities: strings(&["SYS_ADMIN", "CAP_NET_RAW"]),
    }
}

#[rstest]
#[case::nothing(Pod::default(), false)]
#[case::pid(Pod { host_pid: true, ..Pod::default() }, true)]
#[case::ipc(Pod { host_ipc: true, ..Pod::default() }, true)]
#[case::network(Pod { host_network: true, ..Pod::default() }, true)]
#[case::root(Pod { host_paths: vec![HostPath { volume: "v", path: "/" }], ..Pod::default() }, true)]
#[case::root_in_other_words(Pod { host_paths: vec![HostPath { volume: "v", path: "//./" }], ..Pod::default() }, true)]
#[case::socket(Pod { host_paths: vec![HostPath { volume: "v", path: "/var/run/docker.sock" }], ..Pod::default() }, true)]
#[case::socket_in_other_words(Pod { host_paths: vec![HostPath { volume: "v", path: "/var//run/./docker.sock/" }], ..Pod::default() }, true)]
#[case::deeper(Pod { host_paths: vec![HostPath { volume: "v", path: "/var/run/a/b" }], ..Pod::default() }, false)]
#[case::elsewhere(Pod { host_paths: vec![HostPath { volume: "v", path: "/data" }], ..Pod::default() }, false)]
#[case::the_second_volume(Pod { host_paths: vec![HostPath { volume: "v", path: "/data" }, HostPath { volume: "w", path: "/" }], ..Pod::default() }, true)]
fn a_pod_asks_for_too_much_of_the_node(#[case] pod: Pod<'_>, #[case] refused: bool) {
    let clean = facts(vec![]);
    let request = Request { pod, ..request(vec![container("web", vec![scanned(&clean)])]) };
    let decision = decide([&compile(&spec(Body::Workload(no_escape())))], &request, now());
    assert_eq!(decision.is_denied(), refused, "{decision:?}");
}

#[rstest]
#[case(&["SYS_ADMIN"], &["SYS_ADMIN"], true)]
#[case(&["SYS_ADMIN"], &["CAP_SYS_ADMIN"], true)]
#[case(&["CAP_SYS_ADMIN"], &["SYS_ADMIN"], true)]
#[case(&["SYS_ADMIN"], &["sys_admin"], true)]
#[case(&["SYS_ADMIN"], &["NET_RAW"], false)]
#[case(&["SYS_ADMIN"], &["NET_RAW", "ALL"], true)]
#[case(&["ALL"], &["NET_RAW"], true)]
#[case(&["ALL"], &[], false)]
fn capabilities_are_compared_by_meaning(
    #[case] rule: &[&str],
    #[case] added: &[&str],
    #[case] refused: bool,
) {
    let rule = WorkloadRule { added_capabilities: strings(rule), ..Default::default() };
    let clean = facts(vec![]);
    let container =
        Container { added_capabilities: added.to_vec(), ..container("web", vec![scanned(&clean)]) };
    let decision = decide([&compile(&spec(Body::Workload(rule)))], &request(vec![container]), now());
    assert_eq!(decision.is_denied(), refused, "{decision:?}");
}

#[test]
fn a_privileged_container_is_refused_where_the_policy_speaks_of_its_image() {
    let clean = facts(vec![]);
    let privileged = Container { privileged: true, ..container("docker.io/a/b", vec![scanned(&clean)]) };
    let request = request(vec![privileged]);
    let rule = || spec(Body::Workload(WorkloadRule { privileged: true, ..Default::default() }));
    assert!(decide([&compile(&rule())], &request, now()).is_denied());
    let matching = MatchSpec { exclude_images: strings(&["docker.io/a/*"]), ..Default::default() };
    assert!(!decide([&compile(&PolicySpec { matching, ..rule() })], &request, now()).is_denied());
}

#[rstest]
#[case(&[], &[], true)]
#[case(&["docker.io/library/*"], &[], true)]
#[case(&["quay.io/**"], &[], false)]
#[case(&["**"], &["docker.io/library/nginx:1"], false)]
#[case(&["**"], &["docker.io/library/nginx:2"], true)]
fn a_policy_speaks_of_the_images_it_names(
    #[case] images: &[&str],
    #[case] excluded: &[&str],
    #[case] speaks: bool,
) {
    let matching =
        MatchSpec { images: strings(images), exclude_images: strings(excluded), ..Default::default() };
    let risky = facts(vec![finding(Severity::High)]);
    let request = request(vec![container("nginx:1", vec![scanned(&risky)])]);
    let policy = compile(&PolicySpec { matching, ..weak_passwords() });
    assert_eq!(decide([&policy], &request, now()).is_denied(), speaks);
}

#[rstest]
#[case(Operator::In, &["a", "b"], Some("b"), true)]
#[case(Operator::In, &["a"], Some("b"), false)]
#[case(Operator::In, &["a"], None, false)]
#[case(Operator::NotIn, &["a"], Some("b"), true)]
#[case(Operator::NotIn, &["a"], Some("a"), false)]
#[case(Operator::NotIn, &["a"], None, true)]
#[case(Operator::Exists, &[], Some(""), true)]
#[case(Operator::Exists, &[], None, false)]
#[case(Operator::DoesNotExist, &[], Some("a"), false)]
#[case(Operator::DoesNotExist, &[], None, true)]
fn selectors_select_as_in_kubernetes(
    #[case] operator: Operator,
    #[case] values: &[&str],
    #[case] label: Option<&str>,
    #[case] selected: bool,
) {
    let requirement = Requirement { key: "team".into(), operator, values: strings(values) };
    let selector = Selector::new(vec![requirement]).unwrap();
    let labels: BTreeMap<String, String> =
        label.map(|value| ("team".to_owned(), value.to_owned())).into_iter().collect();
    assert_eq!(selector.selects(&labels), selected);
    let risky = facts(vec![finding(Severity::High)]);
    for (namespaces, objects) in [(selector.clone(), Selector::default()), (Selector::default(), selector)] {
        let by_namespace = namespaces != Selector::default();
        let matching = MatchSpec { namespaces, objects, ..Default::default() };
        let policy = compile(&PolicySpec { matching, ..weak_passwords() });
        let mut request = request(vec![container("web", vec![scanned(&risky)])]);
        *(if by_namespace { &mut request.namespace_labels } else { &mut request.pod_labels }) = &labels;
        assert_eq!(decide([&policy], &request, now()).is_denied(), selected);
    }
}

#[test]
fn a_selector_needs_values_where_its_operator_does() {
    for (operator, values) in [(Operator::In, &[][..]), (Operator::NotIn, &[]), (Operator::Exists, &["a"])] {
        let requirement = Requirement { key: "team".into(), operator, values: strings(values) };
        assert!(Selector::new(vec![requirement]).is_err(), "{operator:?}");
    }
}

fn any() -> VulnerabilityRule {
    VulnerabilityRule::default()
}

#[rstest]
#[case::severity(VulnerabilityRule { min_severity: Some(Severity::High), ..any() }, true)]
#[case::a_higher_minimum(VulnerabilityRule { min_severity: Some(Severity::Critical), ..any() }, false)]
#[case::a_fix(VulnerabilityRule { fix_available: Some(true), ..any() }, true)]
#[case::no_fix(VulnerabilityRule { fix_available: Some(false), ..any() }, false)]
#[case::age(VulnerabilityRule { min_age: Some(SignedDuration::from_hours(24 * 31)), ..any() }, true)]
#[case::too_young(VulnerabilityRule { min_age: Some(SignedDuration::from_hours(24 * 32)), ..any() }, false)]
#[case::exploited(VulnerabilityRule { known_exploited: true, ..any() }, true)]
#[case::epss(VulnerabilityRule { min_epss: Some(0.4), ..any() }, true)]
#[case::higher_epss(VulnerabilityRule { min_epss: Some(0.41), ..any() }, false)]
#[case::one_is_enough(VulnerabilityRule { min_count: Some(1), ..any() }, true)]
#[case::two_are_not(VulnerabilityRule { min_count: Some(2), ..any() }, false)]
#[case::id(VulnerabilityRule { ids: strings(&["CVE-2026-1"]), ..any() }, true)]
#[case::lower_case(VulnerabilityRule { ids: strings(&["cve-2026-1"]), ..any() }, true)]
#[case::alias(VulnerabilityRule { ids: strings(&["CVE-1", "GHSA-1"]), ..any() }, true)]
#[case::another_id(VulnerabilityRule { ids: strings(&["CVE-2026-11", "GHSA"]), ..any() }, false)]
#[case::package(VulnerabilityRule { packages: strings(&["dash"]), ..any() }, true)]
#[case::another_package(VulnerabilityRule { packages: strings(&["das"]), ..any() }, false)]
#[case::all_hold(VulnerabilityRule { min_severity: Some(Severity::Low), known_exploited: true, packages: strings(&["dash"]), ..any() }, true)]
#[case::one_fails(VulnerabilityRule { min_severity: Some(Severity::Low), known_exploited: true, packages: strings(&["bash"]), ..any() }, false)]
fn a_flaw_satisfies_every_field(#[case] rule: VulnerabilityRule, #[case] holds: bool) {
    let spec = spec(Body::Vulnerability(rule));
    assert_eq!(contradictions(&spec, now()), Vec::<String>::new());
    let more = [("fixed", "2"), ("knownExploited", "2026-05-02"), ("epss", "0.40000")];
    // The same flaw of the same package at two places is one; another category's finding is none.
    let found = vec![flaw("CVE-2026-1", &more), flaw("CVE-2026-1", &more), finding(Severity::Critical)];
    assert_eq!(judge(&spec, &flaws(found)).is_denied(), holds);
}

#[test]
fn a_flaw_of_which_little_is_known_is_neither_exploited_nor_likely_nor_new() {
    let unknown = |rule| {
        let mut finding = flaw("CVE-2026-1", &[]);
        finding.attributes.remove("published");
        judge(&spec(Body::Vulnerability(rule)), &flaws(vec![finding])).is_denied()
    };
    assert!(!unknown(VulnerabilityRule { known_exploited: true, ..any() }));
    assert!(!unknown(VulnerabilityRule { min_epss: Some(0.0), ..any() }));
    assert!(!unknown(VulnerabilityRule { fix_available: Some(true), ..any() }));
    assert!(unknown(VulnerabilityRule { min_age: Some(SignedDuration::from_hours(1)), ..any() }));
}

#[test]
fn an_image_whose_packages_nobody_matched_is_unscanned_for_rules_on_flaws_and_their_gaps_count() {
    let spec = spec(Body::Vulnerability(VulnerabilityRule { known_exploited: true, ..any() }));
    let decision = judge(&spec, &facts(vec![]));
    assert_eq!(decision.violations[0].rule, "unscanned");
    let mut facts = flaws(vec![]);
    assert_eq!(judge(&spec, &facts).violations, []);
    let gap = crate::Gap::of_image(crate::GapKind::Unsupported, "no advisories of PyPI");
    facts.gaps.push(crate::Gap { detector: Some("vulnerability".into()), ..gap });
    assert_eq!(judge(&spec, &facts).violations[0].rule, "incomplete");
}

#[test]
fn old_advisories_are_none_for_rules_on_flaws_and_nobodys_business_else() {
    let mut on_flaws = spec(Body::Vulnerability(VulnerabilityRule { known_exploited: true, ..any() }));
    on_flaws.max_scan_age = SignedDuration::from_hours(48);
    let mut on_findings = spec(Body::Finding(FindingSelector {
        categories: vec![Category::WeakPassword],
        ..Default::default()
    }));
    on_findings.max_scan_age = on_flaws.max_scan_age;
    let with = |hours| {
        let mut facts = flaws(vec![]);
        (facts.judged_at, facts.advisories) = (now(), Some(now() - SignedDuration::from_hours(hours)));
        facts
    };
    assert_eq!(judge(&on_flaws, &with(72)).violations, []);
    let old = judge(&on_flaws, &with(73)).violations;
    assert_eq!(old[0].rule, "unscanned");
    assert!(old[0].reason.contains("its advisories are of"), "{}", old[0].reason);
    assert_eq!(judge(&on_findings, &with(73)).violations, []);
}

#[test]
fn an_image_with_a_refused_licence_violates_and_one_whose_licences_nobody_listed_is_unscanned() {
    use crate::license::{Licensed, Licenses};
    let rule = LicenseRule { deny: vec!["AGPL-*".into()], ..Default::default() };
    let mut spec = spec(Body::License(rule));
    spec.unscanned = Action::Deny;
    let with = |text: &str| ImageFacts {
        licenses: Some(Licenses(
            [(text.to_owned(), Licensed { packages: 1, example: "pkg:npm/a@1".into() })].into(),
        )),
        ..facts(Vec::new())
    };
    assert_eq!(judge(&spec, &with("MIT OR AGPL-3.0-only")).effect(), None);
    let decision = judge(&spec, &with("AGPL-3.0-only"));
    let message = decision.message(Effect::Deny, Detail::Full).unwrap();
    assert!(message.contains("rule planted") && message.contains("AGPL-3.0-only (pkg:npm/a@1)"), "{message}");
    let decision = judge(&spec, &facts(Vec::new()));
    let message = decision.message(Effect::Deny, Detail::Full).unwrap();
    assert!(message.contains("did not list licences"), "{message}");
}
