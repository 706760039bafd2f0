//! Jobs that run by the clock: crontab(5), anacrontab(5), at(1).

use pratique_core::Severity;
use pratique_core::package::Ownership;

use super::fleeting;
use super::variables::loads;
use crate::signs::{Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/crontab",
    "etc/anacrontab",
    "etc/cron.d/*",
    "etc/cron.hourly/*",
    "etc/cron.daily/*",
    "etc/cron.weekly/*",
    "etc/cron.monthly/*",
    "etc/periodic/*/*",
    "etc/crontabs/*",
    "var/spool/cron/*",
    "var/spool/cron/crontabs/*",
    "var/spool/cron/tabs/*",
    "var/spool/cron/atjobs/*",
    "var/spool/at/*",
    "var/spool/atjobs/*",
];

pub(super) const RULE: Rule = Rule {
    id: "cron-job",
    severity: "Low to Critical",
    reference: "ATT&CK T1053.003, T1053.002",
    what: "jobs of cron, anacron and at that no package brought; worse if what they run fetches or decodes code, opens a shell to the network, lies in a hidden or open folder or in /run, or starts a container that has the node in its hand",
    why: "a job brings malware back after it was removed, and runs as root unless it says otherwise",
    remedy: "take the job out of the image; run periodic work as a CronJob of the cluster",
};

/// Folders of which run-parts(8) runs every file.
const PARTS: [&str; 5] =
    ["etc/cron.hourly/", "etc/cron.daily/", "etc/cron.weekly/", "etc/cron.monthly/", "etc/periodic/"];

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    let name = path.rsplit('/').next().unwrap_or_default();
    if ["var/spool/cron/atjobs/", "var/spool/at/", "var/spool/atjobs/"]
        .iter()
        .any(|folder| path.starts_with(folder))
    {
        if !name.starts_with('.') && file.size > 0 {
            notes.script(&text, 1, "a job of at", Some(Severity::Medium));
        }
        return;
    }
    if PARTS.iter().any(|folder| path.starts_with(folder)) {
        // Of files that nobody may execute run-parts(8) runs none.
        if file.mode.permissions & 0o111 != 0 {
            notes.script(&text, 1, "a periodic script", Some(Severity::Low));
        }
        return;
    }
    let with_user = path == "etc/crontab" || path.starts_with("etc/cron.d/");
    for (line, content) in notes.lines(&text) {
        if let Some((user, command)) = job(content.trim(), with_user, path == "etc/anacrontab") {
            let who = match user {
                Some(user) => format!("a job of cron as {}", word(user)),
                None => "a job of cron".to_owned(),
            };
            let plain = (!runs_known_parts(command)).then_some(Severity::Low);
            notes.script(command, line, &who, plain);
            fleeting::note(command, line, &who, notes);
            // What stands behind a percent sign is handed to the command, which may be a shell.
            if let Some((_, input)) = command.split_once('%') {
                notes.script(&input.replace('%', "\n"), line, &who, None);
            }
        } else if let Some((name, value)) = content.split_once('=')
            && let Some(loaded) = loads(name, value)
        {
            loaded.note(" for jobs of cron", line, notes);
        }
    }
}

/// Whether a command is a distribution's own, which runs folders that are looked into by themselves.
fn runs_known_parts(command: &str) -> bool {
    let mut behind = command.split_whitespace().skip_while(|word| !word.ends_with("run-parts")).skip(1);
    let folders: Vec<&str> = behind.by_ref().filter(|word| word.starts_with('/')).collect();
    let is_known =
        |folder: &&str| PARTS.iter().any(|known| format!("{folder}/").starts_with(&format!("/{known}")));
    !folders.is_empty() && folders.iter().all(is_known)
}

/// Whether cron and run-parts pass over this file (absolute path) for its name alone. Debian's take no name with another sign
/// than letters, digits, `_` and `-`, nor does BusyBox's run-parts, which is Alpine's; those of others run all but what a
/// package manager or an editor left.
pub(super) fn is_passed_over(path: &str, ownership: &Ownership) -> bool {
    let path = path.trim_start_matches('/');
    let is_part = PARTS.iter().any(|folder| path.starts_with(folder));
    if !is_part && !path.starts_with("etc/cron.d/") {
        return false;
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_strict = ownership.is_all("deb") || (is_part && ownership.is_all("apk"));
    match is_strict {
        true => !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')),
        false => {
            name.starts_with(['.', '#'])
                || [
                    "~",
                    ",",
                    ",v",
                    ".swp",
                    ".rpmsave",
                    ".rpmorig",
                    ".rpmnew",
                    ".cfsaved",
                    ".dpkg-dist",
                    ".dpkg-old",
                ]
                .iter()
                .any(|end| name.ends_with(end))
        }
    }
}

/// The user and command of a line; none of a comment, a setting or what cron does not understand.
fn job(line: &str, with_user: bool, anacron: bool) -> Option<(Option<&str>, &str)> {
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let fields = match line.starts_with('@') {
        true if anacron => 3,
        true => 1,
        false if anacron => 3,
        // A setting has a name; a time does not begin with a letter that is followed by `=`.
        false => 5,
    };
    let first = line.split_whitespace().next()?;
    let name_end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(line.len());
    if line[name_end..].trim_start().starts_with('=') && !first.starts_with('*') {
        return None;
    }
    let mut rest = line;
    for _ in 0..fields {
        rest = rest.trim_start().split_once([' ', '\t'])?.1;
    }
    let rest = rest.trim_start();
    match with_user {
        true => rest.split_once([' ', '\t']).map(|(user, command)| (Some(user), command.trim_start())),
        false => Some((None, rest)),
    }
    .filter(|(_, command)| !command.is_empty())
}
