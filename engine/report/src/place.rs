//! How places are named in sentences, and components across documents.

use std::collections::{HashMap, HashSet};

use pratique_core::package::LocatedPackage;
use pratique_core::{Digest, Gap, Reference};

use crate::report::{Image, Report};
use crate::text::{percent, visible};

/// A gap as one line: kind, detector, place and reason.
pub(crate) fn gap_line(gap: &Gap) -> String {
    let mut line = gap.kind.as_str().to_owned();
    if let Some(detector) = &gap.detector {
        line.push_str(&format!(" for {detector}"));
    }
    if let Some(path) = &gap.path {
        line.push_str(&format!(" at {path}"));
    }
    if let Some(layer) = &gap.layer {
        line.push_str(&format!(" in layer {layer}"));
    }
    line.push_str(": ");
    line.push_str(&gap.reason);
    visible(&line).into_owned()
}

/// A name for each package that is none of the reserved ones and that no other in the list has, in the list's order: its
/// package URL, with a number where several have the same one (the same package at several places).
pub(crate) fn unique_names(packages: &[LocatedPackage], reserved: &[&str]) -> Vec<String> {
    let mut taken: HashSet<String> = reserved.iter().map(|&name| name.to_owned()).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut name = |package: &'_ LocatedPackage, count: &mut usize| {
        let purl = visible(&package.purl);
        loop {
            *count += 1;
            let name = match *count {
                1 if purl.is_empty() => "package".to_owned(),
                1 => purl.clone().into_owned(),
                count => format!("{purl}#{count}"),
            };
            if taken.insert(name.clone()) {
                return name;
            }
        }
    };
    packages.iter().map(|package| name(package, counts.entry(&package.purl).or_default())).collect()
}

/// Places of the packages by their package URLs, the first of each.
fn by_purl(packages: &[LocatedPackage]) -> HashMap<&str, usize> {
    let mut places = HashMap::new();
    for (place, package) in packages.iter().enumerate() {
        places.entry(package.purl.as_str()).or_insert(place);
    }
    places
}

/// The system packages that own other packages' files, by their place in the list.
pub(crate) fn owners(packages: &[LocatedPackage]) -> Vec<Option<usize>> {
    let places = by_purl(packages);
    let owner = |(place, package): (usize, &LocatedPackage)| {
        let owner = places.get(package.owned_by.as_deref()?).copied()?;
        // A package that says it owns itself would be a cycle.
        (owner != place && packages[owner].owned_by.is_none()).then_some(owner)
    };
    packages.iter().enumerate().map(owner).collect()
}

/// The package URL of an image
/// (<https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md>); none without a manifest's digest.
pub(crate) fn image_purl(report: &Report, image: &Image) -> Option<String> {
    let reference: Reference = report.target.reference.parse().ok()?;
    let digest = reference.digest().or(image.manifests.first())?;
    let name = reference.repository().rsplit('/').next()?;
    let mut purl = format!("pkg:oci/{}@{}", percent(name, ""), percent(digest.as_str(), ""));
    purl.push_str(&format!("?arch={}", percent(&image.platform.architecture, "")));
    purl.push_str(&format!("&repository_url={}", percent(&reference.name(), "/:")));
    if let Some(tag) = reference.tag() {
        purl.push_str(&format!("&tag={}", percent(tag, "")));
    }
    Some(purl)
}

/// What identifies the target besides its name, as far as there is such a thing.
pub(crate) fn target_digest(report: &Report) -> Option<&Digest> {
    report.image.as_ref().map(|image| &image.id)
}

#[cfg(test)]
mod tests {
    use pratique_core::package::{Ecosystem, Package};

    use super::*;

    fn located(purl: &str, owned_by: Option<&str>) -> LocatedPackage {
        LocatedPackage {
            package: Package::new(Ecosystem::Npm, "a", "1"),
            purl: purl.to_owned(),
            path: "/a".to_owned(),
            layer: None,
            owned_by: owned_by.map(str::to_owned),
            files: 0,
        }
    }

    #[test]
    fn names_are_unique_whatever_the_package_urls_say() {
        let purls = ["pkg:npm/a@1", "pkg:npm/a@1#2", "pkg:npm/a@1", "target", "", "", "a\u{1b}", "a\\x1b"];
        let packages: Vec<_> = purls.iter().map(|purl| located(purl, None)).collect();
        assert_eq!(
            unique_names(&packages, &["target"]),
            [
                "pkg:npm/a@1",
                "pkg:npm/a@1#2",
                "pkg:npm/a@1#3",
                "target#2",
                "package",
                "#2",
                "a\\x1b",
                "a\\x1b#2"
            ]
        );
    }

    #[test]
    fn owners_are_system_packages_that_are_there() {
        let packages = [
            located("pkg:deb/a", None),
            located("pkg:npm/b", Some("pkg:deb/a")),
            located("pkg:npm/c", Some("pkg:deb/gone")),
            located("pkg:npm/d", Some("pkg:npm/d")),
            located("pkg:npm/e", Some("pkg:npm/b")),
        ];
        assert_eq!(owners(&packages), [None, Some(0), None, None, None]);
    }
}
