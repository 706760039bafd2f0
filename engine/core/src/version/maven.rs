//! Maven's versions (<https://maven.apache.org/pom.html#version-order-specification>), read as `ComparableVersion` of
//! maven-artifact 3.9 does: any text is a version, and its order is one as far as people's versions go (with words and
//! numbers mixed at one place Maven itself has cycles). Refused: an empty text.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order};

/// Known words in their order; the empty one is the release itself, unknown words come after all.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const RELEASE: usize = 5;

enum Item {
    Number(String),
    Word(Word),
    List(Vec<Item>),
}

struct Word {
    rank: usize,
    /// The word itself where it is unknown.
    unknown: String,
}

impl Word {
    fn new(text: &str, before_digit: bool) -> Self {
        let word = match text {
            "a" if before_digit => "alpha",
            "b" if before_digit => "beta",
            "m" if before_digit => "milestone",
            "cr" => "rc",
            "ga" | "final" | "release" => "",
            other => other,
        };
        match QUALIFIERS.iter().position(|known| *known == word) {
            Some(rank) => Self { rank, unknown: String::new() },
            None => Self { rank: QUALIFIERS.len(), unknown: word.to_owned() },
        }
    }
}

fn number(digits: &str) -> Number<'_> {
    Number::parse(digits).unwrap_or(Number::ZERO)
}

impl Item {
    fn new(digits: bool, text: &str) -> Self {
        if digits { Self::Number(text.to_owned()) } else { Self::Word(Word::new(text, false)) }
    }

    fn is_null(&self) -> bool {
        match self {
            Self::Number(digits) => number(digits).is_zero(),
            Self::Word(word) => word.rank == RELEASE,
            Self::List(items) => items.is_empty(),
        }
    }

    /// Compared with nothing.
    fn compare_none(&self) -> Ordering {
        match self {
            Self::Number(digits) if number(digits).is_zero() => Ordering::Equal,
            Self::Number(_) => Ordering::Greater,
            Self::Word(word) => word.rank.cmp(&RELEASE),
            Self::List(items) => first_difference(items.iter().map(Self::compare_none)),
        }
    }

    /// Where kinds differ, numbers are the newest, then lists, then words.
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => number(a).cmp(&number(b)),
            (Self::Number(_), _) => Ordering::Greater,
            (_, Self::Number(_)) => Ordering::Less,
            (Self::List(a), Self::List(b)) => compare_lists(a, b),
            (Self::List(_), _) => Ordering::Greater,
            (_, Self::List(_)) => Ordering::Less,
            (Self::Word(a), Self::Word(b)) => a.rank.cmp(&b.rank).then_with(|| a.unknown.cmp(&b.unknown)),
        }
    }
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn compare_lists(a: &[Item], b: &[Item]) -> Ordering {
    first_difference((0..a.len().max(b.len())).map(|index| match (a.get(index), b.get(index)) {
        (Some(a), Some(b)) => a.compare(b),
        (Some(a), None) => a.compare_none(),
        (None, Some(b)) => b.compare_none().reverse(),
        (None, None) => Ordering::Equal,
    }))
}

pub(super) struct Version(Vec<Item>);

/// The lists that are open, the innermost in `last`: each is the last item of the one before it.
#[derive(Default)]
struct Builder {
    outer: Vec<Vec<Item>>,
    last: Vec<Item>,
}

impl Builder {
    fn open(&mut self) {
        self.outer.push(std::mem::take(&mut self.last));
    }

    fn open_unless_empty(&mut self) {
        if !self.last.is_empty() {
            self.open();
        }
    }

    /// Closes every list, the innermost first, and drops what counts for nothing at its end.
    fn finish(mut self) -> Vec<Item> {
        let mut inner = normalized(self.last);
        while let Some(mut list) = self.outer.pop() {
            list.push(Item::List(inner));
            inner = normalized(list);
        }
        inner
    }
}

fn normalized(mut list: Vec<Item>) -> Vec<Item> {
    for index in (0..list.len()).rev() {
        if list[index].is_null() {
            list.remove(index);
        } else if !matches!(list[index], Item::List(_)) {
            break;
        }
    }
    list
}

impl Version {
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        if text.is_empty() {
            return Err("it is empty");
        }
        let text = text.to_lowercase();
        let mut builder = Builder::default();
        let (mut digits, mut start) = (false, 0);
        for (index, letter) in text.char_indices() {
            let part = &text[start..index];
            match letter {
                '.' | '-' => {
                    builder.last.push(match part {
                        "" => Item::Number(String::new()),
                        part => Item::new(digits, part),
                    });
                    start = index + 1;
                    if letter == '-' {
                        builder.open();
                    }
                }
                '0'..='9' => {
                    if !digits && !part.is_empty() {
                        // `1.x1` is read as `1-x1`.
                        builder.open_unless_empty();
                        builder.last.push(Item::Word(Word::new(part, true)));
                        start = index;
                        builder.open();
                    }
                    digits = true;
                }
                _ => {
                    if digits && !part.is_empty() {
                        builder.last.push(Item::new(true, part));
                        start = index;
                        builder.open();
                    }
                    digits = false;
                }
            }
        }
        if start < text.len() {
            // `1.x` is read as `1-x`.
            if !digits {
                builder.open_unless_empty();
            }
            builder.last.push(Item::new(digits, &text[start..]));
        }
        Ok(Self(builder.finish()))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_lists(&self.0, &other.0)
    }
}

by_order!(Version);
