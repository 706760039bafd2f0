//! Who may become whom without a password: sudoers(5).
//!
//! An alias may stand in another file than the rule that names it: what a rule allows is known of all files together.

use pratique_core::{GapKind, Severity};
use serde::{Deserialize, Serialize};

use super::programs::gives_away;
use super::sudo_aliases::{Aliases, Kind, named, sections};
use crate::includes::{Includes, folder_of};
use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::sums::Sums;
use crate::{Fact, FileInput, LocatedFact, Rule};

pub(super) const PLACES: &[&str] =
    &["etc/sudoers", "etc/sudoers.d/*", "usr/etc/sudoers", "usr/etc/sudoers.d/*"];

pub(super) const RULE: Rule = Rule {
    id: "sudo-rule",
    severity: "Low to High",
    reference: "ATT&CK T1548.003",
    what: "rules of sudo and doas that ask for no password (NOPASSWD, !authenticate, nopass), worse if they allow everything or a program that runs commands or writes files; variables that sudo keeps and by which programs load libraries; and rules that sudo reads from elsewhere (@include, @includedir)",
    why: "whoever gets into the container as that user is root",
    remedy: "remove sudo from the image; what needs root can run in a step of the build",
};

const INCLUDES: Includes = Includes { who: "sudo", places: PLACES, severity: Severity::Medium };

/// Bytes that rules and aliases of one file may have.
const MAX_NOTED: usize = 48 << 10;
/// Bytes beside its own that a line is counted with.
const BESIDE: usize = 16;
/// Tells these facts from the others of this detector.
const MARK: u8 = b's';

/// Aliases, and rules that ask for no password, of one file.
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    /// None if the file was not read as a whole.
    sums: Option<Sums>,
    /// With the number of its first line each, without comment.
    lines: Vec<(u32, String)>,
}

pub(super) fn is_one(located: &LocatedFact) -> bool {
    located.fact.0.first() == Some(&MARK)
}

/// Notes what a file says by itself, and gives what is judged with all others.
pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) -> Option<Fact> {
    let text = text(file);
    let name = path.rsplit('/').next().unwrap_or_default();
    // sudo passes over such names.
    if path.contains("/sudoers.d/") && (name.contains('.') || name.ends_with('~')) {
        return None;
    }
    let (mut lines, mut left) = (Vec::new(), MAX_NOTED);
    for (line, content) in notes.joined_lines(&text) {
        if include(content.trim(), folder_of(path), line, notes) {
            continue;
        }
        let content = uncommented(&content).trim();
        if let Some(rest) = content.strip_prefix("Defaults") {
            defaults(rest, line, notes);
        } else if Aliases::is_definition(content) || content.contains("NOPASSWD") {
            match left.checked_sub(content.len() + BESIDE) {
                Some(rest) => {
                    left = rest;
                    lines.push((line, content.to_owned()));
                }
                None => notes.problem(
                    GapKind::Limit,
                    format!("of its rules and aliases only the first {MAX_NOTED} bytes were noted"),
                ),
            }
        }
    }
    let noted = Noted { sums: (!file.is_cut()).then(|| Sums::of(file.bytes)), lines };
    let json = serde_json::to_vec(&noted).ok().filter(|_| !noted.lines.is_empty())?;
    Some(Fact([&[MARK], json.as_slice()].concat()))
}

/// What all files together allow, as signs of the files whose rules allow it. What cannot be read is handed back as it is.
pub(super) fn judge(facts: &[&LocatedFact]) -> Vec<LocatedFact> {
    let (mut noted, mut signed) = (Vec::<(&LocatedFact, Noted)>::new(), Vec::new());
    for located in facts {
        match serde_json::from_slice(&located.fact.0[1..]) {
            Ok(file) => noted.push((located, file)),
            Err(_) => signed.push((*located).clone()),
        }
    }
    let lines = noted.iter().flat_map(|(_, noted)| &noted.lines);
    let aliases = Aliases::of(lines.map(|(_, line)| line.as_str()));
    for (located, noted) in &noted {
        for (line, content) in noted.lines.iter().filter(|(_, line)| !Aliases::is_definition(line)) {
            let mut notes = Notes::new(RULE.id);
            rule(content, *line, &aliases, &mut notes);
            signed.extend(notes.fact(noted.sums).map(|fact| LocatedFact { fact, ..(*located).clone() }));
        }
    }
    signed
}

