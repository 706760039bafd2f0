//! .NET assemblies, told by the version resource that compilers put into them: the name of the assembly, which is that of
//! its NuGet package unless its author chose another, and its product version.
//!
//! Where a `*.deps.json` lies beside them, it knows better: [`assemble`](crate::assemble) leaves out what is told here.
//!
//! Limits: native programs and libraries are no NuGet packages; assemblies within a single-file application are not seen.

mod version;

use pratique_core::GapKind;
use pratique_core::inspect::{Extent, FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};

use crate::executable::Executable;
use crate::{Parsed, Parser};
use version::Resource;

/// The parser.
pub(super) static PARSER: DotNetAssembly = DotNetAssembly;

pub(super) struct DotNetAssembly;

impl Parser for DotNetAssembly {
    fn id(&self) -> &'static str {
        "dotnet-assembly"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest {
                globs: &["**/*.[dD][lL][lL]", "**/*.[eE][xX][eE]"],
                heads: &[b"MZ"],
                min_size: 512,
                extent: Extent::Whole(1 << 30),
            }]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let programs = match Executable::all(file) {
            Ok(programs) => programs,
            Err(error) => return Parsed::problem(GapKind::Unreadable, error.to_string()),
        };
        let Some(program) = programs.iter().find(|program| program.managed) else { return Parsed::default() };
        match version::read(program) {
            Ok(resource) => Parsed {
                records: resource.and_then(|resource| package(&resource, file.path)).into_iter().collect(),
                problems: Vec::new(),
            },
            Err((kind, reason)) => Parsed::problem(kind, format!("the version resource: {reason}")),
        }
    }
}

/// The package; none if the resource says no version, or if the assembly holds translations of another one.
fn package(resource: &Resource, path: &[u8]) -> Option<Record> {
    let file = String::from_utf8_lossy(path.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
    let stem = |name: &str| {
        let name = name.trim();
        let end = name.len().checked_sub(4)?;
        let extension = name.get(end..)?.to_ascii_lowercase();
        matches!(extension.as_str(), ".dll" | ".exe").then(|| name[..end].to_owned())
    };
    let said = |key: &str| resource.strings.get(key).map(String::as_str);
    let name = said("OriginalFilename").and_then(stem).or_else(|| stem(&file))?;
    let is_name = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !name.is_empty() && name.len() <= 100 && name.bytes().all(fits)
    };
    if !is_name(&name) || name.to_ascii_lowercase().ends_with(".resources") {
        return None;
    }
    let version = ["ProductVersion", "FileVersion"].into_iter().filter_map(said).find_map(exact);
    let mut package = Package::new(Ecosystem::NuGet, name, version.or(resource.file_version.clone())?);
    package.evidence = Evidence::Binary;
    Some(package.into())
}

/// A version without the commit that builds add to it (`8.0.1+bf5e279d`), or words (`4.8 built by: NET48REL1`).
fn exact(text: &str) -> Option<String> {
    let text = text.trim();
    let end =
        text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))).unwrap_or(text.len());
    let version = &text[..end];
    let numbers = version.split('-').next()?.split('.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = version.len() <= 64 && version.contains('.') && numbers.clone().all(is_number);
    // What nobody set is no version.
    (is_version && numbers.clone().any(|part| part.bytes().any(|digit| digit != b'0')))
        .then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use pratique_core::inspect::FileMode;

    use super::*;

    #[test]
    fn a_version_resource_that_lies_anywhere_ends() {
        let path = format!("{}/testdata/dotnet-assembly/synthetic.in", env!("CARGO_MANIFEST_DIR"));
        let (path, mut bytes) = crate::golden::files(&std::fs::read_to_string(path).unwrap()).swap_remove(0);
        let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
        for place in 0..bytes.len() {
            let kept = bytes[place];
            for lie in [0, 1, 0x7f, 0xff] {
                bytes[place] = lie;
                let parsed = DotNetAssembly.parse(&FileInput::in_memory(path.as_bytes(), mode, &bytes));
                assert!(parsed.records.len() + parsed.problems.len() <= 1, "{place}");
            }
            bytes[place] = kept;
        }
    }

    #[test]
    fn a_version_ends_where_words_or_commits_begin() {
        for (text, expected) in [
            ("13.0.3+0a2e291c0d9c0c7675d445703e51750363a549ef", Some("13.0.3")),
            ("8.0.0-rc.2.23480.1+abc", Some("8.0.0-rc.2.23480.1")),
            (" 4.8.3761.0 built by: NET48REL1", Some("4.8.3761.0")),
            ("1,2,3,4", None),
            ("0.0.0.0", None),
            ("v1.2", None),
            ("1.2.x", None),
            ("7", None),
            ("", None),
        ] {
            assert_eq!(exact(text).as_deref(), expected, "{text}");
        }
    }
}
