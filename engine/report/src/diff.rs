//! What one result has and another has not. Places of packages do not count: a package in one version that lies at three
//! places and then at two is the same package, and so is a flaw of a package.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};

use pratique_core::Finding;
use pratique_core::package::{Ecosystem, LocatedPackage, Release};
use schemars::JsonSchema;
use serde::Serialize;

use crate::columns::{Cell, clip, write_columns};
use crate::document::{FindingView, PackageView};
use crate::json_output::write_json;
use crate::{Error, Options, Report};

/// The difference between two results. Made by [`diff`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff<'a> {
    /// What was there before.
    pub old: &'a Report,
    /// What is there now.
    pub new: &'a Report,
    /// Packages that only the new one has, one of each version.
    pub added: Vec<&'a LocatedPackage>,
    /// Packages that only the old one has, one of each version.
    pub removed: Vec<&'a LocatedPackage>,
    /// Packages that have another version: the old one and the new one.
    pub changed: Vec<(&'a LocatedPackage, &'a LocatedPackage)>,
    /// Findings that only the old one has, worst first, one of each flaw and package.
    pub fixed: Vec<&'a Finding>,
    /// Findings that only the new one has, likewise.
    pub brought: Vec<&'a Finding>,
}

/// What makes two packages the same but for their version.
type Key<'a> = (Ecosystem, &'a str, Option<&'a str>);

/// What the new result brings and what it removes: packages in the order of ecosystem, name and version, findings worst
/// first. What does not count on one side counts there as not found.
pub fn diff<'a>(old: &'a Report, new: &'a Report) -> Diff<'a> {
    let (before, after) = (versions(old), versions(new));
    let (fixed, brought) = (only_in(old, new), only_in(new, old));
    let mut diff =
        Diff { old, new, added: Vec::new(), removed: Vec::new(), changed: Vec::new(), fixed, brought };
    let keys: BTreeSet<&Key> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let only = |these: &BTreeMap<Key<'a>, Versions<'a>>, those: &BTreeMap<Key<'a>, Versions<'a>>| {
            let others = those.get(key);
            let versions = these.get(key).into_iter().flatten();
            let missing =
                versions.filter(|(version, _)| !others.is_some_and(|others| others.contains_key(*version)));
            missing.map(|(_, package)| *package).collect::<Vec<_>>()
        };
        let (mut gone, mut come) = (only(&before, &after), only(&after, &before));
        // One version for another is a change; so is one at the same place. What else came and went did just that.
        if let ([one], [other]) = (gone.as_slice(), come.as_slice()) {
            diff.changed.push((*one, *other));
            continue;
        }
        gone.retain(|one| {
            let Some(place) = come.iter().position(|other| other.path == one.path) else { return true };
            diff.changed.push((*one, come.remove(place)));
            false
        });
        diff.removed.append(&mut gone);
        diff.added.append(&mut come);
    }
    diff
}

/// Findings of one result that the other has not.
fn only_in<'a>(this: &'a Report, other: &Report) -> Vec<&'a Finding> {
    let known: BTreeSet<Vec<&str>> = other.findings.iter().map(same).collect();
    let mut seen = BTreeSet::new();
    let findings = this.worst_first().into_iter();
    findings.filter(|finding| !known.contains(&same(finding)) && seen.insert(same(finding))).collect()
}

/// What makes two findings the same: a flaw and its package, else rule, place and what is said.
fn same(finding: &Finding) -> Vec<&str> {
    let attribute = |name: &str| finding.attributes.get(name).map(String::as_str);
    match (attribute("id"), attribute("package")) {
        (Some(id), Some(package)) => vec![&finding.detector, id, package],
        _ => {
            let path = finding.path.as_deref().unwrap_or_default();
            vec![&finding.detector, &finding.rule, path, &finding.message]
        }
    }
}

type Versions<'a> = BTreeMap<&'a str, &'a LocatedPackage>;

fn versions(report: &Report) -> BTreeMap<Key<'_>, Versions<'_>> {
    let mut all: BTreeMap<Key, Versions> = BTreeMap::new();
    for located in &report.inventory.packages {
        let package = &located.package;
        let key = (package.ecosystem, package.name.as_str(), package.architecture.as_deref());
        all.entry(key).or_default().entry(package.version.as_str()).or_insert(located);
    }
    all
}

/// The published form of a difference, `docs/schema/diff-v1.json`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Pratique difference")]
struct Document<'a> {
    /// Version of this schema. Fields may be added within a version.
    #[schemars(extend("const" = 1))]
    schema_version: u32,
    old: Side<'a>,
    new: Side<'a>,
    /// Packages that only the new one has.
    added: Vec<PackageView<'a>>,
    /// Packages that only the old one has.
    removed: Vec<PackageView<'a>>,
    /// Packages that have another version.
    changed: Vec<Change<'a>>,
    /// Findings that only the old one has, worst first, one of each flaw and package.
    fixed: Vec<FindingView<'a>>,
    /// Findings that only the new one has, likewise.
    brought: Vec<FindingView<'a>>,
}

