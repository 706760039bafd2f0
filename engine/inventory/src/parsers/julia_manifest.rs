//! Julia's Manifest.toml, both versions (<https://pkgdocs.julialang.org/v1/toml-files/#Manifest.toml>). Parts of Julia itself
//! have no version there and are no packages, nor are local folders; what comes from a repository has its address as `repository`.

use std::collections::BTreeMap;

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: JuliaManifest = JuliaManifest;

pub(super) struct JuliaManifest;

impl Parser for JuliaManifest {
    fn id(&self) -> &'static str {
        "julia-manifest"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/Manifest.toml", "**/JuliaManifest.toml", "**/Manifest-v*.toml"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if !formats::has_mark(file, MARKS) {
            return Parsed::default();
        }
        let packages = formats::toml::<Format>(file).and_then(|format| match format.manifest_format {
            Some(_) => formats::toml::<Manifest>(file).map(|manifest| manifest.deps),
            None => formats::toml(file),
        });
        match packages {
            Ok(packages) => {
                let entries = packages.into_iter().flat_map(|(name, entries)| {
                    entries.into_iter().filter_map(move |entry| entry.package(&name))
                });
                Parsed { records: entries.map(Record::from).collect(), problems: Vec::new() }
            }
            Err(problem) => problem,
        }
    }
}

/// What every manifest of Julia that names packages has: files of other programs have the same name.
const MARKS: &[&str] = &["uuid", "manifest_format", "julia_version", "[[deps."];

/// Packages of one name differ in their UUID.
type Packages = BTreeMap<String, Vec<Entry>>;

#[derive(Deserialize)]
struct Format {
    /// From version 2 on.
    manifest_format: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    deps: Packages,
}

#[derive(Deserialize)]
struct Entry {
    uuid: Option<String>,
    version: Option<String>,
    path: Option<String>,
    #[serde(rename = "repo-url")]
    repository: Option<String>,
}

impl Entry {
    fn package(self, name: &str) -> Option<Package> {
        if self.path.is_some() {
            return None;
        }
        let mut package = Package::new(Ecosystem::Julia, name, self.version?);
        package.evidence = Evidence::Locked;
        for (key, value) in [("uuid", self.uuid), ("repository", self.repository)] {
            package.attributes.extend(value.map(|value| (key.to_owned(), value)));
        }
        Some(package)
    }
}
