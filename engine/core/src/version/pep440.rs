//! `[N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local]` with all the spellings that PEP 440 allows
//! (<https://packaging.python.org/en/latest/specifications/version-specifiers/>). As the `packaging` library: anything else
//! (versions from before PEP 440) is refused.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order, cmp_padded, take_digits, take_letters};

pub(super) struct Version<'a> {
    epoch: Number<'a>,
    release: Vec<Number<'a>>,
    pre: Option<(Phase, Number<'a>)>,
    post: Option<Number<'a>>,
    dev: Option<Number<'a>>,
    local: Vec<Local<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Alpha,
    Beta,
    Candidate,
}

/// One part of a local version: words come before numbers, whatever their case.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Local<'a> {
    Word(String),
    Number(Number<'a>),
}

fn is_separator(letter: char) -> bool {
    matches!(letter, '.' | '-' | '_')
}

/// A word out of these, with an optional separator before it, one after it and a number: what it is, its number, the rest.
fn tagged<'a, T: Copy>(text: &'a str, words: &[(&str, T)]) -> Option<(T, Number<'a>, &'a str)> {
    let start = text.strip_prefix(is_separator).unwrap_or(text);
    let (letters, rest) = take_letters(start);
    let kind = words.iter().find(|(word, _)| letters.eq_ignore_ascii_case(word))?.1;
    // A separator belongs to the word only if a number follows.
    let (digits, after) = take_digits(rest.strip_prefix(is_separator).unwrap_or(rest));
    match Number::parse(digits) {
        Some(number) => Some((kind, number, after)),
        None => Some((kind, Number::ZERO, rest)),
    }
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let text = text.trim();
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (text, local) = match text.split_once('+') {
            Some((text, local)) => (text, parse_local(local)?),
            None => (text, Vec::new()),
        };
        let (epoch, mut rest) = match text.split_once('!') {
            Some((epoch, rest)) => (Number::parse(epoch).ok_or("its epoch is no number")?, rest),
            None => (Number::ZERO, text),
        };
        let mut release = Vec::new();
        loop {
            let (digits, after) = take_digits(rest);
            release.push(Number::parse(digits).ok_or("its release is not made of numbers and dots")?);
            rest = after;
            match rest.strip_prefix('.') {
                Some(next) if next.starts_with(|first: char| first.is_ascii_digit()) => rest = next,
                _ => break,
            }
        }
        let phases = [
            ("a", Phase::Alpha),
            ("alpha", Phase::Alpha),
            ("b", Phase::Beta),
            ("beta", Phase::Beta),
            ("c", Phase::Candidate),
            ("rc", Phase::Candidate),
            ("pre", Phase::Candidate),
            ("preview", Phase::Candidate),
        ];
        let (mut pre, mut post, mut dev) = (None, None, None);
        if let Some((phase, number, after)) = tagged(rest, &phases) {
            pre = Some((phase, number));
            rest = after;
        }
        if let Some((_, number, after)) = tagged(rest, &[("post", ()), ("rev", ()), ("r", ())]) {
            post = Some(number);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('-') {
            let (digits, after) = take_digits(after);
            if let Some(number) = Number::parse(digits) {
                post = Some(number);
                rest = after;
            }
        }
        if let Some((_, number, after)) = tagged(rest, &[("dev", ())]) {
            dev = Some(number);
            rest = after;
        }
        if !rest.is_empty() {
            return Err("something follows that PEP 440 does not know");
        }
        Ok(Self { epoch, release, pre, post, dev, local })
    }

    /// Before all pre-releases (a development release of the release itself), among them, or after them.
    fn pre_key(&self) -> (u8, Option<(Phase, Number<'a>)>) {
        match self.pre {
            Some(pre) => (1, Some(pre)),
            None if self.post.is_none() && self.dev.is_some() => (0, None),
            None => (2, None),
        }
    }
}

fn parse_local(text: &str) -> Result<Vec<Local<'_>>, Reason> {
    text.split(is_separator)
        .map(|part| {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err("its local part is not made of letters, digits and dots");
            }
            Ok(Number::parse(part).map_or_else(|| Local::Word(part.to_ascii_lowercase()), Local::Number))
        })
        .collect()
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| cmp_padded(&self.release, &other.release))
            .then_with(|| self.pre_key().cmp(&other.pre_key()))
            .then_with(|| self.post.cmp(&other.post))
            // What is no development release comes after those.
            .then_with(|| self.dev.is_none().cmp(&other.dev.is_none()))
            .then_with(|| self.dev.cmp(&other.dev))
            .then_with(|| self.local.cmp(&other.local))
    }
}

by_order!(Version<'_>);
