//! What the advisories of a database say of an inventory.
//!
//! [`judge`] decides on one statement and one version and knows nothing of files; [`match_inventory`] looks the statements
//! up, puts those on one flaw of one package together and writes findings and gaps.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use pratique_core::package::{Evidence, Inventory, LocatedPackage, Package, Release};
use pratique_core::version::Scheme;
use pratique_core::{Category, Finding, Gap, GapKind, Severity};

use crate::advisory::{Advisory, Affected, Verdict};
use crate::database::{Database, DatabaseError};
use crate::distribution::{self, Pattern, Scope};
use crate::end_of_life;
use crate::flaw::flaws;
use crate::rating::{Rating, preferred};

/// The detector that findings and gaps name.
pub const DETECTOR: &str = "vulnerability";

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// One per flaw, package and place, sorted.
    pub findings: Vec<Finding>,
    /// What could not be judged.
    pub gaps: Vec<Gap>,
    /// Packages that were not judged on purpose: package URL and reason.
    pub passed_over: Vec<(String, &'static str)>,
    /// By package URL, the smallest version that clears all of its findings that have a fix.
    pub upgrades: BTreeMap<String, String>,
}

/// What one statement says of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It does not speak of it.
    Unaffected,
    /// It is affected: why, and the version that has the fix.
    Affected {
        /// The range, or that it is listed.
        why: String,
        /// None: there is no fix.
        fixed: Option<String>,
    },
    /// It cannot be said, and why.
    Unknown(String),
}

/// Judges a version of a package by one statement. `module` is the package's RPM module label.
pub fn judge(affected: &Affected, scheme: Scheme, version: &str, module: Option<&str>) -> Judgement {
    if affected.verdict == Verdict::NotAffected || !same_module(affected, version, module) {
        return Judgement::Unaffected;
    }
    let is_listed =
        |listed: &String| listed == version || scheme.compare(listed, version).is_ok_and(Ordering::is_eq);
    if affected.versions.iter().any(is_listed) {
        return Judgement::Affected { why: format!("{version} is listed as affected"), fixed: None };
    }
    let mut unknown = affected.problem.clone();
    for span in &affected.spans {
        match span.contains(scheme, version) {
            Ok(true) => {
                return Judgement::Affected { why: span.to_string(), fixed: span.fixed().map(str::to_owned) };
            }
            Ok(false) => {}
            Err(error) => unknown = Some(error.to_string()),
        }
    }
    unknown.map_or(Judgement::Unaffected, Judgement::Unknown)
}

