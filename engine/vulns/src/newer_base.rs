//! Whether a newer base image helps: which flaws of an image's packages are gone in another image that may be put below it.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::package::{Ecosystem, Inventory, Package};
use pratique_core::{Finding, Gap};

use crate::matching::DETECTOR;

/// What becomes of flaws with a newer base, each by its name.
///
/// Only packages of the system count, by the source they were built from: an image has them once, wherever the layer is that
/// brought them, and the base replaces those that it has. What the base has not (what the image installs itself, what a
/// language's package manager put somewhere) stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewerBase {
    /// Flaws of packages that it has too, which it has not.
    pub clears: BTreeSet<String>,
    /// Flaws that the image has still.
    pub keeps: BTreeSet<String>,
    /// Flaws of its own that the image has not.
    pub brings: BTreeSet<String>,
}

/// An image's packages, and what advisories say of them.
#[derive(Debug, Clone, Copy)]
pub struct Matched<'a> {
    /// The packages.
    pub inventory: &'a Inventory,
    /// Findings; those of other detectors are passed over.
    pub findings: &'a [Finding],
    /// What was missed.
    pub gaps: &'a [Gap],
}

/// A source package of a system.
type Key<'a> = (Ecosystem, &'a str);

/// Compares an image with a newer base.
///
/// # Errors
/// If not all of the base's packages could be judged: the reason. Nothing it lacks would then be known to be gone.
pub fn compare(image: Matched<'_>, base: Matched<'_>) -> Result<NewerBase, String> {
    let missed = |gap: &&Gap| gap.concerns(DETECTOR);
    if let Some(gap) = base.gaps.iter().find(missed) {
        return Err(gap.reason.clone());
    }
    let has: BTreeSet<Key<'_>> = base.inventory.packages.iter().filter_map(|at| key(&at.package)).collect();
    let (before, below) = (flaws(image), flaws(base));
    let mut newer = NewerBase::default();
    for (flaw, packages) in &before {
        // One flaw of several packages is gone when all of them are rid of it.
        let is_gone = |package: &Option<Key<'_>>| {
            let gone = |key: &Key<'_>| {
                has.contains(key) && !below.get(flaw).is_some_and(|still| still.contains(&Some(*key)))
            };
            package.as_ref().is_some_and(gone)
        };
        let list = if packages.iter().all(is_gone) { &mut newer.clears } else { &mut newer.keeps };
        list.insert((*flaw).to_owned());
    }
    let new = below.keys().filter(|flaw| !before.contains_key(*flaw));
    newer.brings = new.map(|flaw| (*flaw).to_owned()).collect();
    Ok(newer)
}

/// Flaws by name, each with the packages that have it; none stands for one that no base replaces.
fn flaws<'a>(matched: Matched<'a>) -> BTreeMap<&'a str, BTreeSet<Option<Key<'a>>>> {
    let packages: BTreeMap<&str, Option<Key<'_>>> =
        matched.inventory.packages.iter().map(|at| (at.purl.as_str(), key(&at.package))).collect();
    let mut flaws: BTreeMap<&str, BTreeSet<_>> = BTreeMap::new();
    for finding in matched.findings.iter().filter(|finding| finding.detector == DETECTOR) {
        let attribute = |name: &str| finding.attributes.get(name).map(String::as_str);
        if let (Some(id), Some(purl)) = (attribute("id"), attribute("purl")) {
            flaws.entry(id).or_default().insert(packages.get(purl).copied().flatten());
        }
    }
    flaws
}

fn key(package: &Package) -> Option<Key<'_>> {
    let name = package.source.as_ref().map_or(package.name.as_str(), |source| source.name.as_str());
    package.ecosystem.is_system().then_some((package.ecosystem, name))
}

#[cfg(test)]
mod tests {
    use pratique_core::package::{LocatedPackage, Source};
    use pratique_core::{Category, GapKind, Severity};

    use super::*;

    type Listed = (Ecosystem, &'static str, Option<&'static str>, &'static str);

    /// Packages (name, source, version) and the flaws of each by its place in the list.
    fn image(packages: &[Listed], flaws: &[(usize, &str)]) -> (Inventory, Vec<Finding>) {
        let purl = |index: usize| format!("pkg:x/{}@{}", packages[index].1, packages[index].3);
        let located = packages.iter().enumerate().map(|(index, (ecosystem, name, source, version))| {
            let mut package = Package::new(*ecosystem, *name, *version);
            package.source =
                source.map(|name| Source { name: name.to_owned(), version: (*version).to_owned() });
            let (path, layer, owned_by) = (String::new(), None, None);
            LocatedPackage { package, purl: purl(index), path, layer, owned_by, files: 0 }
        });
        let findings = flaws.iter().map(|(index, id)| Finding {
            detector: DETECTOR.to_owned(),
            rule: "package".to_owned(),
            category: Category::Vulnerability,
            severity: Severity::High,
            message: String::new(),
            path: None,
            layer: None,
            attributes: [("id", (*id).to_owned()), ("purl", purl(*index))]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        });
        (Inventory { packages: located.collect(), ..Inventory::default() }, findings.collect())
    }

    fn matched((inventory, findings): &(Inventory, Vec<Finding>)) -> Matched<'_> {
        Matched { inventory, findings, gaps: &[] }
    }

    const DEB: Ecosystem = Ecosystem::Deb;

    #[test]
    fn a_flaw_is_gone_where_the_base_has_the_package_without_it() {
        let own = image(
            &[
                (DEB, "libssl3", Some("openssl"), "1"),
                (DEB, "dash", None, "1"),
                (DEB, "curl", None, "1"),
                (Ecosystem::PyPi, "pip", None, "1"),
                (DEB, "zlib1g", Some("zlib"), "1"),
            ],
            &[
                (0, "gone"),
                (1, "stays"),
                (2, "own"),
                (3, "pip's"),
                (0, "of two"),
                (2, "of two"),
                (4, "both gone"),
            ],
        );
        let base = image(
            &[
                // Renamed, of the same source.
                (DEB, "libssl3t64", Some("openssl"), "2"),
                (DEB, "dash", None, "2"),
                (DEB, "zlib1g", Some("zlib"), "2"),
                (Ecosystem::PyPi, "pip", None, "2"),
            ],
            &[(1, "stays"), (1, "new")],
        );
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let newer = compare(matched(&own), matched(&base)).unwrap();
        assert_eq!(newer.clears, set(&["gone", "both gone"]));
        assert_eq!(newer.keeps, set(&["stays", "own", "pip's", "of two"]));
        assert_eq!(newer.brings, set(&["new"]));
        // A base of another distribution has none of its packages.
        let other = image(&[(Ecosystem::Apk, "openssl", None, "2")], &[]);
        assert_eq!(compare(matched(&own), matched(&other)).unwrap().clears, set(&[]));
    }

    #[test]
    fn a_base_that_was_not_judged_clears_nothing() {
        let (own, base) =
            (image(&[(DEB, "dash", None, "1")], &[(0, "x")]), image(&[(DEB, "dash", None, "2")], &[]));
        let gap = |detector: &str| Gap {
            detector: Some(detector.to_owned()),
            ..Gap::of_image(GapKind::Unsupported, "Debian 14 is not covered")
        };
        let with = |gaps: &[Gap]| compare(matched(&own), Matched { gaps, ..matched(&base) });
        assert_eq!(with(&[gap(DETECTOR)]).unwrap_err(), "Debian 14 is not covered");
        assert_eq!(with(&[gap("secret")]).unwrap().clears.len(), 1);
    }
}
