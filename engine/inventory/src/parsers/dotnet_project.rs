//! Projects of .NET (<https://learn.microsoft.com/en-us/nuget/consume-packages/package-references-in-project-files>) and the
//! versions that many of them share (<https://learn.microsoft.com/en-us/nuget/consume-packages/central-package-management>).
//!
//! A plain version is the least that is taken, and what NuGet takes unless another package wants more. Ranges, floating
//! versions and properties name no version.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use quick_xml::events::{BytesStart, Event};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: DotnetProject = DotnetProject;

pub(super) struct DotnetProject;

impl Parser for DotnetProject {
    fn id(&self) -> &'static str {
        "dotnet-project"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest::head(
                &["**/*.{csproj,fsproj,vbproj}", "**/Directory.{Packages,Build}.props"],
                4 << 20,
            )]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = match formats::text(file) {
            Ok(text) => text,
            Err(problem) => return problem,
        };
        let mut parsed = Parsed::default();
        // The package whose element is open, and whether its version is.
        let mut open: Option<(usize, String)> = None;
        let mut in_version = false;
        let read = formats::xml(text, |event, depth| match event {
            Event::Start(start) => {
                in_version = start.local_name().as_ref() == "Version";
                if let Some((name, version)) = reference(&start) {
                    parsed.records.extend(package(&name, &version));
                    open = Some((depth, name));
                }
            }
            Event::Empty(start) => {
                let reference = reference(&start);
                parsed.records.extend(reference.and_then(|(name, version)| package(&name, &version)));
            }
            Event::Text(text) if in_version => {
                let versions = open.iter().filter(|(place, _)| depth == place + 1);
                parsed.records.extend(versions.filter_map(|(_, name)| package(name, &text)));
            }
            Event::End(_) => {
                in_version = false;
                open = open.take().filter(|(place, _)| *place <= depth);
            }
            _ => {}
        });
        parsed.problems.extend(read.err());
        parsed
    }
}

/// The name and the version, which may be empty, that an element gives of a package.
fn reference(start: &BytesStart<'_>) -> Option<(String, String)> {
    if !matches!(
        start.local_name().as_ref(),
        "PackageReference" | "PackageVersion" | "GlobalPackageReference"
    ) {
        return None;
    }
    let attribute = |name| formats::attribute(start, name);
    let name = attribute("Include").or_else(|| attribute("Update"))?;
    let version = attribute("VersionOverride").or_else(|| attribute("Version")).unwrap_or_default();
    Some((name, version))
}

fn package(name: &str, version: &str) -> Option<Record> {
    let version = version.trim();
    // `[1.2.3]` is that version and no other.
    let version = version.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(version).trim();
    let is_exact = version.starts_with(|first: char| first.is_ascii_digit())
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte));
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (is_exact && is_name).then(|| {
        let mut package = Package::new(Ecosystem::NuGet, name, version);
        package.evidence = Evidence::Declared;
        Record::from(package)
    })
}
