//! Snaps: unpacked ones by their `snap.yaml` (<https://snapcraft.io/docs/snap-format>), packed ones by their file's name.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Snap = Snap;

pub(super) struct Snap;

impl Parser for Snap {
    fn id(&self) -> &'static str {
        "snap"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[
                Interest::head(
                    &["snap/*/*/meta/snap.yaml", "var/lib/snapd/snap/*/*/meta/snap.yaml"],
                    1 << 20,
                ),
                Interest {
                    // A squashfs; tests of programs have files of this name too.
                    heads: &[b"hsqs"],
                    ..Interest::head(&["**/*.snap"], 4)
                },
            ]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let path = String::from_utf8_lossy(file.path);
        let name = path.rsplit('/').next().unwrap_or_default();
        if let Some(stem) = name.strip_suffix(".snap") {
            let mut package = packed(stem);
            if !path.starts_with("var/lib/snapd/snaps/") {
                package.evidence = Evidence::Archived;
            }
            let reason = "is a packed snap, whose version and content are not read";
            return Parsed {
                records: vec![package.into()],
                problems: vec![(GapKind::Unsupported, reason.to_owned())],
            };
        }
        let mut parsed = Parsed::default();
        parsed.note_cut(file);
        let text = String::from_utf8_lossy(file.bytes);
        let (name, version) = (top_level(&text, "name"), top_level(&text, "version"));
        if name.is_empty() || version.is_empty() {
            parsed.problems.push((GapKind::Malformed, "lacks name or version".to_owned()));
            return parsed;
        }
        let mut package = Package::new(Ecosystem::Snap, name, version);
        let license = top_level(&text, "license");
        package.licenses.extend((!license.is_empty()).then(|| license.to_owned()));
        // The folder above meta is the revision.
        if let Some(revision) = path.rsplit('/').nth(2) {
            package.attributes.insert("revision".to_owned(), revision.to_owned());
        }
        parsed.records.push(package.into());
        parsed
    }
}

/// `NAME_REVISION`, as they are downloaded, or `NAME_VERSION_ARCHITECTURE`, as they are built.
fn packed(stem: &str) -> Package {
    let parts: Vec<&str> = stem.splitn(3, '_').collect();
    let version = if let [_, version, _] = parts[..] { version } else { "" };
    let mut package = Package::new(Ecosystem::Snap, parts[0], version);
    match parts[..] {
        [_, _, architecture] => package.architecture = Some(architecture.to_owned()),
        [_, revision] => drop(package.attributes.insert("revision".to_owned(), revision.to_owned())),
        _ => {}
    }
    package
}

/// A plain or quoted value at the top level of a YAML document, which is all that is wanted of it.
fn top_level<'a>(text: &'a str, key: &str) -> &'a str {
    let value =
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap_or_default().trim();
    match value.strip_prefix(['"', '\'']) {
        Some(quoted) => quoted.split(['"', '\'']).next().unwrap_or_default(),
        None => value.split(" #").next().unwrap_or_default().trim(),
    }
}
