//! `1.2.3.rc1` (<https://docs.ruby-lang.org/en/master/Gem/Version.html>): runs of digits and of letters, where letters are
//! older than numbers and trailing zeros do not count; a dash reads as `.pre.`. Refused: what does not start with a digit,
//! an empty part, letters outside ASCII. Nothing at all is version 0, as RubyGems has it.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order, take_digits, take_letters};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Word(&'a str),
    Number(Number<'a>),
}

const ZERO: Segment<'static> = Segment::Number(Number::ZERO);

pub(super) struct Version<'a>(Vec<Segment<'a>>);

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let text = text.trim_matches([' ', '\t', '\n']);
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        if !text.starts_with(|first: char| first.is_ascii_digit()) {
            return Err("it does not start with a digit");
        }
        let mut segments = Vec::new();
        for (index, piece) in text.split('-').enumerate() {
            if index > 0 {
                segments.push(Segment::Word("pre"));
            }
            if index > 0 && piece.is_empty() {
                continue;
            }
            for part in piece.split('.') {
                if part.is_empty() {
                    return Err("a part of it is empty");
                }
                scan(part, &mut segments)?;
            }
        }
        Ok(Self(canonical(segments)))
    }
}

/// Splits at every change between digits and letters.
fn scan<'a>(mut text: &'a str, segments: &mut Vec<Segment<'a>>) -> Result<(), Reason> {
    while !text.is_empty() {
        let (digits, letters);
        (digits, text) = take_digits(text);
        segments.extend(Number::parse(digits).map(Segment::Number));
        (letters, text) = take_letters(text);
        if !letters.is_empty() {
            segments.push(Segment::Word(letters));
        }
        if digits.is_empty() && letters.is_empty() {
            return Err("it has letters other than A-Z, a-z, 0-9, `.` and `-`");
        }
    }
    Ok(())
}

/// Drops the zeros at the end of the numbers before the first word, and those at the very end.
fn canonical(segments: Vec<Segment<'_>>) -> Vec<Segment<'_>> {
    let word =
        segments.iter().position(|segment| matches!(segment, Segment::Word(_))).unwrap_or(segments.len());
    let trimmed =
        |part: &[Segment<'_>]| part.iter().rposition(|segment| *segment != ZERO).map_or(0, |last| last + 1);
    let (numbers, rest) = segments.split_at(word);
    [&numbers[..trimmed(numbers)], &rest[..trimmed(rest)]].concat()
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        (0..self.0.len().max(other.0.len()))
            .map(|index| self.0.get(index).unwrap_or(&ZERO).cmp(other.0.get(index).unwrap_or(&ZERO)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

by_order!(Version<'_>);
