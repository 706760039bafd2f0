//! Ways back in, and ways to be started again: what programs of a system read to learn what to run or whom to let in.
//!
//! Each concern reads the files of one program as that program does, so that a comment is nothing and an effective line
//! is something, and notes signs. A file that is as its package brought it gives no finding.

mod boot;
mod cron;
mod desktop;
mod events;
mod fleeting;
mod git;
mod inetd;
mod init;
mod library_modules;
mod modules;
mod nss;
mod package_hooks;
mod pam;
mod preload;
mod python;
mod servers;
mod shell_startup;
mod ssh;
mod supervised;
mod systemd;
mod tmpfiles;
mod tools;
mod udev;
mod variables;

#[cfg(test)]
mod tests;

use pratique_core::DetectorInfo;
use pratique_core::detector::described;

use crate::signs::{self, Notes, WINDOW};
use crate::{Detector, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome, Rule, places};

/// The detector `backdoor`.
pub(super) static DETECTOR: Backdoor = Backdoor;

/// See the module.
pub(super) struct Backdoor;

const INFO: &DetectorInfo = described("backdoor");

/// Files that one program reads, and how it reads them.
struct Concern {
    rule: &'static Rule,
    places: &'static [&'static str],
    read: fn(&str, &FileInput<'_>, &mut Notes),
}

macro_rules! concerns {
    ($($name:ident),+ $(,)?) => {
        static CONCERNS: &[Concern] =
            &[$(Concern { rule: &$name::RULE, places: $name::PLACES, read: $name::read }),+];
        const INTERESTS: &[Interest] = &[
            $(Interest::head($name::PLACES, WINDOW),)+
            Interest::metadata(nss::LIBRARIES),
            Interest::metadata(pam::LIBRARIES),
            Interest::metadata(modules::LIBRARIES),
            Interest::metadata(servers::LIBRARIES),
        ];
        const RULES: &[Rule] = &[$($name::RULE),+];
    };
}

concerns! {
    boot, cron, desktop, events, git, inetd, init, modules, nss, library_modules, package_hooks, pam, preload, python,
    servers, shell_startup, ssh, supervised, systemd, tools, udev,
}

impl Detector for Backdoor {
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
        let path = String::from_utf8_lossy(file.path);
        for concern in CONCERNS {
            if concern.places.iter().any(|place| places::matches(place, file.path)) {
                let mut notes = Notes::new(concern.rule.id);
                (concern.read)(&path, file, &mut notes);
                return notes.finish(file);
            }
        }
        let mut notes = Notes::new(INFO.rules[0]);
        for (globs, read) in [
            (nss::LIBRARIES, nss::library as fn(&FileInput<'_>, &mut Notes)),
            (pam::LIBRARIES, pam::library),
            (modules::LIBRARIES, modules::library),
            (servers::LIBRARIES, servers::library),
        ] {
            if globs.iter().any(|place| places::matches(place, file.path)) {
                read(file, &mut notes);
                break;
            }
        }
        notes.finish(file)
    }

    fn judge(&self, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
        let runs = facts.iter().filter(|located| !cron::is_passed_over(&located.path, image.ownership));
        let mut outcome = signs::judge(INFO, image, runs);
        let (findings, gaps) = image.config.map(variables::of_config).unwrap_or_default();
        outcome.findings.extend(findings);
        outcome.findings.sort();
        outcome.gaps.extend(gaps);
        outcome
    }
}
