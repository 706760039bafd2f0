//! What starts with a session, or when something on the bus is asked for: the Desktop Entry and Desktop Application Autostart
//! specifications (<https://specifications.freedesktop.org/autostart-spec/latest/>), services of D-Bus, Xsession(5).

use pratique_core::Severity;

use crate::signs::{Notes, text};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/xdg/autostart/*.desktop",
    "usr/share/autostart/*.desktop",
    "usr/share/gnome/autostart/*.desktop",
    "**/.config/autostart/*.desktop",
    "**/.config/autostart-scripts/*",
    "**/.config/plasma-workspace/*/*.sh",
    "etc/dbus-1/*-services/*.service",
    "usr/share/dbus-1/services/*.service",
    "usr/share/dbus-1/*-services/*.service",
    "usr/local/share/dbus-1/services/*.service",
    "usr/local/share/dbus-1/*-services/*.service",
    "run/dbus-1/*-services/*.service",
    "**/.local/share/dbus-1/services/*.service",
    "etc/X11/Xsession.d/*",
    "etc/X11/xinit/xinitrc",
    "etc/X11/xinit/xinitrc.d/*",
    "**/.xprofile",
    "**/.xinitrc",
    "**/.xsession",
    "**/.xsessionrc",
];

pub(super) const RULE: Rule = Rule {
    id: "desktop-start",
    severity: "Low to Critical",
    reference: "ATT&CK T1547.013, T1543",
    what: "programs that start with a session (autostart, Xsession, .xprofile) or when a name on D-Bus is asked for, and that no package brought, by what they do",
    why: "a service of the system's bus runs as root whenever anybody asks for its name, the others whenever somebody logs in",
    remedy: "take the file out of the image: a container has neither sessions nor a bus",
};

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    let entry = [(".desktop", "a session"), (".service", "a service of D-Bus")];
    let Some((_, who)) = entry.iter().find(|(ending, _)| path.ends_with(ending)) else {
        return notes.script(&text, 1, "a session's start", None);
    };
    let mut section = "";
    for (line, content) in notes.lines(&text) {
        let content = content.trim();
        if content.starts_with('[') {
            section = content;
        }
        let Some((name, command)) = content.split_once('=') else { continue };
        // Other sections are actions of a menu.
        let starts = matches!(section, "[Desktop Entry]" | "[D-BUS Service]") && name.trim() == "Exec";
        // Behind such a name is a unit of systemd, which is looked at by itself.
        if starts && !matches!(command.trim(), "" | "/bin/false" | "/usr/bin/false") {
            notes.script(command.trim(), line, who, Some(Severity::Low));
        }
    }
}
