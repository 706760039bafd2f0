//! Composer's ranges (<https://getcomposer.org/doc/articles/versions.md#writing-version-constraints>): alternatives with
//! `||` or `|`, each a hyphen range (`1.0 - 2.0`) or conditions with commas or spaces between them; `~`, `^`, `1.2.*`;
//! `!=` and `<>`. A stability after an `@` is that of the version before it. Development versions of a bound count to
//! what lies above it. Refused: branches (`dev-main`).

use super::super::Reason;
use super::{Bound, Operator};

/// The numbers that a version begins with, and what follows them.
struct Numbered<'a> {
    /// One to four.
    numbers: Vec<u64>,
    /// Such as `-beta1`.
    rest: &'a str,
}

pub(super) fn parse(text: &str) -> Result<Vec<Vec<Bound>>, Reason> {
    text.replace("||", "|").split('|').map(|alternative| bounds(alternative.trim())).collect()
}

fn bounds(text: &str) -> Result<Vec<Bound>, Reason> {
    if text.is_empty() {
        return Err("an alternative is empty");
    }
    if let Some((from, to)) = text.split_once(" - ") {
        let (from, to) = (Numbered::parse(from.trim())?, Numbered::parse(to.trim())?);
        let given = to.numbers.len();
        let end =
            if given >= 3 || !to.rest.is_empty() { to.at(Operator::AtMost) } else { to.below_next(given)? };
        return Ok(vec![from.from(), end]);
    }
    let mut bounds = Vec::new();
    let mut words = text.split([',', ' ']).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let (operator, version) = operator(word);
        let version = if version.is_empty() && !operator.is_empty() {
            words.next().ok_or("an operator has no version")?
        } else {
            version
        };
        condition(operator, version, &mut bounds)?;
    }
    Ok(bounds)
}

/// The operator at a text's start, and the rest.
fn operator(text: &str) -> (&str, &str) {
    let known = ["<>", "!=", "<=", ">=", "==", "<", ">", "=", "~", "^"];
    let found = known.into_iter().find(|operator| text.starts_with(operator)).unwrap_or_default();
    (found, &text[found.len()..])
}

fn condition(operator: &str, version: &str, bounds: &mut Vec<Bound>) -> Result<(), Reason> {
    let (version, stability) = version.split_once('@').unwrap_or((version, ""));
    let stem = version.trim_end_matches(['x', 'X', '*', '.']);
    if stem.len() < version.len() && !version.ends_with('.') {
        if !operator.is_empty() {
            return Err("an operator and an open version are no condition");
        }
        if stem.trim_start_matches(['v', 'V']).is_empty() {
            return Ok(());
        }
        let stem = Numbered::parse(stem)?;
        bounds.extend([stem.from(), stem.below_next(stem.numbers.len())?]);
        return Ok(());
    }
    let version = Numbered::parse(version)?;
    let given = version.numbers.len();
    match operator {
        "~" => bounds.extend([version.from(), version.below_next(given.saturating_sub(1).max(1))?]),
        "^" => {
            // The first number that is not 0 stays, or the last of three that is given.
            let zeros = version.numbers.iter().take_while(|number| **number == 0).count();
            bounds.extend([version.from(), version.below_next((zeros + 1).min(given).min(3))?]);
        }
        ">=" | "<" if stability.is_empty() => {
            let operator = if operator == "<" { Operator::Less } else { Operator::AtLeast };
            bounds.push(Bound { operator, ..version.from() });
        }
        _ => {
            let operator = match operator {
                "<" => Operator::Less,
                "<=" => Operator::AtMost,
                ">" => Operator::Greater,
                ">=" => Operator::AtLeast,
                "!=" | "<>" => Operator::Not,
                _ => Operator::Equal,
            };
            let mut bound = version.at(operator);
            if operator != Operator::Equal && version.rest.is_empty() && !stability.is_empty() {
                bound.version = format!("{}-{stability}", bound.version);
            }
            bounds.push(bound);
        }
    }
    Ok(())
}

impl<'a> Numbered<'a> {
    fn parse(text: &'a str) -> Result<Self, Reason> {
        let mut rest = text.trim_start_matches(['v', 'V']);
        let mut numbers = Vec::new();
        while numbers.len() < 4 {
            let after = if numbers.is_empty() { Some(rest) } else { rest.strip_prefix('.') };
            let Some(after) = after else { break };
            let end = after.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(after.len());
            let Ok(number) = after[..end].parse() else { break };
            numbers.push(number);
            rest = &after[end..];
        }
        if numbers.is_empty() {
            return Err("a version in it does not begin with a number");
        }
        Ok(Self { numbers, rest })
    }

    fn at(&self, operator: Operator) -> Bound {
        Bound { operator, version: format!("{}{}", written(&self.numbers), self.rest) }
    }

    /// From its development versions on, unless it names a stability.
    fn from(&self) -> Bound {
        let mut bound = self.at(Operator::AtLeast);
        if self.rest.is_empty() {
            bound.version.push_str("-dev");
        }
        bound
    }

    /// Before the development versions of the next by the number at `place` (from 1).
    fn below_next(&self, place: usize) -> Result<Bound, Reason> {
        let mut next: Vec<u64> = self.numbers.iter().copied().take(place).collect();
        if let Some(last) = next.last_mut() {
            *last = last.checked_add(1).ok_or("a number in it is too large")?;
        }
        Ok(Bound { operator: Operator::Less, version: format!("{}-dev", written(&next)) })
    }
}

/// With four numbers, as Composer normalises versions.
fn written(numbers: &[u64]) -> String {
    let number = |place: usize| numbers.get(place).copied().unwrap_or_default();
    format!("{}.{}.{}.{}", number(0), number(1), number(2), number(3))
}
