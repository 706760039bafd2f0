//! yarn.lock: version 1 (<https://classic.yarnpkg.com/lang/en/docs/yarn-lock/>), a format of its own, and that of Yarn 2
//! and later (Berry), which is YAML.
//!
//! An alias has the name of what it stands for; what comes from a repository has its address as `repository`. Workspaces
//! and local folders have no version of their own there and are no packages. Neither format knows what only
//! development needs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use super::node_modules;
use crate::formats::{self, DOCUMENT, Text};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: YarnLock = YarnLock;

pub(super) struct YarnLock;

impl Parser for YarnLock {
    fn id(&self) -> &'static str {
        "yarn-lock"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/yarn.lock"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if node_modules::is_installed(file.path) {
            return Parsed::default();
        }
        let text = match formats::text(file) {
            Ok(text) => text,
            Err(problem) => return problem,
        };
        if text.lines().take(20).any(|line| line.starts_with("__metadata:")) {
            return berry(file);
        }
        classic(text)
    }
}

fn parsed(packages: BTreeSet<Package>) -> Parsed {
    let records = packages.into_iter().map(Record::from);
    Parsed { records: records.collect(), problems: Vec::new() }
}

fn locked(name: &str, version: &str, repository: Option<&str>) -> Option<Package> {
    if name.is_empty() || version.is_empty() {
        return None;
    }
    let mut package = Package::new(Ecosystem::Npm, name, version);
    package.evidence = Evidence::Locked;
    if let Some(repository) = repository {
        package.attributes.insert("repository".into(), repository.to_owned());
    }
    Some(package)
}

/// Blocks: a line of patterns that ends in a colon, then indented fields.
fn classic(text: &str) -> Parsed {
    let mut packages = BTreeSet::new();
    let (mut name, mut version, mut resolved) = (None, None, None::<&str>);
    let mut blocks = 0;
    // A last line without indent ends the last block.
    for line in text.lines().chain(["end:"]) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if !line.starts_with(' ') {
            if let (Some(name), Some(version)) = (name, version.take()) {
                let repository = resolved.filter(|url| is_repository(url));
                packages.extend(locked(name, version, repository));
                blocks += 1;
            }
            resolved = None;
            name = line.trim_end().strip_suffix(':').and_then(pattern_name);
        } else if let Some(field) = line.strip_prefix("  ").filter(|field| !field.starts_with(' ')) {
            let value = |key: &str| Some(field.strip_prefix(key)?.trim().trim_matches('"'));
            version = version.or(value("version "));
            resolved = resolved.or(value("resolved "));
        }
    }
    let mut parsed = parsed(packages);
    if blocks == 0 && text.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        parsed.problems.push((GapKind::Malformed, "no entry of a yarn.lock was found in it".into()));
    }
    parsed
}

/// The package's name from `"@scope/name@^1.0.0", "alias@npm:name@^1.0.0"`; nothing for local folders.
fn pattern_name(patterns: &str) -> Option<&str> {
    let first = patterns.trim_start_matches('"').split(['"', ',']).next()?;
    let (name, range) = split(first)?;
    if range.starts_with("file:") || range.starts_with("link:") || range.starts_with('.') {
        return None;
    }
    match range.strip_prefix("npm:") {
        // `npm:^1.0.0` is a range of the same name.
        Some(aliased) => Some(split(aliased).map_or(name, |(name, _)| name)),
        None => Some(name),
    }
}

/// Name and the rest, at the first `@` that does not begin a scope.
fn split(text: &str) -> Option<(&str, &str)> {
    let at = text.get(1..)?.find('@')? + 1;
    Some((&text[..at], &text[at + 1..]))
}

fn is_repository(url: &str) -> bool {
    url.starts_with("git") || url.starts_with("https://codeload.github.com/") || url.contains(".git#")
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(default, borrow)]
    version: Text<'a>,
    #[serde(default, borrow)]
    resolution: Text<'a>,
}

fn berry(file: &FileInput<'_>) -> Parsed {
    match formats::yaml::<BTreeMap<Cow<'_, str>, Entry<'_>>>(file) {
        Ok(entries) => parsed(entries.values().filter_map(Entry::package).collect()),
        Err(problem) => problem,
    }
}

impl Entry<'_> {
    /// `name@npm:1.0.0`, `name@patch:name@npm%3A1.0.0#…`, `name@https://….git#commit=…`, `name@workspace:.`
    fn package(&self) -> Option<Package> {
        let (name, reference) = split(self.resolution.get()?)?;
        let version = self.version.get()?;
        let (protocol, _) = reference.split_once(':')?;
        match protocol {
            "npm" | "patch" => locked(name, version, None),
            "workspace" | "file" | "link" | "portal" => None,
            _ => locked(name, version, Some(reference)),
        }
    }
}
