//! OCaml: the packages that opam installed in a switch (<https://opam.ocaml.org/doc/Manual.html#opam>). The folder of each is
//! called `NAME.VERSION`; a name has no dot.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Package, Record};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Opam = Opam;

pub(super) struct Opam;

impl Parser for Opam {
    fn id(&self) -> &'static str {
        "opam"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/.opam-switch/packages/*/opam"], 256 << 10)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let path = String::from_utf8_lossy(file.path);
        let folder = path.rsplit('/').nth(1).unwrap_or_default();
        let Some((name, version)) =
            folder.split_once('.').filter(|(name, version)| !name.is_empty() && !version.is_empty())
        else {
            return Parsed::problem(GapKind::Malformed, "its folder does not say name and version");
        };
        let mut package = Package::new(Ecosystem::Opam, name, version);
        let text = String::from_utf8_lossy(file.bytes);
        // A string or a list of strings.
        let licenses = text.lines().find_map(|line| line.strip_prefix("license:")).unwrap_or_default();
        package.licenses = licenses.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        Parsed { records: vec![Record::from(package)], problems: Vec::new() }
    }
}
