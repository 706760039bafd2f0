//! The version of everything that decides what facts a file gives.

use std::fmt;

use pratique_core::rule_files::Revisions;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::Subject;

/// Names a set of detectors and parsers at certain versions: 32 hexadecimal digits. Two engines with equal rule sets make equal
/// facts from equal bytes. Part of the key of cached facts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleSet(String);

impl RuleSet {
    /// The rule set of `subjects`, which are sorted by id. What the user gave them counts, and so do their interests, so that
    /// a new path to look at is never answered from facts made without it.
    pub(crate) fn of(subjects: &[Subject]) -> Self {
        let mut hasher = Sha256::new();
        for subject in subjects {
            hasher.update(format!("{}@{}\n", subject.id(), subject.version()));
            hasher.update(format!("{:?}\n", subject.revision()));
            for interest in subject.interests() {
                hasher.update(format!("{interest:?}\n"));
            }
        }
        Self::digits(&hasher.finalize())
    }

    /// The rule set of the same subjects when files that match one of `globs` are left out.
    pub(crate) fn excluding(&self, globs: &[String]) -> Self {
        let mut globs = globs.to_vec();
        globs.sort();
        let mut hasher = Sha256::new();
        hasher.update(format!("{self}\n{globs:?}"));
        Self::digits(&hasher.finalize())
    }

    /// The rule set of the same subjects when some go by a user's files.
    pub(crate) fn given(&self, revisions: &Revisions) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(format!("{self}\n{revisions:?}"));
        Self::digits(&hasher.finalize())
    }

    fn digits(sum: &[u8]) -> Self {
        Self(sum[..16].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
