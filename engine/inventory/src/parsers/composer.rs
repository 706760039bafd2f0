//! PHP packages: composer.lock (<https://getcomposer.org/doc/01-basic-usage.md>) and what Composer notes of its
//! installation in vendor/composer/installed.json, in the forms of Composer 1 and 2.

use std::collections::BTreeSet;

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Composer = Composer;

pub(super) struct Composer;

impl Parser for Composer {
    fn id(&self) -> &'static str {
        "composer"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/composer.lock", "**/composer/installed.json"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let evidence = if file.path.ends_with(b".lock") { Evidence::Locked } else { Evidence::Installed };
        if evidence == Evidence::Installed && !formats::has_mark(file, &["\"packages\"", "\"version\""]) {
            return Parsed::default();
        }
        let list = match formats::json_or_list::<List>(file) {
            Ok(List::Packages(packages)) => Document { packages, ..Document::default() },
            Ok(List::Document(document)) => document,
            Err(problem) => return problem,
        };
        let dev_names: BTreeSet<_> = list.dev_package_names.into_iter().collect();
        let packages = list.packages.into_iter().map(|found| (dev_names.contains(&found.name), found));
        let packages = packages.chain(list.packages_dev.into_iter().map(|found| (true, found)));
        Parsed {
            records: packages.map(|(dev, found)| found.record(dev, evidence)).collect(),
            ..Parsed::default()
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum List {
    Packages(Vec<Found>),
    Document(Document),
}

#[derive(Deserialize, Default)]
struct Document {
    packages: Vec<Found>,
    #[serde(default, rename = "packages-dev")]
    packages_dev: Vec<Found>,
    #[serde(default, rename = "dev-package-names")]
    dev_package_names: Vec<String>,
}

#[derive(Deserialize)]
struct Found {
    name: String,
    version: String,
    #[serde(default)]
    license: Licenses,
}

/// A list, or one licence in old packages.
#[derive(Deserialize)]
#[serde(untagged)]
enum Licenses {
    Many(Vec<String>),
    One(String),
    Other(serde::de::IgnoredAny),
}

impl Default for Licenses {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Found {
    fn record(self, dev: bool, evidence: Evidence) -> Record {
        let mut package = Package::new(Ecosystem::Composer, self.name, self.version);
        package.evidence = evidence;
        package.licenses = match self.license {
            Licenses::Many(licenses) => licenses,
            Licenses::One(license) => vec![license],
            Licenses::Other(_) => Vec::new(),
        };
        if dev {
            package.attributes.insert("dev".to_owned(), "true".to_owned());
        }
        Record::from(package)
    }
}
