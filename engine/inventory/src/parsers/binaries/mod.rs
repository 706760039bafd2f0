//! Programs and libraries that no package manager installed, told by the version string that they carry.
//!
//! A file counts only if it has one of the program's names, is an ELF file and holds the string in the very form in which
//! the program's sources write it. A name alone, a mention in a text or in a usage message give nothing.
//!
//! Limits: what is linked into a program of another name is not seen; of Redis and Valkey only official builds tell where
//! their version ends; a `python3` that is a file of its own says which version it is by its name (`python3.12`) or not at
//! all.

mod programs;

use std::collections::BTreeSet;
use std::io;

use memchr::memmem::Finder;
use pratique_core::GapKind;
use pratique_core::inspect::{Extent, FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};

use crate::{Parsed, Parser};
use programs::{Mark, PROGRAMS, Program};

/// The parser.
pub(super) static PARSER: Binaries = Binaries;

/// Largest program that is searched, in bytes.
const MAX_SIZE: u64 = 1 << 30;
/// Bytes that are in memory at a time.
const WINDOW: usize = 1 << 20;
/// Bytes that a window shares with the next one: more than the longest mark with its version.
const OVERLAP: usize = 256;
/// Versions in one file: a program has one, rarely a second one that it speaks of.
const MAX_VERSIONS: usize = 8;
/// Longest version, in bytes.
const MAX_VERSION: usize = 32;

pub(super) struct Binaries;

impl Parser for Binaries {
    fn id(&self) -> &'static str {
        "binaries"
    }

    fn interests(&self) -> &'static [Interest] {
        static INTERESTS: [Interest; PROGRAMS.len()] = {
            let mut all = [interest(&PROGRAMS[0]); PROGRAMS.len()];
            let mut at = 1;
            while at < all.len() {
                all[at] = interest(&PROGRAMS[at]);
                at += 1;
            }
            all
        };
        &INTERESTS
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let mut parsed = Parsed::default();
        if !file.bytes.starts_with(b"\x7fELF") {
            return parsed;
        }
        let name = file.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        let searches: Vec<Search> = PROGRAMS
            .iter()
            .filter(|program| program.is_named(&name))
            .flat_map(|program| {
                program.marks.iter().filter_map(|mark| Search::new(program.name, mark, &name))
            })
            .collect();
        match search(file, &searches) {
            Ok(found) => {
                let package = |(name, version): (&str, String)| {
                    let mut package = Package::new(Ecosystem::Generic, name, version);
                    package.evidence = Evidence::Binary;
                    Record::from(package)
                };
                if found.len() > MAX_VERSIONS {
                    let reason =
                        format!("more than {MAX_VERSIONS} versions in one program, the rest is not read");
                    parsed.problems.push((GapKind::Limit, reason));
                }
                parsed.records.extend(found.into_iter().take(MAX_VERSIONS).map(package));
            }
            Err(error) => parsed.problems.push((GapKind::Unreadable, error.to_string())),
        }
        parsed
    }
}

const fn interest(program: &Program) -> Interest {
    Interest { globs: program.globs, heads: &[b"\x7fELF"], min_size: 0, extent: Extent::Whole(MAX_SIZE) }
}

/// What the searches find, read window by window; one more than the limit if there is more.
fn search(file: &FileInput<'_>, searches: &[Search]) -> io::Result<BTreeSet<(&'static str, String)>> {
    let mut found = BTreeSet::new();
    if searches.is_empty() {
        return Ok(found);
    }
    let mut window = vec![0; WINDOW.min(file.size.min(MAX_SIZE) as usize)];
    let mut offset = 0;
    loop {
        let read = file.content.read_full_at(&mut window, offset)?;
        for search in searches {
            for version in search.versions(&window[..read]) {
                found.insert((search.program, version));
                if found.len() > MAX_VERSIONS {
                    return Ok(found);
                }
            }
        }
        offset += WINDOW.saturating_sub(OVERLAP) as u64;
        if read < WINDOW || offset >= MAX_SIZE {
            return Ok(found);
        }
    }
}

