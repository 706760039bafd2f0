//! requirements.txt (<https://pip.pypa.io/en/stable/reference/requirements-file-format/>): exact pins are packages.
//!
//! A range, a URL, an option or an included file names no exact version: it is no package, and no problem either.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: PythonRequirements = PythonRequirements;

pub(super) struct PythonRequirements;

impl Parser for PythonRequirements {
    fn id(&self) -> &'static str {
        "python-requirements"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/*requirements*.txt", "**/requirements/*.txt"], 1 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let bytes = match formats::whole(file) {
            Ok(bytes) => bytes,
            Err(problem) => return problem,
        };
        // Lines that end in a backslash go on.
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace("\\\n", " ");
        let records = text.lines().filter_map(pin).map(Record::from);
        Parsed { records: records.collect(), problems: Vec::new() }
    }
}

/// `name[extras] == version ; markers --hash=… # comment`
pub(super) fn pin(line: &str) -> Option<Package> {
    let line = line.trim_start_matches('\u{feff}').trim();
    let line = line.split(" #").next()?.split(';').next()?.split(" --").next()?;
    let (name, version) = line.split_once("==")?;
    let version = version.strip_prefix('=').unwrap_or(version).trim();
    let name = match name.split_once('[') {
        Some((name, extras)) if extras.trim_end().ends_with(']') => name,
        Some(_) => return None,
        None => name,
    };
    let name = name.trim_end();
    let is_name = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let is_version = version.starts_with(|first: char| first.is_ascii_alphanumeric())
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+!-_".contains(&byte));
    (is_name && is_version).then(|| {
        let mut package = Package::new(Ecosystem::PyPi, name, version);
        package.evidence = Evidence::Declared;
        package
    })
}