/// A module's advisories speak of packages of that stream alone, and others never of modules' packages.
fn same_module(affected: &Affected, version: &str, module: Option<&str>) -> bool {
    let fixed_in_module =
        affected.spans.iter().filter_map(|span| span.fixed()).any(|fixed| fixed.contains(".module"));
    match module {
        Some(label) if fixed_in_module => {
            let is_of = |stream: &String| {
                label
                    .strip_prefix(stream.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            };
            affected.modules.is_empty() || affected.modules.iter().any(is_of)
        }
        _ => fixed_in_module == (module.is_some() || version.contains(".module")),
    }
}

/// One of the statements on a package.
#[derive(Clone)]
struct Statement {
    all: Arc<Vec<Affected>>,
    index: usize,
}

impl std::ops::Deref for Statement {
    type Target = Affected;

    fn deref(&self) -> &Affected {
        &self.all[self.index]
    }
}

/// A flaw of one package, from all advisories that name it.
struct Hit {
    names: BTreeSet<String>,
    sources: Vec<(Arc<Advisory>, Statement)>,
    why: String,
    fixed: Option<String>,
    /// A fix that only subscribers of the distribution get.
    subscription: Option<String>,
}

/// Matches an inventory. `now` decides which releases have ended.
///
/// # Errors
/// If the database cannot be read; no half result is given.
pub fn match_inventory(
    db: &Database,
    inventory: &Inventory,
    now: Timestamp,
) -> Result<Matches, DatabaseError> {
    let mut matches = Matches::default();
    let mut uncovered: BTreeMap<String, usize> = BTreeMap::new();
    let release = inventory.release.as_ref();
    if let Some(release) = release {
        report_end_of_life(release, now, &mut matches);
    }
    let system_is_covered = inventory
        .packages
        .iter()
        .find(|located| located.package.ecosystem.is_system())
        .and_then(|located| distribution::scope(&located.package, release).ok())
        .is_some_and(|scope| !ecosystems(db, &scope).is_empty());
    for located in &inventory.packages {
        if distribution::is_kernel_headers(&located.package) {
            matches.passed_over.push((located.purl.clone(), "kernel headers: no kernel runs from them"));
            continue;
        }
        if located.owned_by.is_some() && system_is_covered {
            matches
                .passed_over
                .push((located.purl.clone(), "part of a system package, whose advisories speak for it"));
            continue;
        }
        let scope = match distribution::scope(&located.package, release) {
            Ok(scope) => scope,
            Err(reason) => {
                *uncovered.entry(reason).or_default() += 1;
                continue;
            }
        };
        let is_archived = located.package.evidence == Evidence::Archived;
        if is_archived && located.package.ecosystem.is_system() {
            matches
                .passed_over
                .push((located.purl.clone(), "a system package's archive, which is not installed"));
            continue;
        }
        let found = ecosystems(db, &scope);
        if found.is_empty() {
            *uncovered
                .entry(format!("the database has no advisories of {}", scope.ecosystem))
                .or_default() += 1;
            continue;
        }
        match_package(db, located, &scope, &found, &mut matches)?;
    }
    for (reason, count) in uncovered {
        let packages = if count == 1 { "1 package was".to_owned() } else { format!("{count} packages were") };
        matches.gaps.push(gap(
            GapKind::Unsupported,
            None,
            format!("not covered: {reason}; {packages} not judged"),
        ));
    }
    matches.findings.sort();
    matches.findings.dedup();
    matches.gaps.sort();
    matches.gaps.dedup();
    Ok(matches)
}

fn gap(kind: GapKind, located: Option<&LocatedPackage>, reason: String) -> Gap {
    Gap {
        kind,
        detector: Some(DETECTOR.to_owned()),
        path: located.map(|located| located.path.clone()),
        layer: located.and_then(|located| located.layer.clone()),
        reason,
    }
}

/// Those of the database's ecosystems that a scope means.
fn ecosystems<'d>(db: &'d Database, scope: &Scope) -> Vec<&'d str> {
    let known = &db.status().ecosystems;
    let named = |name: &String| known.get_key_value(name).map(|(name, _)| name.as_str());
    match &scope.ecosystem {
        // There are hundreds of ecosystems, and this is asked for every package.
        Pattern::Exactly(name) => named(name).into_iter().collect(),
        Pattern::AnyOf(names) => names.iter().filter_map(named).collect(),
        pattern => known.keys().map(String::as_str).filter(|name| pattern.matches(name)).collect(),
    }
}

fn report_end_of_life(release: &Release, now: Timestamp, matches: &mut Matches) {
    let Some(last) = end_of_life::ended(release, now) else { return };
    let name = if release.name.is_empty() {
        format!("{} {}", release.id, release.version)
    } else {
        release.name.clone()
    };
    matches.findings.push(Finding {
        detector: DETECTOR.to_owned(),
        rule: "end-of-life".to_owned(),
        category: Category::Vulnerability,
        severity: Severity::High,
        message: format!("{name} has had no security updates since {last}"),
        path: None,
        layer: None,
        attributes: BTreeMap::from([
            ("release".to_owned(), format!("{} {}", release.id, release.version)),
            ("ended".to_owned(), last.to_string()),
        ]),
    });
    matches.gaps.push(gap(
        GapKind::Unsupported,
        None,
        format!(
            "{name} ended on {last}: flaws found since then may not be in its advisories; use a newer release"
        ),
    ));
}

