//! What git runs: githooks(5), git-config(1).

use pratique_core::Severity;

use crate::includes::{Includes, folder_of};
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    // A repository without files of its own is often called NAME.git.
    "**/*.git/hooks/*",
    "**/*.git/config",
    "**/.git/modules/*/hooks/*",
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

/// Settings whose value is run; of a section with a star all.
const RUN: [&str; 27] = [
    "pager.*",
    "core.pager",
    "core.fsmonitor",
    "core.sshcommand",
    "core.editor",
    "core.askpass",
    "core.gitproxy",
    "core.alternaterefscommand",
    "browser.cmd",
    "credential.helper",
    "diff.command",
    "diff.external",
    "diff.textconv",
    "difftool.cmd",
    "filter.clean",
    "filter.process",
    "filter.smudge",
    "gpg.program",
    "interactive.difffilter",
    "man.cmd",
    "merge.driver",
    "mergetool.cmd",
    "remote.receivepack",
    "remote.uploadpack",
    "sequence.editor",
    "trailer.command",
    "uploadpack.packobjectshook",
];

const INCLUDES: Includes = Includes { who: "git", places: PLACES, severity: Severity::Low };

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    if path.rsplit('/').nth(1) == Some("hooks") {
        if !path.ends_with(".sample") && file.mode.permissions & 0o111 != 0 {
            notes.program(file, "a hook of git", Some(Severity::Low));
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
        } else if RUN.contains(&name.as_str())
            || RUN.contains(&format!("{section}.*").as_str())
            || (matches!(section.as_str(), "alias" | "submodule") && value.starts_with('!'))
        {
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
