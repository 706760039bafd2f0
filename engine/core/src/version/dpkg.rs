//! `[epoch:]upstream[-revision]` (deb-version(7), <https://manpages.debian.org/bookworm/dpkg-dev/deb-version.7.en.html>).
//!
//! As `dpkg --compare-versions`: an upstream version that does not start with a digit or has odd characters is compared
//! all the same. Refused: nothing, white space, letters outside ASCII, an epoch that is no number below 2³¹, nothing
//! after the epoch, an empty revision.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order, take_digits, take_while};

pub(super) struct Version<'a> {
    epoch: Number<'a>,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let text = text.trim_matches([' ', '\t']);
        if text.is_empty() {
            return Err("it is empty");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it has white space or letters outside ASCII");
        }
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => {
                let number = Number::parse(epoch).ok_or("its epoch is no number")?;
                if number > Number::parse("2147483647").unwrap_or(Number::ZERO) {
                    return Err("its epoch is too big");
                }
                (number, rest)
            }
            None => (Number::ZERO, text),
        };
        let (upstream, revision) = match rest.rsplit_once('-') {
            Some((_, "")) => return Err("its revision is empty"),
            Some(parts) => parts,
            None => (rest, ""),
        };
        if upstream.is_empty() {
            return Err("it has no upstream version");
        }
        Ok(Self { epoch, upstream, revision })
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare(self.upstream, other.upstream))
            .then_with(|| compare(self.revision, other.revision))
    }
}

by_order!(Version<'_>);

/// Alternately a run without digits, in which letters sort before all else and `~` before the end, and a number.
fn compare(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (left, right);
        (left, a) = take_while(a, |byte| !byte.is_ascii_digit());
        (right, b) = take_while(b, |byte| !byte.is_ascii_digit());
        let order = left.bytes().map(weight).chain([0]).cmp(right.bytes().map(weight).chain([0]));
        if order.is_ne() {
            return order;
        }
        let (left, right);
        (left, a) = take_digits(a);
        (right, b) = take_digits(b);
        let number = |digits| Number::parse(digits).unwrap_or(Number::ZERO);
        let order = number(left).cmp(&number(right));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// The end of a run weighs 0.
fn weight(byte: u8) -> i32 {
    match byte {
        b'~' => -1,
        byte if byte.is_ascii_alphabetic() => i32::from(byte),
        byte => i32::from(byte) + 256,
    }
}
