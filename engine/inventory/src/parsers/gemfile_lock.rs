//! Gemfile.lock, Bundler's lock file (<https://bundler.io/man/bundle-lock.1.html>).

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package};

use crate::formats::{self, DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: GemfileLock = GemfileLock;

pub(super) struct GemfileLock;

impl Parser for GemfileLock {
    fn id(&self) -> &'static str {
        "gemfile-lock"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/Gemfile.lock", "**/gems.locked", "**/*.gemfile.lock"], DOCUMENT)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = match formats::text(file) {
            Ok(text) => text,
            Err(problem) => return problem,
        };
        let mut gems = Vec::new();
        let (mut section, mut remote) = ("", "");
        for line in text.lines() {
            let depth = line.len() - line.trim_start_matches(' ').len();
            let content = line.trim();
            match depth {
                0 if formats::is_conflict(line) => gems.push((content, None)),
                0 if !content.is_empty() => (section, remote) = (content, ""),
                2 => remote = content.strip_prefix("remote: ").unwrap_or(remote),
                // What a gem needs stands deeper.
                4 if matches!(section, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => {
                    gems.push((content, gem(content, section, remote)));
                }
                _ => {}
            }
        }
        formats::entries(gems.into_iter())
    }
}

/// `rack (2.2.3)`, `nokogiri (1.15.4-x86_64-linux)`.
fn gem(content: &str, section: &str, remote: &str) -> Option<Package> {
    let (name, rest) = content.split_once(" (")?;
    let version = rest.strip_suffix(')')?;
    // A version has no dash; what follows one is the platform.
    let (version, platform) = match version.split_once('-') {
        Some((version, platform)) => (version, Some(platform)),
        None => (version, None),
    };
    let mut package = Package::new(Ecosystem::Gem, name, version);
    package.evidence = Evidence::Locked;
    let mut attribute = |key: &str, value: &str| {
        package.attributes.insert(key.to_owned(), value.to_owned());
    };
    if let Some(platform) = platform {
        attribute("platform", platform);
    }
    match section {
        "PATH" => attribute("root", "true"),
        "GEM" if remote == "https://rubygems.org/" || remote.is_empty() => {}
        _ => attribute("repository", remote),
    }
    Some(package)
}
