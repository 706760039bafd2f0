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

use crate::{Detector, Fact, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome};

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

impl Detector for WeakPassword {
    fn info(&self) -> &'static DetectorInfo {
        INFO
    }

    fn interests(&self) -> &'static [Interest] {
        INTERESTS
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
