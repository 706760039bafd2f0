//! Software bills of materials: CycloneDX in JSON and XML, SPDX 2 in JSON and as tags and values. Their packages are taken by package
//! URL alone: names without one say nothing of the world that a package comes from.
//!
//! Limits: SPDX 3, and SPDX in XML, YAML and RDF, are told as not supported.

mod cyclonedx;
mod cyclonedx_xml;
mod spdx;

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, FileMode};
use pratique_core::package::{Evidence, Inventory, LocatedPackage, Package, Record, Release};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::Parsed;
use crate::formats::{self, Text};
use crate::purl::{self, NoPackage};

/// Largest document that is read, in bytes.
pub(crate) const MAX_DOCUMENT: usize = 64 << 20;

/// Package URLs that are no package and named in a problem.
const MAX_NAMED: usize = 3;

/// What a document says of one component.
#[derive(Debug, Default)]
struct Component {
    purl: Option<String>,
    licenses: Vec<String>,
    /// What the document is about.
    root: bool,
    /// Whether it ought to be a package, by its kind: files and operating systems have no package URL.
    counts: bool,
    /// Where it lies, as our own documents say it.
    place: Place,
}

/// Where a package lies in what a document describes.
#[derive(Debug, Default)]
struct Place {
    path: Option<String>,
    layer: Option<String>,
    owned_by: Option<String>,
}

/// What tells formats apart.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "bomFormat", default)]
    bom_format: Text<'a>,
    #[serde(borrow, rename = "spdxVersion", default)]
    spdx_version: Text<'a>,
    #[serde(rename = "@graph")]
    graph: Option<IgnoredAny>,
}

/// What every document of these formats has, and other files that have their names have not.
const MARKS: &[&str] = &[
    "bomFormat",
    "cyclonedx.org/schema/bom",
    "<bom",
    "spdxVersion",
    "SPDXVersion",
    "SPDXID",
    "SPDXRef-",
    "spdx.org/rdf",
];

/// Whether it is a document in one of the formats, broken or not.
pub(crate) fn is_sbom(file: &FileInput<'_>) -> bool {
    formats::has_mark(file, MARKS)
}

/// The packages of a document in any of the formats.
pub(crate) fn parse(file: &FileInput<'_>) -> Parsed {
    match components(file) {
        Ok((components, problem)) => {
            let mut parsed = parsed(components);
            parsed.problems.extend(problem);
            parsed
        }
        Err(problem) => problem,
    }
}

/// Components, and what kept the rest from being read.
type Read = (Vec<Component>, Option<(GapKind, String)>);

fn components(file: &FileInput<'_>) -> Result<Read, Parsed> {
    let unsupported = |format: &str| {
        let reason = format!("{format} is not read; CycloneDX, and SPDX 2 in JSON or tags, are");
        Err(Parsed::problem(GapKind::Unsupported, reason))
    };
    match formats::start(file).first() {
        Some(b'{') => {}
        Some(b'<') => return formats::text(file).map(cyclonedx_xml::components),
        _ => return formats::text(file).and_then(spdx::tags).map(whole),
    }
    let kind = formats::json::<Kind<'_>>(file)?;
    match (kind.bom_format.get(), kind.spdx_version.get(), kind.graph) {
        (Some("CycloneDX"), ..) => {
            formats::json::<cyclonedx::Document>(file).map(|document| whole(document.components()))
        }
        (_, Some(version), _) if version.starts_with("SPDX-2.") => {
            formats::json::<spdx::Document<'_>>(file).map(|document| whole(document.components()))
        }
        (_, Some(version), _) => unsupported(&format!("{version:?}")),
        (.., Some(_)) => unsupported("an SBOM in JSON-LD (SPDX 3)"),
        _ => Err(Parsed::problem(GapKind::Malformed, "neither CycloneDX nor SPDX")),
    }
}

fn whole(components: Vec<Component>) -> Read {
    (components, None)
}

/// Whether a component of CycloneDX of this type ought to be a package.
fn is_package(kind: &str) -> bool {
    matches!(kind, "library" | "framework" | "application")
}

