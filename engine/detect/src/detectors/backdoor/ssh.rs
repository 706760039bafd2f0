//! Who gets in by SSH: authorized_keys of sshd(8), sshd_config(5), ~/.ssh/rc.

use pratique_core::Severity;

use super::variables::loads;
use crate::includes::Includes;
use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "**/.ssh/authorized_keys",
    "**/.ssh/authorized_keys2",
    "etc/ssh/authorized_keys",
    "etc/ssh/authorized_keys/*",
    "etc/ssh/authorized_keys.d/*",
    "etc/dropbear/authorized_keys",
    "etc/ssh/sshd_config",
    "etc/ssh/sshd_config.d/*.conf",
    "usr/etc/ssh/sshd_config",
    "usr/etc/ssh/sshd_config.d/*.conf",
    "etc/ssh/sshrc",
    "**/.ssh/rc",
    "etc/ssh/ssh_config",
    "etc/ssh/ssh_config.d/*.conf",
    "**/.ssh/config",
    "etc/hosts.equiv",
    "etc/ssh/shosts.equiv",
    "**/.rhosts",
    "**/.shosts",
];

pub(super) const RULE: Rule = Rule {
    id: "ssh-access",
    severity: "Low to Critical",
    reference: "ATT&CK T1098.004",
    what: "public keys that are let in, settings of sshd that let in without a password or as root, run a command for whoever connects (ForceCommand, AuthorizedKeysCommand, Subsystem) or trust certificates or hosts (TrustedUserCAKeys, HostbasedAuthentication, hosts.equiv, .rhosts), keys and settings that it reads from where nobody looks (AuthorizedKeysFile, Include); commands that the client runs (ProxyCommand, LocalCommand), by what they do",
    why: "whoever has the private half of such a key, or knows such a setting, is in",
    remedy: "take keys out of the image and mount them where they are needed; set PermitRootLogin no, PermitEmptyPasswords no",
};

const INCLUDES: Includes = Includes { who: "sshd", places: PLACES, severity: Severity::Medium };

/// Types of keys: what tells a line's key from its options.
const TYPES: [&str; 9] = [
    "ssh-rsa",
    "ssh-dss",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-ed25519-cert-v01@openssh.com",
];

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    if path.starts_with("etc/ssh/sshd_config") || path.starts_with("usr/etc/ssh/") {
        settings(&text, notes);
    } else if path.starts_with("etc/ssh/ssh_config") || path.ends_with(".ssh/config") {
        client(&text, notes);
    } else if path.ends_with("/rc") || path.ends_with("sshrc") {
        notes.script(&text, 1, "a script that sshd runs for whoever logs in", Some(Severity::Medium));
    } else if path.ends_with("hosts.equiv") || path.ends_with("hosts") {
        trusted(&text, notes);
    } else {
        keys(path, &text, notes);
    }
}

/// Commands that the client runs for whoever uses it.
fn client(text: &str, notes: &mut Notes) {
    for (line, content) in notes.lines(text) {
        let (name, value) = content.trim().split_once([' ', '\t', '=']).unwrap_or_default();
        if ["proxycommand", "localcommand", "knownhostscommand"].contains(&name.to_ascii_lowercase().as_str())
        {
            notes.script(
                value.trim_matches([' ', '\t', '=', '"']),
                line,
                "a command of the client of SSH",
                None,
            );
        }
    }
}

/// Hosts whose word on who somebody is counts: lines of `host user`, a plus for any, behind a minus who is not believed.
fn trusted(text: &str, notes: &mut Notes) {
    for (line, content) in notes.lines(text) {
        let mut words = content.split_whitespace();
        let Some(host) = words.next().filter(|host| !host.starts_with(['#', '-'])) else { continue };
        let (severity, from) = match host {
            "+" => (Severity::High, "anywhere".to_owned()),
            _ => (Severity::Low, word(host)),
        };
        let any = if words.next() == Some("+") { ", whoever they are there" } else { "" };
        let what = format!("who comes from {from} is let in without a password{any}");
        notes.sign(severity, Excuse::Owned, Some(line), what);
    }
}

fn keys(path: &str, text: &str, notes: &mut Notes) {
    let of_root = path.starts_with("root/") || path.starts_with("etc/dropbear/");
    for (line, content) in notes.lines(text) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let Some((options, kind, rest)) = key(content) else { continue };
        let comment = rest.split_once(' ').map_or("without a comment", |(_, comment)| comment.trim());
        let whose = if of_root { "root" } else { "this account" };
        let severity = if of_root { Severity::High } else { Severity::Medium };
        let what =
            format!("whoever has the private half of this key gets in as {whose}: {kind}, {}", word(comment));
        notes.sign(severity, Excuse::Owned, Some(line), what);
        for set in options.split("environment=\"").skip(1) {
            let set = set.split('"').next().unwrap_or_default().split_once('=');
            if let Some(loaded) = set.and_then(|(name, value)| loads(name, value)) {
                loaded.note(" for whoever comes by this key", line, notes);
            }
        }
        if let Some(command) =
            options.split_once("command=\"").map(|(_, rest)| rest.split('"').next().unwrap_or_default())
        {
            notes.script(command, line, "the command of a key", None);
        }
    }
}

