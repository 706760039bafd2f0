//! Flatpak: applications and runtimes that are deployed. Their path says which: `ID/ARCHITECTURE/BRANCH/COMMIT`; the file
//! `deploy` there holds a variant with what the application's metadata say
//! (<https://github.com/flatpak/flatpak/blob/main/common/flatpak-dir.c>).

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Package};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Flatpak = Flatpak;

pub(super) struct Flatpak;

impl Parser for Flatpak {
    fn id(&self) -> &'static str {
        "flatpak"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["var/lib/flatpak/{app,runtime}/*/*/*/*/deploy"], 1 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let mut parsed = Parsed::default();
        parsed.note_cut(file);
        let path = String::from_utf8_lossy(file.path);
        let mut parts = path.rsplit('/').skip(1);
        let (Some(commit), Some(branch), Some(architecture), Some(id)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return parsed;
        };
        // A runtime's branch is its version.
        let version = value(file.bytes, b"appdata-version\0").unwrap_or_else(|| branch.to_owned());
        let mut package = Package::new(Ecosystem::Flatpak, id, version);
        package.architecture = Some(architecture.to_owned());
        package.licenses.extend(value(file.bytes, b"appdata-license\0"));
        package.attributes.insert("branch".to_owned(), branch.to_owned());
        package.attributes.insert("commit".to_owned(), commit.to_owned());
        parsed.records.push(package.into());
        parsed
    }
}

/// The text behind a key of a dictionary of variants: padding, the text, its end, a zero, its type (`s`).
fn value(bytes: &[u8], key: &[u8]) -> Option<String> {
    let place = bytes.windows(key.len()).position(|window| window == key)?;
    let padded = &bytes[place + key.len()..];
    let rest = &padded[padded.iter().position(|byte| *byte != 0)?..];
    let end = rest.iter().take(256).position(|byte| *byte == 0)?;
    let is_text = rest[end + 1..].starts_with(b"\0s");
    (is_text && end > 0).then(|| String::from_utf8_lossy(&rest[..end]).into_owned())
}