fn parsed(components: Vec<Component>) -> Parsed {
    let (packages, problems) = packages(components);
    let packages: BTreeSet<Package> = packages.into_iter().map(|(package, ..)| package).collect();
    Parsed { records: packages.into_iter().map(Record::from).collect(), problems }
}

/// Packages with their package URLs and places, and what is wrong with the others.
type Named = (Vec<(Package, String, Place)>, Vec<(GapKind, String)>);

fn packages(components: Vec<Component>) -> Named {
    let mut packages = Vec::new();
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    let (mut invalid, mut nameless) = (Vec::new(), 0);
    for component in components {
        let Some(url) = component.purl else {
            nameless += usize::from(component.counts && !component.root);
            continue;
        };
        match purl::package(&url) {
            Ok(mut package) => {
                package.evidence = Evidence::Sbom;
                package.licenses = component.licenses;
                if component.root {
                    package.attributes.insert("root".to_owned(), "true".to_owned());
                }
                packages.push((package, url, component.place));
            }
            // Images are what others lie in.
            Err(NoPackage::Type(kind)) if matches!(kind.as_str(), "oci" | "docker") => {}
            Err(NoPackage::Type(kind)) => *unknown.entry(kind).or_default() += 1,
            Err(error @ NoPackage::Invalid(..)) => invalid.push(error.to_string()),
        }
    }
    let mut problems = Vec::new();
    if !invalid.is_empty() {
        let named = invalid[..invalid.len().min(MAX_NAMED)].join("; ");
        problems.push((GapKind::Malformed, format!("wrong package URLs ({}): {named}", invalid.len())));
    }
    if !unknown.is_empty() {
        let count: usize = unknown.values().sum();
        let kinds: Vec<&str> = unknown.keys().take(MAX_NAMED).map(String::as_str).collect();
        let reason = format!("components of types that are not known ({}): {count}", kinds.join(", "));
        problems.push((GapKind::Unsupported, reason));
    }
    if nameless > 0 {
        let reason = format!("components without a package URL, whose world is not known: {nameless}");
        problems.push((GapKind::Unsupported, reason));
    }
    (packages, problems)
}

