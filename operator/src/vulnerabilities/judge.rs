//! Facts of an image with what advisories say of its packages. Pure but for reads of the database.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::Timestamp;
use pratique_core::detector::VULNERABILITY;
use pratique_core::package::Inventory;
use pratique_core::{Finding, Gap, GapKind, ImageFacts, Suppressed};
use pratique_vulns::{fetch, match_inventory, vex};

use super::Advice;

/// Flaws of one image at most, suppressed ones included; the worst are kept. Images of whole distributions have some thousands.
const MAX_FLAWS: usize = 20_000;

/// Facts with what `advice` says, in place of what an earlier match said. `known`: what was known of the image until now;
/// what newer advisories said of it stays.
pub(super) fn judged(
    mut facts: ImageFacts,
    inventory: &Inventory,
    advice: &Advice,
    known: Option<&ImageFacts>,
    now: Timestamp,
) -> ImageFacts {
    forget(&mut facts);
    if inventory.packages.is_empty() && inventory.release.is_none() {
        facts.detectors.insert(VULNERABILITY.id.to_owned(), "no packages".to_owned());
        return facts;
    }
    let occurring: BTreeSet<String> = fetch::ecosystems(inventory).into_keys().collect();
    let as_of = advice.advisories.as_ref().map(|advisories| day(advisories.as_of(&occurring)));
    // `None` is less than any day.
    if let Some(known) = known.filter(|known| known.advisories > as_of) {
        return keep_said(facts, known);
    }
    let (Some(advisories), Some(as_of)) = (&advice.advisories, as_of) else {
        return failed(facts, "the operator has no advisories yet; its log and Events say why");
    };
    let matches = match match_inventory(&advisories.database, inventory, now) {
        Ok(matches) => matches,
        Err(error) => return failed(facts, &format!("the advisories cannot be read: {error}")),
    };
    let (mut findings, mut suppressed) = vex::apply(matches.findings, &advice.statements);
    facts.gaps.extend(matches.gaps);
    let over = bound(&mut findings, &mut suppressed, MAX_FLAWS);
    if over > 0 {
        let reason = format!("of its flaws {over} are left out: an image has at most {MAX_FLAWS} here");
        let gap = Gap::of_image(GapKind::Limit, reason);
        facts.gaps.push(Gap { detector: Some(VULNERABILITY.id.to_owned()), ..gap });
    }
    facts.findings.extend(findings);
    facts.suppressed = suppressed;
    facts.advisories = Some(as_of);
    facts
        .detectors
        .insert(VULNERABILITY.id.to_owned(), format!("advisories of {}", as_of.strftime("%Y-%m-%d")));
    sort(&mut facts);
    facts
}

/// Keeps the worst `most` of both together, findings before suppressed ones; says how many went.
fn bound(findings: &mut Vec<Finding>, suppressed: &mut Vec<Suppressed>, most: usize) -> usize {
    let over = (findings.len() + suppressed.len()).saturating_sub(most);
    if over > 0 {
        findings.sort_by_key(|finding| Reverse(finding.severity));
        findings.truncate(most);
        suppressed.sort_by_key(|suppressed| Reverse(suppressed.finding.severity));
        suppressed.truncate(most - findings.len());
    }
    over
}

/// Takes away what a match said.
pub fn forget(facts: &mut ImageFacts) {
    facts.findings.retain(|finding| finding.detector != VULNERABILITY.id);
    facts.gaps.retain(|gap| gap.detector.as_deref() != Some(VULNERABILITY.id));
    facts.detectors.remove(VULNERABILITY.id);
    facts.suppressed.clear();
    facts.advisories = None;
}

/// Facts of an image whose packages could not be matched.
pub(super) fn failed(mut facts: ImageFacts, reason: &str) -> ImageFacts {
    let gap = Gap::of_image(GapKind::Unsupported, format!("vulnerabilities were not covered: {reason}"));
    facts.gaps.push(Gap { detector: Some(VULNERABILITY.id.to_owned()), ..gap });
    sort(&mut facts);
    facts
}

/// Takes over what a match said of the same image.
fn keep_said(mut facts: ImageFacts, known: &ImageFacts) -> ImageFacts {
    let id = VULNERABILITY.id;
    facts.findings.extend(known.findings.iter().filter(|finding| finding.detector == id).cloned());
    facts.gaps.extend(known.gaps.iter().filter(|gap| gap.detector.as_deref() == Some(id)).cloned());
    facts.detectors.extend(known.detectors.get(id).map(|version| (id.to_owned(), version.clone())));
    facts.suppressed.clone_from(&known.suppressed);
    facts.advisories = known.advisories;
    sort(&mut facts);
    facts
}

/// The same result in the same order, whoever matched it.
fn sort(facts: &mut ImageFacts) {
    facts.findings.sort();
    facts.gaps.sort();
    facts.gaps.dedup();
    facts.suppressed.sort();
}

/// The day's beginning: what is told of advisories' age changes once a day, and with it every report.
pub(super) fn day(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(24 * 3600)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use pratique_core::Severity;

    use super::*;

    fn flaw(severity: Severity) -> Finding {
        VULNERABILITY.finding("package", severity, "a flaw")
    }

    #[test]
    fn of_too_many_flaws_the_worst_stay_and_suppressed_ones_go_first() {
        let suppressed =
            |severity| Suppressed { finding: flaw(severity), by: "me".into(), reason: "so".into() };
        let both = || {
            let findings = vec![flaw(Severity::Low), flaw(Severity::Critical), flaw(Severity::High)];
            (findings, vec![suppressed(Severity::Low), suppressed(Severity::Critical)])
        };
        let (mut findings, mut rest) = both();
        assert_eq!(bound(&mut findings, &mut rest, 5), 0);
        assert_eq!((findings, rest), both());
        let (mut findings, mut rest) = both();
        assert_eq!(bound(&mut findings, &mut rest, 4), 1);
        assert_eq!((findings.len(), rest), (3, vec![suppressed(Severity::Critical)]));
        let (mut findings, mut rest) = both();
        assert_eq!(bound(&mut findings, &mut rest, 2), 3);
        assert_eq!((findings, rest), (vec![flaw(Severity::Critical), flaw(Severity::High)], vec![]));
    }
}
