//! bun.lock, Bun's lock file as text (<https://bun.sh/docs/install/lockfile>): JSON that allows commas before a closing
//! bracket. The binary form before it, bun.lockb, is told as unsupported.
//!
//! `packages` has a list per place in the tree, whose first item is `name@version`; an alias has the name of what it
//! stands for. Workspaces and local folders are no packages.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::node_modules;
use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: BunLock = BunLock;

pub(super) struct BunLock;

impl Parser for BunLock {
    fn id(&self) -> &'static str {
        "bun-lock"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/bun.lock", "**/bun.lockb"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if node_modules::is_installed(file.path) {
            return Parsed::default();
        }
        if file.path.ends_with(b".lockb") {
            let reason = "Bun's binary lock file is not read: write it as text with `bun install --save-text-lockfile`";
            return Parsed::problem(GapKind::Unsupported, reason);
        }
        let strict = match formats::whole(file) {
            Ok(bytes) => without_trailing_commas(bytes),
            Err(problem) => return problem,
        };
        let lock: Lock<'_> = match serde_json::from_slice(&strict) {
            Ok(lock) => lock,
            Err(error) => {
                return Parsed::problem(
                    GapKind::Malformed,
                    format!("not the JSON that was expected: {error}"),
                );
            }
        };
        let packages: BTreeSet<Package> =
            lock.packages.values().filter_map(|first| package(&first.0)).collect();
        let records = packages.into_iter().map(Record::from);
        Parsed { records: records.collect(), problems: Vec::new() }
    }
}

#[derive(Deserialize)]
struct Lock<'a> {
    #[serde(default, borrow)]
    packages: BTreeMap<Cow<'a, str>, First<'a>>,
}

/// The first item of a list.
struct First<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for First<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FirstVisitor;

        impl<'de> Visitor<'de> for FirstVisitor {
            type Value = First<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list that begins with name and version")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<First<'de>, A::Error> {
                let first = items.next_element::<formats::Text<'de>>()?.unwrap_or_default();
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first.0.unwrap_or_default()))
            }
        }

        deserializer.deserialize_seq(FirstVisitor)
    }
}

/// `name@1.0.0`, `name@git+ssh://…#commit`, `name@github:owner/name#commit`, `name@workspace:folder`, `name@file:…`
fn package(text: &str) -> Option<Package> {
    let at = text.get(1..)?.find('@')? + 1;
    let (name, reference) = (&text[..at], &text[at + 1..]);
    let is_repository = reference.starts_with("git");
    let version = match reference.split_once('#') {
        Some((_, commit)) if is_repository => commit,
        _ => reference,
    };
    if version.is_empty() || version.contains([':', '/']) {
        return None;
    }
    let mut package = Package::new(Ecosystem::Npm, name, version);
    package.evidence = Evidence::Locked;
    if is_repository {
        package.attributes.insert("repository".into(), reference.to_owned());
    }
    Some(package)
}

/// The same JSON with blanks for commas that nothing follows.
fn without_trailing_commas(json: &[u8]) -> Vec<u8> {
    let mut strict = json.to_vec();
    let (mut comma, mut in_string, mut escaped) = (None, false, false);
    for (place, byte) in json.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => {
                in_string = !in_string;
                comma = None;
            }
            _ if in_string || byte.is_ascii_whitespace() => {}
            b',' => comma = Some(place),
            b'}' | b']' => {
                if let Some(comma) = comma.take() {
                    strict[comma] = b' ';
                }
            }
            _ => comma = None,
        }
    }
    strict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commas_that_nothing_follows_are_dropped() {
        let text = br#"{"a,]": ["\",}", 1,], "b": [[], ],}"#;
        let strict = without_trailing_commas(text);
        assert_eq!(strict, br#"{"a,]": ["\",}", 1 ], "b": [[]  ] }"#);
    }
}
