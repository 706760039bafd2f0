//! npm's ranges (<https://github.com/npm/node-semver#range-grammar>): alternatives with `||`, each a hyphen range
//! (`1.2 - 2`) or comparators with spaces between them; `~` and `^`; versions with parts missing or `x`, `X`, `*`.
//! A pre-release is taken only by alternatives that name one of the same three numbers.

use super::super::semver;
use super::super::{Reason, digits::cmp_padded};
use super::{Bound, Operator};

/// The largest number that npm reads in a version (2^53 - 1).
const LARGEST: u64 = (1 << 53) - 1;

/// A version, some of whose numbers may be missing.
struct Partial<'a> {
    /// The numbers from the first to the last that is given.
    numbers: Vec<u64>,
    /// What follows a `-`; empty unless all three numbers are given.
    pre: &'a str,
}

pub(super) fn parse(text: &str) -> Result<Vec<Vec<Bound>>, Reason> {
    text.split("||").map(|alternative| bounds(alternative.trim())).collect()
}

/// Whether an alternative says anything of a version: of a pre-release only if it names one of the same three numbers.
pub(super) fn speaks_of(bounds: &[Bound], version: &str) -> bool {
    let Ok(version) = semver::Version::parse(version) else { return false };
    let names_it = |bound: &Bound| {
        semver::Version::parse(&bound.version)
            .is_ok_and(|named| !named.pre.is_empty() && cmp_padded(&named.core, &version.core).is_eq())
    };
    version.pre.is_empty() || bounds.iter().any(names_it)
}

fn bounds(text: &str) -> Result<Vec<Bound>, Reason> {
    if let Some((from, to)) = text.split_once(" - ") {
        let (from, to) = (Partial::parse(from.trim())?, Partial::parse(to.trim())?);
        let mut bounds = Vec::new();
        if !from.numbers.is_empty() {
            bounds.push(from.at(Operator::AtLeast));
        }
        match to.numbers.len() {
            0 => {}
            3 => bounds.push(to.at(Operator::AtMost)),
            given => bounds.push(to.below_next(given)),
        }
        return Ok(bounds);
    }
    let mut bounds = Vec::new();
    // An operator may stand apart from its version.
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let (operator, version) = operator(word);
        let version = if version.is_empty() && !operator.is_empty() {
            words.next().ok_or("an operator has no version")?
        } else {
            version
        };
        comparator(operator, &Partial::parse(version)?, &mut bounds);
    }
    Ok(bounds)
}

/// The operator at a text's start, and the rest.
fn operator(text: &str) -> (&str, &str) {
    let known = ["<=", ">=", "~>", "<", ">", "=", "~", "^"];
    let found = known.into_iter().find(|operator| text.starts_with(operator)).unwrap_or_default();
    (found, &text[found.len()..])
}

fn comparator(operator: &str, version: &Partial<'_>, bounds: &mut Vec<Bound>) {
    let given = version.numbers.len();
    match operator {
        // Nothing is beyond any version.
        "<" | ">" if given == 0 => {
            bounds.push(Bound { operator: Operator::Less, version: "0.0.0-0".to_owned() });
        }
        _ if given == 0 => {}
        "<" if given < 3 => bounds.push(version.before()),
        "<" => bounds.push(version.at(Operator::Less)),
        ">" if given < 3 => bounds
            .push(Bound { operator: Operator::AtLeast, version: written(&next(&version.numbers, given)) }),
        ">" => bounds.push(version.at(Operator::Greater)),
        "<=" if given < 3 => bounds.push(version.below_next(given)),
        "<=" => bounds.push(version.at(Operator::AtMost)),
        ">=" => bounds.push(version.at(Operator::AtLeast)),
        "~" | "~>" => bounds.extend([version.at(Operator::AtLeast), version.below_next(given.min(2))]),
        "^" => {
            // The first number that is not 0 stays, or the last that is given.
            let zeros = version.numbers.iter().take_while(|number| **number == 0).count();
            bounds.extend([version.at(Operator::AtLeast), version.below_next((zeros + 1).min(given))]);
        }
        _ if given < 3 => bounds.extend([version.at(Operator::AtLeast), version.below_next(given)]),
        _ => bounds.push(version.at(Operator::Equal)),
    }
}

/// The numbers with the one at `place` (from 1) raised, and those behind it 0.
fn next(numbers: &[u64], place: usize) -> Vec<u64> {
    let mut next: Vec<u64> = numbers.iter().copied().take(place).collect();
    if let Some(last) = next.last_mut() {
        *last += 1;
    }
    next
}

fn written(numbers: &[u64]) -> String {
    let number = |place: usize| numbers.get(place).copied().unwrap_or_default();
    format!("{}.{}.{}", number(0), number(1), number(2))
}

impl<'a> Partial<'a> {
    fn parse(text: &'a str) -> Result<Self, Reason> {
        let text = text.trim_start_matches(['=', 'v']);
        let text = text.split_once('+').map_or(text, |(text, _)| text);
        let (core, pre) = text.split_once('-').unwrap_or((text, ""));
        let mut numbers = Vec::new();
        let mut open = false;
        for (place, part) in core.split('.').enumerate() {
            if place > 2 {
                return Err("a version in it has more than three numbers");
            }
            open |= matches!(part, "" | "x" | "X" | "*");
            if part.is_empty() && !core.is_empty() {
                return Err("a version in it has an empty part");
            }
            if !open {
                let number = Some(part).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
                let number = number.and_then(|part| part.parse().ok()).filter(|number| *number < LARGEST);
                numbers.push(number.ok_or("a version in it is not made of numbers, x and *")?);
            }
        }
        let pre = if numbers.len() == 3 { pre } else { "" };
        Ok(Self { numbers, pre })
    }

    fn at(&self, operator: Operator) -> Bound {
        let dash = if self.pre.is_empty() { "" } else { "-" };
        Bound { operator, version: format!("{}{dash}{}", written(&self.numbers), self.pre) }
    }

    /// Before its first version, pre-releases of that included.
    fn before(&self) -> Bound {
        Bound { operator: Operator::Less, version: format!("{}-0", written(&self.numbers)) }
    }

    /// Before the next version by the number at `place`, pre-releases of that included.
    fn below_next(&self, place: usize) -> Bound {
        let version = format!("{}-0", written(&next(&self.numbers, place)));
        Bound { operator: Operator::Less, version }
    }
}