/// One of the two results.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Side<'a> {
    /// The reference or path as it was asked for.
    reference: &'a str,
    /// The system, such as `debian 12`; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<String>,
    /// How many packages it has.
    packages: usize,
    /// How many gaps it has: a package may be missing only because it could not be read.
    gaps: usize,
    /// Whether packages were matched with advisories: `Matched`, or why not, as in a report.
    vulnerabilities: &'static str,
}

/// A package that has another version.
#[derive(Serialize, JsonSchema)]
struct Change<'a> {
    old: PackageView<'a>,
    new: PackageView<'a>,
}

impl<'a> Side<'a> {
    fn of(report: &'a Report) -> Self {
        Self {
            reference: &report.target.reference,
            release: report.inventory.release.as_ref().map(system),
            packages: report.inventory.packages.len(),
            // Without any result everything is missing.
            gaps: report.gaps.len() + usize::from(report.error.is_some()),
            vulnerabilities: report.vulnerabilities.as_str(),
        }
    }
}

fn system(release: &Release) -> String {
    format!("{} {}", release.id, release.version).trim_end().to_owned()
}

impl Diff<'_> {
    /// Whether both have the same packages and findings.
    pub fn is_empty(&self) -> bool {
        let same_packages = self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty();
        same_packages && self.fixed.is_empty() && self.brought.is_empty()
    }

    /// Writes it as JSON, by the schema `docs/schema/diff-v1.json`.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn write_json(&self, out: &mut dyn Write) -> Result<(), Error> {
        let document = Document {
            schema_version: 1,
            old: Side::of(self.old),
            new: Side::of(self.new),
            added: self.added.iter().copied().map(PackageView::of).collect(),
            removed: self.removed.iter().copied().map(PackageView::of).collect(),
            changed: self
                .changed
                .iter()
                .map(|(old, new)| Change { old: PackageView::of(old), new: PackageView::of(new) })
                .collect(),
            fixed: self.fixed.iter().map(|one| FindingView::of(self.old, one)).collect(),
            brought: self.brought.iter().map(|one| FindingView::of(self.new, one)).collect(),
        };
        write_json(&document, out)
    }

    /// Writes it as a table for people.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn write_table(&self, options: &Options, out: &mut dyn Write) -> Result<(), Error> {
        let mut out = BufWriter::new(out);
        let (old, new) = (Side::of(self.old), Side::of(self.new));
        let [before, after] = [&old, &new].map(|side| clip(side.reference));
        let counts = (self.added.len(), self.removed.len(), self.changed.len());
        writeln!(out, "{before} -> {after}: {} added, {} removed, {} changed", counts.0, counts.1, counts.2)?;
        writeln!(out, "Findings: {} fixed, {} brought", self.fixed.len(), self.brought.len())?;
        if old.release != new.release {
            let name = |side: &Side| clip(side.release.as_deref().unwrap_or("none"));
            writeln!(out, "System: {} -> {}", name(&old), name(&new))?;
        }
        for side in [&old, &new].into_iter().filter(|side| side.gaps > 0) {
            let (name, gaps) = (clip(side.reference), side.gaps);
            writeln!(
                out,
                "{name} was not read completely ({gaps} gaps): packages and findings may be missing from this list"
            )?;
        }
        for (title, findings) in [("Fixed", &self.fixed), ("Brought", &self.brought)] {
            if findings.is_empty() {
                continue;
            }
            writeln!(out, "\n{title}")?;
            let row = |finding: &&Finding| {
                [finding.severity.as_str(), finding.category.as_str(), &finding.message].map(Cell::of).into()
            };
            let rows: Vec<Vec<Cell>> = findings.iter().map(row).collect();
            write_columns(&["SEVERITY", "CATEGORY", "WHAT"], &rows, options.width, &mut out)?;
        }
        let rows = self.rows(options);
        if !rows.is_empty() {
            writeln!(out, "\nPackages")?;
            write_columns(&["", "ECOSYSTEM", "NAME", "OLD", "NEW"], &rows, options.width, &mut out)?;
        }
        out.flush()?;
        Ok(())
    }

    fn rows(&self, options: &Options) -> Vec<Vec<Cell>> {
        let row = |mark: &str, colour, old: Option<&LocatedPackage>, new: Option<&LocatedPackage>| {
            let Some(any) = new.or(old) else { return Vec::new() };
            let version = |side: Option<&LocatedPackage>| {
                Cell::of(side.map_or("-", |located| located.package.version.as_str()))
            };
            let colour = if options.colours { colour } else { "" };
            vec![
                Cell::coloured(mark, colour),
                Cell::of(any.package.ecosystem.purl_type()),
                Cell::of(&any.package.name),
                version(old),
                version(new),
            ]
        };
        let added = self.added.iter().map(|new| row("+", "\u{1b}[32m", None, Some(*new)));
        let removed = self.removed.iter().map(|old| row("-", "\u{1b}[31m", Some(*old), None));
        let changed = self.changed.iter().map(|(old, new)| row("~", "\u{1b}[33m", Some(*old), Some(*new)));
        added.chain(removed).chain(changed).collect()
    }
}

