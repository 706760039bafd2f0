//! Ways from less to more privilege: setuid programs and file capabilities that no package brought so, rules of sudo,
//! doas and polkit that ask for no password, accounts that are root by another name, files that everybody may write.

mod accounts;
mod doas;
mod modes;
mod polkit;
mod programs;
mod sudo;
mod sudo_aliases;

use pratique_core::DetectorInfo;
use pratique_core::detector::described;

use crate::bounded::Findings;
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
    Interest::head(doas::PLACES, WINDOW),
    Interest::head(polkit::PLACES, WINDOW),
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
                polkit::RULE,
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
            let rules = sudo::read(&path, file, &mut notes);
            report = notes.finish(file);
            report.facts.extend(rules);
        } else if is_one(doas::PLACES) {
            let mut notes = Notes::new(sudo::RULE.id);
            doas::read(file, &mut notes);
            report = notes.finish(file);
        } else if is_one(polkit::PLACES) {
            let mut notes = Notes::new(polkit::RULE.id);
            polkit::read(&path, file, &mut notes);
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
        let (modes, others): (Vec<&LocatedFact>, Vec<&LocatedFact>) =
            facts.iter().partition(|located| modes::is_one(located));
        let (rules, signed): (Vec<&LocatedFact>, Vec<&LocatedFact>) =
            others.into_iter().partition(|located| sudo::is_one(located));
        let allowed = sudo::judge(&rules);
        let mut outcome = signs::judge(INFO, image, signed.into_iter().chain(&allowed));
        let mut findings = Findings::default();
        for located in &modes {
            findings.extend(modes::judge(INFO, image, located));
        }
        findings.extend(modes::count(INFO, image, &modes));
        findings.finish(INFO, &mut outcome);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use pratique_core::GapKind;

    use super::*;
    use crate::FileMode;

    #[test]
    fn golden_cases() {
        crate::golden::check(&DETECTOR);
    }

    /// A line of a gigabyte, or lines of it, as far as they are handed over.
    #[test]
    fn hostile_files_end_as_gaps() {
        let mode = FileMode { permissions: 0o440, uid: 0, gid: 0 };
        let long_line = b"a".repeat(300_000);
        let many_rules = b"a ALL=(ALL) NOPASSWD: ALL\npermit nopass a\nx::0:0::/:/bin/sh\n".repeat(10_000);
        let many_aliases = b"Cmnd_Alias A = /bin/a, /bin/b \\\n".repeat(10_000);
        let many_includes = b"@includedir /opt/x\n".repeat(20_000);
        let deep = [b"a ALL=".as_slice(), &b"(".repeat(60_000)].concat();
        // Each command of a rule is an alias of as many, run as any of as many.
        let many = |text: &str| text.repeat(60_000 / text.len());
        let product = format!(
            "Cmnd_Alias A = {}\n{}",
            many("/bin/a,"),
            format!(
                "a ALL=(b) NOPASSWD: {}\na ALL=({}) NOPASSWD: {}\n",
                many("A,"),
                "b,".repeat(15_000),
                "x,".repeat(15_000)
            )
            .repeat(7)
        )
        .into_bytes();
        for place in [sudo::PLACES, doas::PLACES, polkit::PLACES, accounts::PLACES].concat() {
            let path = place.replace('*', "a");
            for bytes in [&long_line, &many_rules, &many_aliases, &many_includes, &deep, &product] {
                let whole = FileInput::in_memory(path.as_bytes(), mode, bytes);
                let report = DETECTOR.inspect(&FileInput { size: 1 << 30, ..whole });
                let cut = report
                    .problems
                    .iter()
                    .any(|(kind, reason)| *kind == GapKind::Limit && reason.contains("1073741824"));
                assert!(cut && report.problems.len() <= 20, "{path}: {:?}", report.problems);
                assert!(report.facts.iter().all(|fact| fact.0.len() < 64 << 10), "{path}");
            }
        }
    }

    #[test]
    fn a_hundred_thousand_setuid_programs_are_bounded_and_told() {
        let (mode, nothing) = (FileMode { permissions: 0o4755, uid: 0, gid: 0 }, Vec::new());
        let fact = DETECTOR.inspect(&FileInput::in_memory(b"opt/x", mode, &nothing)).facts.remove(0);
        crate::bounded::assert_bounded(&DETECTOR, &fact, "/opt", "/tmp/x");
    }
}
