//! What shells read before anything else: bash(1), profile of POSIX shells, zsh(1), fish(1).

use pratique_core::Severity;

use crate::signs::{Excuse, Notes, text};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/profile",
    "etc/profile.d/*",
    "etc/bash.bashrc",
    "etc/bashrc",
    "etc/bash.bash_logout",
    "etc/zshenv",
    "etc/zshrc",
    "etc/zprofile",
    "etc/zlogin",
    "etc/zsh/*",
    "etc/skel/.*",
    "etc/fish/config.fish",
    "root/.bashrc",
    "root/.bash_profile",
    "root/.bash_login",
    "root/.profile",
    "root/.bash_logout",
    "root/.zshrc",
    "root/.zshenv",
    "root/.zprofile",
    "root/.config/fish/config.fish",
    "home/*/.bashrc",
    "home/*/.bash_profile",
    "home/*/.bash_login",
    "home/*/.profile",
    "home/*/.bash_logout",
    "home/*/.zshrc",
    "home/*/.zshenv",
    "home/*/.zprofile",
    "home/*/.config/fish/config.fish",
];

pub(super) const RULE: Rule = Rule {
    id: "shell-startup",
    severity: "Medium to Critical",
    reference: "ATT&CK T1546.004, T1546.005",
    what: "lines in the files that shells read at start that fetch or decode code, open a shell to the network, run a program from a hidden or open folder, put another program in the place of sudo, su or ssh, or do any of this from PROMPT_COMMAND or a trap",
    why: "they run with the rights of whoever opens a shell, which is how a container is looked into",
    remedy: "restore the file that the package or the base image brought",
};

/// Programs that are asked for passwords.
const ASKED: [&str; 5] = ["sudo", "su", "ssh", "passwd", "doas"];

pub(super) fn read(_path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    notes.script(&text, 1, "a shell's start", None);
    for (line, content) in notes.lines(&text) {
        let content = content.trim();
        // What is run later stands in a string, which the reader of scripts takes for data.
        if let Some(later) =
            content.strip_prefix("export ").unwrap_or(content).strip_prefix("PROMPT_COMMAND=")
        {
            notes.script(unquoted(later), line, "every prompt", None);
        } else if let Some(later) = content.strip_prefix("trap ") {
            notes.script(unquoted(later), line, "a trap", None);
        } else if let Some((name, value)) =
            content.strip_prefix("alias ").and_then(|alias| alias.split_once('='))
        {
            let (name, value) = (name.trim(), unquoted(value.trim()));
            let first = value.split_whitespace().next().unwrap_or_default();
            let same = first.rsplit('/').next() == Some(name) && crate::shell::hidden_place(first).is_none();
            if ASKED.contains(&name) && !same {
                let what = format!("{name} is an alias of {}", crate::signs::word(first));
                notes.sign(Severity::Medium, Excuse::Owned, Some(line), what);
            }
            notes.script(value, line, "an alias", None);
        } else if let Some(name) = content.strip_suffix('{').and_then(|head| head.trim().strip_suffix("()"))
            && ASKED.contains(&name.trim().trim_start_matches("function "))
        {
            let what = format!("{} is a function of the shell", name.trim());
            notes.sign(Severity::Medium, Excuse::Owned, Some(line), what);
        }
    }
}

/// The first quoted string of a line, or the line.
fn unquoted(text: &str) -> &str {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => text[1..].rsplit_once(quote).map_or(&text[1..], |(inner, _)| inner),
        _ => text,
    }
}
