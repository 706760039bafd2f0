//! dpkg: Debian, Ubuntu and what derives from them (<https://manpages.debian.org/deb822.5>).
//!
//! `var/lib/dpkg/status` lists the packages; distroless images have one file for each in `status.d`. Which files a package
//! brought stands in `info/NAME[:ARCH].list` (all paths) and `.md5sums` (regular files that are no configuration).

mod copyright;

use std::collections::HashSet;

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Checksum, Ecosystem, OwnedFile, OwnedFiles, Owner, Package, Record, Source};

use crate::stanza::{Stanza, stanzas, whole_stanzas};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Dpkg = Dpkg;

pub(super) struct Dpkg;

impl Parser for Dpkg {
    fn id(&self) -> &'static str {
        "dpkg"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[
                Interest::head(&["var/lib/dpkg/status", "var/lib/dpkg/status.d/*"], 32 << 20),
                Interest::head(&["var/lib/dpkg/info/*.list", "var/lib/dpkg/info/*.md5sums"], 32 << 20),
                Interest::head(&["usr/share/doc/*/copyright"], 4 << 20),
            ]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let path = String::from_utf8_lossy(file.path);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let mut parsed = Parsed::default();
        parsed.note_cut(file);
        let files = match name.rsplit_once('.') {
            Some((stem, "list")) if folder.ends_with("/info") => Some((stem, listed(file))),
            Some((stem, "md5sums")) => Some((stem, summed(file, &mut parsed))),
            _ => None,
        };
        if let Some((stem, files)) = files {
            if !files.is_empty() {
                parsed.records.push(Record::Files { owner: owner(stem), files });
            }
        } else if name == "copyright" {
            let owner = folder.rsplit('/').next().unwrap_or_default();
            let licenses = copyright::licenses(&String::from_utf8_lossy(file.bytes));
            if !licenses.is_empty() {
                parsed.records.push(Record::Licenses { owner: Owner::new(Ecosystem::Deb, owner), licenses });
            }
        } else {
            for stanza in stanzas(&whole_stanzas(file)) {
                package(&stanza, &mut parsed);
            }
        }
        parsed
    }
}

fn package(stanza: &Stanza<'_>, parsed: &mut Parsed) {
    let (name, version) = (stanza.get("Package"), stanza.get("Version"));
    if !stanza.is_installed() {
        return;
    }
    if name.is_empty() || version.is_empty() {
        let reason = format!("a paragraph lacks Package or Version (Package: {name:?})");
        return parsed.problems.push((GapKind::Malformed, reason));
    }
    let mut package = Package::new(Ecosystem::Deb, name, version);
    package.architecture = Some(stanza.get("Architecture")).filter(|own| !own.is_empty()).map(str::to_owned);
    package.source = source(stanza.get("Source"), name, version);
    parsed.records.push(Record::Package { package, files: stanza.config_files() });
}

/// `glibc` or `glibc (2.36-9)`: the version stands there if it is another, as after a rebuild (`2.36-9+b1`).
fn source(field: &str, name: &str, version: &str) -> Option<Source> {
    let (source, in_parentheses) = field.split_once('(').unwrap_or((field, ""));
    let source = Some(source.trim()).filter(|source| !source.is_empty()).unwrap_or(name);
    let own = in_parentheses.trim_end_matches(')').trim();
    let own = if own.is_empty() { version } else { own };
    (source != name || own != version).then(|| Source { name: source.to_owned(), version: own.to_owned() })
}

/// The package that a file in `info` is named after: `libc6:amd64` where several architectures may be installed.
fn owner(stem: &str) -> Owner {
    match stem.split_once(':') {
        Some((name, architecture)) => {
            Owner { architecture: Some(architecture.to_owned()), ..Owner::new(Ecosystem::Deb, name) }
        }
        None => Owner::new(Ecosystem::Deb, stem),
    }
}

/// Paths of a `.list`, without the folders: those that others lie in.
fn listed(file: &FileInput<'_>) -> OwnedFiles {
    let paths = || file.bytes.split(|byte| *byte == b'\n').filter(|path| path.len() > 1);
    let parent = |path: &'_ [u8]| path.iter().rposition(|byte| *byte == b'/');
    let folders: HashSet<&[u8]> = paths().filter_map(|path| path.get(..parent(path)?)).collect();
    paths().filter(|path| !folders.contains(path) && *path != b"/.").map(OwnedFile::new).collect()
}

/// Lines of a `.md5sums`: digits, two blanks, path.
fn summed(file: &FileInput<'_>, parsed: &mut Parsed) -> OwnedFiles {
    let mut strange = 0;
    let lines = file.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let files = lines
        .filter_map(|line| {
            let sum =
                line.get(..32).and_then(|hex| std::str::from_utf8(hex).ok()).and_then(Checksum::from_hex);
            let path = line.get(32..).unwrap_or_default().trim_ascii_start();
            let file = sum.filter(|_| !path.is_empty()).map(|sum| OwnedFile::with_checksum(path, Some(sum)));
            strange += u64::from(file.is_none());
            file
        })
        .collect();
    if strange > 0 {
        parsed.problems.push((GapKind::Malformed, format!("{strange} lines are no checksum and path")));
    }
    files
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::process::Command;

    use pratique_core::inspect::FileMode;

    use super::*;

    /// On a machine that has dpkg, the whole database gives what dpkg-query says.
    #[test]
    fn the_packages_are_those_that_dpkg_query_lists() {
        let format =
            "${db:Status-Status} ${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n";
        let Ok(output) = Command::new("dpkg-query").args(["-W", "-f", format]).output() else { return };
        let Ok(bytes) = std::fs::read("/var/lib/dpkg/status") else { return };
        let expected: BTreeSet<String> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(state, _)| !matches!(*state, "config-files" | "not-installed"))
            .map(|(_, line)| line.to_owned())
            .collect();
        let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
        let parsed = PARSER.parse(&FileInput::in_memory(b"var/lib/dpkg/status", mode, &bytes));
        assert_eq!(parsed.problems, []);
        let found: BTreeSet<String> = parsed
            .records
            .iter()
            .map(|record| {
                let Record::Package { package, .. } = record else { panic!("{record:?}") };
                let own = Source { name: package.name.clone(), version: package.version.clone() };
                let source = package.source.as_ref().unwrap_or(&own);
                let architecture = package.architecture.as_deref().unwrap();
                let Package { name, version, .. } = package;
                format!("{name} {version} {architecture} {} {}", source.name, source.version)
            })
            .collect();
        assert_eq!(found, expected);
    }
}
