//! .NET: what an application was built from (`*.deps.json`,
//! <https://github.com/dotnet/sdk/blob/main/documentation/specs/runtime-configuration-file.md>) and NuGet's lock file
//! (`packages.lock.json`, <https://learn.microsoft.com/en-us/nuget/consume-packages/package-references-in-project-files>).

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: DotNet = DotNet;

pub(super) struct DotNet;

impl Parser for DotNet {
    fn id(&self) -> &'static str {
        "dotnet"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/*.deps.json", "**/packages.lock.json"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let is_built = file.path.ends_with(b".deps.json");
        if is_built && !formats::has_mark(file, &["\"runtimeTarget\"", "\"libraries\""]) {
            return Parsed::default();
        }
        let packages = if is_built {
            formats::json::<Built>(file).map(Built::packages)
        } else {
            formats::json::<Lock>(file).map(Lock::packages)
        };
        match packages {
            Ok(packages) => {
                Parsed { records: packages.into_iter().map(Record::from).collect(), problems: Vec::new() }
            }
            Err(problem) => problem,
        }
    }
}

/// `*.deps.json`.
#[derive(Deserialize)]
struct Built {
    /// By `NAME/VERSION`.
    libraries: BTreeMap<String, Library>,
}

#[derive(Deserialize)]
struct Library {
    /// `package`, `project`, `runtimepack`, `reference`…
    #[serde(rename = "type", default)]
    kind: String,
}

impl Built {
    fn packages(self) -> BTreeSet<Package> {
        let package = |(key, library): (String, Library)| {
            let (name, version) = key.split_once('/')?;
            let name = match library.kind.as_str() {
                "package" | "project" => name,
                "runtimepack" => name.strip_prefix("runtimepack.").unwrap_or(name),
                _ => return None,
            };
            Some(nuget(name, version, Evidence::Installed, library.kind == "project"))
        };
        self.libraries.into_iter().filter_map(package).collect()
    }
}

/// `packages.lock.json`.
#[derive(Deserialize)]
struct Lock {
    /// By framework, then by name.
    dependencies: BTreeMap<String, BTreeMap<String, Locked>>,
}

#[derive(Deserialize)]
struct Locked {
    /// Absent for projects beside this one.
    resolved: Option<String>,
}

impl Lock {
    fn packages(self) -> BTreeSet<Package> {
        let all = self.dependencies.into_values().flatten();
        all.filter_map(|(name, locked)| Some(nuget(&name, &locked.resolved?, Evidence::Locked, false)))
            .collect()
    }
}

fn nuget(name: &str, version: &str, evidence: Evidence, root: bool) -> Package {
    let mut package = Package::new(Ecosystem::NuGet, name, version);
    package.evidence = evidence;
    if root {
        package.attributes.insert("root".to_owned(), "true".to_owned());
    }
    package
}
