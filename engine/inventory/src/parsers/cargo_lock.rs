//! Cargo.lock, all versions of its format (<https://doc.rust-lang.org/cargo/guide/cargo-toml-vs-cargo-lock.html>).
//!
//! Limits: a lock file does not say which of its crates only tests or builds use: all are listed. Lock files that lie
//! in the sources of downloaded crates say nothing of what was built here and are not read.

use std::collections::BTreeMap;

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: CargoLock = CargoLock;

pub(super) struct CargoLock;

impl Parser for CargoLock {
    fn id(&self) -> &'static str {
        "cargo-lock"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/Cargo.lock"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if String::from_utf8_lossy(file.path).contains("/registry/src/") {
            return Parsed::default();
        }
        match formats::toml::<Lock>(file) {
            Ok(lock) => Parsed { records: lock.records(), problems: Vec::new() },
            Err(problem) => problem,
        }
    }
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default, rename = "package")]
    packages: Vec<Locked>,
    /// Where the first version of the format has the checksums, by `checksum NAME VERSION (SOURCE)`.
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    /// Absent for the crates of the project itself.
    source: Option<String>,
    checksum: Option<String>,
}

impl Lock {
    fn records(mut self) -> Vec<Record> {
        let metadata = std::mem::take(&mut self.metadata);
        let record = |found: Locked| {
            let mut package = Package::new(Ecosystem::Cargo, found.name, found.version);
            package.evidence = Evidence::Locked;
            let key = |source: &str| format!("checksum {} {} ({source})", package.name, package.version);
            let checksum = found
                .checksum
                .or_else(|| found.source.as_deref().and_then(|source| metadata.get(&key(source)).cloned()));
            let mut attribute = |key: &str, value: Option<String>| {
                package.attributes.extend(value.map(|value| (key.to_owned(), value)));
            };
            attribute("checksum", checksum.filter(|checksum| checksum != "<none>"));
            match found.source.as_deref() {
                Some(source) if source.contains("//github.com/rust-lang/crates.io-index") => {}
                Some("sparse+https://index.crates.io/") => {}
                Some(source) => attribute("repository", Some(source.to_owned())),
                None => attribute("root", Some("true".to_owned())),
            }
            Record::from(package)
        };
        self.packages.into_iter().map(record).collect()
    }
}
