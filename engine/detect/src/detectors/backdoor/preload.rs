//! Libraries that the dynamic linker loads into every program: ld.so(8).

use pratique_core::Severity;

use super::variables::loads;
use crate::includes::{Includes, folder_of};
use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/ld.so.preload",
    "etc/ld.so.conf",
    "etc/ld.so.conf.d/*.conf",
    "etc/ld-musl-*.path",
    "etc/environment",
    "etc/environment.d/*.conf",
    "usr/lib/environment.d/*.conf",
    "**/.config/environment.d/*.conf",
    "etc/security/pam_env.conf",
    "**/.pam_environment",
    "**/.ssh/environment",
];

pub(super) const RULE: Rule = Rule {
    id: "linker-preload",
    severity: "Low to Critical",
    reference: "ATT&CK T1574.006",
    what: "libraries named in /etc/ld.so.preload; variables by which programs load libraries or code or are found (PATH, LD_PRELOAD, LD_AUDIT, LD_LIBRARY_PATH, BASH_ENV, PYTHONPATH, NODE_OPTIONS…), and those that are run (LESSOPEN, PAGER, EDITOR, GIT_SSH_COMMAND…) and fetch or decode code, open a shell to the network or lie in such a folder, in /etc/environment, pam_env.conf, ~/.ssh/environment or the image's config; folders of libraries in hidden or open places, and files of ld.so.conf that name more of them from elsewhere (include)",
    why: "such a library runs inside every program, sees every password and can hide files, processes and itself",
    remedy: "empty /etc/ld.so.preload; set LD_PRELOAD for the one program that needs it, to a library that a package brought",
};

const INCLUDES: Includes = Includes { who: "the linker", places: PLACES, severity: Severity::Low };

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    for (line, content) in notes.lines(&text) {
        let content = content.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        if path == "etc/ld.so.preload" {
            // Separated by blanks or colons.
            for library in content.split([' ', '\t', ':']).filter(|library| !library.is_empty()) {
                let worst = hidden_place(library).is_some();
                let severity = if worst { Severity::Critical } else { Severity::High };
                let what = format!("every program loads the library {}", word(library));
                notes.sign(severity, Excuse::Owned, Some(line), what);
            }
        } else if !path.starts_with("etc/ld") {
            for told in assignments(content).filter_map(|(name, value)| loads(name, value)) {
                told.note("", line, notes);
            }
        } else if let Some(targets) =
            content.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t']))
        {
            for target in targets.split_whitespace() {
                INCLUDES.file(target, folder_of(path), line, notes);
            }
        } else {
            // musl's linker has several in a line.
            for folder in content.split(':') {
                if let Some(why) = hidden_place(&format!("{folder}/")) {
                    let what = format!("libraries are looked for in {}, {why}", word(folder));
                    notes.sign(Severity::High, Excuse::Owned, Some(line), what);
                }
            }
        }
    }
}

/// What one line of a file of variables sets: `NAME=VALUE`, or as pam_env(8) has it `NAME DEFAULT=VALUE OVERRIDE=VALUE`.
fn assignments(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, values) = line.split_once([' ', '\t']).unwrap_or_default();
    let by_pam = values
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("DEFAULT=").or_else(|| word.strip_prefix("OVERRIDE=")))
        .map(move |value| (name, value));
    line.split_once('=').into_iter().chain(by_pam)
}
