//! package-lock.json and npm-shrinkwrap.json of versions 1, 2 and 3
//! (<https://docs.npmjs.com/cli/configuring-npm/package-lock-json>).
//!
//! Version 2 has both forms; `packages` is the better one. The project itself and its workspaces are marked `root`,
//! what only development needs `dev`; an alias has the name of what it stands for; what comes from a repository has its
//! address as `repository`. Local folders of version 1 have no version and are no packages.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use super::node_modules;
use crate::formats::{self, DOCUMENT, Text};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: NpmLock = NpmLock;

pub(super) struct NpmLock;

impl Parser for NpmLock {
    fn id(&self) -> &'static str {
        "npm-lock"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/package-lock.json", "**/npm-shrinkwrap.json"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if node_modules::is_installed(file.path) {
            return Parsed::default();
        }
        let lock: Lock<'_> = match formats::json(file) {
            Ok(lock) => lock,
            Err(problem) => return problem,
        };
        // One version often lies at many places of the tree.
        let mut packages = BTreeSet::new();
        if lock.packages.is_empty() {
            for (name, dependency) in &lock.dependencies {
                dependency.collect(name, &mut packages);
            }
        } else {
            packages.extend(lock.packages.iter().filter_map(|(path, entry)| entry.package(path)));
        }
        let records = packages.into_iter().map(Record::from);
        Parsed { records: records.collect(), problems: Vec::new() }
    }
}

#[derive(Deserialize)]
struct Lock<'a> {
    /// Versions 2 and 3: by place in the tree.
    #[serde(default, borrow)]
    packages: BTreeMap<Cow<'a, str>, Entry<'a>>,
    /// Version 1: the tree. Its depth is bounded by that of JSON.
    #[serde(default, borrow)]
    dependencies: BTreeMap<Cow<'a, str>, Dependency<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    /// Written where it differs from the folder: aliases, workspaces, the project.
    #[serde(default, borrow)]
    name: Text<'a>,
    #[serde(default, borrow)]
    version: Text<'a>,
    #[serde(default, borrow)]
    resolved: Text<'a>,
    #[serde(default, borrow)]
    license: Text<'a>,
    #[serde(default)]
    dev: bool,
    #[serde(default)]
    link: bool,
}

impl Entry<'_> {
    fn package(&self, path: &str) -> Option<Package> {
        // A link's target has an entry of its own.
        let version = self.version.get().filter(|_| !self.link)?;
        let folder = path.rsplit_once("node_modules/").map(|(_, name)| name);
        let name = self.name.get().or(folder).or_else(|| path.rsplit('/').next())?;
        let mut package = locked(name, version, self.dev)?;
        package.licenses.extend(self.license.get().map(str::to_owned));
        if folder.is_none() {
            package.attributes.insert("root".into(), "true".into());
        }
        if let Some(resolved) = self.resolved.get().filter(|resolved| resolved.starts_with("git")) {
            package.attributes.insert("repository".into(), resolved.to_owned());
        }
        Some(package)
    }
}

#[derive(Deserialize)]
struct Dependency<'a> {
    #[serde(default, borrow)]
    version: Text<'a>,
    #[serde(default)]
    dev: bool,
    #[serde(default, borrow)]
    dependencies: BTreeMap<Cow<'a, str>, Dependency<'a>>,
}

impl Dependency<'_> {
    fn collect(&self, name: &str, packages: &mut BTreeSet<Package>) {
        packages.extend(self.package(name));
        for (name, dependency) in &self.dependencies {
            dependency.collect(name, packages);
        }
    }

    /// `1.0.0`, `npm:other@1.0.0`, `git+ssh://…#commit`, `https://…/x.tgz`, `file:…`
    fn package(&self, name: &str) -> Option<Package> {
        let version = self.version.get()?;
        if let Some(alias) = version.strip_prefix("npm:") {
            let (name, version) = alias.rsplit_once('@')?;
            return locked(name, version, self.dev);
        }
        if version.starts_with("git") || version.starts_with("github:") {
            let mut package = locked(name, version.split_once('#')?.1, self.dev)?;
            package.attributes.insert("repository".into(), version.to_owned());
            return Some(package);
        }
        locked(name, version, self.dev)
    }
}

fn locked(name: &str, version: &str, dev: bool) -> Option<Package> {
    let is_version = !version.is_empty() && !version.contains([':', '/']);
    (is_version && !name.is_empty()).then(|| {
        let mut package = Package::new(Ecosystem::Npm, name, version);
        package.evidence = Evidence::Locked;
        if dev {
            package.attributes.insert("dev".into(), "true".into());
        }
        package
    })
}
