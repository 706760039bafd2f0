//! The Nix store: a package is a folder `nix/store/HASH-NAME-VERSION`, known by the files in it. Programs, libraries and
//! Nix's own notes are looked for; a package that has none of them (pure data) is not seen.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Package};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Nix = Nix;

pub(super) struct Nix;

impl Parser for Nix {
    fn id(&self) -> &'static str {
        "nix"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["nix/store/*/{bin,sbin,lib,libexec,nix-support}/*"], 0)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let path = String::from_utf8_lossy(file.path);
        let package = path.split('/').nth(2).and_then(package);
        Parsed { records: package.map(Into::into).into_iter().collect(), problems: Vec::new() }
    }
}

/// Digits of the hash that a folder's name begins with.
const HASH: usize = 32;
/// What packages are split into; the main output has no suffix.
const OUTPUTS: [&str; 12] =
    ["bin", "dev", "lib", "out", "man", "doc", "info", "static", "debug", "data", "devdoc", "getent"];

/// The package of a folder; none if its name has no version (scripts, environments).
fn package(folder: &str) -> Option<Package> {
    let (hash, rest) = folder.split_once('-')?;
    if hash.len() != HASH || !hash.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()) {
        return None;
    }
    // The version begins behind the first hyphen that no letter follows
    // (<https://nix.dev/manual/nix/latest/language/builtins.html#builtins-parseDrvName>).
    let place = rest
        .match_indices('-')
        .map(|(place, _)| place)
        .find(|place| rest[place + 1..].starts_with(|next: char| next.is_ascii_digit()))?;
    let (name, mut version) = (&rest[..place], &rest[place + 1..]);
    let mut output = None;
    if let Some((before, last)) = version.rsplit_once('-')
        && OUTPUTS.contains(&last)
    {
        (version, output) = (before, Some(last));
    }
    let mut package = Package::new(Ecosystem::Nix, name, version);
    package.attributes.insert("hash".to_owned(), hash.to_owned());
    package.attributes.extend(output.map(|output| ("output".to_owned(), output.to_owned())));
    Some(package)
}
