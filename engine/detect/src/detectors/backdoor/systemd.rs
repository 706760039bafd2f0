//! Units, drop-ins and generators: systemd.unit(5), systemd.service(5), systemd.generator(7).

use pratique_core::Severity;

use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/systemd/system/*",
    "etc/systemd/system/*/*.conf",
    "etc/systemd/user/*",
    "etc/systemd/user/*/*.conf",
    // What `systemctl set-property` keeps.
    "etc/systemd/system.control/*",
    "etc/systemd/system.control/*/*.conf",
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
    "run/systemd/system/*",
    "run/systemd/system/*/*.conf",
    "run/systemd/user/*",
    "run/systemd/user/*/*.conf",
    "root/.config/systemd/user/*",
    "root/.config/systemd/user/*/*.conf",
    "home/*/.config/systemd/user/*",
    "home/*/.config/systemd/user/*/*.conf",
    "etc/systemd/system-generators/*",
    "etc/systemd/user-generators/*",
    "usr/lib/systemd/system-generators/*",
    "usr/lib/systemd/user-generators/*",
    "lib/systemd/system-generators/*",
    "lib/systemd/user-generators/*",
    "usr/local/lib/systemd/system-generators/*",
    "usr/local/lib/systemd/user-generators/*",
    "run/systemd/system-generators/*",
    "run/systemd/user-generators/*",
];

pub(super) const RULE: Rule = Rule {
    id: "systemd-unit",
    severity: "Low to Critical",
    reference: "ATT&CK T1543.002, T1053.006",
    what: "commands of units, drop-ins and generators of systemd that no package brought, libraries that units load, and variables that they take from a hidden or open folder; worse if what they run fetches or decodes code, opens a shell to the network or lies in a hidden or open folder",
    why: "a unit starts with the system, as root, and again whenever it dies",
    remedy: "take the unit out of the image: a container needs no service manager",
};

/// Settings whose value is run.
const RUN: [&str; 7] =
    ["ExecStart", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost", "ExecReload", "ExecCondition"];

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    if path.contains("-generators/") {
        if file.mode.permissions & 0o111 != 0 {
            let script = if file.bytes.starts_with(b"#!") { &*text } else { "" };
            notes.script(script, 1, "a generator of units", Some(Severity::Medium));
        }
        return;
    }
    let known = [".service", ".timer", ".socket", ".path", ".conf", ".mount", ".swap"];
    if !known.iter().any(|ending| path.ends_with(ending)) {
        return;
    }
    let mut section = String::new();
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
            }
        } else if name == "Environment" {
            let set = value.split_whitespace().map(|one| one.trim_matches(['"', '\'']));
            let loaded = set
                .filter_map(|one| one.split_once('='))
                .filter(|(name, _)| matches!(*name, "LD_PRELOAD" | "LD_AUDIT"));
            for library in loaded.map(|(_, library)| library).filter(|one| !one.is_empty()) {
                let severity = if hidden_place(library).is_some() { Severity::High } else { Severity::Low };
                let what = format!("a unit of systemd loads the library {}", word(library));
                notes.sign(severity, Excuse::Owned, Some(line), what);
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
}
