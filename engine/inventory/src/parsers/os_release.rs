//! The release: os-release (<https://www.freedesktop.org/software/systemd/man/latest/os-release.html>).

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Record, Release};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: OsRelease = OsRelease;

pub(super) struct OsRelease;

impl Parser for OsRelease {
    fn id(&self) -> &'static str {
        "os-release"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest::head(
                &[
                    "etc/os-release",
                    "usr/lib/os-release",
                    "x86_64-bottlerocket-linux-gnu/sys-root/usr/lib/os-release",
                    "aarch64-bottlerocket-linux-gnu/sys-root/usr/lib/os-release",
                ],
                64 << 10,
            )]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = String::from_utf8_lossy(file.bytes);
        let value = |wanted: &str| -> String {
            let line =
                text.lines().rev().find_map(|line| line.trim().strip_prefix(wanted)?.strip_prefix('='));
            unquoted(line.unwrap_or_default())
        };
        let id = value("ID");
        if id.is_empty() {
            return Parsed::default();
        }
        let release = Release {
            id,
            version: value("VERSION_ID"),
            codename: value("VERSION_CODENAME"),
            like: value("ID_LIKE").split_whitespace().map(str::to_owned).collect(),
            name: value("PRETTY_NAME"),
            variant: value("VARIANT_ID"),
        };
        Parsed { records: vec![Record::Release(release)], problems: Vec::new() }
    }
}

/// A value as the shell would read it: quotes dropped, backslashes resolved.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value);
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}
