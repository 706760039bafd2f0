//! Haskell: `stack.yaml.lock` (<https://docs.haskellstack.org/en/stable/topics/lock_files/>) and Cabal's `cabal.project.freeze`
//! (<https://cabal.readthedocs.io/en/stable/cabal-commands.html#cabal-freeze>).
//!
//! Limits: Stack's lock names only what is taken beside its snapshot.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package};
use serde::Deserialize;

use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Haskell = Haskell;

pub(super) struct Haskell;

impl Parser for Haskell {
    fn id(&self) -> &'static str {
        "haskell"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/stack.yaml.lock", "**/cabal.project.freeze"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if file.path.ends_with(b"stack.yaml.lock") {
            return match formats::yaml::<Lock>(file) {
                Ok(lock) => {
                    let hackage = lock.packages.iter().filter_map(|one| one.completed.hackage.as_deref());
                    formats::entries(hackage.map(|text| (text, snapshot(text))))
                }
                Err(problem) => problem,
            };
        }
        match formats::text(file) {
            Ok(text) => {
                // `constraints: any.NAME ==VERSION,`; flags have no version.
                formats::entries(text.split([',', '\n']).filter_map(pinned).map(|pin| (pin, frozen(pin))))
            }
            Err(problem) => problem,
        }
    }
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    packages: Vec<Pinned>,
}

#[derive(Deserialize)]
struct Pinned {
    completed: Completed,
}

#[derive(Deserialize)]
struct Completed {
    /// Absent for archives and repositories.
    hackage: Option<String>,
}

/// `aeson-2.1.2.1@sha256:CHECKSUM,SIZE`
fn snapshot(text: &str) -> Option<Package> {
    let (name, version) = text.split('@').next()?.rsplit_once('-')?;
    package(name, version)
}

/// `NAME ==VERSION`
fn pinned(text: &str) -> Option<&str> {
    let text = text.trim().trim_start_matches("constraints:").trim_start();
    text.strip_prefix("any.").filter(|pin| pin.contains("=="))
}

fn frozen(pin: &str) -> Option<Package> {
    let (name, version) = pin.split_once("==")?;
    package(name.trim(), version.trim())
}

fn package(name: &str, version: &str) -> Option<Package> {
    let is_version = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (!name.is_empty() && !version.is_empty() && is_version).then(|| {
        let mut package = Package::new(Ecosystem::Hackage, name, version);
        package.evidence = Evidence::Locked;
        package
    })
}
