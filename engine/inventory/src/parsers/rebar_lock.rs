//! rebar.lock, the lock file of Erlang's Rebar3 (<https://rebar3.org/docs/workflow/>). What comes from a repository has its
//! address as `repository`.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package};

use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: RebarLock = RebarLock;

pub(super) struct RebarLock;

impl Parser for RebarLock {
    fn id(&self) -> &'static str {
        "rebar-lock"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/rebar.lock"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = match formats::text(file) {
            Ok(text) => text,
            Err(problem) => return problem,
        };
        // Entries reach over lines; names, versions and addresses hold no spaces.
        let terms: String = text.split_whitespace().collect();
        // The checksums that follow are of another form.
        let entries = terms.split("{<<\"").filter_map(|term| term.split_once("\">>,{"));
        formats::entries(entries.map(|(key, value)| (key, entry(key, value))))
    }
}

/// `cowboy">>,{pkg,<<"cowboy">>,<<"2.10.0">>},0},` or `clock">>,{git,"https://…",{ref,"COMMIT"}},0},`
fn entry(key: &str, value: &str) -> Option<Package> {
    // A text that is not closed is the last part.
    let mut texts = value.rsplit_once('"')?.0.split('"').skip(1).step_by(2);
    let (name, version, repository) = if value.starts_with("pkg,") {
        (texts.next()?, texts.next()?, None)
    } else if value.starts_with("git,") {
        let (address, commit) = (texts.next()?, texts.next()?);
        (key, commit, Some(address))
    } else {
        return None;
    };
    let mut package = Package::new(Ecosystem::Hex, name, version);
    package.evidence = Evidence::Locked;
    if let Some(repository) = repository {
        package.attributes.insert("repository".to_owned(), repository.to_owned());
    }
    Some(package)
}
