//! Which versions a dependency's author takes: the ranges that npm and Composer read. One file for each.
//!
//! A range becomes alternatives of bounds, every bound a version of the ecosystem's own order ([`Scheme`]), so that nothing
//! is compared in a second way.

mod composer;
mod npm;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;

use super::{InvalidVersion, LIMIT, Scheme};

/// Bounds that a range has at most, over all of its alternatives.
const BOUNDS: usize = 256;

/// Whose ranges are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// npm's (<https://github.com/npm/node-semver#ranges>).
    Npm,
    /// Composer's (<https://getcomposer.org/doc/articles/versions.md#writing-version-constraints>).
    Composer,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Npm, Self::Composer];

    /// That of the ecosystem of this OSV name; what follows a colon is a release and does not matter. None: its ranges are
    /// not read.
    pub fn of_osv(ecosystem: &str) -> Option<Self> {
        let name = ecosystem.split_once(':').map_or(ecosystem, |(name, _)| name);
        Self::ALL.into_iter().find(|dialect| dialect.osv() == name)
    }

    /// OSV's name of its ecosystem.
    pub fn osv(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Composer => "Packagist",
        }
    }

    /// The order of its versions.
    fn scheme(self) -> Scheme {
        match self {
            Self::Npm => Scheme::SemVer,
            Self::Composer => Scheme::Packagist,
        }
    }
}

/// A text that is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{range}` is no range of {} versions: {reason}", dialect.osv())]
pub struct InvalidRange {
    /// Whose it is not.
    pub dialect: Dialect,
    /// The range, cut to a length that fits a line.
    pub range: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// How a version must lie to a bound's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Equal,
    Not,
    AtLeast,
    Greater,
}

/// One condition on a version.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    operator: Operator,
    version: String,
}

/// A range: a version must satisfy every bound of one of the alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    dialect: Dialect,
    alternatives: Vec<Vec<Bound>>,
}

impl Requirement {
    /// Reads a range of at most 1,024 bytes and 256 bounds.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(dialect: Dialect, range: &str) -> Result<Self, InvalidRange> {
        let read = match dialect {
            _ if range.len() > LIMIT => Err("it is longer than 1024 bytes"),
            Dialect::Npm => npm::parse(range),
            Dialect::Composer => composer::parse(range),
        };
        let whole = read.and_then(|alternatives: Vec<Vec<Bound>>| {
            let few = alternatives.iter().map(Vec::len).sum::<usize>() <= BOUNDS;
            let mut versions = alternatives.iter().flatten().map(|bound| &bound.version);
            if !few {
                Err("it has more than 256 bounds")
            } else if versions.all(|version| dialect.scheme().check(version).is_ok()) {
                Ok(alternatives)
            } else {
                Err("what it compares with is no version")
            }
        });
        let range = || range.chars().take(80).collect();
        let alternatives = whole.map_err(|reason| InvalidRange { dialect, range: range(), reason })?;
        Ok(Self { dialect, alternatives })
    }

    /// Whether it takes a version.
    ///
    /// # Errors
    /// If that is none in its scheme.
    pub fn takes(&self, version: &str) -> Result<bool, InvalidVersion> {
        let scheme = self.dialect.scheme();
        scheme.check(version)?;
        for bounds in &self.alternatives {
            if self.dialect == Dialect::Npm && !npm::speaks_of(bounds, version) {
                continue;
            }
            let mut all = true;
            for bound in bounds {
                all &= bound.operator.holds(scheme.compare(version, &bound.version)?);
            }
            if all {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Operator {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::Not => order.is_ne(),
            Self::AtLeast => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

impl fmt::Display for Requirement {
    /// What it came to, such as `>=1.2.0 <2.0.0-0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, bounds) in self.alternatives.iter().enumerate() {
            f.write_str(if index > 0 { " || " } else { "" })?;
            for (index, Bound { operator, version }) in bounds.iter().enumerate() {
                let operator = match operator {
                    Operator::Less => "<",
                    Operator::AtMost => "<=",
                    Operator::Equal => "=",
                    Operator::Not => "!=",
                    Operator::AtLeast => ">=",
                    Operator::Greater => ">",
                };
                write!(f, "{}{operator}{version}", if index > 0 { " " } else { "" })?;
            }
            f.write_str(if bounds.is_empty() { "*" } else { "" })?;
        }
        Ok(())
    }
}
