//! Scripts that run when a system starts or somebody logs in: rc.local, System V init, BusyBox's and sysvinit's inittab,
//! OpenRC, upstart, the message of the day.

use pratique_core::Severity;

use super::boot;
use super::variables::loaded_by;
use crate::signs::{Notes, text};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/rc.local",
    "etc/rc.d/rc.local",
    "etc/init.d/*",
    "etc/rc.d/init.d/*",
    "etc/inittab",
    "etc/local.d/*",
    "etc/init/*.conf",
    "etc/update-motd.d/*",
    "etc/default/*",
    "etc/default/grub.d/*.cfg",
    "etc/sysconfig/*",
    "etc/conf.d/*",
];

pub(super) const RULE: Rule = Rule {
    id: "init-script",
    severity: "Low to Critical",
    reference: "ATT&CK T1037.004",
    what: "rc.local, init scripts, lines of inittab, OpenRC's local.d, upstart jobs and scripts of the message of the day that no package brought, and settings that init scripts read (/etc/default, /etc/sysconfig, /etc/conf.d), by what they do",
    why: "they run as root at every start, the message of the day at every login",
    remedy: "take the script out of the image; start what is needed as the container's own process",
};

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    let executable = file.mode.permissions & 0o111 != 0;
    if path == "etc/inittab" {
        for (line, content) in notes.lines(&text) {
            // id:runlevels:action:process
            let mut fields = content.trim().splitn(4, ':');
            let (id, action) = (fields.next().unwrap_or_default(), fields.nth(1).unwrap_or_default());
            let Some(process) = fields.next().filter(|_| !id.starts_with('#')) else { continue };
            if !process.is_empty() && action != "off" {
                // Terminals are what the file is for.
                let usual = [
                    "getty",
                    "/sbin/openrc",
                    "/etc/rc",
                    "/etc/init.d/rc",
                    "/sbin/shutdown",
                    "/bin/login",
                    "/sbin/sulogin",
                    "/bin/umount",
                    "/sbin/reboot",
                    "/sbin/init",
                ];
                let plain = (!usual.iter().any(|one| process.contains(one))).then_some(Severity::Low);
                notes.script(process.trim_start_matches(['-', '+']), line, "init", plain);
            }
        }
        return;
    }
    if ["etc/default/", "etc/sysconfig/", "etc/conf.d/"].iter().any(|folder| path.starts_with(folder)) {
        // Init scripts read them as a part of theirs, units of systemd as variables.
        notes.script(&text, 1, "settings of a service", None);
        loaded_by(&text, " for a service", notes);
        return boot::command_line(&text, notes);
    }
    if path.starts_with("etc/init/") {
        // What an upstart job runs stands after `exec` or in a script; the shell's reader passes over the rest.
        notes.script(&text, 1, "an upstart job", Some(Severity::Low));
        return;
    }
    if !executable {
        return;
    }
    let plain = match path {
        path if path.ends_with("rc.local") => {
            let effective =
                |line: &str| !matches!(line.trim(), "" | "exit 0") && !line.trim_start().starts_with('#');
            text.lines().any(effective).then_some(Severity::Low)
        }
        path if path.starts_with("etc/update-motd.d/") => None,
        _ => Some(Severity::Low),
    };
    notes.program(file, "a script that runs at start or login", plain);
}
