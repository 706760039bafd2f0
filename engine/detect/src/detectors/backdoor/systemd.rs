//! Units, drop-ins and generators: systemd.unit(5), systemd.service(5), systemd.generator(7).

use pratique_core::Severity;

use super::variables::loads;
use super::{fleeting, tmpfiles};
use crate::shell::{hidden_place, is_shell, split};
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/systemd/*.conf",
    "etc/systemd/*.conf.d/*.conf",
    "usr/lib/systemd/*.conf.d/*.conf",
    "etc/systemd/system/*",
    "etc/systemd/system/*/*.conf",
    "etc/systemd/user/*",
    "etc/systemd/user/*/*.conf",
    // What `systemctl set-property` keeps.
    "etc/systemd/system.control/*",
    "etc/systemd/system.control/*/*.conf",
    // Portable services.
    "etc/systemd/system.attached/*",
    "etc/systemd/system.attached/*/*.conf",
    "usr/lib/systemd/system/*",
    "usr/lib/systemd/system/*/*.conf",
    "usr/lib/systemd/user/*",
    "usr/lib/systemd/user/*/*.conf",
    "lib/systemd/system/*",
    "lib/systemd/system/*/*.conf",
    "usr/local/lib/systemd/system/*",
    "usr/local/lib/systemd/system/*/*.conf",
    "usr/local/lib/systemd/user/*",
    "usr/local/lib/systemd/user/*/*.conf",
    "usr/share/systemd/user/*",
    "usr/share/systemd/user/*/*.conf",
    // Beside its own what runs without a restart of the system: transient, and what generators wrote.
    "run/systemd/*/*",
    "run/systemd/*/*/*.conf",
    "**/.config/systemd/user/*",
    "**/.config/systemd/user/*/*.conf",
    "**/.local/share/systemd/user/*",
    "**/.local/share/systemd/user/*/*.conf",
    "etc/systemd/*-generators/*",
    "usr/lib/systemd/*-generators/*",
    "lib/systemd/*-generators/*",
    "usr/local/lib/systemd/*-generators/*",
    // What is made and written at start.
    "etc/tmpfiles.d/*.conf",
    "usr/lib/tmpfiles.d/*.conf",
    "run/tmpfiles.d/*.conf",
    "**/.config/user-tmpfiles.d/*.conf",
    // What is run before the system sleeps, and when it stops.
    "usr/lib/systemd/system-sleep/*",
    "usr/lib/systemd/system-shutdown/*",
    "lib/systemd/system-sleep/*",
    "lib/systemd/system-shutdown/*",
];

pub(super) const RULE: Rule = Rule {
    id: "systemd-unit",
    severity: "Low to Critical",
    reference: "ATT&CK T1543.002, T1053.006",
    what: "commands of units, drop-ins and generators of systemd that no package brought, libraries and code that variables of units and of system.conf load, and variables that units take from a hidden or open folder; worse if what they run fetches or decodes code, opens a shell to the network, lies in a hidden or open folder or in /run, or starts a container that has the node in its hand; a shell for whoever connects to a socket; files that tmpfiles.d writes where they decide what is run or who gets in, takes from such a folder or makes setuid",
    why: "a unit starts with the system, as root, and again whenever it dies",
    remedy: "take the unit out of the image: a container needs no service manager",
};

/// Settings whose value is run.
const RUN: [&str; 7] =
    ["ExecStart", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost", "ExecReload", "ExecCondition"];

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    let runs = [
        ("-generators/", "a generator of systemd", Severity::Medium),
        ("/system-sleep/", "a program that runs when the system sleeps", Severity::Low),
        ("/system-shutdown/", "a program that runs when the system stops", Severity::Low),
    ];
    if let Some((_, who, severity)) = runs.iter().find(|(folder, ..)| path.contains(folder)) {
        if file.mode.permissions & 0o111 != 0 {
            notes.program(file, who, Some(*severity));
        }
        return;
    }
    if path.contains("tmpfiles.d/") {
        return tmpfiles::read(&text, notes);
    }
    let known = [".service", ".timer", ".socket", ".path", ".conf", ".mount", ".swap"];
    if !known.iter().any(|ending| path.ends_with(ending)) {
        return;
    }
    let mut section = String::new();
    let (mut shell, mut is_handed_socket) = (None, false);
    for (line, content) in notes.joined_lines(&text) {
        let content = content.trim();
        if content.starts_with(['#', ';']) {
            continue;
        }
        if content.starts_with('[') {
            section = content.to_owned();
            continue;
        }
        let Some((name, value)) = content.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if RUN.contains(&name) && section != "[Unit]" && section != "[Install]" {
            let command = value.trim_start_matches(['-', '@', ':', '+', '!', '|']);
            // Its quotes are near enough to a shell's, its specifiers begin with a percent sign.
            if !command.is_empty() {
                notes.script(command, line, "a unit of systemd", Some(Severity::Low));
                fleeting::note(command, line, "a unit of systemd", notes);
            }
            shell = shell.or(is_shell_alone(command).then_some(line));
        } else if name == "StandardInput" {
            is_handed_socket = value == "socket";
        } else if matches!(name, "Environment" | "DefaultEnvironment" | "ManagerEnvironment") {
            let words = split(value);
            let set = words.iter().filter_map(|one| one.split_once('='));
            for loaded in set.filter_map(|(name, value)| loads(name, value)) {
                loaded.note(" for what systemd starts", line, notes);
            }
        } else if name == "EnvironmentFile" {
            // Behind `-` is one that may be missing.
            let variables = value.trim_start_matches('-');
            if hidden_place(variables).is_some() {
                let what = format!("a unit of systemd takes variables from {}", word(variables));
                notes.sign(Severity::Medium, Excuse::Owned, Some(line), what);
            }
        }
    }
    if let Some(line) = shell.filter(|_| is_handed_socket) {
        let what = "whoever connects to its socket is handed a shell";
        notes.sign(Severity::Critical, Excuse::Genuine, Some(line), what);
    }
}

/// Whether a command is a shell that reads its input.
fn is_shell_alone(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let program = words.next().and_then(|program| program.rsplit('/').next()).unwrap_or_default();
    is_shell(program) && words.all(|word| word.starts_with('-') && word != "-c")
}
