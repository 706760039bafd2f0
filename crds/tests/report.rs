//! Reports: built from facts, and small whatever the facts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pratique_core::facts::Trust;
use pratique_core::lineage::{Base, Evidence};
use pratique_core::package::{Ecosystem, PackageCounts};
use pratique_core::policy::{Effect, Explanation};
use pratique_core::{
    Category, Digest, Finding, Gap, GapKind, ImageFacts, Platform, Reference, Severity, Suppressed,
};
use pratique_crds::scan_report::{self, MAX_STATUS, fit, object_name, report_status};
use proptest::prelude::*;

fn finding(severity: Severity, category: Category, text: &str) -> Finding {
    Finding {
        detector: "weak-password".into(),
        rule: "linux-account".into(),
        category,
        severity,
        message: text.to_owned(),
        path: Some(format!("/etc/{text}")),
        layer: Some(Digest::sha256([5; 32])),
        attributes: [("user".to_owned(), text.to_owned())].into(),
    }
}

fn suppressed(severity: Severity, text: &str) -> Suppressed {
    let finding = finding(severity, Category::Vulnerability, text);
    Suppressed { finding, by: "somebody".into(), reason: format!("{text} does not matter") }
}

fn facts(findings: Vec<Finding>, gaps: Vec<Gap>) -> ImageFacts {
    ImageFacts {
        image: Digest::sha256([0xab; 32]),
        manifests: vec![Digest::sha256([1; 32])],
        indexes: Vec::new(),
        platform: Platform { os: "linux".into(), architecture: "arm".into(), variant: "v7".into() },
        created: None,
        user: String::new(),
        layers: vec![Digest::sha256([5; 32])],
        licenses: None,
        detectors: [("weak-password".to_owned(), "1".to_owned())].into(),
        findings,
        gaps,
        suppressed: vec![],
        advisories: None,
        error: None,
        judged_at: Timestamp::UNIX_EPOCH,
        scanned_by: "node1".into(),
        trust: Trust::Folders,
    }
}

fn explanation(policy: &str, effect: Option<Effect>, reason: &str, count: usize) -> Explanation {
    Explanation { policy: policy.into(), effect, reasons: vec![reason.into(); count], exceptions: Vec::new() }
}

fn size<T: serde::Serialize>(value: &T) -> usize {
    serde_json::to_vec(value).expect("it can be written").len()
}

#[test]
fn a_status_says_what_the_facts_say_worst_first() {
    let mut facts = facts(
        vec![
            finding(Severity::Low, Category::Secret, "b"),
            finding(Severity::Critical, Category::WeakPassword, "a"),
            finding(Severity::High, Category::WeakPassword, "c"),
        ],
        Vec::new(),
    );
    facts.suppressed = [(Severity::Low, "d"), (Severity::Critical, "e")]
        .map(|(severity, text)| suppressed(severity, text))
        .into();
    let reference: Reference = "shop/web:1".parse().unwrap();
    let explanations = [
        explanation("audit", Some(Effect::Audit), "x", 1),
        explanation("baseline", Some(Effect::Deny), "planted: x", 1),
        explanation("calm", None, "", 0),
    ];
    let packages = PackageCounts { total: 5, ecosystems: [(Ecosystem::Go, 2), (Ecosystem::Deb, 3)].into() };
    let status = report_status(&facts, Some(&packages), &[reference], &explanations);
    let counted = status.packages.unwrap();
    assert_eq!(counted.total, 5);
    assert_eq!(counted.by_ecosystem, [("deb".to_owned(), 3), ("golang".to_owned(), 2)].into());
    assert_eq!(status.verdict, Some(scan_report::Verdict::Findings));
    let summary = status.summary.unwrap();
    assert_eq!((summary.total, summary.critical, summary.high, summary.low), (3, 1, 1, 1));
    assert_eq!(summary.text, "2 WeakPassword, 1 Secret");
    let order: Vec<&str> = status.findings.iter().map(|finding| finding.severity.as_str()).collect();
    assert_eq!(order, ["Critical", "High", "Low"]);
    let order: Vec<&str> = status.suppressed.iter().map(|suppressed| suppressed.message.as_str()).collect();
    assert_eq!(order, ["e", "d"]);
    assert_eq!(
        (status.suppressed[0].by.as_str(), status.suppressed[0].reason.as_str()),
        ("somebody", "e does not matter")
    );
    assert_eq!(status.references, ["docker.io/shop/web:1"]);
    assert_eq!(status.policy.as_deref(), Some("Deny (baseline)"));
    let names: Vec<&str> = status.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["baseline", "audit", "calm"]);
    assert_eq!(status.omitted, None);
    assert_eq!(status.trust, Some(scan_report::Trust::Folders));
}

