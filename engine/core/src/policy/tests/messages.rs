use super::*;

fn risky(count: usize) -> ImageFacts {
    let mut findings = vec![finding(Severity::Low); count];
    findings.push(finding(Severity::High));
    facts(findings)
}

fn decision(facts: &ImageFacts) -> Decision {
    let scanned = Scanned { report: Some("web-3f3f3f3f3f3f"), ..Scanned::new(facts) };
    let container = container("registry.example.com/shop/web:1.4", vec![Candidate::Scanned(scanned)]);
    decide([&compile(&weak_passwords())], &request(vec![container]), now())
}

#[test]
fn a_refusal_names_image_digest_policy_rule_finding_file_and_report() {
    assert_eq!(
        decision(&risky(0)).message(Effect::Deny, Detail::Full).unwrap(),
        "image registry.example.com/shop/web:1.4 (sha256:3f3f3f3f3f3f…) of container web is refused by ScanPolicy \
         baseline, rule planted: WeakPassword High: account root has a weak password (ro****, scheme sha512) in \
         /etc/shadow [layer sha256:abababababab…]; see: kubectl get scanreport web-3f3f3f3f3f3f -o yaml"
    );
}

#[test]
fn brief_leaves_out_file_and_layer() {
    let message = decision(&risky(0)).message(Effect::Deny, Detail::Brief).unwrap();
    assert!(!message.contains("/etc/shadow") && !message.contains("layer"), "{message}");
    assert!(message.contains("account root"), "{message}");
}

#[test]
fn the_worst_findings_are_quoted_and_the_rest_counted() {
    let decision = decision(&risky(5));
    let violation = &decision.violations[0];
    assert_eq!(violation.findings[0].severity, Severity::High);
    assert_eq!((violation.findings.len(), violation.more), (Violation::QUOTED, 3));
    let message = decision.message(Effect::Deny, Detail::Full).unwrap();
    assert!(message.contains("; and 3 more; see:"), "{message}");
}

#[test]
fn a_message_with_another_effect_says_so() {
    let warned = Decision {
        violations: vec![Violation { effect: Effect::Warn, ..decision(&risky(0)).violations[0].clone() }],
        ..Decision::default()
    };
    assert_eq!(warned.message(Effect::Deny, Detail::Full), None);
    let message = warned.message(Effect::Warn, Detail::Full).unwrap();
    assert!(message.contains("violates ScanPolicy baseline"), "{message}");
}

#[test]
fn a_message_is_bounded_and_harmless_whatever_the_image_says() {
    let hostile = Finding {
        message: format!("\u{1b}[2J\u{202e}\n{}", "é".repeat(10_000)),
        path: Some(format!("/\u{7}{}", "x".repeat(5_000))),
        ..finding(Severity::High)
    };
    let facts = facts(vec![hostile; 100]);
    let containers: Vec<_> = (0..40).map(|_| container("web", vec![scanned(&facts)])).collect();
    let decision = decide([&compile(&weak_passwords())], &request(containers), now());
    let message = decision.message(Effect::Deny, Detail::Full).unwrap();
    assert!(message.len() <= 2048, "{} bytes", message.len());
    assert!(message.lines().all(|line| !line.chars().any(char::is_control)));
    assert!(!message.contains('\u{202e}'));
    assert!(message.contains("more violations"), "{message}");
}
