//! renv.lock of R's renv (<https://rstudio.github.io/renv/articles/lockfile.html>). What does not come from CRAN has its origin
//! as `repository`.

use std::collections::BTreeMap;

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package};
use serde::Deserialize;

use crate::formats::{self, DOCUMENT, Text};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: RenvLock = RenvLock;

pub(super) struct RenvLock;

impl Parser for RenvLock {
    fn id(&self) -> &'static str {
        "renv-lock"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/renv.lock"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        match formats::json::<Lock<'_>>(file) {
            Ok(lock) => formats::entries(
                lock.packages.iter().map(|(name, locked)| (name.as_str(), locked.package(name))),
            ),
            Err(problem) => problem,
        }
    }
}

#[derive(Deserialize)]
struct Lock<'a> {
    #[serde(default, borrow, rename = "Packages")]
    packages: BTreeMap<String, Locked<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Locked<'a> {
    #[serde(default, borrow)]
    version: Text<'a>,
    /// `Repository`, `Bioconductor`, `GitHub`…
    #[serde(default, borrow)]
    source: Text<'a>,
    #[serde(default, borrow)]
    repository: Text<'a>,
}

impl Locked<'_> {
    fn package(&self, name: &str) -> Option<Package> {
        let mut package = Package::new(Ecosystem::Cran, name, self.version.get()?);
        package.evidence = Evidence::Locked;
        let origin = match self.source.get() {
            // Posit's and R-universe's mirrors have names of their own.
            Some("Repository") => self.repository.get(),
            source => source,
        };
        if let Some(origin) = origin.filter(|origin| *origin != "CRAN") {
            package.attributes.insert("repository".to_owned(), origin.to_owned());
        }
        Some(package)
    }
}
