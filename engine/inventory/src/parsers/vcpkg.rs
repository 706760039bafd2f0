//! vcpkg: the libraries that it installed, in paragraphs like dpkg's
//! (<https://learn.microsoft.com/en-us/vcpkg/reference/installation-tree-layout>). Further paragraphs of a library are features
//! of it.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Package, Record};

use crate::stanza::{stanzas, whole_stanzas};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Vcpkg = Vcpkg;

pub(super) struct Vcpkg;

impl Parser for Vcpkg {
    fn id(&self) -> &'static str {
        "vcpkg"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/vcpkg/status"], 16 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let mut parsed = Parsed::default();
        parsed.note_cut(file);
        for stanza in stanzas(&whole_stanzas(file)) {
            if !stanza.is_installed() || !stanza.get("Feature").is_empty() {
                continue;
            }
            let (name, version) = (stanza.get("Package"), stanza.get("Version"));
            if name.is_empty() || version.is_empty() {
                let reason = format!("a paragraph lacks Package or Version (Package: {name:?})");
                parsed.problems.push((GapKind::Malformed, reason));
                continue;
            }
            let revision = stanza.get("Port-Version");
            let whole =
                if revision.is_empty() { version.to_owned() } else { format!("{version}#{revision}") };
            let mut package = Package::new(Ecosystem::Vcpkg, name, whole);
            let triplet = stanza.get("Architecture");
            package
                .attributes
                .extend((!triplet.is_empty()).then(|| ("triplet".to_owned(), triplet.to_owned())));
            parsed.records.push(Record::from(package));
        }
        parsed
    }
}
