//! Semantic Versioning in which build metadata count: a version with them is newer than the same without (pub.dev,
//! <https://dart.dev/tools/pub/versioning#semantic-versions>; Julia's `VersionNumber` alike). Read as in [`super::semver`].

use std::cmp::Ordering;

use super::digits::by_order;
use super::{Reason, semver};

pub(super) struct Version<'a>(semver::Version<'a>);

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        semver::Version::parse(text).map(Self)
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // No build is an empty list, which is older than any.
        self.0.cmp(&other.0).then_with(|| self.0.build.cmp(&other.0.build))
    }
}

by_order!(Version<'_>);
