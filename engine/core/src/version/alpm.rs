//! `[epoch:]version[-release]` (vercmp(8), <https://man.archlinux.org/man/vercmp.8>).
//!
//! As pacman's `vercmp`: a release counts only if both have one, so that `1-1` and `1-2` both equal `1`; an older branch of
//! rpm's comparison, in which separators count. It is no order where separators stand twice in a row (`1..1`), which no
//! package has. Refused: nothing.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order, take_digits};
use super::rpm::{compare_part, split_release};

pub(super) struct Version<'a> {
    epoch: Number<'a>,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let (digits, after) = take_digits(text);
        let (epoch, rest) = match after.strip_prefix(':') {
            Some(rest) => (Number::parse(digits).unwrap_or(Number::ZERO), rest),
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
                _ => Ordering::Equal,
            }
        })
    }
}

by_order!(Version<'_>);

fn split_separators(text: &str) -> (usize, &str) {
    let start = text.bytes().position(|byte| byte.is_ascii_alphanumeric()).unwrap_or(text.len());
    (start, text.get(start..).unwrap_or(""))
}

fn compare(mut a: &str, mut b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    while !a.is_empty() && !b.is_empty() {
        let (left_gap, right_gap);
        (left_gap, a) = split_separators(a);
        (right_gap, b) = split_separators(b);
        if a.is_empty() || b.is_empty() {
            break;
        }
        if left_gap != right_gap {
            return left_gap.cmp(&right_gap);
        }
        let order = compare_part(&mut a, &mut b);
        if order.is_ne() {
            return order;
        }
    }
    let is_letter = |text: &str| text.starts_with(|first: char| first.is_ascii_alphabetic());
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        // Letters that remain are older than the end, all else is newer.
        (true, false) if !is_letter(b) => Ordering::Less,
        _ if is_letter(a) => Ordering::Less,
        _ => Ordering::Greater,
    }
}
