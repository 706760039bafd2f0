//! pnpm-lock.yaml of pnpm 5 to 9 and later, lock file versions 5.0 to 9.0 (<https://github.com/pnpm/spec/tree/master/lockfile>).
//!
//! Keys of `packages` are `/name/1.0.0_peers` (5), `/name@1.0.0(peers)` (6) or `name@1.0.0` (9); packages that come from
//! elsewhere have name and version as fields. What only development needs is marked `dev` where the file tells (before
//! version 9); linked workspaces are not listed there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use super::node_modules;
use crate::formats::{self, DOCUMENT, Text};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: PnpmLock = PnpmLock;

pub(super) struct PnpmLock;

impl Parser for PnpmLock {
    fn id(&self) -> &'static str {
        "pnpm-lock"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/pnpm-lock.yaml"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if node_modules::is_installed(file.path) {
            return Parsed::default();
        }
        let lock: Lock<'_> = match formats::yaml(file) {
            Ok(lock) => lock,
            Err(problem) => return problem,
        };
        // Peers make several entries of one package.
        let packages: BTreeSet<Package> =
            lock.packages.unwrap_or_default().iter().filter_map(|(key, entry)| entry.package(key)).collect();
        let records = packages.into_iter().map(Record::from);
        Parsed { records: records.collect(), problems: Vec::new() }
    }
}

#[derive(Deserialize)]
struct Lock<'a> {
    /// Null where nothing depends on anything.
    #[serde(default, borrow)]
    packages: Option<BTreeMap<Cow<'a, str>, Entry<'a>>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(default, borrow)]
    name: Text<'a>,
    #[serde(default, borrow)]
    version: Text<'a>,
    #[serde(default)]
    dev: bool,
    #[serde(default, borrow)]
    resolution: Resolution<'a>,
}

#[derive(Deserialize, Default)]
struct Resolution<'a> {
    #[serde(default, borrow)]
    repo: Text<'a>,
    #[serde(default, borrow)]
    commit: Text<'a>,
    #[serde(default, borrow)]
    tarball: Text<'a>,
    #[serde(default, borrow)]
    directory: Text<'a>,
}

impl Entry<'_> {
    fn package(&self, key: &str) -> Option<Package> {
        if self.resolution.directory.get().is_some() {
            return None;
        }
        let (name, version) = key_parts(key).unzip();
        let name = self.name.get().or(name)?;
        let version = self.version.get().or(version)?;
        if name.is_empty() || version.is_empty() || version.contains([':', '/']) {
            return None;
        }
        let mut package = Package::new(Ecosystem::Npm, name, version);
        package.evidence = Evidence::Locked;
        if self.dev {
            package.attributes.insert("dev".into(), "true".into());
        }
        if let Some(repository) = self.resolution.repository() {
            package.attributes.insert("repository".into(), repository);
        }
        Some(package)
    }
}

impl Resolution<'_> {
    fn repository(&self) -> Option<String> {
        if let Some(repository) = self.repo.get() {
            return Some(match self.commit.get() {
                Some(commit) => format!("{repository}#{commit}"),
                None => repository.to_owned(),
            });
        }
        self.tarball.get().filter(|url| url.starts_with("https://codeload.github.com/")).map(str::to_owned)
    }
}

/// Name and version of a key. Registries other than npm's stand before the first slash of version 5.
fn key_parts(key: &str) -> Option<(&str, &str)> {
    let key = key.split('(').next()?;
    let path = match key.strip_prefix('/') {
        Some(path) => path,
        None => match key.split_once('/') {
            Some((host, path)) if host.contains('.') && !host.contains('@') => path,
            _ => key,
        },
    };
    // The version begins after the first `@` or `/` that follows the name, which may have a scope.
    let scope = if path.starts_with('@') { path.find('/')? + 1 } else { 0 };
    let end = scope + path[scope..].find(['@', '/'])?;
    let version = path[end + 1..].split('_').next()?;
    Some((&path[..end], version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_all_versions_name_package_and_version() {
        for (key, expected) in [
            ("/debug/4.3.1", Some(("debug", "4.3.1"))),
            ("/@babel/core/7.1.0_peer@1.0.0", Some(("@babel/core", "7.1.0"))),
            ("/@babel/core@7.1.0(peer@1.0.0)(@s/other@2.0.0)", Some(("@babel/core", "7.1.0"))),
            ("@babel/core@7.1.0", Some(("@babel/core", "7.1.0"))),
            ("registry.example.com/debug/4.3.1", Some(("debug", "4.3.1"))),
            ("registry.example.com/@s/debug/4.3.1", Some(("@s/debug", "4.3.1"))),
            ("debug", None),
            ("@s", None),
            ("", None),
        ] {
            assert_eq!(key_parts(key), expected, "{key}");
        }
    }
}
