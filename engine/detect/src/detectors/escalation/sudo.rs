//! Who may become whom without a password: sudoers(5), doas.conf(5).

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::Severity;

use super::programs::gives_away;
use crate::includes::{Includes, folder_of};
use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/sudoers",
    "etc/sudoers.d/*",
    "usr/etc/sudoers",
    "usr/etc/sudoers.d/*",
    "etc/doas.conf",
    "etc/doas.d/*.conf",
];

pub(super) const RULE: Rule = Rule {
    id: "sudo-rule",
    severity: "Low to High",
    reference: "ATT&CK T1548.003",
    what: "rules of sudo and doas that ask for no password (NOPASSWD, !authenticate, nopass), worse if they allow everything or a program that runs commands or writes files; and rules that sudo reads from elsewhere (@include, @includedir)",
    why: "whoever gets into the container as that user is root",
    remedy: "remove sudo from the image; what needs root can run in a step of the build",
};

const INCLUDES: Includes = Includes { who: "sudo", places: PLACES, severity: Severity::Medium };

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    if path.contains("doas") {
        return doas(&text, notes);
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    // sudo passes over such names.
    if path.contains("/sudoers.d/") && (name.contains('.') || name.ends_with('~')) {
        return;
    }
    let lines = notes.joined_lines(&text);
    // Of each alias the worst command, so that it is weighed once however often it is named.
    let mut commands: BTreeMap<String, Weight> = BTreeMap::new();
    for (_, line) in &lines {
        let Some(aliases) =
            line.trim().strip_prefix("Cmnd_Alias").or_else(|| line.trim().strip_prefix("Cmd_Alias"))
        else {
            continue;
        };
        for alias in aliases.split(" : ") {
            if let Some((name, list)) = alias.split_once('=') {
                let worst = list.split(',').map(|one| weigh(one.trim())).reduce(worse);
                commands.extend(worst.map(|worst| (name.trim().to_owned(), worst)));
            }
        }
    }
    let roots = roots(&lines);
    for (line, content) in &lines {
        if include(content.trim(), folder_of(path), *line, notes) {
            continue;
        }
        let content = uncommented(content).trim();
        if let Some(rest) = content.strip_prefix("Defaults") {
            if rest.split([',', ' ', '\t']).any(|one| one.trim() == "!authenticate") {
                let what = "sudo asks nobody it knows for a password";
                notes.sign(Severity::High, Excuse::Owned, Some(*line), what);
            }
            continue;
        }
        if content.is_empty() || content.split_whitespace().next().is_some_and(|one| one.ends_with("_Alias"))
        {
            continue;
        }
        rule(content, *line, &commands, &roots, notes);
    }
}

/// Whom a command is run as where that is root, or may be: the aliases that name it among them, also by another alias.
fn roots(lines: &[(u32, String)]) -> BTreeSet<&str> {
    let mut aliases_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (_, line) in lines {
        let Some(aliases) = uncommented(line).trim().strip_prefix("Runas_Alias") else { continue };
        for (name, list) in aliases.split(" : ").filter_map(|alias| alias.split_once('=')) {
            for member in list.split(',') {
                aliases_of.entry(member.trim()).or_default().push(name.trim());
            }
        }
    }
    let mut roots = BTreeSet::from(["root", "ALL", "#0", ""]);
    let mut open: Vec<&str> = roots.iter().copied().collect();
    while let Some(member) = open.pop() {
        for alias in aliases_of.remove(member).unwrap_or_default() {
            if roots.insert(alias) {
                open.push(alias);
            }
        }
    }
    roots
}

/// Whether a line is a directive by which sudo reads more: `@include FILE`, `@includedir FOLDER`, with `#` before 1.9.1.
fn include(content: &str, folder: &str, line: u32, notes: &mut Notes) -> bool {
    let Some((directive, target)) =
        content.strip_prefix(['@', '#']).and_then(|rest| rest.split_once([' ', '\t']))
    else {
        return false;
    };
    let target = target.trim().trim_matches('"').replace("\\ ", " ");
    match directive {
        "include" => INCLUDES.file(&target, folder, line, notes),
        "includedir" => INCLUDES.folder(&target, folder, line, notes),
        _ => return false,
    }
    true
}

