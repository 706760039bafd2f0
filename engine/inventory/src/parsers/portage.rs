//! Portage: Gentoo (<https://wiki.gentoo.org/wiki//var/db/pkg>). Each package has a folder, each fact a file in it; the
//! folder's path says which package it is.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Checksum, Ecosystem, OwnedFile, OwnedFiles, Owner, Package, Record};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Portage = Portage;

pub(super) struct Portage;

impl Parser for Portage {
    fn id(&self) -> &'static str {
        "portage"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[
                Interest::head(&["var/db/pkg/*/*/{PF,LICENSE}"], 64 << 10),
                Interest::head(&["var/db/pkg/*/*/CONTENTS"], 32 << 20),
            ]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let mut parsed = Parsed::default();
        parsed.note_cut(file);
        let path = String::from_utf8_lossy(file.path);
        let mut parts = path.rsplit('/');
        let (kind, folder, category) = (parts.next(), parts.next(), parts.next());
        let (Some(folder), Some(category)) = (folder, category) else { return parsed };
        let Some((name, version)) = split(folder) else {
            let reason = format!("the folder {folder:?} is not named after a package and its version");
            parsed.problems.push((GapKind::Malformed, reason));
            return parsed;
        };
        let name = format!("{category}/{name}");
        let owner =
            || Owner { version: Some(version.to_owned()), ..Owner::new(Ecosystem::Ebuild, name.as_str()) };
        match kind {
            Some("PF") => parsed.records.push(Package::new(Ecosystem::Ebuild, name, version).into()),
            Some("LICENSE") => {
                let text = String::from_utf8_lossy(file.bytes).trim().to_owned();
                if !text.is_empty() {
                    parsed.records.push(Record::Licenses { owner: owner(), licenses: vec![text] });
                }
            }
            _ => parsed.records.push(Record::Files { owner: owner(), files: contents(file.bytes) }),
        }
        parsed
    }
}

/// Name and version of `python-3.11.4_p1-r2`: versions begin with a digit behind the last hyphen but a revision's.
fn split(folder: &str) -> Option<(&str, &str)> {
    let is_revision = |(_, last): &(&str, &str)| {
        last.strip_prefix('r')
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let without = folder.rsplit_once('-').filter(is_revision).map_or(folder, |(rest, _)| rest);
    let (name, version) = without.rsplit_once('-')?;
    let fits = !name.is_empty() && version.starts_with(|first: char| first.is_ascii_digit());
    fits.then(|| (name, &folder[name.len() + 1..]))
}

/// Lines `obj PATH MD5 TIME` and `sym PATH -> TARGET TIME`; folders are left out.
fn contents(bytes: &[u8]) -> OwnedFiles {
    let text = String::from_utf8_lossy(bytes);
    let file = |line: &str| {
        if let Some(rest) = line.strip_prefix("obj ") {
            let mut parts = rest.rsplitn(3, ' ');
            let (_time, sum, path) = (parts.next()?, parts.next()?, parts.next()?);
            return Some(OwnedFile::with_checksum(path, Checksum::from_hex(sum)));
        }
        Some(OwnedFile::new(line.strip_prefix("sym ")?.split(" -> ").next()?))
    };
    text.lines().filter_map(file).collect()
}
