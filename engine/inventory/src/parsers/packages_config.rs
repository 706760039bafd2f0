//! packages.config of older .NET projects (<https://learn.microsoft.com/en-us/nuget/reference/packages-config>). What only
//! development needs is marked `dev`.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use quick_xml::Reader;
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
        let mut reader = Reader::from_str(text);
        let mut depth = 0usize;
        let problem = loop {
            match reader.read_event() {
                Ok(Event::Start(start)) => {
                    depth += 1;
                    parsed.records.extend(package(&start));
                }
                Ok(Event::Empty(start)) => parsed.records.extend(package(&start)),
                Ok(Event::End(_)) => depth = depth.saturating_sub(1),
                Ok(Event::Eof) if depth == 0 => return parsed,
                Ok(Event::Eof) => break "it ends within an element".to_owned(),
                Ok(_) => {}
                Err(error) => break error.to_string(),
            }
        };
        parsed.problems.push((GapKind::Malformed, format!("not the XML that was expected: {problem}")));
        parsed
    }
}

fn package(start: &BytesStart<'_>) -> Option<Record> {
    if start.local_name().as_ref() != "package" {
        return None;
    }
    let attribute =
        |name: &str| start.try_get_attribute(name).ok().flatten().map(|found| found.value.into_owned());
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