/// A line without its comment; `#1000` is a user's number.
fn uncommented(line: &str) -> &str {
    let mut places = line.match_indices('#').map(|(place, _)| place);
    let comment = places.find(|place| {
        let number = line[place + 1..].starts_with(|c: char| c.is_ascii_digit());
        let escaped = line[..*place].ends_with('\\');
        !number && !escaped
    });
    &line[..comment.unwrap_or(line.len())]
}

/// `users hosts = (whom) TAG: commands`, of which the tags hold for all that follow.
fn rule(
    content: &str,
    line: u32,
    aliases: &BTreeMap<String, Weight>,
    roots: &BTreeSet<&str>,
    notes: &mut Notes,
) {
    let Some((left, right)) = content.split_once('=') else { return };
    let Some((users, _hosts)) = left.trim().rsplit_once([' ', '\t']) else { return };
    let users = users.trim();
    if users == "root" || users == "#0" {
        return;
    }
    let (mut asks, mut whom, mut becomes_root) = (true, "root".to_owned(), true);
    let mut worst: Option<Weight> = None;
    for command in commands(right) {
        let mut command = command.trim();
        if command.starts_with('(') {
            let Some((inside, rest)) = command[1..].split_once(')') else { return };
            (whom, command) = (inside.split(':').next().unwrap_or_default().trim().to_owned(), rest.trim());
            becomes_root = whom.split(',').any(|one| roots.contains(one.trim()));
        }
        while let Some((tag, rest)) = command
            .split_once(':')
            .filter(|(tag, _)| tag.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && !tag.is_empty())
        {
            match tag {
                "NOPASSWD" => asks = false,
                "PASSWD" => asks = true,
                _ => {}
            }
            command = rest.trim();
        }
        if asks || command.starts_with('!') {
            continue;
        }
        let (severity, what) = aliases.get(command).cloned().unwrap_or_else(|| weigh(command));
        let weight = (if becomes_root { severity } else { Severity::Low }, what);
        worst = Some(match worst {
            Some(known) => worse(known, weight),
            None => weight,
        });
    }
    if let Some((severity, what)) = worst {
        let whom = if whom.is_empty() || whom == "ALL" { "root" } else { &whom };
        let message = format!("{} may run {what} as {} without a password", word(users), word(whom));
        notes.sign(severity, Excuse::Owned, Some(line), message);
    }
}

/// The commands of a rule: separated by commas that are not in parentheses or escaped.
fn commands(list: &str) -> Vec<String> {
    let (mut all, mut depth, mut escaped) = (vec![String::new()], 0_u32, false);
    for character in list.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 && !escaped => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        escaped = character == '\\';
        if let Some(last) = all.last_mut() {
            last.push(character);
        }
    }
    all
}

/// How bad it is to run a command as root, and the command in words.
type Weight = (Severity, String);

/// The worse of two; of equal ones the first.
fn worse(one: Weight, other: Weight) -> Weight {
    if other.0 > one.0 { other } else { one }
}

fn weigh(command: &str) -> Weight {
    let program = command.split_whitespace().next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    if command == "ALL" {
        return (Severity::High, "everything".to_owned());
    }
    let any = name.contains('*') || program.ends_with('/');
    let severity = if any || gives_away(name) || hidden_place(program).is_some() {
        Severity::High
    } else {
        Severity::Low
    };
    (severity, word(program))
}

/// `permit|deny [nopass …] identity [as target] [cmd command …]`; the last rule that fits counts, so each is told.
fn doas(text: &str, notes: &mut Notes) {
    for (line, content) in notes.joined_lines(text) {
        let content = content.split('#').next().unwrap_or_default();
        let words: Vec<&str> = content.split_whitespace().collect();
        if words.first() != Some(&"permit") || !words.contains(&"nopass") {
            continue;
        }
        let after = |name: &str| {
            words.iter().position(|one| *one == name).and_then(|place| words.get(place + 1)).copied()
        };
        let who = words[1..].iter().find(|one| {
            !matches!(**one, "nopass" | "nolog" | "persist" | "keepenv") && !one.contains(['{', '}', '='])
        });
        if who == Some(&"root") {
            continue;
        }
        let (severity, what) = weigh(after("cmd").unwrap_or("ALL"));
        let whom = after("as").unwrap_or("root");
        let severity = if whom == "root" { severity } else { Severity::Low };
        let message =
            format!("{} may run {what} as {} without a password", word(who.unwrap_or(&"")), word(whom));
        notes.sign(severity, Excuse::Owned, Some(line), message);
    }
}
