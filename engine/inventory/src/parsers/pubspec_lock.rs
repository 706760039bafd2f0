//! pubspec.lock of Dart and Flutter (<https://dart.dev/tools/pub/glossary#lockfile>). What comes from a repository, or from
//! another registry than pub.dev, has its address as `repository`; local folders and parts of the SDK are no packages.

use std::collections::BTreeMap;

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: PubspecLock = PubspecLock;

pub(super) struct PubspecLock;

impl Parser for PubspecLock {
    fn id(&self) -> &'static str {
        "pubspec-lock"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/pubspec.lock"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        match formats::yaml::<Lock>(file) {
            Ok(lock) => {
                let records = lock.packages.into_iter().filter_map(Locked::package).map(Record::from);
                Parsed { records: records.collect(), problems: Vec::new() }
            }
            Err(problem) => problem,
        }
    }
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    packages: BTreeMap<String, Locked>,
}

#[derive(Deserialize)]
struct Locked {
    #[serde(default)]
    dependency: String,
    #[serde(default)]
    source: String,
    version: Option<String>,
    description: Option<Description>,
}

/// A map; of what belongs to the SDK, its name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Description {
    Place { url: Option<String> },
    Sdk(IgnoredAny),
}

impl Locked {
    fn package((name, locked): (String, Self)) -> Option<Package> {
        let url = match locked.description {
            Some(Description::Place { url }) => url,
            Some(Description::Sdk(IgnoredAny)) | None => None,
        };
        let repository = match locked.source.as_str() {
            "hosted" => url.filter(|url| !is_pub_dev(url)),
            "git" => url,
            _ => return None,
        };
        let mut package = Package::new(Ecosystem::Pub, name, locked.version?);
        package.evidence = Evidence::Locked;
        if locked.dependency == "direct dev" {
            package.attributes.insert("dev".to_owned(), "true".to_owned());
        }
        package.attributes.extend(repository.map(|repository| ("repository".to_owned(), repository)));
        Some(package)
    }
}

fn is_pub_dev(url: &str) -> bool {
    matches!(url.trim_end_matches('/'), "https://pub.dev" | "https://pub.dartlang.org")
}
