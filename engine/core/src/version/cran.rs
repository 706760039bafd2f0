//! Numbers with dots or dashes, at least two in a package but read with one too
//! (<https://cran.r-project.org/doc/manuals/r-release/R-exts.html#The-DESCRIPTION-file>). As R's `package_version`:
//! number by number, and the shorter is older (`1.0` before `1.0.0`). Anything else is refused.

use super::Reason;
use super::digits::Number;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version<'a>(Vec<Number<'a>>);

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let numbers = text.split(['.', '-']).map(Number::parse).collect::<Option<_>>();
        numbers.map(Self).ok_or("it is not made of numbers with dots or dashes")
    }
}
