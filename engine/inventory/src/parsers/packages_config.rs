//! packages.config of older .NET projects (<https://learn.microsoft.com/en-us/nuget/reference/packages-config>). What only
//! development needs is marked `dev`.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use quick_xml::events::{BytesStart, Event};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: PackagesConfig = PackagesConfig;

pub(super) struct PackagesConfig;

impl Parser for PackagesConfig {
    fn id(&self) -> &'static str {
        "packages-config"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/packages.config", "**/packages.*.config"], 4 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = match formats::text(file) {
            Ok(text) => text,
            Err(problem) => return problem,
        };
        let mut parsed = Parsed::default();
        let read = formats::xml(text, |event, _| {
            if let Event::Start(start) | Event::Empty(start) = event {
                parsed.records.extend(package(&start));
            }
        });
        parsed.problems.extend(read.err());
        parsed
    }
}

fn package(start: &BytesStart<'_>) -> Option<Record> {
    if start.local_name().as_ref() != "package" {
        return None;
    }
    let attribute = |name| formats::attribute(start, name);
    let (name, version) = (attribute("id")?, attribute("version")?);
    if name.is_empty() || version.is_empty() {
        return None;
    }
    let mut package = Package::new(Ecosystem::NuGet, name, version);
    package.evidence = Evidence::Locked;
    if attribute("developmentDependency").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        package.attributes.insert("dev".to_owned(), "true".to_owned());
    }
    Some(Record::from(package))
}
