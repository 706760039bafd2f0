//! go.mod (<https://go.dev/ref/mod#go-mod-file>): the modules that a project requires, replaced and excluded as it says.
//!
//! Limits: from Go 1.17 on the file names every module of the build; an older one names the direct ones alone. It is a
//! wish, as requirements.txt is one: what was built says so itself (`go-binary`). go.sum is not read: it lists versions that were weighed, not those that were taken. A go.mod
//! below Go's module cache or vendor folders, or of the standard library itself, says what others need and is not read.

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: GoMod = GoMod;

pub(super) struct GoMod;

impl Parser for GoMod {
    fn id(&self) -> &'static str {
        "go-mod"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/go.mod"], 4 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let path = format!("/{}", String::from_utf8_lossy(file.path));
        if ["/pkg/mod/", "/vendor/", "/testdata/"].iter().any(|folder| path.contains(folder)) {
            return Parsed::default();
        }
        match formats::text(file) {
            Ok(text) => Module::read(text).parsed(),
            Err(problem) => problem,
        }
    }
}

/// Path and version.
type Version<'a> = (&'a str, &'a str);

#[derive(Default)]
struct Module<'a> {
    path: &'a str,
    required: BTreeMap<Version<'a>, bool>,
    excluded: BTreeSet<Version<'a>>,
    /// By path, and version where only that one is replaced.
    replaced: BTreeMap<(&'a str, Option<&'a str>), Version<'a>>,
    /// A line that is broken off, or torn by a merge.
    broken: Option<&'a str>,
}

impl<'a> Module<'a> {
    fn read(text: &'a str) -> Self {
        let mut module = Self::default();
        let mut block = None;
        for line in text.lines() {
            if formats::is_conflict(line) {
                module.broken = Some(line);
            }
            let (line, comment) = line.split_once("//").unwrap_or((line, ""));
            let words: Vec<&str> = line.split_whitespace().take(6).map(unquoted).collect();
            match (block, words.as_slice()) {
                (_, []) => {}
                (Some(_), [")"]) => block = None,
                (Some(directive), words) => module.take(directive, words, comment),
                (None, [directive, "("]) => block = Some(*directive),
                (None, [directive, words @ ..]) => module.take(directive, words, comment),
            }
        }
        if block.is_some() {
            module.broken = text.lines().last();
        }
        module
    }

    fn take(&mut self, directive: &str, words: &[&'a str], comment: &str) {
        match (directive, words) {
            ("module", [path, ..]) => self.path = path,
            ("require", [path, version, ..]) => {
                self.required.insert((path, version), comment.trim_start().starts_with("indirect"));
            }
            ("require", [path]) => self.broken = Some(path),
            ("exclude", [path, version, ..]) => {
                self.excluded.insert((path, version));
            }
            ("replace", [path, "=>", to @ ..]) => self.replace(path, None, to),
            ("replace", [path, version, "=>", to @ ..]) => self.replace(path, Some(version), to),
            _ => {}
        }
    }

    fn replace(&mut self, path: &'a str, version: Option<&'a str>, to: &[&'a str]) {
        if let Some(new) = to.first() {
            self.replaced.insert((path, version), (new, to.get(1).copied().unwrap_or_default()));
        }
    }

    fn parsed(self) -> Parsed {
        if matches!(self.path, "std" | "cmd") {
            return Parsed::default();
        }
        let mut parsed = Parsed::default();
        if let Some(line) = self.broken {
            let line: String = line.trim().chars().take(100).collect();
            parsed.problems.push((GapKind::Malformed, format!("it is broken at {line:?}")));
        }
        if !self.path.is_empty() {
            let mut root = package(self.path, "");
            root.attributes.insert("root".to_owned(), "true".to_owned());
            parsed.records.push(Record::from(root));
        }
        for (&(path, version), &indirect) in &self.required {
            // Go takes the next version that is not excluded; which one that is the file does not say.
            if self.excluded.contains(&(path, version)) {
                continue;
            }
            let new = self.replaced.get(&(path, Some(version))).or_else(|| self.replaced.get(&(path, None)));
            let mut package = match new {
                Some(&(folder, "")) => {
                    let mut package = package(path, if version == "v0.0.0" { "" } else { version });
                    package.attributes.insert("replaced-by".to_owned(), folder.to_owned());
                    package
                }
                Some(&(new, new_version)) => {
                    let mut package = package(new, new_version);
                    package.attributes.insert("replaces".to_owned(), format!("{path}@{version}"));
                    package
                }
                None => package(path, version),
            };
            if indirect {
                package.attributes.insert("indirect".to_owned(), "true".to_owned());
            }
            parsed.records.push(Record::from(package));
        }
        parsed
    }
}

fn package(path: &str, version: &str) -> Package {
    let mut package = Package::new(Ecosystem::Go, path, version);
    package.evidence = Evidence::Declared;
    package
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '`'])
}