/// The inventory that a document describes, for whoever is handed an SBOM instead of an image. `path` is where packages are
/// said to lie whose document does not say it. The system's release is what the package URLs of its packages say.
///
/// # Errors
/// Nothing in it could be read, and why.
pub fn read_sbom(bytes: &Vec<u8>, path: &str) -> Result<(Inventory, Vec<(GapKind, String)>), String> {
    const MODE: FileMode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
    let (components, problem) =
        components(&FileInput::in_memory(path.as_bytes(), MODE, bytes)).map_err(|parsed| {
            parsed.problems.into_iter().map(|(_, reason)| reason).collect::<Vec<_>>().join("; ")
        })?;
    let (named, mut problems) = packages(components);
    problems.extend(problem);
    let mut releases: BTreeMap<Release, usize> = BTreeMap::new();
    for (package, url, _) in &named {
        if let Some(release) = purl::release(url).filter(|_| package.ecosystem.is_system()) {
            *releases.entry(release).or_default() += 1;
        }
    }
    let release = releases.iter().max_by_key(|(_, count)| **count).map(|(release, _)| release.clone());
    let others: usize =
        releases.iter().filter(|(own, _)| Some(*own) != release.as_ref()).map(|(_, n)| n).sum();
    if others > 0 {
        let reason = format!("packages of another release than most, which are left out: {others}");
        problems.push((GapKind::Unsupported, reason));
    }
    let is_of_release = |package: &Package, url: &str| {
        !package.ecosystem.is_system() || purl::release(url).is_none_or(|own| Some(own) == release)
    };
    let packages: BTreeSet<LocatedPackage> = named
        .into_iter()
        .filter(|(package, url, _)| is_of_release(package, url))
        .map(|(package, purl, place)| LocatedPackage {
            package,
            purl,
            path: place.path.unwrap_or_else(|| path.to_owned()),
            layer: place.layer.and_then(|layer| layer.parse().ok()),
            owned_by: place.owned_by,
            files: 0,
        })
        .collect();
    let inventory = Inventory { release, packages: packages.into_iter().collect(), removed: Vec::new() };
    Ok((inventory, problems))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODE: FileMode = FileMode { permissions: 0o644, uid: 0, gid: 0 };

    fn problems(text: &str) -> Vec<GapKind> {
        let bytes = text.as_bytes().to_vec();
        parse(&FileInput::in_memory(b"a.cdx.json", MODE, &bytes))
            .problems
            .iter()
            .map(|(kind, _)| *kind)
            .collect()
    }

    #[test]
    fn a_document_that_is_too_long_is_a_limit_in_every_format() {
        for start in ["{\"bomFormat\": \"CycloneDX\"}", "<bom></bom>", "SPDXVersion: SPDX-2.3\n"] {
            let bytes = start.as_bytes().to_vec();
            assert_eq!(problems(start), [], "{start}");
            let file = FileInput { size: 1 << 30, ..FileInput::in_memory(b"a.spdx", MODE, &bytes) };
            let parsed = parse(&file);
            assert_eq!(parsed.records, [], "{start}");
            assert!(matches!(parsed.problems[..], [(GapKind::Limit, _)]), "{start}: {:?}", parsed.problems);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let open = "{\"components\": [".repeat(100_000);
        assert_eq!(
            problems(&format!("{{\"bomFormat\": \"CycloneDX\", \"components\": [{open}")),
            [GapKind::Malformed]
        );
        let open = "<components><component>".repeat(100_000);
        assert_eq!(problems(&format!("<bom>{open}")), [GapKind::Limit]);
    }

    #[test]
    fn wrong_components_are_one_problem_however_many_they_are() {
        let component = "{\"type\": \"library\", \"purl\": \"wrong\"},".repeat(20_000);
        let text = format!("{{\"bomFormat\": \"CycloneDX\", \"components\": [{component} {{}}]}}");
        assert_eq!(problems(&text), [GapKind::Malformed]);
    }

    #[test]
    fn an_sbom_that_is_handed_over_gives_release_and_places() {
        let text = r#"{"bomFormat": "CycloneDX", "components": [
            {"type": "library", "purl": "pkg:deb/debian/dash@0.5?arch=amd64&distro=debian-12&upstream=shell%400.4"},
            {"type": "library", "purl": "pkg:apk/alpine/musl@1.2.5-r0?distro=3.20.1"},
            {"type": "library", "purl": "pkg:deb/debian/bash@5?distro=debian-12"},
            {"type": "library", "purl": "pkg:pypi/six@1", "properties": [
                {"name": "pratique:path", "value": "/usr/six"}, {"name": "pratique:ownedBy", "value": "pkg:deb/a"},
                {"name": "pratique:layer", "value": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]}]}"#;
        let (inventory, problems) = read_sbom(&text.as_bytes().to_vec(), "a.json").unwrap();
        let release = inventory.release.unwrap();
        assert_eq!((release.id.as_str(), release.version.as_str()), ("debian", "12"));
        let names: Vec<_> = inventory.packages.iter().map(|located| located.package.name.as_str()).collect();
        assert_eq!(names, ["bash", "dash", "six"]);
        assert!(matches!(&problems[..], [(GapKind::Unsupported, reason)] if reason.contains("left out: 1")));
        let [bash, dash, six] = &inventory.packages[..] else { panic!("{names:?}") };
        assert_eq!(dash.package.source.as_ref().unwrap().version, "0.4");
        assert_eq!((bash.path.as_str(), six.path.as_str()), ("a.json", "/usr/six"));
        assert!(six.layer.is_some() && six.owned_by.as_deref() == Some("pkg:deb/a"));
        for nothing in ["", "{}", "{\"spdxVersion\": \"SPDX-3.0\"}", "hello"] {
            assert!(read_sbom(&nothing.as_bytes().to_vec(), "a.json").is_err(), "{nothing}");
        }
    }
}
