//! Software bills of materials: CycloneDX in JSON and XML, SPDX 2 in JSON and as tags and values. Their packages are taken by package
//! URL alone: names without one say nothing of the world that a package comes from.
//!
//! Limits: SPDX 3, and SPDX in XML, YAML and RDF, are told as not supported.

mod cyclonedx;
mod cyclonedx_xml;
mod spdx;

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::GapKind;
use pratique_core::inspect::FileInput;
use pratique_core::package::{Evidence, Package, Record};
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
    let start = file.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file.bytes).trim_ascii_start();
    let unsupported = |format: &str| {
        let reason = format!("{format} is not read; CycloneDX, and SPDX 2 in JSON or tags, are");
        Err(Parsed::problem(GapKind::Unsupported, reason))
    };
    match start.first() {
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
    let mut packages: BTreeSet<Package> = BTreeSet::new();
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    let (mut invalid, mut nameless) = (Vec::new(), 0);
    for component in components {
        let Some(url) = &component.purl else {
            nameless += usize::from(component.counts && !component.root);
            continue;
        };
        match purl::package(url) {
            Ok(mut package) => {
                package.evidence = Evidence::Sbom;
                package.licenses = component.licenses;
                if component.root {
                    package.attributes.insert("root".to_owned(), "true".to_owned());
                }
                packages.insert(package);
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
    Parsed { records: packages.into_iter().map(Record::from).collect(), problems }
}

#[cfg(test)]
mod tests {
    use pratique_core::inspect::FileMode;

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
}