/// The options of a line, the type of its key, and what follows that. Options may hold blanks in quotes.
fn key(line: &str) -> Option<(&str, &'static str, &str)> {
    let (mut quoted, mut before) = (false, ' ');
    let words = line.char_indices().filter_map(|(place, character)| {
        let begins = !quoted && is_blank(before) && !is_blank(character);
        quoted ^= character == '"' && before != '\\';
        before = character;
        begins.then_some(place)
    });
    // sshd looks at the first two words alone.
    words.take(64).find_map(|start| {
        let rest = &line[start..];
        let kind = TYPES
            .iter()
            .find(|kind| rest.strip_prefix(**kind).is_some_and(|after| after.starts_with(is_blank)))?;
        let rest = rest[kind.len()..].trim_start();
        rest.starts_with("AAAA").then_some((&line[..start], *kind, rest))
    })
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

fn settings(text: &str, notes: &mut Notes) {
    let mut conditional = false;
    let mut seen = std::collections::BTreeSet::new();
    for (line, content) in notes.lines(text) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let (name, value) = content.split_once([' ', '\t', '=']).unwrap_or((content, ""));
        let (name, value) =
            (name.to_ascii_lowercase(), value.trim_start_matches([' ', '\t', '=']).trim().trim_matches('"'));
        if name == "match" {
            conditional = !value.eq_ignore_ascii_case("all");
            seen.clear();
            continue;
        }
        if name == "include" {
            for target in value.split_whitespace() {
                INCLUDES.file(target.trim_matches('"'), "etc/ssh", line, notes);
            }
            continue;
        }
        // Of two settings the first counts, but for those that add to others.
        if !matches!(name.as_str(), "setenv" | "subsystem") && !seen.insert(name.clone()) {
            continue;
        }
        let told = match (name.as_str(), value.to_ascii_lowercase().as_str()) {
            ("permitemptypasswords", "yes") => {
                Some((Severity::High, "accounts without a password are let in".to_owned()))
            }
            ("permitrootlogin", "yes") => Some((Severity::Medium, "root is let in by password".to_owned())),
            ("hostbasedauthentication", "yes") => {
                Some((Severity::Low, "hosts are believed who comes from them".to_owned()))
            }
            ("permituserenvironment", "yes") => {
                Some((Severity::Low, "whoever logs in may set LD_PRELOAD for their own session".to_owned()))
            }
            ("authorizedkeysfile", _) => {
                // Whose home is not known: root's is looked at as everybody's.
                for target in value.split_whitespace().filter(|target| *target != "none") {
                    INCLUDES.file(&target.replace("%h", "/root"), "root", line, notes);
                }
                None
            }
            ("trustedusercakeys", "none" | "") => None,
            ("trustedusercakeys", _) => {
                let severity = if hidden_place(value).is_some() { Severity::High } else { Severity::Low };
                Some((
                    severity,
                    format!("whoever has a certificate by the keys in {} is let in", word(value)),
                ))
            }
            ("authorizedkeyscommand" | "authorizedprincipalscommand", "none" | "") => None,
            ("authorizedkeyscommand" | "authorizedprincipalscommand", _) => {
                let program = value.split_whitespace().next().unwrap_or_default();
                let severity = if hidden_place(program).is_some() { Severity::High } else { Severity::Low };
                Some((severity, format!("{} decides which keys are let in", word(program))))
            }
            ("setenv", _) => {
                let set = value.split_whitespace().filter_map(|one| one.split_once('='));
                let loaded = set.filter_map(|(name, value)| loads(name, value));
                loaded.for_each(|one| one.note(" for whoever logs in", line, notes));
                None
            }
            ("subsystem", _) => {
                let command = value.split_once([' ', '\t']).map_or("", |(_, command)| command);
                notes.script(command.trim(), line, "a subsystem of sshd", None);
                None
            }
            ("forcecommand", "none" | "internal-sftp" | "") => None,
            ("forcecommand", _) => {
                notes.script(value, line, "the command that sshd forces", Some(Severity::Low));
                None
            }
            _ => None,
        };
        if let Some((severity, what)) = told {
            let what = if conditional { format!("{what}, for some") } else { what };
            notes.sign(severity, Excuse::Owned, Some(line), what);
        }
    }
}
