//! Packages in a library of R: `DESCRIPTION` (<https://cran.r-project.org/doc/manuals/r-release/R-exts.html#The-DESCRIPTION-file>).
//! Only what was built into a library counts (`Built`): R itself and every source package have such a file too.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Package, Record};

use crate::stanza;
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: RLibrary = RLibrary;

pub(super) struct RLibrary;

impl Parser for RLibrary {
    fn id(&self) -> &'static str {
        "r-library"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/DESCRIPTION"], 1 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = String::from_utf8_lossy(file.bytes).replace("\r\n", "\n");
        let mut parsed = Parsed::default();
        let Some(description) = stanza::stanzas(&text).next() else { return parsed };
        let [name, version, built] = ["Package", "Version", "Built"].map(|field| description.get(field));
        // `R 4.3.1; ; 2024-01-01 00:00:00 UTC; unix`
        if !built.starts_with("R ") {
            return parsed;
        }
        if name.is_empty() || version.is_empty() {
            let reason = "a package of R without its name or version";
            parsed.problems.push((GapKind::Malformed, reason.to_owned()));
            return parsed;
        }
        let mut package = Package::new(Ecosystem::Cran, name, version);
        package.licenses.extend(Some(description.get("License").to_owned()).filter(|text| !text.is_empty()));
        let repository = Some(description.get("Repository")).filter(|origin| !matches!(*origin, "" | "CRAN"));
        if let Some(repository) = repository {
            package.attributes.insert("repository".to_owned(), repository.to_owned());
        }
        parsed.records.push(Record::from(package));
        parsed
    }
}
