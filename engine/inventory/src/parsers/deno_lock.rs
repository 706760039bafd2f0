//! deno.lock of versions 2 to 5 (<https://docs.deno.com/runtime/fundamentals/modules/#integrity-checking-and-lock-files>).
//!
//! Packages from npm are `name@1.0.0_peers`. Packages from JSR have the names under which JSR offers them to npm
//! (`@std/assert` is `@jsr/std__assert`, <https://jsr.io/docs/npm-compatibility>) and `repository` tells where from.
//! Modules that are imported by URL have no name and version of a registry: they are no packages.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: DenoLock = DenoLock;

pub(super) struct DenoLock;

impl Parser for DenoLock {
    fn id(&self) -> &'static str {
        "deno-lock"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/deno.lock"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let lock: Lock<'_> = match formats::json(file) {
            Ok(lock) => lock,
            Err(problem) => return problem,
        };
        let mut packages = BTreeSet::new();
        let npm = lock.npm.iter().flat_map(|npm| match &npm.packages {
            Some(packages) => packages.keys(),
            None => npm.rest.keys(),
        });
        let nested = lock.packages.as_ref();
        let npm = npm.chain(nested.iter().flat_map(|packages| packages.npm.keys()));
        packages.extend(npm.filter_map(|key| package(key)));
        let jsr = lock.jsr.keys().chain(nested.iter().flat_map(|packages| packages.jsr.keys()));
        packages.extend(jsr.filter_map(|key| jsr_package(key)));
        let records = packages.into_iter().map(Record::from);
        Parsed { records: records.collect(), problems: Vec::new() }
    }
}

type Keys<'a> = BTreeMap<Cow<'a, str>, IgnoredAny>;

#[derive(Deserialize)]
struct Lock<'a> {
    #[serde(default, borrow)]
    npm: Option<Npm<'a>>,
    #[serde(default, borrow)]
    jsr: Keys<'a>,
    /// Version 3.
    #[serde(default, borrow)]
    packages: Option<Nested<'a>>,
}

#[derive(Deserialize)]
struct Npm<'a> {
    /// Version 2.
    #[serde(default, borrow)]
    packages: Option<Keys<'a>>,
    /// From version 4 on the packages themselves.
    #[serde(flatten, borrow)]
    rest: Keys<'a>,
}

#[derive(Deserialize)]
struct Nested<'a> {
    #[serde(default, borrow)]
    npm: Keys<'a>,
    #[serde(default, borrow)]
    jsr: Keys<'a>,
}

fn package(key: &str) -> Option<Package> {
    let at = key.get(1..)?.find('@')? + 1;
    let version = key[at + 1..].split('_').next()?;
    if version.is_empty() {
        return None;
    }
    let mut package = Package::new(Ecosystem::Npm, &key[..at], version);
    package.evidence = Evidence::Locked;
    Some(package)
}

fn jsr_package(key: &str) -> Option<Package> {
    let mut package = package(key)?;
    let (scope, name) = package.name.strip_prefix('@')?.split_once('/')?;
    package.name = format!("@jsr/{scope}__{name}");
    package.attributes.insert("repository".into(), "https://jsr.io".into());
    Some(package)
}
