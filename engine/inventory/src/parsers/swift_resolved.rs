//! Package.resolved of Swift's package manager, versions 1 to 3
//! (<https://docs.swift.org/swiftpm/documentation/packagemanagerdocs/resolvingpackageversions>). A package is called by its
//! repository's address without scheme and `.git`, as advisories do; what follows a branch has its commit as version.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use crate::formats::{self, DOCUMENT, Text};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: SwiftResolved = SwiftResolved;

pub(super) struct SwiftResolved;

impl Parser for SwiftResolved {
    fn id(&self) -> &'static str {
        "swift-resolved"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/Package.resolved"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        match formats::json::<Resolved<'_>>(file) {
            Ok(resolved) => {
                let pins = resolved.pins.iter().chain(resolved.object.iter().flat_map(|object| &object.pins));
                Parsed {
                    records: pins.filter_map(Pin::package).map(Record::from).collect(),
                    problems: Vec::new(),
                }
            }
            Err(problem) => problem,
        }
    }
}

#[derive(Deserialize)]
struct Resolved<'a> {
    /// From version 2 on.
    #[serde(default, borrow)]
    pins: Vec<Pin<'a>>,
    /// Version 1.
    #[serde(borrow)]
    object: Option<Object<'a>>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(default, borrow)]
    pins: Vec<Pin<'a>>,
}

#[derive(Deserialize)]
struct Pin<'a> {
    #[serde(default, borrow)]
    identity: Text<'a>,
    #[serde(default, borrow)]
    kind: Text<'a>,
    #[serde(default, borrow, alias = "repositoryURL")]
    location: Text<'a>,
    #[serde(default, borrow)]
    state: State<'a>,
}

#[derive(Deserialize, Default)]
struct State<'a> {
    #[serde(default, borrow)]
    version: Text<'a>,
    #[serde(default, borrow)]
    revision: Text<'a>,
}

impl Pin<'_> {
    fn package(&self) -> Option<Package> {
        let name = match self.kind.get() {
            Some("localSourceControl") => return None,
            Some("registry") => self.identity.get()?.to_owned(),
            _ => address(self.location.get()?),
        };
        let version = self.state.version.get().or(self.state.revision.get())?;
        let mut package = Package::new(Ecosystem::Swift, name, version);
        package.evidence = Evidence::Locked;
        Some(package)
    }
}

/// `https://user@github.com/a/b.git` and `git@github.com:a/b.git` are `github.com/a/b`.
fn address(url: &str) -> String {
    let (rest, is_url) = match url.split_once("://") {
        Some((_, rest)) => (rest, true),
        None => (url, false),
    };
    let host_end = rest.find('/').unwrap_or(rest.len());
    let rest = rest[..host_end].rfind('@').map_or(rest, |at| &rest[at + 1..]);
    let rest = rest.trim_end_matches('/').trim_end_matches(".git");
    if is_url { rest.to_owned() } else { rest.replacen(':', "/", 1) }
}
