//! What an advisory says, in the form that the database keeps.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::range::Span;
use crate::rating::Rating;

/// An advisory without the packages it speaks of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advisory {
    /// Its identifier, such as `DSA-5417-1` or `GHSA-…`.
    pub id: String,
    /// Other names of the same flaw.
    pub aliases: Vec<String>,
    /// Flaws elsewhere that this one passes on, such as the CVEs of a distribution's advisory.
    pub upstream: Vec<String>,
    /// What is close to it without being the same.
    pub related: Vec<String>,
    /// When it was published; none where the record has no true date.
    pub published: Option<Timestamp>,
    /// When it last changed.
    pub modified: Option<Timestamp>,
    /// One line, at most 200 characters.
    pub summary: String,
    /// How bad it is for all packages, in the record's order.
    pub ratings: Vec<Rating>,
}

/// What an advisory says of one package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Affected {
    /// The advisory's number in its database.
    pub advisory: u32,
    /// Ranges of affected versions.
    pub spans: Vec<Span>,
    /// Affected versions that no range has.
    pub versions: Vec<String>,
    /// How bad it is for this package.
    pub ratings: Vec<Rating>,
    /// The distribution's verdict.
    pub verdict: Verdict,
    /// The RPM module streams it speaks of, such as `nodejs:20`.
    pub modules: Vec<String>,
    /// Why a part of it could not be read; what could be is kept.
    pub problem: Option<String>,
}

/// What a distribution has decided on a flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum Verdict {
    /// The package is affected as the ranges say.
    #[default]
    Affected,
    /// It is not, whatever the ranges say.
    NotAffected,
    /// It is, and no fix will come.
    WontFix,
    /// The package gets no more fixes in this release.
    EndOfLife,
}
