//! What is well-formed and still cannot be meant.

use jiff::Timestamp;

use super::{Body, FindingSelector, PolicySpec};
use crate::Category;
use crate::detector::{VULNERABILITY, all};

/// What of a policy can never have an effect, one sentence each, for its `Ready=False` condition: detectors and rules
/// that do not exist, findings that no detector gives, exceptions that have ended.
pub fn contradictions(spec: &PolicySpec, now: Timestamp) -> Vec<String> {
    let mut found = Vec::new();
    for id in spec.detectors.iter().filter(|id| *id != "*" && !all().any(|known| known.id == **id)) {
        let known: Vec<&str> = all().map(|detector| detector.id).collect();
        found.push(format!("scan.detectors: there is no detector `{id}`; there are: {}", known.join(", ")));
    }
    // Packages are matched wherever there are advisories, whatever detectors read the image.
    let is_run =
        |id: &str| id == VULNERABILITY.id || spec.detectors.iter().any(|own| own == "*" || own == id);
    for rule in &spec.deny {
        if let Body::Finding(selector) = &rule.body {
            let field = format!("deny[{}].finding", rule.name);
            let before = found.len();
            check_selector(selector, &field, &mut found);
            if found.len() == before && !all().any(|d| selector.may_select(d) && is_run(d.id)) {
                found.push(format!("{field}: scan.detectors names no detector that gives such findings"));
            }
        }
    }
    for exception in &spec.exceptions {
        check_selector(&exception.findings, &format!("exceptions[{}].findings", exception.name), &mut found);
        if exception.expires <= now {
            found.push(format!("exceptions[{}].expires: it ended on {}", exception.name, exception.expires));
        }
    }
    found
}

fn check_selector(selector: &FindingSelector, field: &str, found: &mut Vec<String>) {
    let before = found.len();
    let gives = |category: Category| all().any(|detector| detector.category == category);
    for category in selector.categories.iter().filter(|category| !gives(**category)) {
        found.push(format!("{field}.categories: no detector gives findings of category {category}"));
    }
    let exists = |id: &str| {
        id.split_once('/').is_some_and(|(detector, rule)| {
            all().any(|known| known.id == detector && known.rules.contains(&rule))
        })
    };
    for id in selector.rules.iter().filter(|id| !exists(id)) {
        found.push(format!("{field}.rules: no detector has a rule `{id}`"));
    }
    if found.len() == before && !all().any(|detector| selector.may_select(detector)) {
        found.push(format!("{field}: none of its rules gives findings of its categories"));
    }
}
