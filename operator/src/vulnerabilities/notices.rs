//! Tells of new Critical vulnerabilities with a fix in what runs.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use k8s_openapi::api::core::v1::ObjectReference;
use pratique_core::{Digest, Finding, ImageFacts, Severity};

use super::Metrics;
use crate::events::{Notice, Notices};
use crate::index::Index;
use crate::reconcile::Owners;

/// Flaws that one Event names.
const NAMED: usize = 3;

/// Who is told, and what is counted.
#[derive(Clone)]
pub struct Notify {
    /// For Events.
    pub notices: Notices,
    /// Which workload a pod belongs to.
    pub owners: Owners,
    /// What is counted.
    pub metrics: Metrics,
}

/// Sends an Event to every workload that runs the image, if what was known of it has new Criticals with a fix. An image that
/// was never matched before has none: its report is its news.
pub(super) fn tell(index: &Index, notify: &Notify, before: &ImageFacts, after: &ImageFacts) {
    let Some(new) = new_criticals(before, after) else { return };
    let workloads = workloads(index, notify, &after.image);
    if workloads.is_empty() {
        return;
    }
    notify.metrics.new_criticals.inc_by(new.len() as u64);
    let named: Vec<&str> = new.values().take(NAMED).map(|finding| finding.message.as_str()).collect();
    let more = match new.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let references = index.nodes().references(&after.image);
    let name = references.first().map_or_else(|| after.image.to_string(), Clone::clone);
    for regarding in workloads {
        notify.notices.send(Notice {
            regarding,
            related: None,
            reason: "CriticalVulnerability",
            action: "Match",
            note: format!("image {name}: {}{more}", named.join("; ")),
            joins: false,
        });
    }
}

/// Criticals with a fix that were not there before, by flaw and package; none if there are none, or nothing was matched before.
fn new_criticals<'f>(
    before: &ImageFacts,
    after: &'f ImageFacts,
) -> Option<BTreeMap<(&'f str, &'f str), &'f Finding>> {
    before.advisories?;
    let known: BTreeSet<_> = criticals(before).map(key).collect();
    let new: BTreeMap<_, _> = criticals(after)
        .map(|finding| (key(finding), finding))
        .filter(|(key, _)| !known.contains(key))
        .collect();
    (!new.is_empty()).then_some(new)
}

fn criticals(facts: &ImageFacts) -> impl Iterator<Item = &Finding> {
    facts.findings.iter().filter(|finding| {
        finding.severity == Severity::Critical
            && finding.attributes.contains_key("fixed")
            && finding.attributes.contains_key("id")
    })
}

fn key(finding: &Finding) -> (&str, &str) {
    let attribute = |name: &str| finding.attributes.get(name).map_or("", String::as_str);
    (attribute("id"), attribute("package"))
}

fn workloads(index: &Index, notify: &Notify, image: &Digest) -> Vec<ObjectReference> {
    let mut told = HashSet::new();
    let pods = index.running_images().filter(|(_, running)| running == image);
    let owners = pods.map(|(pod, _)| (pod.namespace.clone(), notify.owners.top(pod)));
    let new = owners.filter(|(_, owner)| told.insert(owner.uid.clone()));
    new.map(|(namespace, owner)| ObjectReference {
        api_version: Some(owner.api_version),
        kind: Some(owner.kind),
        name: Some(owner.name),
        namespace: Some(namespace),
        uid: Some(owner.uid),
        ..ObjectReference::default()
    })
    .collect()
}

/// How many workloads run an image with a Critical that has a fix.
pub(super) fn critical_workloads(index: &Index, owners: &Owners) -> usize {
    let risky: HashSet<&Digest> = index
        .facts()
        .iter()
        .filter(|facts| criticals(facts).next().is_some())
        .map(|facts| &facts.image)
        .collect();
    let running = index.running_images().filter(|(_, image)| risky.contains(image));
    running.map(|(pod, _)| owners.top(pod).uid).collect::<HashSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use pratique_core::Category;

    use super::*;
    use crate::testing::facts;

    fn flaw(id: &str, severity: Severity, fixed: Option<&str>) -> Finding {
        let mut attributes: BTreeMap<_, _> =
            [("id", id), ("package", "dash")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        attributes.extend(fixed.map(|fixed| ("fixed".to_owned(), fixed.to_owned())));
        Finding {
            detector: "vulnerability".into(),
            rule: "package".into(),
            category: Category::Vulnerability,
            severity,
            message: format!("{id} in dash"),
            path: None,
            layer: None,
            attributes,
        }
    }

    fn matched(findings: Vec<Finding>) -> ImageFacts {
        ImageFacts { findings, advisories: Some(Timestamp::UNIX_EPOCH), ..facts(1, "amd64", false) }
    }

    #[test]
    fn news_are_criticals_with_a_fix_that_were_not_there_before() {
        let old = flaw("CVE-1", Severity::Critical, Some("2"));
        let before = matched(vec![old.clone(), flaw("CVE-5", Severity::Critical, None)]);
        let after = matched(vec![
            old,
            flaw("CVE-2", Severity::Critical, Some("2")),
            flaw("CVE-3", Severity::Critical, None),
            flaw("CVE-4", Severity::High, Some("2")),
            flaw("CVE-5", Severity::Critical, Some("2")),
        ]);
        let new = new_criticals(&before, &after).unwrap();
        let ids: Vec<&str> = new.keys().map(|(id, _)| *id).collect();
        assert_eq!(ids, ["CVE-2", "CVE-5"], "a fix is news, too");
        assert!(new_criticals(&after, &after).is_none());
        assert!(new_criticals(&facts(1, "amd64", false), &after).is_none(), "never matched before");
    }
}
