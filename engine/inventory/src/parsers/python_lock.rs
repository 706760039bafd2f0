//! Python's lock files: Pipfile.lock (pipenv), poetry.lock, uv.lock, pdm.lock and pylock.toml
//! (<https://packaging.python.org/en/latest/specifications/pylock-toml/>).
//!
//! A project itself is marked `root`, what only development groups need `dev`, and what comes from a repository has its
//! address and commit as `repository`. Entries without a version (local folders) are no packages.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use crate::formats::{self, DOCUMENT, Text};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: PythonLock = PythonLock;

pub(super) struct PythonLock;

impl Parser for PythonLock {
    fn id(&self) -> &'static str {
        "python-lock"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest::head(
                &["**/Pipfile.lock", "**/{poetry,uv,pdm}.lock", "**/pylock.toml", "**/pylock.*.toml"],
                DOCUMENT,
            )]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let packages = if file.path.ends_with(b"Pipfile.lock") {
            formats::json(file).map(Pipfile::packages)
        } else {
            formats::toml(file).map(Lock::packages)
        };
        match packages {
            Ok(packages) => {
                let records = packages.into_iter().map(Record::from);
                Parsed { records: records.collect(), problems: Vec::new() }
            }
            Err(problem) => problem,
        }
    }
}

fn locked(name: &str, version: &str, dev: bool) -> Package {
    let mut package = Package::new(Ecosystem::PyPi, name, version);
    package.evidence = Evidence::Locked;
    if dev {
        package.attributes.insert("dev".into(), "true".into());
    }
    package
}

/// pipenv: two sections, each a map by name.
#[derive(Deserialize)]
struct Pipfile<'a> {
    #[serde(default, borrow)]
    default: BTreeMap<Cow<'a, str>, Pinned<'a>>,
    #[serde(default, borrow)]
    develop: BTreeMap<Cow<'a, str>, Pinned<'a>>,
}

#[derive(Deserialize)]
struct Pinned<'a> {
    #[serde(default, borrow)]
    version: Text<'a>,
}

impl Pipfile<'_> {
    fn packages(self) -> Vec<Package> {
        let only_dev = self.develop.iter().filter(|(name, _)| !self.default.contains_key(*name));
        let all = self.default.iter().map(|entry| (entry, false)).chain(only_dev.map(|entry| (entry, true)));
        all.filter_map(|((name, pinned), dev)| {
            let version = pinned.version.get()?.strip_prefix("==")?;
            Some(locked(name, version.trim_start_matches('='), dev))
        })
        .collect()
    }
}

/// The others: an array of tables.
#[derive(Deserialize)]
struct Lock<'a> {
    #[serde(default, borrow)]
    package: Vec<Entry<'a>>,
    /// pylock.toml.
    #[serde(default, borrow)]
    packages: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(default, borrow)]
    name: Text<'a>,
    #[serde(default, borrow)]
    version: Text<'a>,
    /// poetry before 1.5.
    #[serde(default, borrow)]
    category: Text<'a>,
    /// poetry from 2.0 on, pdm.
    #[serde(default, borrow)]
    groups: Vec<Text<'a>>,
    /// poetry, uv.
    #[serde(default, borrow)]
    source: Source<'a>,
    /// pdm: a repository's URL.
    #[serde(default, borrow)]
    git: Text<'a>,
    #[serde(default, borrow)]
    revision: Text<'a>,
    /// pylock.toml.
    #[serde(default, borrow)]
    vcs: Repository<'a>,
}

#[derive(Deserialize, Default)]
struct Source<'a> {
    /// poetry.
    #[serde(default, borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(default, borrow)]
    url: Text<'a>,
    #[serde(default, borrow)]
    resolved_reference: Text<'a>,
    /// uv.
    #[serde(default, borrow)]
    git: Text<'a>,
    #[serde(default, borrow)]
    editable: Text<'a>,
    #[serde(default, borrow, rename = "virtual")]
    without_build: Text<'a>,
}

#[derive(Deserialize, Default)]
struct Repository<'a> {
    #[serde(default, borrow)]
    url: Text<'a>,
    #[serde(default, borrow, rename = "commit-id")]
    commit: Text<'a>,
}

impl Lock<'_> {
    fn packages(self) -> Vec<Package> {
        self.package.iter().chain(&self.packages).filter_map(Entry::package).collect()
    }
}

impl Entry<'_> {
    fn package(&self) -> Option<Package> {
        let has_groups = !self.groups.is_empty();
        let is_dev = |group: &Text<'_>| !matches!(group.get(), Some("main" | "default") | None);
        let dev = self.category.get() == Some("dev") || has_groups && self.groups.iter().all(is_dev);
        let mut package = locked(self.name.get()?, self.version.get()?, dev);
        if let Some(repository) = self.repository() {
            package.attributes.insert("repository".into(), repository);
        }
        let is_root = |path: &Text<'_>| path.get() == Some(".");
        if is_root(&self.source.editable) || is_root(&self.source.without_build) {
            package.attributes.insert("root".into(), "true".into());
        }
        Some(package)
    }

    fn repository(&self) -> Option<String> {
        let with = |url: &str, commit: &Text<'_>| match commit.get() {
            Some(commit) => format!("{url}#{commit}"),
            None => url.to_owned(),
        };
        if let Some(url) = self.source.git.get() {
            return Some(url.to_owned());
        }
        if self.source.kind.get() == Some("git") {
            return Some(with(self.source.url.get()?, &self.source.resolved_reference));
        }
        if let Some(url) = self.git.get() {
            return Some(with(url, &self.revision));
        }
        self.vcs.url.get().map(|url| with(url, &self.vcs.commit))
    }
}
