//! Perl: distributions that `cpanm` installed (`.meta/*/install.json`, <https://metacpan.org/pod/cpanm>) and Carton's
//! `cpanfile.snapshot` (<https://metacpan.org/pod/Carton>). Their names are those of distributions, not of modules.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package};
use serde::Deserialize;

use crate::formats::{self, DOCUMENT, Text};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Perl = Perl;

pub(super) struct Perl;

impl Parser for Perl {
    fn id(&self) -> &'static str {
        "perl"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/.meta/*/install.json", "**/cpanfile.snapshot"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if file.path.ends_with(b"install.json") {
            return match formats::json::<Installed<'_>>(file) {
                Ok(installed) => {
                    let name = installed.dist.get().unwrap_or_default();
                    formats::entries(std::iter::once((name, distribution(name, Evidence::Installed))))
                }
                Err(problem) => problem,
            };
        }
        match formats::text(file) {
            Ok(text) => {
                // Two spaces before a distribution, more before what belongs to it.
                let names = text
                    .lines()
                    .filter_map(|line| line.strip_prefix("  "))
                    .filter(|name| !name.starts_with(' '));
                formats::entries(names.map(|name| (name, distribution(name.trim_end(), Evidence::Locked))))
            }
            Err(problem) => problem,
        }
    }
}

#[derive(Deserialize)]
struct Installed<'a> {
    /// `Mojolicious-9.35`
    #[serde(default, borrow)]
    dist: Text<'a>,
}

/// The version follows the last dash: `libwww-perl-6.72`, `Plack-v1.0.51`, `CGI-4.60-TRIAL`.
fn distribution(text: &str, evidence: Evidence) -> Option<Package> {
    let (stem, trial) = match text.strip_suffix("-TRIAL") {
        Some(stem) => (stem, "-TRIAL"),
        None => (text, ""),
    };
    let (name, version) = stem.rsplit_once('-')?;
    let is_version = version.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit());
    (!name.is_empty() && is_version).then(|| {
        let mut package = Package::new(Ecosystem::Cpan, name, format!("{version}{trial}"));
        package.evidence = evidence;
        package
    })
}