fn match_package(
    db: &Database,
    located: &LocatedPackage,
    scope: &Scope,
    ecosystems: &[&str],
    matches: &mut Matches,
) -> Result<(), DatabaseError> {
    let package = &located.package;
    let module = package.attributes.get("module").map(String::as_str);
    let mut hits: BTreeMap<String, Hit> = BTreeMap::new();
    let mut statements = Vec::new();
    let Some(scheme) = Scheme::of(package.ecosystem) else { return Ok(()) };
    for ecosystem in ecosystems {
        let found = db.lookup(ecosystem, &scope.name)?;
        for (index, affected) in found.iter().enumerate() {
            match judge(affected, scheme, &scope.version, module) {
                Judgement::Unaffected => {}
                Judgement::Unknown(reason) => {
                    let id = &db.advisory(affected.advisory)?.id;
                    let reason =
                        format!("{id} on {} {} cannot be judged: {reason}", package.name, package.version);
                    matches.gaps.push(gap(GapKind::Malformed, Some(located), reason));
                }
                Judgement::Affected { why, fixed } => {
                    let for_subscribers = distribution::is_for_subscribers(ecosystem, &scope.version);
                    let (fixed, subscription) = if for_subscribers { (None, fixed) } else { (fixed, None) };
                    let advisory = db.advisory(affected.advisory)?;
                    for flaw in flaws(&advisory, package.ecosystem.is_system()) {
                        let hit = hits.entry(flaw.id.clone()).or_insert_with(|| Hit {
                            names: BTreeSet::new(),
                            sources: Vec::new(),
                            why: why.clone(),
                            fixed: None,
                            subscription: None,
                        });
                        hit.names.extend(flaw.names);
                        hit.sources.push((advisory.clone(), Statement { all: found.clone(), index }));
                        hit.subscription = hit.subscription.take().or_else(|| subscription.clone());
                        // The fix of all its advisories is that of the last.
                        if let Some(fixed) = &fixed
                            && hit
                                .fixed
                                .as_ref()
                                .is_none_or(|known| scheme.compare(known, fixed).is_ok_and(Ordering::is_lt))
                        {
                            hit.fixed = Some(fixed.clone());
                            hit.why = why.clone();
                        }
                    }
                }
            }
        }
        if !distribution::is_for_subscribers(ecosystem, &scope.version) {
            statements.push(found);
        }
    }
    let hits = merged(hits);
    if let Some(version) = upgrade(scheme, &scope.version, module, &hits, &statements) {
        matches.upgrades.insert(located.purl.clone(), version);
    }
    for (id, hit) in &hits {
        matches.findings.push(finding(db, located, scope, id, hit)?);
    }
    Ok(())
}

