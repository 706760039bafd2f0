//! vendor/modules.txt: the modules whose sources lie beside it (<https://go.dev/ref/mod#vendoring>).

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: GoVendor = GoVendor;

pub(super) struct GoVendor;

impl Parser for GoVendor {
    fn id(&self) -> &'static str {
        "go-vendor"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/vendor/modules.txt"], 4 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        match formats::text(file) {
            Ok(text) => {
                let mut parsed = Parsed { records: records(text), problems: Vec::new() };
                let is_broken = |line: &&str| line.starts_with("# ") && line.split_whitespace().count() < 3;
                if let Some(line) = text.lines().find(is_broken) {
                    let line: String = line.chars().take(100).collect();
                    parsed
                        .problems
                        .push((GapKind::Malformed, format!("a module without a version: {line:?}")));
                }
                parsed
            }
            Err(problem) => problem,
        }
    }
}

/// A module is a line `# PATH VERSION`, with `=> PATH VERSION` behind where it is replaced, or `=> FOLDER`; `##` lines
/// are notes on it, all others its packages. Of a module without any package nothing was copied.
fn records(text: &str) -> Vec<Record> {
    let mut records = Vec::new();
    let mut module = None;
    for line in text.lines() {
        if line.starts_with("##") {
            continue;
        }
        match line.strip_prefix("# ") {
            Some(line) => module = package(line),
            None if !line.trim().is_empty() => {
                let package = module.take();
                records.extend(package.map(Record::from));
            }
            None => {}
        }
    }
    records
}

fn package(line: &str) -> Option<Package> {
    let words: Vec<&str> = line.split_whitespace().take(5).collect();
    let (path, version, replaced_by) = match words[..] {
        [path, version] => (path, version, None),
        [_, _, "=>", path, version] => (path, version, None),
        [path, version, "=>", folder] => (path, version, Some(folder)),
        // The end of the file repeats replacements that are for every version.
        _ => return None,
    };
    if path == "=>" || version == "=>" {
        return None;
    }
    let is_placeholder = replaced_by.is_some() && version == "v0.0.0";
    let mut package = Package::new(Ecosystem::Go, path, if is_placeholder { "" } else { version });
    package.evidence = Evidence::Installed;
    package.attributes.extend(replaced_by.map(|folder| ("replaced-by".to_owned(), folder.to_owned())));
    Some(package)
}
