//! Programs built with cargo-auditable: the crates they were built from, as compressed JSON in a section of their own
//! (<https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md>).
//!
//! Limits: crates that only the build used are in the list and not in the program; they are left out. Programs built
//! without cargo-auditable do not say what is in them.

use std::io::Read as _;

use pratique_core::GapKind;
use pratique_core::inspect::{Extent, FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use crate::executable::{self, Executable};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: CargoAuditable = CargoAuditable;

/// Bytes of the list, compressed and unpacked; 8 MiB is what the format's own tools take.
const MAX_LIST: usize = 8 << 20;

pub(super) struct CargoAuditable;

impl Parser for CargoAuditable {
    fn id(&self) -> &'static str {
        "cargo-auditable"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest {
                globs: &["**"],
                heads: executable::HEADS,
                min_size: 64 << 10,
                extent: Extent::Whole(4 << 30),
            }]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let programs = match Executable::all(file) {
            Ok(programs) => programs,
            Err(error) => return Parsed::problem(GapKind::Unreadable, error.to_string()),
        };
        let mut parsed = Parsed::default();
        for program in &programs {
            let Some(section) = program.section_bytes(".dep-v0", MAX_LIST as u64).transpose() else {
                continue;
            };
            let list = section
                .map_err(|error| (GapKind::Unreadable, error.to_string()))
                .and_then(|bytes| crates(&bytes));
            match list {
                Ok(records) => {
                    for record in records {
                        if !parsed.records.contains(&record) {
                            parsed.records.push(record);
                        }
                    }
                }
                Err((kind, reason)) => parsed.problems.push((kind, format!("the list of crates: {reason}"))),
            }
        }
        parsed
    }
}

#[derive(Deserialize)]
struct List {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    /// `crates.io`, `git`, `local`, `registry` or another word.
    source: String,
    /// `build` or, if absent, `runtime`.
    #[serde(default)]
    kind: String,
    #[serde(default)]
    root: bool,
}

fn crates(compressed: &[u8]) -> Result<Vec<Record>, (GapKind, String)> {
    let mut json = Vec::new();
    let unpacked =
        flate2::read::ZlibDecoder::new(compressed).take(MAX_LIST as u64 + 1).read_to_end(&mut json);
    unpacked.map_err(|error| (GapKind::Malformed, error.to_string()))?;
    if json.len() > MAX_LIST {
        return Err((GapKind::Limit, format!("more than {MAX_LIST} bytes")));
    }
    let list: List =
        serde_json::from_slice(&json).map_err(|error| (GapKind::Malformed, error.to_string()))?;
    let kept = list.packages.into_iter().filter(|found| found.kind != "build");
    Ok(kept
        .map(|found| {
            let mut package = Package::new(Ecosystem::Cargo, found.name, found.version);
            package.evidence = Evidence::Embedded;
            if found.source != "crates.io" {
                package.attributes.insert("repository".to_owned(), found.source);
            }
            if found.root {
                package.attributes.insert("root".to_owned(), "true".to_owned());
            }
            Record::from(package)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use pratique_core::inspect::FileMode;

    use super::*;
    use crate::executable::builder::elf;

    fn parse(json: &[u8]) -> Parsed {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(json).unwrap();
        parse_section(&encoder.finish().unwrap())
    }

    fn parse_section(section: &[u8]) -> Parsed {
        let bytes = elf(&[(".text", b"x"), (".dep-v0", section)], 0);
        let mode = FileMode { permissions: 0o755, uid: 0, gid: 0 };
        CargoAuditable.parse(&FileInput::in_memory(b"bin/x", mode, &bytes))
    }

    #[test]
    fn crates_of_the_build_are_left_out() {
        let parsed = parse(
            br#"{"packages":[{"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"},
            {"name":"app","version":"0.1.0","source":"local","dependencies":[0],"root":true}]}"#,
        );
        let [Record::Package { package, .. }] = &parsed.records[..] else { panic!("{parsed:?}") };
        assert_eq!((package.name.as_str(), package.evidence), ("app", Evidence::Embedded));
        assert_eq!(package.attributes["root"], "true");
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        let parsed = parse(&vec![b' '; MAX_LIST + 2]);
        assert_eq!(parsed.problems[0].0, GapKind::Limit);
    }

    #[test]
    fn a_broken_list_is_told() {
        for section in [&b""[..], b"no zlib", b"\x78\x9c\x03\x00"] {
            let parsed = parse_section(section);
            assert_eq!(parsed.problems[0].0, GapKind::Malformed, "{section:?}");
        }
        assert_eq!(parse(br#"{"packages": "#).problems[0].0, GapKind::Malformed);
    }
}
