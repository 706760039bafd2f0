//! Java archives: jar, war, ear and what else is a zip of classes, nested up to [`MAX_DEPTH`] levels.
//!
//! 1. Each `META-INF/maven/…/pom.properties` is a package: the archive itself if it is named so, else one that was shaded
//!    into it (`Embedded`).
//! 2. Without one of its own, the archive's name and version come from its file name, else from its manifest; `identity`
//!    says which, because group and artifact are then guesses.
//! 3. Archives inside (`BOOT-INF/lib`, `WEB-INF/lib`…) are `Embedded`, `within` says where. Uncompressed ones are read in
//!    place; others are inflated in memory, within a bound.
//!
//! An archive that tells no version is no package.

mod groups;
mod identity;
#[cfg(test)]
mod tests;

use pratique_core::GapKind;
use pratique_core::inspect::{Extent, FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};

use crate::zip::{Archive, Budget, Part, Problem};
use crate::{Parsed, Parser};
use identity::{Coordinates, Manifest};

/// The parser.
pub(super) static PARSER: JavaArchive = JavaArchive;

pub(super) struct JavaArchive;

/// Levels of archives in archives that are looked into.
const MAX_DEPTH: usize = 5;
/// Largest manifest or properties file, in bytes.
const METADATA: u64 = 1 << 20;
/// Problems that are told of one file.
const MAX_PROBLEMS: usize = 100;

impl Parser for JavaArchive {
    fn id(&self) -> &'static str {
        "java-archive"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest {
                globs: &["**/*.{jar,war,ear,rar,sar,par,hpi,jpi,nar,kar,lpkg}"],
                // Executable archives begin with a script.
                heads: &[b"PK\x03\x04", b"#!"],
                min_size: 0,
                extent: Extent::Whole(8 << 30),
            }]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let path = String::from_utf8_lossy(file.path);
        let part = Part { content: file.content, start: 0, length: file.size };
        let mut walk = Walk { budget: Budget::WHOLE, parsed: Parsed::default() };
        walk.examine(part, &path, "", 0);
        walk.parsed
    }
}

fn is_archive(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| {
        matches!(
            extension,
            "jar" | "war" | "ear" | "rar" | "sar" | "par" | "hpi" | "jpi" | "nar" | "kar" | "lpkg"
        )
    })
}

fn is_properties(path: &str) -> bool {
    path.starts_with("META-INF/maven/") && path.ends_with("/pom.properties")
}

fn is_wanted(path: &[u8]) -> bool {
    std::str::from_utf8(path)
        .is_ok_and(|path| path == "META-INF/MANIFEST.MF" || is_properties(path) || is_archive(path))
}

struct Walk {
    budget: Budget,
    parsed: Parsed,
}

impl Walk {
    fn problem(&mut self, within: &str, (kind, reason): Problem) {
        if self.parsed.problems.len() < MAX_PROBLEMS {
            let reason = if within.is_empty() { reason } else { format!("{within}: {reason}") };
            self.parsed.problems.push((kind, reason));
        }
    }

    /// Notes the packages of the archive at `path`, which lies `within` others, and of those in it.
    fn examine(&mut self, part: Part<'_>, path: &str, within: &str, depth: usize) {
        let archive = match Archive::open(part) {
            Ok(archive) => archive,
            Err(problem) => return self.problem(within, problem),
        };
        let (entries, problem) = archive.entries(is_wanted, &mut self.budget);
        if let Some(problem) = problem {
            self.problem(within, problem);
        }
        let mut manifest = Manifest::default();
        let mut coordinates = Vec::new();
        for entry in entries.iter().filter(|entry| !is_archive(&entry.name)) {
            match archive.read(entry, METADATA, &mut self.budget) {
                Ok(bytes) => {
                    let text = String::from_utf8_lossy(&bytes);
                    if is_properties(&entry.name) {
                        coordinates.extend(Coordinates::parse(&text));
                    } else {
                        manifest = Manifest::parse(&text);
                    }
                }
                Err(problem) => self.problem(within, problem),
            }
        }
        coordinates.sort();
        coordinates.dedup();
        self.note(path, within, &manifest, &coordinates);
        for entry in entries.iter().filter(|entry| is_archive(&entry.name)) {
            let inner =
                if within.is_empty() { entry.name.clone() } else { format!("{within}!/{}", entry.name) };
            if depth == MAX_DEPTH {
                let reason = format!("nested more than {MAX_DEPTH} levels deep");
                self.problem(&inner, (GapKind::Limit, reason));
                continue;
            }
            match archive.part(entry) {
                Some(Ok(part)) => self.examine(part, &entry.name, &inner, depth + 1),
                Some(Err(problem)) => self.problem(within, problem),
                None => match archive.read(entry, self.budget.held, &mut self.budget) {
                    Ok(bytes) => {
                        let length = bytes.len() as u64;
                        self.budget.held -= length;
                        self.examine(
                            Part { content: &bytes, start: 0, length },
                            &entry.name,
                            &inner,
                            depth + 1,
                        );
                        self.budget.held += length;
                    }
                    Err(problem) => self.problem(within, problem),
                },
            }
        }
    }

    fn note(&mut self, path: &str, within: &str, manifest: &Manifest, coordinates: &[Coordinates]) {
        let file = path.rsplit('/').next().unwrap_or_default();
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let own = Coordinates::own(coordinates, stem, manifest);
        for (place, one) in coordinates.iter().enumerate() {
            let name = format!("{}:{}", one.group, one.artifact);
            let mut package = Package::new(Ecosystem::Maven, name, one.version.as_str());
            if own == Some(place) {
                package.licenses = manifest.licenses();
            }
            self.add(package, within, own == Some(place));
        }
        if own.is_none()
            && let Some((name, version, source)) = identity::guess(stem, manifest)
        {
            let mut package = Package::new(Ecosystem::Maven, name, version);
            package.licenses = manifest.licenses();
            package.attributes.insert("identity".into(), source.into());
            self.add(package, within, true);
        }
    }

    fn add(&mut self, mut package: Package, within: &str, own: bool) {
        if !own || !within.is_empty() {
            package.evidence = Evidence::Embedded;
        }
        if !within.is_empty() {
            package.attributes.insert("within".into(), within.to_owned());
        }
        self.parsed.records.push(Record::from(package));
    }
}
