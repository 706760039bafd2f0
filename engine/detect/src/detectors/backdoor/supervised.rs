//! What a container's first process starts in its turn: supervisord, runit, s6 and s6-overlay, monit, and folders of scripts
//! that entry points run.

use pratique_core::Severity;

use super::variables::loads;
use crate::signs::{Notes, text};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/supervisord.conf",
    "etc/supervisor/*.conf",
    "etc/supervisor/conf.d/*.conf",
    "etc/supervisor.d/*.ini",
    "etc/supervisord.d/*.ini",
    "etc/monit/monitrc",
    "etc/monitrc",
    "etc/monit/conf.d/*",
    "etc/monit.d/*",
    "etc/service/*/*",
    "etc/sv/*/*",
    "etc/runit/*",
    "etc/services.d/*/*",
    "etc/cont-init.d/*",
    "etc/cont-finish.d/*",
    "etc/s6-overlay/s6-rc.d/*/*",
    "etc/s6-overlay/scripts/*",
    "etc/my_init.d/*",
    "docker-entrypoint.d/*",
    "docker-entrypoint-initdb.d/*",
    "usr/local/etc/docker-entrypoint.d/*",
];

pub(super) const RULE: Rule = Rule {
    id: "supervised-service",
    severity: "Low to Critical",
    reference: "ATT&CK T1543",
    what: "services of supervisord, runit, s6 and monit, and scripts that entry points run, that fetch or decode code, open a shell to the network or run a program from a hidden or open folder, or load code by variables, and programs that a database runs while it is set up",
    why: "they start with the container, and again whenever they die",
    remedy: "remove the service or script; a container runs one program, and the cluster starts it again",
};

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    let is_supervisor = path.starts_with("etc/supervisor");
    if path.ends_with(".sql") {
        return sql(&text, notes);
    }
    if !is_supervisor && !path.starts_with("etc/monit") {
        return notes.script(&text, 1, "a script that starts with the container", None);
    }
    for (line, content) in notes.lines(&text) {
        let content = content.trim();
        if let Some(variables) = content.strip_prefix("environment").filter(|_| is_supervisor) {
            let set =
                variables.trim_start_matches([' ', '=']).split(',').filter_map(|one| one.split_once('='));
            set.filter_map(|(name, value)| loads(name, value))
                .for_each(|loaded| loaded.note(" for a service", line, notes));
        }
        let command = match is_supervisor {
            // In supervisord's file a semicolon behind a blank begins a comment.
            true => content
                .strip_prefix("command")
                .and_then(|rest| rest.trim_start().strip_prefix('='))
                .map(|command| command.split(" ;").next().unwrap_or_default()),
            false if content.starts_with('#') => None,
            false => ["exec ", "start program", "stop program", "check program"]
                .iter()
                .find_map(|word| content.split_once(word))
                .and_then(|(_, rest)| rest.split('"').nth(1)),
        };
        if let Some(command) = command {
            notes.script(command.trim(), line, "a service", None);
        }
    }
}

/// What a database that is set up runs outside itself: `PROGRAM '…'` of PostgreSQL's COPY, `\!` of psql and mysql.
fn sql(text: &str, notes: &mut Notes) {
    for (line, content) in notes.lines(text) {
        let content = content.trim();
        let program = content
            .to_ascii_lowercase()
            .find("program '")
            .and_then(|place| content.get(place + "program '".len()..))
            .filter(|_| !content.starts_with("--"))
            .and_then(|command| command.rsplit_once('\''))
            .map(|(command, _)| command.replace("''", "'"));
        let command = program.or_else(|| content.strip_prefix("\\!").map(str::to_owned));
        if let Some(command) = command {
            notes.script(&command, line, "the setting up of a database", Some(Severity::Low));
        }
    }
}