#[test]
fn findings_say_whether_they_come_from_the_base() {
    let layer = |byte: u8| Digest::sha256([byte; 32]);
    let of = |byte: Option<u8>| Finding {
        layer: byte.map(layer),
        ..finding(Severity::High, Category::WeakPassword, "x")
    };
    let findings = vec![of(Some(1)), of(Some(2)), of(None)];
    let facts = ImageFacts { layers: vec![layer(1), layer(2)], ..facts(findings, Vec::new()) };
    let mut status = report_status(&facts, None, &[], &[]);
    assert!(status.base.is_none() && status.findings.iter().all(|finding| finding.from.is_none()));
    let name = Some("docker.io/library/debian:12".to_owned());
    status.set_base(&facts, &Base { name: name.clone(), layers: 1, evidence: Evidence::Layers });
    let from: Vec<_> = status.findings.iter().map(|finding| finding.from).collect();
    assert_eq!(from, [Some(scan_report::Origin::Base), Some(scan_report::Origin::Own), None]);
    assert_eq!(status.base, Some(scan_report::Base { name, layers: 1 }));
}

#[test]
fn what_is_left_out_is_counted() {
    let mut findings = vec![finding(Severity::Low, Category::Secret, "b"); 30];
    findings.push(finding(Severity::Critical, Category::WeakPassword, "a"));
    let gaps = vec![Gap::of_image(GapKind::Limit, "too much"); 25];
    let status = report_status(&facts(findings, gaps), None, &[], &[]);
    let omitted = status.omitted.clone().unwrap();
    assert_eq!(status.findings.len() as i64 + omitted.findings, 31);
    assert_eq!(status.gaps.len() as i64 + omitted.gaps, 25);
    assert_eq!(status.findings[0].severity, "Critical");
    assert_eq!(status.summary.unwrap().total, 31);
}

#[test]
fn a_typical_report_stays_whole() {
    let findings =
        vec![finding(Severity::High, Category::WeakPassword, "account root has a weak password"); 5];
    let status = report_status(
        &facts(findings, Vec::new()),
        None,
        &[],
        &[explanation("p", Some(Effect::Deny), "x", 1)],
    );
    assert!(size(&status) <= 4096, "{} bytes", size(&status));
    assert_eq!(fit(status.clone()), status);
}

#[test]
fn names_are_for_people() {
    let image = Digest::sha256([0xab; 32]);
    let reference: Reference = "quay.io/a/my_app:1".parse().unwrap();
    assert_eq!(object_name(Some(&reference), &image, 12), "my-app-abababababab");
    assert_eq!(object_name(Some(&reference), &image, 16), "my-app-abababababababab");
    assert_eq!(object_name(None, &image, 0), "image-abababababab");
    assert_eq!(object_name(None, &image, 1000).len(), "image-".len() + 64);
}

/// Text that grows when it is written as JSON: quotes, backslashes, control characters, characters of several bytes.
fn texts() -> impl Strategy<Value = String> {
    ("[a\"\\\\\u{1}é\u{10ffff}]{1,4}", 0usize..400).prop_map(|(part, times)| part.repeat(times))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_status_fits_whatever_the_facts(
        text in texts(), findings in 0usize..60, gaps in 0usize..60, policies in 0usize..70, names in 0usize..40,
        attributes in 0usize..40, digests in 0usize..40,
    ) {
        let attributes: BTreeMap<String, String> =
            (0..attributes).map(|n| (format!("key{n}"), text.clone())).collect();
        let finding = Finding { attributes: attributes.clone(), ..finding(Severity::High, Category::Secret, &text) };
        let gap = Gap { path: Some(text.clone()), ..Gap::of_image(GapKind::Limit, text.clone()) };
        let facts = ImageFacts {
            manifests: vec![Digest::sha256([1; 32]); digests],
            indexes: vec![Digest::sha256([2; 32]); digests],
            detectors: attributes,
            error: Some(text.clone()),
            scanned_by: text.clone(),
            suppressed: vec![suppressed(Severity::High, &text); findings],
            ..facts(vec![finding; findings], vec![gap; gaps])
        };
        let reference: Reference = format!("r.io/{}:1", "a".repeat(200)).parse().unwrap();
        let explanations: Vec<Explanation> =
            (0..policies).map(|n| explanation(&format!("p{n}"), Some(Effect::Deny), &text, 9)).collect();
        let status = report_status(&facts, None, &vec![reference; names], &explanations);
        prop_assert!(size(&status) <= MAX_STATUS, "{} bytes", size(&status));
        prop_assert_eq!(status.findings.is_empty(), findings == 0);
        prop_assert_eq!(status.gaps.is_empty(), gaps == 0);
        prop_assert_eq!(status.suppressed.len() as i64 + status.omitted.clone().unwrap_or_default().suppressed, findings as i64);
        prop_assert_eq!(status.policies.is_empty(), policies == 0);
        let omitted = status.omitted.clone().unwrap_or_default();
        prop_assert_eq!(status.findings.len() as i64 + omitted.findings, findings as i64);
        prop_assert_eq!(status.policies.len() as i64 + omitted.policies, policies as i64);
        prop_assert_eq!(status.references.len() as i64 + omitted.references, names as i64);
        prop_assert!(status.findings.iter().all(|finding| finding.message.chars().count() <= 512));
        prop_assert_eq!(fit(status.clone()), status);
    }
}