/// Hits one of which is named by another are one flaw: two that each have their own CVE never are.
fn merged(hits: BTreeMap<String, Hit>) -> BTreeMap<String, Hit> {
    let (mut merged, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        hits.into_iter().partition(|(id, _)| id.starts_with("CVE-"));
    // By other name, those that have it: a kernel has thousands of hits, so nobody looks through all for each.
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (id, hit) in &merged {
        for name in &hit.names {
            named.entry(name.clone()).or_default().insert(id.clone());
        }
    }
    for (id, hit) in others {
        let naming_it = named.get(&id).into_iter().flatten();
        let naming_it = naming_it.filter(|known| merged.get(*known).is_some_and(|hit| !is_bundle(hit, &id)));
        let same = hit.names.iter().filter(|name| merged.contains_key(*name)).chain(naming_it).min().cloned();
        let into = same.clone().unwrap_or_else(|| id.clone());
        for name in &hit.names {
            named.entry(name.clone()).or_default().insert(into.clone());
        }
        match same.and_then(|same| merged.get_mut(&same)) {
            Some(known) => {
                known.names.insert(id);
                known.names.extend(hit.names);
                known.sources.extend(hit.sources);
                known.fixed = known.fixed.take().or(hit.fixed);
                known.subscription = known.subscription.take().or(hit.subscription);
            }
            None => {
                merged.insert(id, hit);
            }
        }
    }
    merged
}

/// Whether this name of a hit is that of an advisory on several flaws.
fn is_bundle(hit: &Hit, name: &str) -> bool {
    hit.sources
        .iter()
        .any(|(advisory, _)| advisory.id == name && advisory.upstream.len().max(advisory.related.len()) > 1)
}

/// The smallest version with a fix at which no statement speaks of a flaw that has one.
fn upgrade(
    scheme: Scheme,
    installed: &str,
    module: Option<&str>,
    hits: &BTreeMap<String, Hit>,
    statements: &[Arc<Vec<Affected>>],
) -> Option<String> {
    let fixable: BTreeSet<u32> = hits
        .values()
        .filter(|hit| hit.fixed.is_some())
        .flat_map(|hit| hit.sources.iter().map(|(_, affected)| affected.advisory))
        .collect();
    let relevant: Vec<&Affected> = statements
        .iter()
        .flat_map(|found| found.iter())
        .filter(|affected| fixable.contains(&affected.advisory))
        .collect();
    // From a version within a range no version before the range's end is clear: each step is the least that can be, and
    // every step leaves at least one range for good.
    let mut version = installed.to_owned();
    for _ in 0..=relevant.iter().map(|affected| affected.spans.len()).sum::<usize>() {
        let fixes = relevant.iter().filter_map(|affected| match judge(affected, scheme, &version, module) {
            Judgement::Affected { fixed, .. } => fixed,
            _ => None,
        });
        match fixes.max_by(|a, b| scheme.compare(a, b).unwrap_or(Ordering::Equal)) {
            Some(next) => version = next,
            None => break,
        }
    }
    (version != installed).then_some(version)
}

fn finding(
    db: &Database,
    located: &LocatedPackage,
    scope: &Scope,
    id: &str,
    hit: &Hit,
) -> Result<Finding, DatabaseError> {
    let package: &Package = &located.package;
    let exploit = db.exploit(id)?.unwrap_or_default();
    let own = || {
        hit.sources.iter().flat_map(|(advisory, affected)| affected.ratings.iter().chain(&advisory.ratings))
    };
    let nvd = exploit.vector.as_deref().filter(|_| own().all(|rating| rating.vector.is_none()));
    let nvd = nvd.and_then(Rating::from_vector);
    let nvd = nvd.map(|rating| Rating { source: format!("NVD, {}", rating.source), ..rating });
    let ratings = || own().chain(&nvd);
    let rating = preferred(ratings());
    let severity = rating.map_or(Severity::Unknown, |rating| rating.severity);
    let mut attributes = BTreeMap::new();
    let mut put = |name: &str, value: String| {
        if !value.is_empty() {
            attributes.insert(name.to_owned(), value);
        }
    };
    put("id", id.to_owned());
    put("aliases", hit.names.iter().cloned().collect::<Vec<_>>().join(" "));
    put("package", package.name.clone());
    put("purl", located.purl.clone());
    put("installed", package.version.clone());
    if scope.name != package.name {
        put("source", format!("{} {}", scope.name, scope.version));
    }
    put("fixed", hit.fixed.clone().unwrap_or_default());
    if hit.fixed.is_none() {
        put("fixedForSubscribers", hit.subscription.clone().unwrap_or_default());
    }
    put("why", format!("{} {}", scope.name, hit.why));
    put("severitySource", rating.map_or(String::new(), |rating| rating.source.clone()));
    let scored = ratings().filter(|rating| rating.vector.is_some()).max_by(|a, b| a.source.cmp(&b.source));
    if let Some(scored) = scored {
        put("cvssVector", scored.vector.clone().unwrap_or_default());
        put("cvssScore", scored.score.map_or(String::new(), |score| format!("{score:.1}")));
    }
    let published = hit.sources.iter().filter_map(|(advisory, _)| advisory.published).min();
    put("published", published.map_or(String::new(), |time| time.to_string()));
    let verdicts = hit.sources.iter().map(|(_, affected)| affected.verdict);
    for verdict in verdicts {
        match verdict {
            Verdict::WontFix => put("verdict", "won't fix".to_owned()),
            Verdict::EndOfLife => put("verdict", "end of life".to_owned()),
            Verdict::Affected | Verdict::NotAffected => {}
        }
    }
    put("knownExploited", exploit.known_since.unwrap_or_default());
    put("ransomware", if exploit.ransomware { "true".to_owned() } else { String::new() });
    put("epss", exploit.epss.map_or(String::new(), |epss| format!("{epss:.5}")));
    let summary =
        hit.sources.iter().map(|(advisory, _)| advisory.summary.as_str()).find(|text| !text.is_empty());
    let fix = hit.fixed.as_ref().map_or("no fix".to_owned(), |fixed| format!("fixed in {fixed}"));
    let summary = summary.map_or(String::new(), |summary| format!(": {summary}"));
    let place =
        if package.evidence == Evidence::Archived { ", an archive that is not installed" } else { "" };
    Ok(Finding {
        detector: DETECTOR.to_owned(),
        rule: "package".to_owned(),
        category: Category::Vulnerability,
        severity,
        message: format!("{id} in {} {}{place} ({fix}){summary}", package.name, package.version),
        path: Some(located.path.clone()),
        layer: located.layer.clone(),
        attributes,
    })
}
