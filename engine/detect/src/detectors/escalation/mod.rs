//! Ways from less to more privilege: setuid programs and file capabilities that no package brought so, rules of sudo and
//! doas that ask for no password, accounts that are root by another name, files that everybody may write.

mod accounts;
mod modes;
mod programs;
mod sudo;

use pratique_core::DetectorInfo;
use pratique_core::detector::described;

use crate::signs::{self, Notes, WINDOW};
use crate::{Detector, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome, Rule, places};

/// The detector `escalation`.
pub(super) static DETECTOR: Escalation = Escalation;

/// See the module.
pub(super) struct Escalation;

const INFO: &DetectorInfo = described("escalation");

const INTERESTS: &[Interest] = &[
    Interest::metadata(&["**"]),
    Interest::head(sudo::PLACES, WINDOW),
    Interest::head(accounts::PLACES, WINDOW),
];

impl Detector for Escalation {
    fn info(&self) -> &'static DetectorInfo {
        INFO
    }

    fn interests(&self) -> &'static [Interest] {
        INTERESTS
    }

    fn rules(&self) -> &'static [Rule] {
        const {
            &[
                modes::SETUID,
                modes::SETUID_COUNT,
                modes::CAPABILITY,
                modes::WRITABLE,
                sudo::RULE,
                accounts::RULE,
            ]
        }
    }

    fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        let is_one = |globs: &[&str]| globs.iter().any(|glob| places::matches(glob, file.path));
        let path = String::from_utf8_lossy(file.path);
        let mut report = FileReport::default();
        if is_one(sudo::PLACES) {
            let mut notes = Notes::new(sudo::RULE.id);
            sudo::read(&path, file, &mut notes);
            report = notes.finish(file);
        } else if is_one(accounts::PLACES) {
            let mut notes = Notes::new(accounts::RULE.id);
            accounts::read(file, &mut notes);
            report = notes.finish(file);
        }
        report.facts.extend(modes::note(file));
        report
    }

    fn judge(&self, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
        let (modes, signed): (Vec<LocatedFact>, Vec<LocatedFact>) =
            facts.iter().cloned().partition(modes::is_one);
        let mut outcome = signs::judge(INFO, image, &signed);
        for located in &modes {
            outcome.findings.extend(modes::judge(INFO, image, located));
        }
        outcome.findings.extend(modes::count(INFO, image, &modes));
        outcome.findings.sort();
        outcome
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn golden_cases() {
        crate::golden::check(&super::DETECTOR);
    }
}
