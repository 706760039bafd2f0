//! Module versions, which are semantic versions with a `v` (<https://go.dev/ref/mod#versions>): pseudo-versions are
//! pre-releases by their form, `+incompatible` is build metadata. Go's own releases are read too (`go1.21.3`, `1.22rc1`,
//! with what a builder adds: `go1.20.5 X:boringcrypto`, `go1.19.4-vendor`), as the Go vulnerability database writes them:
//! `go1.22rc1` is `1.22.0-rc.1`. Refused: `(devel)`, `devel …`, an empty text and all that is no version.

use std::cmp::Ordering;

use super::digits::{Number, by_order, take_digits, take_letters};
use super::semver::{Identifier, Version as SemVer};
use super::{Reason, semver};

pub(super) struct Version<'a>(SemVer<'a>);

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        if let Some(release) = text.strip_prefix("go") {
            // A builder's additions follow a blank, a dash or a plus.
            let end = release.find([' ', '-', '+']).unwrap_or(release.len());
            return toolchain(&release[..end]).ok_or("it is no release of Go");
        }
        match semver::Version::parse(text) {
            Ok(version) => Ok(Self(version)),
            Err(reason) => toolchain(text).ok_or(reason),
        }
    }
}

/// `1.21`, `1.21.3`, `1.22rc1`, `1.9beta2`.
fn toolchain(text: &str) -> Option<Version<'_>> {
    let end = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (core, rest) = text.split_at(end);
    let core = core.split('.').map(Number::parse).collect::<Option<Vec<_>>>()?;
    let mut pre = Vec::new();
    if !rest.is_empty() {
        let (word, rest) = take_letters(rest);
        let (digits, rest) = take_digits(rest);
        if !matches!(word, "alpha" | "beta" | "rc") || !rest.is_empty() {
            return None;
        }
        pre.push(Identifier::Word(word));
        pre.push(Identifier::Number(Number::parse(digits)?));
    }
    Some(Version(SemVer { core, pre, build: Vec::new() }))
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

by_order!(Version<'_>);
