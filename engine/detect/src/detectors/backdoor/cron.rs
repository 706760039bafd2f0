//! Jobs that run by the clock: crontab(5), anacrontab(5), at(1).

use pratique_core::Severity;

use crate::signs::{Excuse, Notes, text};
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
];

pub(super) const RULE: Rule = Rule {
    id: "cron-job",
    severity: "Low to Critical",
    reference: "ATT&CK T1053.003, T1053.002",
    what: "jobs of cron, anacron and at that no package brought; worse if what they run fetches or decodes code, opens a shell to the network or lies in a hidden or open folder",
    why: "a job brings malware back after it was removed, and runs as root unless it says otherwise",
    remedy: "take the job out of the image; run periodic work as a CronJob of the cluster",
};

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    let name = path.rsplit('/').next().unwrap_or_default();
    if path.contains("/at") && !path.contains("anacron") {
        if !name.starts_with('.') && file.size > 0 {
            notes.script(&text, 1, "a job of at", Some(Severity::Medium));
        }
        return;
    }
    let is_script =
        ["etc/cron.hourly/", "etc/cron.daily/", "etc/cron.weekly/", "etc/cron.monthly/", "etc/periodic/"]
            .iter()
            .any(|folder| path.starts_with(folder));
    if is_script {
        // run-parts(8) takes no name with a dot; of files that nobody may execute it runs none.
        if !name.starts_with('.') && file.mode.permissions & 0o111 != 0 {
            notes.script(&text, 1, "a periodic script", Some(Severity::Low));
        }
        return;
    }
    // cron skips backups and what a package manager left.
    if path.starts_with("etc/cron.d/") && (name.contains('.') || name.ends_with('~')) {
        return;
    }
    let with_user = path == "etc/crontab" || path.starts_with("etc/cron.d/");
    for (line, content) in notes.lines(&text) {
        if let Some((user, command)) = job(content.trim(), with_user, path == "etc/anacrontab") {
            let who = match user {
                Some(user) => format!("a job of cron as {}", crate::signs::word(user)),
                None => "a job of cron".to_owned(),
            };
            // A crontab of a distribution runs the folders that are looked into by themselves.
            let runs_parts = command.contains("run-parts");
            if !runs_parts {
                notes.script(command, line, &who, Some(Severity::Low));
            }
        } else if let Some(library) =
            ["LD_PRELOAD=", "LD_AUDIT="].iter().find_map(|name| content.trim().strip_prefix(name))
        {
            let what = format!("jobs of cron load the library {}", crate::signs::word(library));
            notes.sign(Severity::High, Excuse::Owned, Some(line), what);
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
