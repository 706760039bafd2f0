//! Homebrew: what was poured into its cellar, by the receipt that each version has
//! (<https://docs.brew.sh/Formula-Cookbook>). Name and version are those of its folder, with the revision of the formula.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Package, Record};
use serde::Deserialize;

use crate::formats::{self, Text};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Homebrew = Homebrew;

pub(super) struct Homebrew;

#[derive(Deserialize)]
struct Receipt<'a> {
    #[serde(default, borrow)]
    source: Source<'a>,
}

#[derive(Deserialize, Default)]
struct Source<'a> {
    #[serde(default, borrow)]
    tap: Text<'a>,
}

impl Parser for Homebrew {
    fn id(&self) -> &'static str {
        "homebrew"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/Cellar/*/*/INSTALL_RECEIPT.json"], 4 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let receipt: Receipt<'_> = match formats::json(file) {
            Ok(receipt) => receipt,
            Err(problem) => return problem,
        };
        let path = String::from_utf8_lossy(file.path);
        let mut parts = path.rsplit('/').skip(1);
        let (version, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let mut package = Package::new(Ecosystem::Brew, name, version);
        let tap = receipt.source.tap.get().filter(|tap| *tap != "homebrew/core");
        package.attributes.extend(tap.map(|tap| ("tap".to_owned(), tap.to_owned())));
        Parsed { records: vec![Record::from(package)], problems: Vec::new() }
    }
}
