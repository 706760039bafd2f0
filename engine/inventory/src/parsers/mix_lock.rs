//! mix.lock, the lock file of Elixir's Mix (<https://hexdocs.pm/mix/Mix.Tasks.Deps.html>): one entry a line. What comes
//! from a repository, or from another registry than Hex, has its address as `repository`.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package};

use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: MixLock = MixLock;

pub(super) struct MixLock;

impl Parser for MixLock {
    fn id(&self) -> &'static str {
        "mix-lock"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/mix.lock"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = match formats::text(file) {
            Ok(text) => text,
            Err(problem) => return problem,
        };
        let entries = text.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\": {:"));
        formats::entries(entries.map(|(key, value)| (key, entry(key, value))))
    }
}

/// `"plug": {:hex, :plug, "1.15.2", "CHECKSUM", [:mix], […], "hexpm", "CHECKSUM"},`, or
/// `"clock": {:git, "https://…", "COMMIT", […]},`
fn entry(key: &str, value: &str) -> Option<Package> {
    let mut words = value.split(", ");
    let kind = words.next()?;
    let mut word = || Some(words.next()?.trim_end_matches(['}', ',']).trim_matches([':', '"']));
    let (name, version, repository) = match kind {
        "hex" => {
            let (name, version) = (word()?, word()?);
            // After the lists of managers and dependencies; the oldest files have none.
            let registry = value.rsplit_once("], \"").and_then(|(_, rest)| rest.split('"').next());
            (name, version, registry.filter(|registry| *registry != "hexpm"))
        }
        "git" => {
            let (address, commit) = (word()?, word()?);
            (key, commit, Some(address))
        }
        _ => return None,
    };
    let mut package = Package::new(Ecosystem::Hex, name, version);
    package.evidence = Evidence::Locked;
    if let Some(repository) = repository {
        package.attributes.insert("repository".to_owned(), repository.to_owned());
    }
    Some(package)
}
