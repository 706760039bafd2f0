//! `[epoch:]version[-release]` (rpm-version(7), <https://rpm-software-management.github.io/rpm/manual/dependencies.html>).
//!
//! As rpm's `rpmVersionCompare`: a missing epoch is 0, a missing release is older than any, whatever is no ASCII letter,
//! digit, `~` or `^` separates. Refused: nothing before the release, an epoch that is empty.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order, take_digits, take_letters};

pub(super) struct Version<'a> {
    epoch: Number<'a>,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let (epoch, rest) = match text.split_once(':') {
            // What is no number before the colon belongs to the version, as rpm reads it.
            Some((epoch, rest)) => match Number::parse(epoch) {
                Some(number) => (number, rest),
                None if epoch.is_empty() => return Err("its epoch is empty"),
                None => (Number::ZERO, text),
            },
            None => (Number::ZERO, text),
        };
        let (version, release) = split_release(rest)?;
        Ok(Self { epoch, version, release })
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch.cmp(&other.epoch).then_with(|| compare(self.version, other.version)).then_with(|| {
            match (self.release, other.release) {
                (Some(a), Some(b)) => compare(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            }
        })
    }
}

by_order!(Version<'_>);

/// `version[-release]`: the release follows the last dash.
pub(super) fn split_release(text: &str) -> Result<(&str, Option<&str>), Reason> {
    let (version, release) = match text.rsplit_once('-') {
        Some((version, release)) => (version, Some(release)),
        None => (text, None),
    };
    if version.is_empty() { Err("it has no version") } else { Ok((version, release)) }
}

/// Takes digits or letters, whichever `a` begins with, off both and compares them. A number is newer than letters.
pub(super) fn compare_part(a: &mut &str, b: &mut &str) -> Ordering {
    let (left, right);
    if a.starts_with(|first: char| first.is_ascii_digit()) {
        (left, *a) = take_digits(a);
        (right, *b) = take_digits(b);
        match (Number::parse(left), Number::parse(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => Ordering::Greater,
        }
    } else {
        (left, *a) = take_letters(a);
        (right, *b) = take_letters(b);
        if right.is_empty() { Ordering::Less } else { left.cmp(right) }
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'~' || byte == b'^'
}

/// What follows the separators at the start.
fn skip(text: &str) -> &str {
    let start = text.bytes().position(is_part).unwrap_or(text.len());
    text.get(start..).unwrap_or("")
}

/// rpm's `rpmvercmp`.
fn compare(mut a: &str, mut b: &str) -> Ordering {
    loop {
        a = skip(a);
        b = skip(b);
        match (a.strip_prefix('~'), b.strip_prefix('~')) {
            (Some(left), Some(right)) => {
                (a, b) = (left, right);
                continue;
            }
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => {}
        }
        match (a.strip_prefix('^'), b.strip_prefix('^')) {
            (Some(left), Some(right)) => {
                (a, b) = (left, right);
                continue;
            }
            // A caret is newer than the end and older than anything else.
            (Some(_), None) => return if b.is_empty() { Ordering::Greater } else { Ordering::Less },
            (None, Some(_)) => return if a.is_empty() { Ordering::Less } else { Ordering::Greater },
            (None, None) => {}
        }
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        let order = compare_part(&mut a, &mut b);
        if order.is_ne() {
            return order;
        }
    }
}
