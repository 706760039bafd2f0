//! Installed gems: the specifications that RubyGems writes for each
//! (<https://guides.rubygems.org/specification-reference/>), default gems included.
//!
//! Limits: a specification is a Ruby program. RubyGems writes it in one form, one assignment a line, and that form is
//! what is read; name and version that stand in another form are taken from the file's name.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: Gemspec = Gemspec;

pub(super) struct Gemspec;

impl Parser for Gemspec {
    fn id(&self) -> &'static str {
        "gemspec"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest::head(
                &["**/specifications/*.gemspec", "**/specifications/default/*.gemspec"],
                1 << 20,
            )]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = match formats::text(file) {
            Ok(text) => text,
            Err(problem) => return problem,
        };
        let value = |field: &str| text.lines().find_map(|line| assigned(line, field)).and_then(literal);
        let (by_name, by_version) = from_name(file.path).unwrap_or_default();
        let name = value("name").unwrap_or(by_name);
        if name.is_empty() {
            let reason = "a gem's specification that does not say its name";
            return Parsed::problem(GapKind::Malformed, reason);
        }
        let mut package = Package::new(Ecosystem::Gem, name, value("version").unwrap_or(by_version));
        package.evidence = Evidence::Installed;
        package.licenses = match text.lines().find_map(|line| assigned(line, "licenses")) {
            Some(list) => list.split(',').filter_map(|item| literal(item.trim_matches(['[', ' ']))).collect(),
            None => value("license").into_iter().collect(),
        };
        let platform = value("platform").filter(|platform| platform != "ruby");
        package.attributes.extend(platform.map(|platform| ("platform".to_owned(), platform)));
        Parsed { records: vec![Record::from(package)], problems: Vec::new() }
    }
}

/// What a line assigns to a field of the specification, whatever it calls the specification.
fn assigned<'a>(line: &'a str, field: &str) -> Option<&'a str> {
    let (target, value) = line.split_once('=')?;
    let (variable, own) = target.trim().split_once('.')?;
    let is_name = variable.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (is_name && own == field).then(|| value.trim())
}

/// The text of a Ruby string, also of `"…".freeze` and `Gem::Version.new("…")`.
fn literal(value: &str) -> Option<String> {
    let value = value.strip_prefix("Gem::Version.new(").unwrap_or(value);
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (text, _) = value.get(1..)?.split_once(quote)?;
    // Interpolation is a program.
    (!text.contains("#{")).then(|| text.to_owned())
}

/// `nokogiri-1.15.4-x86_64-linux.gemspec`: the version begins behind the first `-` that a digit follows.
fn from_name(path: &[u8]) -> Option<(String, String)> {
    let path = String::from_utf8_lossy(path);
    let name = path.rsplit('/').next()?.strip_suffix(".gemspec")?;
    let at = name
        .match_indices('-')
        .map(|(at, _)| at)
        .find(|at| name[at + 1..].starts_with(|first: char| first.is_ascii_digit()))?;
    let version = name[at + 1..].split('-').next()?;
    Some((name[..at].to_owned(), version.to_owned()))
}
