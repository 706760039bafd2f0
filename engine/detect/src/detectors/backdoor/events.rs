//! What runs when something happens: the network comes up, logs are written or rotated, mail arrives, a file changes.
//! interfaces(5), NetworkManager-dispatcher(8), dhclient-script(8), logrotate(8), rsyslog.conf(5), aliases(5), incrontab(5),
//! acpid(8).

use pratique_core::Severity;

use super::servers::unquoted;
use crate::signs::{Notes, text};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/NetworkManager/dispatcher.d/*",
    "etc/NetworkManager/dispatcher.d/*.d/*",
    "usr/lib/NetworkManager/dispatcher.d/*",
    "usr/lib/NetworkManager/dispatcher.d/*.d/*",
    "etc/networkd-dispatcher/*.d/*",
    "usr/lib/networkd-dispatcher/*.d/*",
    "etc/network/interfaces",
    "etc/network/interfaces.d/*",
    "etc/network/if-*.d/*",
    "etc/dhcp/dhclient-*-hooks",
    "etc/dhcp/dhclient-*-hooks.d/*",
    "etc/dhclient-*-hooks",
    "etc/dhcpcd.*-hook",
    "usr/lib/dhcpcd/dhcpcd-hooks/*",
    "usr/libexec/dhcpcd-hooks/*",
    "usr/share/udhcpc/*",
    "etc/udhcpc/*",
    "etc/ppp/ip*.d/*",
    "etc/logrotate.conf",
    "etc/logrotate.d/*",
    "etc/rsyslog.conf",
    "etc/rsyslog.d/*.conf",
    "etc/syslog-ng/syslog-ng.conf",
    "etc/syslog-ng/conf.d/*.conf",
    "etc/aliases",
    "etc/mail/aliases",
    "**/.forward",
    "**/.procmailrc",
    "etc/incron.d/*",
    "var/spool/incron/*",
    "etc/acpi/events/*",
];

pub(super) const RULE: Rule = Rule {
    id: "event-hook",
    severity: "Low to Critical",
    reference: "ATT&CK T1546",
    what: "programs that no package brought and that run when the network comes up (ifupdown, NetworkManager, DHCP, PPP), logs are rotated or written (logrotate, rsyslog, syslog-ng), mail arrives (aliases, .forward, procmail), a file changes (incron) or a button is pressed (acpid), by what they do",
    why: "they run as root, or as whom the mail is for, and nobody looks for programs there",
    remedy: "take the hook out of the image: a container has its network, logs and events from the cluster",
};

/// What is run of a file that is no script as a whole.
struct Told {
    who: &'static str,
    /// Each with its first line.
    commands: Vec<(u32, String)>,
    /// Whether they count though they do nothing bad.
    plain: Option<Severity>,
}

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    let lines = effective(&text, notes);
    let below = |starts: &[&str]| starts.iter().any(|start| path.starts_with(start));
    let told = if below(&["etc/network/interfaces"]) {
        Told { who: "the network", commands: interfaces(&lines), plain: None }
    } else if below(&["etc/logrotate"]) {
        Told { who: "logrotate", commands: rotations(&notes.lines(&text)), plain: Some(Severity::Low) }
    } else if below(&["etc/rsyslog", "etc/syslog-ng/"]) {
        Told { who: "the writer of logs", commands: loggers(&lines), plain: Some(Severity::Low) }
    } else if matches!(path, "etc/aliases" | "etc/mail/aliases")
        || path.ends_with(".forward")
        || path.ends_with(".procmailrc")
    {
        Told { who: "mail that arrives", commands: pipes(&lines), plain: Some(Severity::Low) }
    } else if below(&["etc/incron.d/", "var/spool/incron/"]) {
        Told { who: "a change of a file", commands: watches(&lines), plain: Some(Severity::Low) }
    } else if below(&["etc/acpi/"]) {
        Told {
            who: "an event of the hardware",
            commands: each(&lines, |content| content.strip_prefix("action=")),
            plain: None,
        }
    } else {
        // A hook of DHCP is read by a script; the others are run by themselves.
        if !lines.is_empty()
            && (below(&["etc/dhc", "usr/lib/dhcpcd/", "usr/libexec/dhcpcd-hooks/"])
                || file.mode.permissions & 0o111 != 0)
        {
            notes.program(file, "a hook of the network", Some(Severity::Low));
        }
        return;
    };
    for (line, command) in told.commands {
        notes.script(&command, line, told.who, told.plain);
    }
}

/// Lines without blanks around them that are no comment.
fn effective<'t>(text: &'t str, notes: &mut Notes) -> Vec<(u32, &'t str)> {
    let lines = notes.lines(text).into_iter().map(|(line, content)| (line, content.trim()));
    lines.filter(|(_, content)| !content.is_empty() && !content.starts_with('#')).collect()
}

/// What `command` takes from each line.
fn each<'t>(lines: &[(u32, &'t str)], command: impl Fn(&'t str) -> Option<&'t str>) -> Vec<(u32, String)> {
    lines.iter().filter_map(|(line, content)| Some((*line, command(content)?.to_owned()))).collect()
}

/// Commands behind `up`, `pre-down` and their like.
fn interfaces(lines: &[(u32, &str)]) -> Vec<(u32, String)> {
    each(lines, |content| {
        let (word, command) = content.split_once([' ', '\t'])?;
        ["up", "pre-up", "post-up", "down", "pre-down", "post-down"].contains(&word).then_some(command)
    })
}

/// Scripts between `postrotate` or its like and `endscript`, and the program that compresses.
fn rotations(lines: &[(u32, &str)]) -> Vec<(u32, String)> {
    const BEGIN: [&str; 5] = ["postrotate", "prerotate", "firstaction", "lastaction", "preremove"];
    let (mut inside, mut commands) = (false, Vec::new());
    for (line, content) in lines {
        let word = content.trim();
        if BEGIN.contains(&word) {
            inside = true;
            commands.push((line + 1, String::new()));
        } else if word == "endscript" {
            inside = false;
        } else if let Some((_, script)) = commands.last_mut().filter(|_| inside) {
            script.push_str(content);
            script.push('\n');
        } else if let Some(program) = word.strip_prefix("compresscmd") {
            commands.push((*line, program.trim_start_matches([' ', '\t', '=']).to_owned()));
        }
    }
    commands
}

/// `^program` behind a selector, `binary="…"` of omprog, `program("…")` of syslog-ng.
fn loggers(lines: &[(u32, &str)]) -> Vec<(u32, String)> {
    each(lines, |content| {
        let by_name = ["binary=", "program(", "ActionOMProgBinary "]
            .iter()
            .find_map(|name| content.split_once(name).map(|(_, rest)| rest.trim_start()));
        let by_sign = content.split_whitespace().find_map(|word| word.strip_prefix('^'));
        by_name.map(unquoted).or(by_sign).filter(|command| command.starts_with('/'))
    })
}

/// What stands behind `|`, in quotes or not.
fn pipes(lines: &[(u32, &str)]) -> Vec<(u32, String)> {
    each(lines, |content| {
        let (before, command) = content.split_once('|')?;
        let before = before.trim_end();
        let begins = before.is_empty() || before.ends_with([':', '"', ',', '\'']);
        begins.then(|| command.trim().trim_end_matches(['"', '\'']))
    })
}

/// The third word on of `path events command`.
fn watches(lines: &[(u32, &str)]) -> Vec<(u32, String)> {
    each(lines, |content| {
        let (_, rest) = content.split_once([' ', '\t'])?;
        rest.trim_start().split_once([' ', '\t']).map(|(_, command)| command)
    })
}
