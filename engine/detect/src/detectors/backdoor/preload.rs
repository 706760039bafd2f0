//! Libraries that the dynamic linker loads into every program: ld.so(8).

use pratique_core::{Finding, ImageConfig, Severity};

use super::INFO;
use crate::includes::{Includes, folder_of};
use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/ld.so.preload",
    "etc/environment",
    "etc/environment.d/*.conf",
    "etc/ld.so.conf",
    "etc/ld.so.conf.d/*.conf",
];

pub(super) const RULE: Rule = Rule {
    id: "linker-preload",
    severity: "Low to Critical",
    reference: "ATT&CK T1574.006",
    what: "libraries named in /etc/ld.so.preload, or by LD_PRELOAD or LD_AUDIT in /etc/environment or the image's config; folders of libraries in hidden or open places, and files of ld.so.conf that name more of them from elsewhere (include)",
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
        } else if path.contains("environment") {
            let assignment = content.strip_prefix("export ").unwrap_or(content);
            if let Some((severity, what)) = assigned(assignment) {
                notes.sign(severity, Excuse::Owned, Some(line), what);
            }
        } else if let Some(targets) =
            content.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t']))
        {
            for target in targets.split_whitespace() {
                INCLUDES.file(target, folder_of(path), line, notes);
            }
        } else if let Some(why) = hidden_place(content) {
            let what = format!("libraries are looked for in {}, {why}", word(content));
            notes.sign(Severity::High, Excuse::Owned, Some(line), what);
        }
    }
}

/// What an assignment of the environment makes of programs.
fn assigned(assignment: &str) -> Option<(Severity, String)> {
    let (name, value) = assignment.split_once('=')?;
    let value = value.trim().trim_matches(['"', '\'']);
    if value.is_empty() {
        return None;
    }
    let hidden = value.split([':', ' ']).any(|library| hidden_place(library).is_some());
    let severity = match (name.trim(), hidden) {
        ("LD_PRELOAD" | "LD_AUDIT", true) => Severity::High,
        ("LD_AUDIT", false) => Severity::Medium,
        ("LD_PRELOAD", false) => Severity::Low,
        ("LD_LIBRARY_PATH", true) => Severity::Medium,
        _ => return None,
    };
    Some((severity, format!("{} is set to {}", name.trim(), word(value))))
}

/// Findings in the environment that an image's config sets.
pub(super) fn of_config(config: &ImageConfig) -> Vec<Finding> {
    let finding =
        |(severity, what)| INFO.finding(RULE.id, severity, format!("{what} in the image's environment"));
    config.env.iter().filter_map(|assignment| assigned(assignment)).map(finding).collect()
}
