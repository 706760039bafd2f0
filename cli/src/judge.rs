//! What advisories say of a report's packages, and which findings somebody says do not matter.

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::{Gap, GapKind};
use pratique_report::{AdvisoryAge, Report, Upgrade, Vulnerabilities};
use pratique_vulns::matching::{DETECTOR, Matches};
use pratique_vulns::{Database, distribution, fetch, match_inventory};

use crate::advisories::{Advisories, Found};

/// Adds what the advisories say of the packages.
///
/// # Errors
/// The database is damaged.
pub(crate) fn packages(advisories: &Advisories, report: &mut Report) -> anyhow::Result<()> {
    let wanted: BTreeSet<String> = fetch::ecosystems(&report.inventory).into_keys().collect();
    let is_empty = report.inventory.packages.is_empty() && report.inventory.release.is_none();
    match advisories {
        Advisories::NotAsked => {}
        Advisories::Off => report.vulnerabilities = Vulnerabilities::Off,
        _ if is_empty => {
            // Nothing is missing: a rule on vulnerabilities has its answer.
            report.detectors.insert(DETECTOR.to_owned(), "no packages".to_owned());
            report.vulnerabilities = Vulnerabilities::NoPackages;
        }
        Advisories::File(database) => matched(database, &BTreeMap::new(), &wanted, None, report)?,
        Advisories::Kept(kept) => {
            let Found { database, failed } = kept.find(&wanted, report.scanned_at);
            match database {
                Ok(held) => {
                    // What is not held at all is a gap; what is held and old is told with its age.
                    let (old, missing): (Vec<_>, Vec<_>) =
                        failed.into_iter().partition(|(name, _)| held.checked.contains_key(name));
                    for (name, reason) in missing {
                        report
                            .gaps
                            .push(uncovered(format!("advisories of {name} could not be fetched: {reason}")));
                    }
                    let problem = old.into_iter().next().map(|(_, reason)| reason);
                    matched(&held.database, &held.checked, &wanted, problem, report)?;
                }
                Err(reason) => {
                    report.vulnerabilities = Vulnerabilities::NotCovered;
                    report.gaps.push(uncovered(format!("vulnerabilities were not covered: {reason}")));
                }
            }
        }
    }
    report.findings.sort();
    report.gaps.sort();
    report.gaps.dedup();
    Ok(())
}

fn uncovered(reason: String) -> Gap {
    Gap { detector: Some(DETECTOR.to_owned()), ..Gap::of_image(GapKind::Unsupported, reason) }
}

fn matched(
    database: &Database,
    checked: &BTreeMap<String, jiff::Timestamp>,
    wanted: &BTreeSet<String>,
    problem: Option<String>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let Matches { findings, gaps, upgrades, .. } =
        match_inventory(database, &report.inventory, report.scanned_at)?;
    let status = database.status();
    let mut ecosystems: BTreeMap<String, AdvisoryAge> = BTreeMap::new();
    for (name, held) in &status.ecosystems {
        let base = distribution::base(name);
        if wanted.contains(base) {
            let age = ecosystems.entry(base.to_owned()).or_default();
            age.newest = age.newest.max(held.newest);
            age.checked = checked.get(base).copied();
        }
    }
    report.upgrades = worth(&report.inventory.packages, &findings, &upgrades);
    report.findings.extend(findings);
    report.gaps.extend(gaps);
    let advisories = pratique_report::Advisories { built: status.built, ecosystems, problem };
    let state = format!("advisories of {}", advisories.as_of().strftime("%Y-%m-%d"));
    report.detectors.insert(DETECTOR.to_owned(), state);
    report.vulnerabilities = Vulnerabilities::Matched(advisories);
    Ok(())
}

/// Upgrades with what each clears.
fn worth(
    packages: &[pratique_core::package::LocatedPackage],
    findings: &[pratique_core::Finding],
    upgrades: &BTreeMap<String, String>,
) -> Vec<Upgrade> {
    let mut clears: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.attributes.contains_key("fixed")) {
        if let (Some(purl), Some(id)) = (finding.attributes.get("purl"), finding.attributes.get("id")) {
            clears.entry(purl).or_default().insert(id);
        }
    }
    let found = packages.iter().filter_map(|located| {
        Some(Upgrade {
            purl: located.purl.clone(),
            name: located.package.name.clone(),
            installed: located.package.version.clone(),
            version: upgrades.get(&located.purl)?.clone(),
            clears: clears.get(located.purl.as_str()).map_or(0, BTreeSet::len),
        })
    });
    found.collect::<BTreeSet<_>>().into_iter().collect()
}
