//! `digits{.digits}[letter]{_suffix[digits]}[-rN]` (Package Manager Specification,
//! <https://projects.gentoo.org/pms/8/pms.html#version-comparison>).
//!
//! Anything else is refused.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order, take_digits, take_letters};

/// Suffixes in their order; `p` alone is newer than the version without it.
const SUFFIXES: [&str; 5] = ["alpha", "beta", "pre", "rc", "p"];
const PATCH: usize = 4;

pub(super) struct Version<'a> {
    first: Number<'a>,
    rest: Vec<&'a str>,
    letter: Option<u8>,
    suffixes: Vec<(usize, Number<'a>)>,
    revision: Number<'a>,
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let (digits, mut text) = take_digits(text);
        let first = Number::parse(digits).ok_or("it does not start with a digit")?;
        let mut rest = Vec::new();
        while let Some(after) = text.strip_prefix('.') {
            let digits;
            (digits, text) = take_digits(after);
            if digits.is_empty() {
                return Err("a dot is not followed by a digit");
            }
            rest.push(digits);
        }
        let letter = text.bytes().next().filter(u8::is_ascii_lowercase);
        if letter.is_some() {
            text = &text[1..];
        }
        let mut suffixes = Vec::new();
        while let Some(after) = text.strip_prefix('_') {
            let (name, digits);
            (name, text) = take_letters(after);
            let suffix =
                SUFFIXES.iter().position(|known| *known == name).ok_or("it has an unknown suffix")?;
            (digits, text) = take_digits(text);
            suffixes.push((suffix, Number::parse(digits).unwrap_or(Number::ZERO)));
        }
        let mut revision = Number::ZERO;
        if let Some(after) = text.strip_prefix("-r") {
            let digits;
            (digits, text) = take_digits(after);
            revision = Number::parse(digits).ok_or("its revision is no number")?;
        }
        if !text.is_empty() {
            return Err("something follows that belongs to no version");
        }
        Ok(Self { first, rest, letter, suffixes, revision })
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.first
            .cmp(&other.first)
            .then_with(|| {
                let parts = self.rest.iter().zip(&other.rest).map(|(a, b)| compare_component(a, b));
                first_difference(parts)
            })
            .then_with(|| self.rest.len().cmp(&other.rest.len()))
            .then_with(|| self.letter.cmp(&other.letter))
            .then_with(|| self.compare_suffixes(other))
            .then_with(|| self.revision.cmp(&other.revision))
    }
}

by_order!(Version<'_>);

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// With a leading zero they are fractions, else numbers.
fn compare_component(a: &str, b: &str) -> Ordering {
    if a.starts_with('0') || b.starts_with('0') {
        a.trim_end_matches('0').cmp(b.trim_end_matches('0'))
    } else {
        a.len().cmp(&b.len()).then_with(|| a.cmp(b))
    }
}

impl Version<'_> {
    fn compare_suffixes(&self, other: &Self) -> Ordering {
        let common = self.suffixes.len().min(other.suffixes.len());
        first_difference(self.suffixes.iter().zip(&other.suffixes).map(|(a, b)| a.cmp(b))).then_with(|| {
            let newer = |suffixes: &[(usize, Number<'_>)]| match suffixes.get(common) {
                Some((PATCH, _)) => Ordering::Greater,
                Some(_) => Ordering::Less,
                None => Ordering::Equal,
            };
            newer(&self.suffixes).then(newer(&other.suffixes).reverse())
        })
    }
}
