//! `digits{.digits}[letter]{_suffix[digits]}[~hash][-rN]` (apk-package(5),
//! <https://gitlab.alpinelinux.org/alpine/apk-tools/-/blob/master/doc/apk-package.5.scd>).
//!
//! As `apk version -t` of apk-tools 3. Anything else is refused.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order, take_digits, take_letters, take_while};

/// Suffixes in their order; those before `PLAIN` are older than the version without them.
const SUFFIXES: [&str; 9] = ["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"];
const PLAIN: usize = 4;

/// One part of a version. At the first difference in kind, the kind that comes first here is newer.
#[derive(Clone, Copy)]
enum Part<'a> {
    First(Number<'a>),
    Digits(&'a str),
    Letter(u8),
    Suffix(usize),
    SuffixNumber(Number<'a>),
    Hash(&'a str),
    Revision(Number<'a>),
    End,
}

impl Part<'_> {
    fn kind(self) -> u8 {
        match self {
            Self::First(_) => 0,
            Self::Digits(_) => 1,
            Self::Letter(_) => 2,
            Self::Suffix(_) => 3,
            Self::SuffixNumber(_) => 4,
            Self::Hash(_) => 5,
            Self::Revision(_) => 6,
            Self::End => 7,
        }
    }

    fn is_before(self) -> bool {
        matches!(self, Self::Suffix(suffix) if suffix < PLAIN)
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::First(a), Self::First(b))
            | (Self::SuffixNumber(a), Self::SuffixNumber(b))
            | (Self::Revision(a), Self::Revision(b)) => a.cmp(&b),
            // With a leading zero they are fractions, as in Portage.
            (Self::Digits(a), Self::Digits(b)) if a.starts_with('0') || b.starts_with('0') => a.cmp(b),
            (Self::Digits(a), Self::Digits(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (Self::Letter(a), Self::Letter(b)) => a.cmp(&b),
            (Self::Suffix(a), Self::Suffix(b)) => a.cmp(&b),
            (Self::Hash(a), Self::Hash(b)) => a.cmp(b),
            _ if self.is_before() && !other.is_before() => Ordering::Less,
            _ if other.is_before() && !self.is_before() => Ordering::Greater,
            _ => other.kind().cmp(&self.kind()),
        }
    }
}

pub(super) struct Version<'a>(Vec<Part<'a>>);

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let (first, mut rest) = take_digits(text);
        let mut parts = vec![Part::First(Number::parse(first).ok_or("it does not start with a digit")?)];
        while let Some(after) = rest.strip_prefix('.') {
            let digits;
            (digits, rest) = take_digits(after);
            if digits.is_empty() {
                return Err("a dot is not followed by a digit");
            }
            parts.push(Part::Digits(digits));
        }
        if let Some(letter) = rest.bytes().next().filter(u8::is_ascii_lowercase) {
            parts.push(Part::Letter(letter));
            rest = &rest[1..];
        }
        while let Some(after) = rest.strip_prefix('_') {
            let (name, digits);
            (name, rest) = take_letters(after);
            let suffix =
                SUFFIXES.iter().position(|known| *known == name).ok_or("it has an unknown suffix")?;
            parts.push(Part::Suffix(suffix));
            (digits, rest) = take_digits(rest);
            parts.extend(Number::parse(digits).map(Part::SuffixNumber));
        }
        if let Some(after) = rest.strip_prefix('~') {
            let hash;
            (hash, rest) = take_while(after, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if hash.is_empty() {
                return Err("its commit hash is empty");
            }
            parts.push(Part::Hash(hash));
        }
        if let Some(after) = rest.strip_prefix("-r") {
            let digits;
            (digits, rest) = take_digits(after);
            parts.push(Part::Revision(Number::parse(digits).ok_or("its revision is no number")?));
        }
        if !rest.is_empty() {
            return Err("something follows that belongs to no version");
        }
        parts.push(Part::End);
        Ok(Self(parts))
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.0.iter().zip(&other.0);
        pairs.map(|(a, b)| a.compare(*b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

by_order!(Version<'_>);
