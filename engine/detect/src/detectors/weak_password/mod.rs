//! Passwords of Linux accounts and groups that are empty or can be guessed.
//!
//! - [`accounts`]: bytes of passwd, shadow, group and gshadow into facts
//! - [`judge`]: facts of all files together into findings, by way of
//!   - [`severity`]: how bad, and why
//!   - [`guess`] and [`dictionary`]: what is tried, in which order
//!   - [`crack`]: trying it within a budget

mod accounts;
mod crack;
mod dictionary;
mod guess;
mod judge;
mod severity;

#[cfg(test)]
mod tests;

use pratique_core::{DetectorInfo, GapKind};

use crate::{Detector, Fact, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome, Rule};

/// The detector `weak-password`.
pub(super) static DETECTOR: WeakPassword = WeakPassword;

/// See the module.
pub(super) struct WeakPassword;

const INFO: &DetectorInfo = &pratique_core::detector::DETECTORS[0];

const INTERESTS: &[Interest] = &[Interest::head(
    &[
        "etc/passwd",
        "etc/passwd[-+~]",
        "etc/passwd.*",
        "etc/shadow",
        "etc/shadow[-+~]",
        "etc/shadow.*",
        "etc/group",
        "etc/group[-+~]",
        "etc/group.*",
        "etc/gshadow",
        "etc/gshadow[-+~]",
        "etc/gshadow.*",
    ],
    4 << 20,
)];

const RULES: &[Rule] = &[
    Rule {
        id: "linux-account",
        severity: "Low to Critical",
        reference: "ATT&CK T1078.003, CWE-521",
        what: "accounts of /etc/passwd and /etc/shadow, and of copies beside them, that ask for no password or whose password can be guessed",
        why: "a process that was broken into becomes that account by su; whoever finds a login service gets in",
        remedy: "lock the account: usermod -p '*' USER",
    },
    Rule {
        id: "linux-group",
        severity: "Low to Medium",
        reference: "ATT&CK T1078.003, CWE-521",
        what: "groups of /etc/group and /etc/gshadow whose password can be guessed",
        why: "whoever knows it gains what the group may do, by newgrp",
        remedy: "remove the password: gpasswd -r GROUP",
    },
];

impl Detector for WeakPassword {
    fn info(&self) -> &'static DetectorInfo {
        INFO
    }

    fn interests(&self) -> &'static [Interest] {
        INTERESTS
    }

    fn rules(&self) -> &'static [Rule] {
        RULES
    }

    fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        let Some((table, backup)) = accounts::Table::of(file.path) else {
            return FileReport::default();
        };
        let (accounts, mut problems) = accounts::parse(table, backup, file.bytes);
        if file.is_cut() {
            let reason = format!("only the first {} of its {} bytes were read", file.bytes.len(), file.size);
            problems.push((GapKind::Limit, reason));
        }
        match serde_json::to_vec(&accounts) {
            Ok(json) => FileReport { facts: vec![Fact(json)], problems },
            Err(error) => {
                problems.push((GapKind::Malformed, format!("its accounts cannot be noted: {error}")));
                FileReport { facts: Vec::new(), problems }
            }
        }
    }

    fn judge(&self, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
        judge::judge(INFO, image, facts)
    }
}
