//! What git runs: githooks(5), git-config(1).

use pratique_core::Severity;

use crate::includes::{Includes, folder_of};
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "**/.git/hooks/*",
    "**/.git/config",
    "**/.gitconfig",
    "etc/gitconfig",
    "**/.config/git/config",
    "usr/share/git-core/templates/hooks/*",
];

pub(super) const RULE: Rule = Rule {
    id: "git-hook",
    severity: "Low to Critical",
    reference: "ATT&CK T1546",
    what: "hooks in repositories and in git's template, and settings by which git runs a program (core.pager, core.fsmonitor, core.sshCommand, core.hooksPath, aliases, filters) or reads more settings from elsewhere (include.path)",
    why: "they run whenever somebody uses git there, with that person's keys",
    remedy: "leave .git out of the image (.dockerignore); remove the setting",
};

/// Settings whose value is run.
const RUN: [&str; 12] = [
    "core.pager",
    "core.fsmonitor",
    "core.sshcommand",
    "core.editor",
    "core.askpass",
    "core.gitproxy",
    "credential.helper",
    "diff.external",
    "gpg.program",
    "sequence.editor",
    "filter.clean",
    "filter.smudge",
];

const INCLUDES: Includes = Includes { who: "git", places: PLACES, severity: Severity::Low };

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    if path.contains("/hooks/") {
        if !path.ends_with(".sample") && file.mode.permissions & 0o111 != 0 {
            notes.script(
                if file.bytes.starts_with(b"#!") { &text } else { "" },
                1,
                "a hook of git",
                Some(Severity::Low),
            );
        }
        return;
    }
    let mut section = String::new();
    for (line, content) in notes.joined_lines(&text) {
        let content = content.trim();
        if content.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = content.strip_prefix('[') {
            section = rest.split(['"', ']', ' ']).next().unwrap_or_default().to_ascii_lowercase();
            continue;
        }
        let Some((name, value)) = content.split_once('=') else { continue };
        let (name, value) =
            (format!("{section}.{}", name.trim().to_ascii_lowercase()), value.trim().trim_matches('"'));
        if matches!(name.as_str(), "include.path" | "includeif.path") {
            // Whose home is not known: root's is looked at as everybody's.
            let home = value.strip_prefix("~/").map(|rest| format!("/root/{rest}"));
            INCLUDES.file(home.as_deref().unwrap_or(value), folder_of(path), line, notes);
        } else if name == "core.hookspath" {
            let hidden = crate::shell::hidden_place(value).is_some();
            let severity = if hidden { Severity::High } else { Severity::Low };
            notes.sign(
                severity,
                Excuse::Owned,
                Some(line),
                format!("git looks for hooks in {}", word(value)),
            );
        } else if RUN.contains(&name.as_str()) || (section == "alias" && value.starts_with('!')) {
            // Pagers and editors are set by many; what they do is what counts.
            notes.script(
                value.trim_start_matches('!'),
                line,
                &format!("git's setting {}", word(&name)),
                None,
            );
        }
    }
}
