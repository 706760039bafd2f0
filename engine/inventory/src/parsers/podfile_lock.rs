//! Podfile.lock of CocoaPods (<https://guides.cocoapods.org/using/using-cocoapods.html>). Parts of a pod (`Pod/Part`) count
//! as the pod. What comes from a repository has its address as `repository`; local folders are no packages.

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package};

use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: PodfileLock = PodfileLock;

pub(super) struct PodfileLock;

impl Parser for PodfileLock {
    fn id(&self) -> &'static str {
        "podfile-lock"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/Podfile.lock"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        match formats::text(file) {
            Ok(text) => {
                let (pods, strange) = pods(text);
                formats::entries(
                    pods.into_iter()
                        .map(|pod| ("", Some(pod)))
                        .chain(strange.into_iter().map(|line| (line, None))),
                )
            }
            Err(problem) => problem,
        }
    }
}

/// The pods, and lines that ought to name one.
fn pods(text: &str) -> (Vec<Package>, Vec<&str>) {
    let (mut pods, mut strange) = (BTreeSet::new(), Vec::new());
    // By pod: `:git`, `:path`… and the address.
    let mut sources = BTreeMap::new();
    let (mut section, mut source) = ("", "");
    for line in text.lines() {
        let depth = line.len() - line.trim_start_matches(' ').len();
        let content = line.trim();
        match (depth, section) {
            (0, _) if formats::is_conflict(line) => strange.push(content),
            (0, _) if !content.is_empty() => section = content,
            // What a pod needs stands deeper.
            (2, "PODS:") => match pod(content) {
                Some(pod) => drop(pods.insert(pod)),
                None => strange.push(content),
            },
            (2, "EXTERNAL SOURCES:") => source = unquoted(content.trim_end_matches(':')),
            (4, "EXTERNAL SOURCES:") => {
                if let Some(place) =
                    content.split_once(": ").filter(|(key, _)| matches!(*key, ":git" | ":path"))
                {
                    sources.insert(source, place);
                }
            }
            _ => {}
        }
    }
    let package = |(name, version): (&str, &str)| {
        let mut package = Package::new(Ecosystem::CocoaPods, name, version);
        package.evidence = Evidence::Locked;
        match sources.get(name) {
            Some((":path", _)) => return None,
            Some((_, address)) => {
                package.attributes.insert("repository".to_owned(), unquoted(address).to_owned());
            }
            None => {}
        }
        Some(package)
    };
    (pods.into_iter().filter_map(package).collect(), strange)
}

/// `- Alamofire (5.8.1)`, `- "Clock/Core (1.0.0)":`
fn pod(content: &str) -> Option<(&str, &str)> {
    let content = unquoted(content.strip_prefix("- ")?.trim_end_matches(':'));
    let (name, version) = content.split_once(" (")?;
    let version = version.strip_suffix(')')?;
    Some((name.split('/').next()?, version))
}

fn unquoted(text: &str) -> &str {
    text.trim_matches('"')
}
