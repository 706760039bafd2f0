//! build.sbt.lock, the lock file of sbt-dependency-lock (<https://stringbean.github.io/sbt-dependency-lock/file-formats/>).
//!
//! What only configurations of tests use is marked `dev`.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use crate::formats::{self, DOCUMENT, Text};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: SbtLock = SbtLock;

pub(super) struct SbtLock;

impl Parser for SbtLock {
    fn id(&self) -> &'static str {
        "sbt-lock"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/build.sbt.lock"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        match formats::json::<Lock<'_>>(file) {
            Ok(lock) => {
                let records = lock.dependencies.iter().filter_map(Dependency::package).map(Record::from);
                Parsed { records: records.collect(), problems: Vec::new() }
            }
            Err(problem) => problem,
        }
    }
}

#[derive(Deserialize)]
struct Lock<'a> {
    #[serde(default, borrow)]
    dependencies: Vec<Dependency<'a>>,
}

#[derive(Deserialize)]
struct Dependency<'a> {
    #[serde(default, borrow)]
    org: Text<'a>,
    #[serde(default, borrow)]
    name: Text<'a>,
    #[serde(default, borrow)]
    version: Text<'a>,
    #[serde(default, borrow)]
    configurations: Vec<Text<'a>>,
}

impl Dependency<'_> {
    fn package(&self) -> Option<Package> {
        let name = format!("{}:{}", self.org.get()?, self.name.get()?);
        let mut package = Package::new(Ecosystem::Maven, name, self.version.get()?);
        package.evidence = Evidence::Locked;
        let is_test = |one: &Text<'_>| one.get().is_some_and(|one| one.starts_with("test"));
        if !self.configurations.is_empty() && self.configurations.iter().all(is_test) {
            package.attributes.insert("dev".into(), "true".into());
        }
        Some(package)
    }
}
