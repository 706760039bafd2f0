//! Numbers of any length, as the text they are written in.

use std::cmp::Ordering;

/// A run of ASCII digits that is compared by its value: `007` equals `7`, and nothing overflows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a>(&'a str);

impl<'a> Number<'a> {
    /// Zero.
    pub(super) const ZERO: Self = Self("");

    /// The number that these digits write; none if there are no digits or anything else.
    pub(super) fn parse(digits: &'a str) -> Option<Self> {
        let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| Self(digits.trim_start_matches('0')))
    }

    /// Whether it is 0.
    pub(super) fn is_zero(self) -> bool {
        self.0.is_empty()
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number<'_> {}

/// Splits off the longest start whose bytes all satisfy `wanted`. They must be ASCII.
pub(super) fn take_while(text: &str, wanted: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii() || !wanted(byte)).unwrap_or(text.len());
    text.split_at(end)
}

/// Splits off the longest start of digits.
pub(super) fn take_digits(text: &str) -> (&str, &str) {
    take_while(text, |byte| byte.is_ascii_digit())
}

/// Splits off the longest start of ASCII letters.
pub(super) fn take_letters(text: &str) -> (&str, &str) {
    take_while(text, |byte| byte.is_ascii_alphabetic())
}

/// Compares number by number, where what is missing counts as 0.
pub(super) fn cmp_padded(a: &[Number<'_>], b: &[Number<'_>]) -> Ordering {
    let zero = &Number::ZERO;
    (0..a.len().max(b.len()))
        .map(|index| a.get(index).unwrap_or(zero).cmp(b.get(index).unwrap_or(zero)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Derives equality and partial order of versions from their `Ord`.
macro_rules! by_order {
    ($version:ty) => {
        impl PartialOrd for $version {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for $version {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Eq for $version {}
    };
}
pub(super) use by_order;