/// A mark with the text that is looked for.
struct Search {
    program: &'static str,
    finder: Finder<'static>,
    /// Bytes from the start of what is looked for to the version.
    skip: usize,
    mark: &'static Mark,
}

impl Search {
    /// Nothing if the mark needs a version in the file's name and there is none.
    fn new(program: &'static str, mark: &'static Mark, file: &str) -> Option<Self> {
        let (text, skip) = match mark {
            Mark::Between { before, begin, .. } => (format!("{before}{begin}"), before.len()),
            Mark::Before(after) => ((*after).to_owned(), 0),
            Mark::LikeName => (format!("{}.", series(file)?), 0),
        };
        Some(Self { program, finder: Finder::new(&text).into_owned(), skip, mark })
    }

    /// The versions in these bytes.
    fn versions<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = String> + 'a {
        self.finder.find_iter(bytes).filter_map(move |at| {
            let version = match self.mark {
                Mark::Between { after, .. } => forwards(&bytes[at + self.skip..], after),
                // The linker may share it with the end of the folder that it is installed to.
                Mark::LikeName => matches!(bytes[..at].last(), Some(0 | b'/'))
                    .then(|| forwards(&bytes[at..], &["\0"]))
                    .flatten(),
                Mark::Before(_) => backwards(&bytes[..at]),
            };
            version.map(|version| String::from_utf8_lossy(version).into_owned())
        })
    }
}

/// `3.12` of `python3.12` and of `libpython3.12.so.1.0`.
fn series(file: &str) -> Option<String> {
    let mut numbers = file[file.find(|digit: char| digit.is_ascii_digit())?..].split('.');
    let major = numbers.next()?;
    let minor: String = numbers.next()?.chars().take_while(char::is_ascii_digit).collect();
    (major.bytes().all(|digit| digit.is_ascii_digit()) && !minor.is_empty())
        .then(|| format!("{major}.{minor}"))
}

/// The longest version at the start that the first of these texts that fits follows.
fn forwards<'a>(bytes: &'a [u8], after: &[&str]) -> Option<&'a [u8]> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b".+~_-".contains(byte);
    let longest = bytes.iter().take(MAX_VERSION).take_while(|byte| is_part(byte)).count();
    let shortest = shortest_version(&bytes[..longest])?;
    let before = |after: &&str| {
        let mut splits = (shortest..=longest).rev().map(|length| bytes.split_at(length));
        splits.find(|(version, rest)| {
            version.last().is_some_and(u8::is_ascii_alphanumeric) && follows(rest, after)
        })
    };
    after.iter().find_map(before).map(|(version, _)| version)
}

/// The numbers at the end, if something else stands before them.
fn backwards(bytes: &[u8]) -> Option<&[u8]> {
    let is_part = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
    let length = bytes.iter().rev().take(MAX_VERSION).take_while(is_part).count();
    let (before, version) = bytes.split_at(bytes.len() - length);
    let is_version = shortest_version(version).is_some() && !version.ends_with(b".");
    (is_version && before.last().is_some_and(|byte| !byte.is_ascii_alphanumeric())).then_some(version)
}

/// How many bytes the shortest version at the start has: a number, and a digit after a dot.
fn shortest_version(text: &[u8]) -> Option<usize> {
    let major = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let has_minor = text.get(major) == Some(&b'.') && text.get(major + 1).is_some_and(u8::is_ascii_digit);
    (major > 0 && has_minor).then_some(major + 2)
}

/// Whether the bytes begin like this; `#` stands for a digit, a space for one or more.
fn follows(mut bytes: &[u8], pattern: &str) -> bool {
    pattern.bytes().all(|expected| {
        let count = match expected {
            b' ' => bytes.iter().take_while(|byte| **byte == b' ').count(),
            b'#' => usize::from(bytes.first().is_some_and(u8::is_ascii_digit)),
            _ => usize::from(bytes.first() == Some(&expected)),
        };
        bytes = &bytes[count..];
        count > 0
    })
}

#[cfg(test)]
#[cfg(test)]
mod tests;