#[cfg(test)]
mod tests {
    use pratique_core::package::Package;
    use pratique_core::{Gap, GapKind, Severity};

    use super::*;
    use crate::samples;

    fn report(packages: &[(&str, &str, &str)]) -> Report {
        let mut report = samples::empty();
        for (name, version, path) in packages {
            report.inventory.packages.push(LocatedPackage {
                package: Package::new(Ecosystem::Npm, *name, *version),
                purl: format!("pkg:npm/{name}@{version}"),
                path: (*path).to_owned(),
                layer: None,
                owned_by: None,
                files: 0,
            });
        }
        report
    }

    fn names<'a>(packages: &[&'a LocatedPackage]) -> Vec<(&'a str, &'a str)> {
        packages
            .iter()
            .map(|located| (located.package.name.as_str(), located.package.version.as_str()))
            .collect()
    }

    #[test]
    fn what_came_what_went_and_what_changed_are_told_apart() {
        let old = report(&[
            ("same", "1", "/a"),
            ("same", "1", "/b"),
            ("moved", "1", "/a"),
            ("newer", "1", "/a"),
            ("gone", "1", "/a"),
            ("twice", "1", "/a"),
            ("twice", "2", "/b"),
        ]);
        let new = report(&[
            ("same", "1", "/a"),
            ("moved", "1", "/z"),
            ("newer", "2", "/z"),
            ("come", "1", "/a"),
            ("twice", "3", "/b"),
        ]);
        let diff = diff(&old, &new);
        assert_eq!(names(&diff.added), [("come", "1")]);
        assert_eq!(names(&diff.removed), [("gone", "1"), ("twice", "1")]);
        let changed: Vec<_> = diff.changed.iter().map(|(old, new)| names(&[old, new])).collect();
        assert_eq!(changed, [[("newer", "1"), ("newer", "2")], [("twice", "2"), ("twice", "3")]]);
        assert!(!diff.is_empty() && super::diff(&old, &old).is_empty());
    }

    #[test]
    fn findings_are_fixed_or_brought_wherever_they_lie() {
        let finding = |id: &str, severity, path: &str| pratique_core::Finding {
            path: Some(path.to_owned()),
            ..samples::vulnerability(id, severity, "pkg:npm/%40babel/core@7.1.0")
        };
        let (mut old, mut new) = (report(&[]), report(&[]));
        old.findings = vec![
            finding("CVE-1", Severity::Low, "/a"),
            finding("CVE-2", Severity::Low, "/a"),
            finding("CVE-2", Severity::Low, "/b"),
            finding("CVE-3", Severity::High, "/a"),
        ];
        new.findings = vec![finding("CVE-1", Severity::High, "/b"), finding("CVE-4", Severity::Low, "/a")];
        let difference = diff(&old, &new);
        let ids = |findings: &[&pratique_core::Finding]| {
            findings.iter().map(|finding| finding.attributes["id"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            (ids(&difference.fixed), ids(&difference.brought)),
            (vec!["CVE-3".into(), "CVE-2".into()], vec!["CVE-4".into()])
        );
        let mut out = Vec::new();
        difference.write_table(&Options::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("Findings: 2 fixed, 1 brought") && text.contains("Brought"), "{text}");
    }

    #[test]
    fn the_table_warns_of_what_could_not_be_read() {
        let old = report(&[("a", "1", "/a"), ("b", "1", "/b")]);
        let mut new = report(&[("a", "2\u{1b}[31m", "/a")]);
        new.gaps.push(Gap::of_image(GapKind::Unreadable, "gone"));
        let mut out = Vec::new();
        diff(&old, &new).write_table(&Options::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("0 added, 1 removed, 1 changed"), "{text}");
        assert!(text.contains("not read completely (1 gaps)"), "{text}");
        assert!(text.contains("~  npm        a     1    2\\x1b[31m"), "{text}");
    }

    #[test]
    fn the_json_is_that_of_its_published_schema() {
        let mut schema = schemars::schema_for!(Document);
        schema.insert("$id".to_owned(), "https://pratique.dev/schema/diff-v1.json".into());
        samples::assert_golden(
            "../../docs/schema/diff-v1.json",
            &serde_json::to_string_pretty(&schema).unwrap(),
        );
        let (old, new) = (report(&[("a", "1", "/a")]), report(&[("a", "2", "/a"), ("b", "1", "/b")]));
        let mut out = Vec::new();
        diff(&old, &new).write_json(&mut out).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            (&value["added"][0]["name"], &value["changed"][0]["new"]["version"]),
            (&"b".into(), &"2".into())
        );
        assert_eq!((&value["old"]["packages"], &value["new"]["gaps"]), (&1.into(), &0.into()));
    }
}
