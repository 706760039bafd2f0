//! Dotted items, an optional pre-release after `-` and build after `+` (<https://docs.conan.io/2/tutorial/versioning/versions.html>).
//!
//! As Conan 2: items that are numbers compare as numbers, others, and a number with a word, as text; zeros at the end do
//! not count; a pre-release is older than its release, a build newer. Numbers and words at one place are no order in
//! Conan itself (`9` < `10` < `1a` < `9`): here numbers come before words. Refused: white space and an empty text.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order};

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Item<'a> {
    Number(Number<'a>),
    Word(&'a str),
}

pub(super) struct Version<'a> {
    items: Vec<Item<'a>>,
    pre: Option<Vec<Item<'a>>>,
    build: Option<Vec<Item<'a>>>,
}

fn items(text: &str) -> Vec<Item<'_>> {
    let mut items: Vec<_> =
        text.split('.').map(|item| Number::parse(item).map_or(Item::Word(item), Item::Number)).collect();
    while matches!(items.last(), Some(Item::Number(number)) if number.is_zero()) {
        items.pop();
    }
    items
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        if text.is_empty() || text.contains(char::is_whitespace) {
            return Err("it is empty or has white space");
        }
        let (text, build) = match text.rsplit_once('+') {
            Some((text, build)) => (text, Some(items(build))),
            None => (text, None),
        };
        // A dash at the very start belongs to the version.
        let (text, pre) = match text.rsplit_once('-').filter(|(text, _)| !text.is_empty()) {
            Some((text, pre)) => (text, Some(items(pre))),
            None => (text, None),
        };
        Ok(Self { items: items(text), pre, build })
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.items
            .cmp(&other.items)
            .then_with(|| self.pre.is_none().cmp(&other.pre.is_none()))
            .then_with(|| self.pre.cmp(&other.pre))
            .then_with(|| self.build.cmp(&other.build))
    }
}

by_order!(Version<'_>);
