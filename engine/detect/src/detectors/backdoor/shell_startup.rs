//! What shells read before anything else: bash(1), profile of POSIX shells, zsh(1), fish(1).

use pratique_core::Severity;

use super::variables::loaded_by;
use crate::shell::{commands, hidden_place};
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/profile",
    "etc/profile.d/*",
    "etc/bash.bashrc",
    "etc/bashrc",
    "etc/bash.bash_logout",
    "etc/bash/*",
    "etc/bash_completion.d/*",
    "etc/zshenv",
    "etc/zshrc",
    "etc/zprofile",
    "etc/zlogin",
    "etc/zlogout",
    "etc/zsh/*",
    "etc/csh.cshrc",
    "etc/csh.login",
    "etc/csh.logout",
    "etc/ksh.kshrc",
    "etc/skel/.*",
    "etc/fish/config.fish",
    "etc/fish/conf.d/*.fish",
    "root/.bash_aliases",
    "home/*/.bash_aliases",
    "**/.bashrc",
    "**/.bash_profile",
    "**/.bash_login",
    "**/.bash_logout",
    "**/.profile",
    "**/.kshrc",
    "**/.mkshrc",
    "**/.cshrc",
    "**/.tcshrc",
    "**/.login",
    "**/.zshrc",
    "**/.zshenv",
    "**/.zprofile",
    "**/.zlogin",
    "**/.zlogout",
    "**/.config/fish/config.fish",
    "**/.config/fish/conf.d/*.fish",
];

pub(super) const RULE: Rule = Rule {
    id: "shell-startup",
    severity: "Low to Critical",
    reference: "ATT&CK T1546.004, T1546.005",
    what: "lines in the files that shells read at start that fetch or decode code, open a shell to the network, run a program from a hidden or open folder, put another program in the place of sudo, su or ssh, make programs load libraries or code (LD_PRELOAD and its like), or do any of this from PROMPT_COMMAND, a prompt or a trap",
    why: "they run with the rights of whoever opens a shell, which is how a container is looked into",
    remedy: "restore the file that the package or the base image brought",
};

/// Programs that are asked for passwords.
const ASKED: [&str; 5] = ["sudo", "su", "ssh", "passwd", "doas"];

pub(super) fn read(_path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    notes.script(&text, 1, "a shell's start", None);
    loaded_by(&text, " for whatever a shell starts", notes);
    for (line, words) in commands(&text).0 {
        // What is run later stands in a string, which the reader of scripts takes for data.
        for later in words.iter().filter_map(|word| set_later(word)) {
            notes.script(later, line, "every prompt", None);
        }
        let words = without_keywords(&words);
        match words {
            [trap, later, _, ..] if trap == "trap" => notes.script(later, line, "a trap", None),
            [alias, aliases @ ..] if alias == "alias" => {
                aliases.iter().filter_map(|alias| alias.split_once('=')).for_each(|(name, value)| {
                    an_alias(name, value, line, notes);
                });
            }
            _ => {}
        }
    }
    for (line, content) in notes.lines(&text) {
        if let Some(name) = function(content.trim()).filter(|name| ASKED.contains(name)) {
            let what = format!("{name} is a function of the shell");
            notes.sign(Severity::Medium, Excuse::Owned, Some(line), what);
        }
    }
}

/// The function that a line begins: `name() …` or `function name …`.
fn function(line: &str) -> Option<&str> {
    let named = line.strip_prefix("function").filter(|rest| rest.starts_with([' ', '\t']));
    let head = named.unwrap_or(line).trim_start();
    let end =
        head.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(head.len());
    let (name, rest) = head.split_at(end);
    let behind = rest.trim_start().strip_prefix('(').map(str::trim_start);
    (named.is_some() || behind.is_some_and(|rest| rest.starts_with(')'))).then_some(name)
}

/// The command that a word sets to be run before or with every prompt: `PROMPT_COMMAND=…`, or one in `$(…)` of a prompt.
fn set_later(word: &str) -> Option<&str> {
    let (name, value) = word.split_once('=')?;
    // That is told of every variable whose value is run.
    if name == "PROMPT_COMMAND" {
        return None;
    }
    let name = name.trim_end_matches('+');
    let (name, _) = name.split_once('[').unwrap_or((name, ""));
    match name {
        "PROMPT_COMMAND" => Some(value.trim_start_matches('(')),
        // Nothing else in a prompt is run, and the reader of scripts finds what stands in `$(…)`.
        "PS0" | "PS1" | "PS2" | "PS4" | "PROMPT" | "RPROMPT" => {
            value.find("$(").or_else(|| value.find('`')).map(|start| &value[start..])
        }
        _ => None,
    }
}

/// A command without the words of the shell's grammar before it.
fn without_keywords(words: &[String]) -> &[String] {
    let is_keyword = |word: &&String| {
        matches!(word.as_str(), "if" | "then" | "else" | "elif" | "do" | "while" | "until" | "{" | "!")
    };
    &words[words.iter().take_while(is_keyword).count()..]
}

fn an_alias(name: &str, value: &str, line: u32, notes: &mut Notes) {
    let first = value.split_whitespace().next().unwrap_or_default();
    let same = first.rsplit('/').next() == Some(name) && hidden_place(first).is_none();
    if ASKED.contains(&name) && !same {
        let what = format!("{name} is an alias of {}", word(first));
        notes.sign(Severity::Medium, Excuse::Owned, Some(line), what);
    }
    notes.script(value, line, "an alias", None);
}
