//! Versions as Composer normalises them (<https://getcomposer.org/doc/articles/versions.md>): up to four numbers, a
//! stability (`alpha`, `beta`, `RC`, `patch`) with numbers, `-dev`; a leading `v` and what follows a `+` do not count;
//! missing numbers are 0. Dates (`2024-01-31`) are numbers with any of `.:-` between them. Then the order of PHP's
//! `version_compare`. Refused: branches (`dev-main`, `1.x-dev`) and anything else.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order, cmp_padded, take_digits, take_letters};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stability {
    Dev,
    Alpha,
    Beta,
    Candidate,
    Stable,
    Patch,
}

pub(super) struct Version<'a> {
    numbers: Vec<Number<'a>>,
    stability: Stability,
    /// The numbers after the stability.
    count: Vec<Number<'a>>,
    /// Whether it is a development version of that.
    dev: bool,
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let text = text.trim();
        let text = text.split_once('+').map_or(text, |(text, _)| text);
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (numbers, mut rest) = numbers(text)?;
        let mut stability = Stability::Stable;
        let mut count = Vec::new();
        if let Some((found, after)) = word(rest)
            && let Some(known) = known_stability(found)
        {
            (stability, rest) = (known, after);
            if known == Stability::Stable {
                // Composer drops the word, and with it the numbers.
                rest = take_count(rest).1;
            } else {
                (count, rest) = take_count(rest);
            }
        }
        let dev =
            word(rest).is_some_and(|(found, after)| found.eq_ignore_ascii_case("dev") && after.is_empty());
        if !dev && !rest.is_empty() {
            return Err("something follows that Composer does not know");
        }
        if dev && stability == Stability::Stable {
            return Ok(Self { numbers, stability: Stability::Dev, count, dev: false });
        }
        Ok(Self { numbers, stability, count, dev })
    }
}

fn known_stability(word: &str) -> Option<Stability> {
    Some(match word.to_ascii_lowercase().as_str() {
        "stable" => Stability::Stable,
        "alpha" | "a" => Stability::Alpha,
        "beta" | "b" => Stability::Beta,
        "rc" => Stability::Candidate,
        "patch" | "pl" | "p" => Stability::Patch,
        _ => return None,
    })
}

/// A word with an optional separator before it, and the rest.
fn word(text: &str) -> Option<(&str, &str)> {
    let (letters, rest) = take_letters(text.strip_prefix(['.', '-', '_']).unwrap_or(text));
    (!letters.is_empty()).then_some((letters, rest))
}

/// Numbers, each with an optional dot or dash before it.
fn take_count(mut text: &str) -> (Vec<Number<'_>>, &str) {
    let mut count = Vec::new();
    loop {
        let (digits, after) = take_digits(text.strip_prefix(['.', '-']).unwrap_or(text));
        let Some(number) = Number::parse(digits) else { return (count, text) };
        count.push(number);
        text = after;
    }
}

/// The numbers at the start: up to four with dots, or a date.
fn numbers(text: &str) -> Result<(Vec<Number<'_>>, &str), Reason> {
    let (first, mut rest) = take_digits(text);
    let mut numbers = vec![Number::parse(first).ok_or("it does not start with a number")?];
    // Composer takes years, and what is as long, for dates.
    let is_date = first.len() >= 4;
    let separators: &[char] = if is_date { &['.', ':', '-'] } else { &['.'] };
    while numbers.len() < if is_date { 9 } else { 4 } {
        let Some(after) = rest.strip_prefix(separators) else { break };
        let (digits, after) = take_digits(after);
        let Some(number) = Number::parse(digits) else { break };
        numbers.push(number);
        rest = after;
    }
    Ok((numbers, rest))
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        cmp_padded(&self.numbers, &other.numbers)
            .then_with(|| self.stability.cmp(&other.stability))
            .then_with(|| self.count.cmp(&other.count))
            .then_with(|| other.dev.cmp(&self.dev))
    }
}

by_order!(Version<'_>);
