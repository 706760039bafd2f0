//! opkg: OpenWrt, Yocto (<https://git.yoctoproject.org/opkg/tree/libopkg>).

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, OwnedFile, OwnedFiles, Owner, Package, Record};

use crate::stanza::{stanzas, whole_stanzas};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Opkg = Opkg;

pub(super) struct Opkg;

impl Parser for Opkg {
    fn id(&self) -> &'static str {
        "opkg"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest::head(
                &[
                    "usr/lib/opkg/status",
                    "var/lib/opkg/status",
                    "usr/lib/opkg/info/*.list",
                    "usr/lib/opkg/info/*.control",
                    "var/lib/opkg/info/*.list",
                    "var/lib/opkg/info/*.control",
                ],
                8 << 20,
            )]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let path = String::from_utf8_lossy(file.path);
        let name = path.rsplit('/').next().unwrap_or_default();
        let mut parsed = Parsed::default();
        parsed.note_cut(file);
        if let Some(stem) = name.strip_suffix(".list") {
            let files = files(file.bytes);
            parsed.records.push(Record::Files { owner: Owner::new(Ecosystem::Opkg, stem), files });
            return parsed;
        }
        for stanza in stanzas(&whole_stanzas(file)) {
            let (name, version) = (stanza.get("Package"), stanza.get("Version"));
            if name.is_empty() || version.is_empty() {
                let reason = format!("a paragraph lacks Package or Version (Package: {name:?})");
                parsed.problems.push((GapKind::Malformed, reason));
            } else if path.ends_with(".control") {
                let license = stanza.get("License");
                if !license.is_empty() {
                    let owner = Owner::new(Ecosystem::Opkg, name);
                    parsed.records.push(Record::Licenses { owner, licenses: vec![license.to_owned()] });
                }
            } else if stanza.is_installed() {
                let mut package = Package::new(Ecosystem::Opkg, name, version);
                let architecture = stanza.get("Architecture");
                package.architecture = (!architecture.is_empty()).then(|| architecture.to_owned());
                parsed.records.push(Record::Package { package, files: stanza.config_files() });
            }
        }
        parsed
    }
}

/// A path on each line; Yocto's have mode and link target after it, separated by tabs.
fn files(bytes: &[u8]) -> OwnedFiles {
    let paths =
        bytes.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b'\t').next());
    paths.filter(|path| !path.is_empty() && !path.ends_with(b"/")).map(OwnedFile::new).collect()
}
