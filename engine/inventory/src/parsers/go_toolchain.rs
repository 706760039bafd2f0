//! Go itself: the file `VERSION` at its root (<https://go.dev/doc/toolchain#name>). Its library is what the advisories
//! call `stdlib`.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Evidence, Record};

use super::go_binary::standard_library;
use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: GoToolchain = GoToolchain;

pub(super) struct GoToolchain;

impl Parser for GoToolchain {
    fn id(&self) -> &'static str {
        "go-toolchain"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest { heads: &[b"go1"], ..Interest::head(&["**/VERSION"], 4 << 10) }] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = match formats::text(file) {
            Ok(text) => text,
            Err(problem) => return problem,
        };
        // `go1.22.1`, `go1.22rc1`, `go1.22.1-vendor`, alone in the first line.
        let name = text.lines().next().unwrap_or_default().trim_end();
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte));
        if !is_name {
            return Parsed::default();
        }
        let mut package = standard_library(name);
        package.evidence = Evidence::Installed;
        Parsed { records: vec![Record::from(package)], problems: Vec::new() }
    }
}