/// `Defaults`, of whatever is behind the word: settings, parted by commas.
fn defaults(rest: &str, line: u32, notes: &mut Notes) {
    let words: Vec<&str> = rest.split([',', ' ', '\t', '"', '=']).filter(|word| !word.is_empty()).collect();
    let mut told = Vec::new();
    if words.contains(&"!authenticate") {
        told.push((Severity::High, "sudo asks nobody it knows for a password".to_owned()));
    }
    if let Some(group) =
        words.iter().position(|one| *one == "exempt_group").and_then(|place| words.get(place + 1))
    {
        told.push((Severity::High, format!("sudo asks nobody in the group {} for a password", word(group))));
    }
    let keeps = words.iter().any(|one| one.starts_with("env_keep")) && !words.contains(&"-");
    for variable in
        words.iter().filter(|one| keeps && matches!(**one, "LD_PRELOAD" | "LD_LIBRARY_PATH" | "LD_AUDIT"))
    {
        told.push((
            Severity::Medium,
            format!("whoever may run anything by sudo may load a library into it: {variable} is kept"),
        ));
    }
    for (severity, what) in told {
        notes.sign(severity, Excuse::Owned, Some(line), what);
    }
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

/// `users hosts = (whom) TAG: commands : hosts = …`, of which the tags hold for all that follow up to the next hosts.
fn rule(content: &str, line: u32, aliases: &Aliases<'_>, notes: &mut Notes) {
    let Some((left, right)) = content.split_once('=') else { return };
    let Some((users, _hosts)) = left.trim().rsplit_once([' ', '\t']) else { return };
    let users = users.trim();
    if users == "root" || users == "#0" {
        return;
    }
    let mut worst: Option<(Weight, String)> = None;
    for (place, section) in sections(right).into_iter().enumerate() {
        let list = if place == 0 { Some(section) } else { section.split_once('=').map(|(_, list)| list) };
        for granted in list.into_iter().flat_map(|list| granted(list, aliases)) {
            worst = match worst {
                Some(known) if granted.0.0 <= known.0.0 => Some(known),
                _ => Some(granted),
            };
        }
    }
    if let Some(((severity, what), whom)) = worst {
        let message = format!("{} may run {what} as {} without a password", word(users), word(&whom));
        notes.sign(severity, Excuse::Owned, Some(line), message);
    }
}

/// Commands that are run without a password, and as whom.
fn granted(list: &str, aliases: &Aliases<'_>) -> Vec<(Weight, String)> {
    let (mut asks, mut whom, mut becomes_root) = (true, "root".to_owned(), true);
    let mut granted = Vec::new();
    for command in commands(list) {
        let mut command = command.trim();
        if command.starts_with('(') {
            let Some((inside, rest)) = command[1..].split_once(')') else { break };
            let users = inside.split(':').next().unwrap_or_default().trim();
            becomes_root =
                named(Kind::Runas, users).iter().any(|one| aliases.weight(Kind::Runas, one).is_some());
            whom = if matches!(users, "" | "ALL") { "root".to_owned() } else { users.to_owned() };
            command = rest.trim();
        }
        while let Some((tag, rest)) = command.split_once(':').filter(|(tag, _)| {
            tag.trim_end().bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && !tag.is_empty()
        }) {
            match tag.trim_end() {
                "NOPASSWD" => asks = false,
                "PASSWD" => asks = true,
                _ => {}
            }
            command = rest.trim();
        }
        if asks || command.starts_with('!') {
            continue;
        }
        if let Some((severity, what)) = aliases.weight(Kind::Command, command) {
            granted.push(((if becomes_root { severity } else { Severity::Low }, what), whom.clone()));
        }
    }
    granted
}

/// What a list names: separated by commas that are not in parentheses or escaped.
pub(super) fn commands(list: &str) -> Vec<&str> {
    let (mut all, mut start, mut depth, mut escaped) = (Vec::new(), 0, 0_u32, false);
    for (place, character) in list.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 && !escaped => {
                all.push(&list[start..place]);
                start = place + 1;
            }
            _ => {}
        }
        escaped = character == '\\';
    }
    all.push(&list[start..]);
    all
}

/// How bad it is to run a command as root, and the command in words.
pub(super) type Weight = (Severity, String);

/// Of a command as it is written, perhaps behind the digest of its program.
pub(super) fn weigh(command: &str) -> Weight {
    let is_digest = |word: &&str| word.starts_with("sha") && word.contains(':');
    let program = command.split_whitespace().find(|word| !is_digest(word)).unwrap_or_default();
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
