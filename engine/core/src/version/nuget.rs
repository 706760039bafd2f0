//! Semantic Versioning with up to four numbers, in which the case of letters does not count and neither do build metadata
//! (<https://learn.microsoft.com/nuget/concepts/package-versioning>). Refused: what is no numbers with dots before the
//! first dash, more than four of them, an empty part of the pre-release.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order, cmp_padded};

pub(super) struct Version<'a> {
    core: Vec<Number<'a>>,
    pre: Vec<Label<'a>>,
}

/// One dotted part of a pre-release: numbers come before words.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Label<'a> {
    Number(Number<'a>),
    Word(Word<'a>),
}

struct Word<'a>(&'a str);

impl Ord for Word<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // .NET's ordinal comparison that ignores case compares capital letters.
        let capitals = |text: &str| text.bytes().map(|byte| byte.to_ascii_uppercase()).collect::<Vec<_>>();
        capitals(self.0).cmp(&capitals(other.0))
    }
}

by_order!(Word<'_>);

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let text = text.trim_matches(' ');
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(text, _)| text);
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (text, None),
        };
        let core = core.split('.').map(Number::parse).collect::<Option<Vec<_>>>();
        let core = core.ok_or("its core is not made of numbers and dots")?;
        if core.len() > 4 {
            return Err("it has more than four numbers");
        }
        let pre = pre.map_or(Ok(Vec::new()), |pre| {
            pre.split('.')
                .map(|part| {
                    if part.is_empty()
                        || !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                    {
                        return Err("a part of its pre-release is empty or has odd letters");
                    }
                    Ok(Number::parse(part).map_or(Label::Word(Word(part)), Label::Number))
                })
                .collect()
        })?;
        Ok(Self { core, pre })
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        cmp_padded(&self.core, &other.core)
            .then_with(|| self.pre.is_empty().cmp(&other.pre.is_empty()))
            .then_with(|| self.pre.cmp(&other.pre))
    }
}

by_order!(Version<'_>);
