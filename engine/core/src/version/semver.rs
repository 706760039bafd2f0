//! Semantic Versioning 2.0 (<https://semver.org/spec/v2.0.0.html#spec-item-11>), read with mercy: a leading `v` or `=`,
//! fewer than three numbers (missing ones are 0) or more, and leading zeros are all in advisories. Build metadata do not
//! count. Refused: a core that is no numbers with dots, an empty part or an odd letter in what follows it.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{Number, by_order, cmp_padded};

pub(super) struct Version<'a> {
    pub(super) core: Vec<Number<'a>>,
    pub(super) pre: Vec<Identifier<'a>>,
    pub(super) build: Vec<Identifier<'a>>,
}

/// One dotted part of a pre-release: numbers come before words.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identifier<'a> {
    Number(Number<'a>),
    Word(&'a str),
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let text = text.trim_matches(' ');
        let text = text.strip_prefix('=').unwrap_or(text);
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, identifiers(build)?),
            None => (text, Vec::new()),
        };
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, identifiers(pre)?),
            None => (text, Vec::new()),
        };
        let core = core.split('.').map(Number::parse).collect::<Option<_>>();
        Ok(Self { core: core.ok_or("its core is not made of numbers and dots")?, pre, build })
    }

    /// The order that pre-releases have among each other, and before the release.
    pub(super) fn compare_pre(a: &[Identifier<'_>], b: &[Identifier<'_>]) -> Ordering {
        a.is_empty().cmp(&b.is_empty()).then_with(|| a.cmp(b))
    }
}

fn identifiers(text: &str) -> Result<Vec<Identifier<'_>>, Reason> {
    text.split('.')
        .map(|part| {
            if part.is_empty() {
                return Err("a part of its pre-release or build is empty");
            }
            if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                return Err("its pre-release or build has letters other than A-Z, a-z, 0-9 and `-`");
            }
            Ok(Number::parse(part).map_or(Identifier::Word(part), Identifier::Number))
        })
        .collect()
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        cmp_padded(&self.core, &other.core).then_with(|| Self::compare_pre(&self.pre, &other.pre))
    }
}

by_order!(Version<'_>);
