//! The summary of a result for people.

use serde::{Deserialize, Serialize};

use crate::{Finding, Gap, ImageFacts};

/// Verdict, worst last. Gates do not use it: they test rules on findings, then decide on gaps, then on errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// Neither findings nor gaps.
    Clean,
    /// Findings, and nothing was missed.
    Findings,
    /// Something was not read or not judged.
    Incomplete,
    /// Nothing usable came out.
    Error,
}

impl Verdict {
    /// All of them, worst last.
    pub const ALL: [Verdict; 4] = [Self::Clean, Self::Findings, Self::Incomplete, Self::Error];

    /// The verdict over an image's facts.
    pub fn of(facts: &ImageFacts) -> Self {
        Self::over(facts.error.as_deref(), &facts.gaps, &facts.findings)
    }

    /// The verdict over a result of any kind: why nothing usable came out, what was missed, what was found.
    pub fn over(error: Option<&str>, gaps: &[Gap], findings: &[Finding]) -> Self {
        if error.is_some() {
            Self::Error
        } else if !gaps.is_empty() {
            Self::Incomplete
        } else if !findings.is_empty() {
            Self::Findings
        } else {
            Self::Clean
        }
    }

    /// The name as it is written in objects and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "Clean",
            Self::Findings => "Findings",
            Self::Incomplete => "Incomplete",
            Self::Error => "Error",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
