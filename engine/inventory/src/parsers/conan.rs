//! Conan 1: what its cache holds (<https://docs.conan.io/1/reference/conanfile_txt.html>), and what a `conanfile.txt` of either
//! version asks for exactly. A package's folder in the cache is `NAME/VERSION/USER/CHANNEL/package/ID`.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};

use super::conan_lock;
use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: Conan = Conan;

pub(super) struct Conan;

impl Parser for Conan {
    fn id(&self) -> &'static str {
        "conan"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[
                Interest::head(&["**/conanfile.txt"], 1 << 20),
                Interest::head(&["**/.conan/data/*/*/*/*/package/*/conaninfo.txt"], 0),
            ]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if file.path.ends_with(b"/conaninfo.txt") {
            return cached(&String::from_utf8_lossy(file.path));
        }
        match formats::text(file) {
            Ok(text) => Parsed { records: required(text).map(Record::from).collect(), problems: Vec::new() },
            Err(problem) => problem,
        }
    }
}

fn cached(path: &str) -> Parsed {
    let parts: Vec<&str> = path.rsplit('/').skip(3).take(4).collect();
    let [channel, user, version, name] = parts[..] else {
        return Parsed::problem(GapKind::Malformed, "its folder does not say name and version");
    };
    let mut package = Package::new(Ecosystem::Conan, name, version);
    // Of packages without user and channel both are `_`.
    if user != "_" {
        package.attributes.insert("channel".to_owned(), format!("{user}/{channel}"));
    }
    Parsed { records: vec![Record::from(package)], problems: Vec::new() }
}

/// The references below `[requires]` and its kin, a line each. `[>1.0]` is a range.
fn required(text: &str) -> impl Iterator<Item = Package> {
    let mut section = "";
    text.lines().filter_map(move |line| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.starts_with('[') {
            section = line;
            return None;
        }
        let dev = match section {
            "[requires]" => false,
            "[build_requires]" | "[tool_requires]" | "[test_requires]" => true,
            _ => return None,
        };
        let is_exact = !line.contains(['[', '*']) && !line.starts_with('#');
        let mut package = conan_lock::package(line, dev).filter(|_| is_exact)?;
        package.evidence = Evidence::Declared;
        Some(package)
    })
}
