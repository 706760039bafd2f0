//! Notes in ELF files that name the package they were built for
//! (<https://uapi-group.org/specifications/specs/package_metadata_for_executable_files/>): Fedora, Ubuntu and Azure Linux have
//! them in every program and library.
//!
//! Where the package database is there and owns the file it knows better; the note speaks for files that were copied
//! without it. It names the source package that was built, not that of its binary packages which the file is in.

use pratique_core::GapKind;
use pratique_core::inspect::{Extent, FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use crate::executable::{Executable, Numbers};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: ElfNote = ElfNote;

pub(super) struct ElfNote;

/// Bytes of the section that are read: a note has some hundred.
const MAX_SECTION: u64 = 64 << 10;
/// The note's type and owner.
const NOTE: (u32, &[u8]) = (0xcafe_1a7e, b"FDO\0");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    version: String,
    architecture: Option<String>,
    /// `ID` and `VERSION_ID` of os-release.
    os: Option<String>,
    os_version: Option<String>,
    /// `cpe:/o:fedoraproject:fedora:40`.
    os_cpe: Option<String>,
}

impl Parser for ElfNote {
    fn id(&self) -> &'static str {
        "elf-note"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest {
                globs: &["**"],
                heads: &[b"\x7fELF"],
                min_size: 8 << 10,
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
            let bytes = match program.section_bytes(".note.package", MAX_SECTION) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(error) => return Parsed::problem(GapKind::Unreadable, error.to_string()),
            };
            let numbers = Numbers { bytes: &bytes, big_endian: program.big_endian };
            match description(numbers).map(serde_json::from_slice::<Note>) {
                Some(Ok(note)) => parsed.records.push(Record::from(note.package())),
                Some(Err(error)) => {
                    parsed.problems.push((GapKind::Malformed, format!("the note of its package: {error}")));
                }
                None => {
                    parsed
                        .problems
                        .push((GapKind::Malformed, "the note of its package is broken".to_owned()));
                }
            }
        }
        parsed
    }
}

/// What the first note of a section says: length of its owner and of the text, type, owner, text, each filled up to a
/// multiple of four bytes. The text may end in zeros.
fn description(section: Numbers<'_>) -> Option<&[u8]> {
    let [owner, length, kind] = [section.u32(0)?, section.u32(4)?, section.u32(8)?];
    let owner = section.bytes.get(12..12usize.checked_add(owner as usize)?)?;
    if (kind, owner) != NOTE {
        return None;
    }
    let text = section.bytes.get(16..16usize.checked_add(length as usize)?)?;
    text.split(|byte| *byte == 0).next()
}

impl Note {
    fn package(self) -> Package {
        let known = Ecosystem::ALL.iter().find(|known| known.is_system() && known.purl_type() == self.kind);
        let mut package = Package::new(*known.unwrap_or(&Ecosystem::Generic), self.name, self.version);
        package.evidence = Evidence::Binary;
        package.architecture = self.architecture;
        let of_cpe = || {
            let cpe = self.os_cpe.as_deref()?;
            let mut parts = cpe.strip_prefix("cpe:/o:")?.split(':').skip(1);
            Some((parts.next()?.to_owned(), parts.next().unwrap_or_default().to_owned()))
        };
        let system = self.os.map(|os| (os, self.os_version.unwrap_or_default())).or_else(of_cpe);
        if let Some((id, version)) = system {
            let distro = if version.is_empty() { id } else { format!("{id}-{version}") };
            package.attributes.insert("distro".to_owned(), distro);
        }
        package
    }
}
