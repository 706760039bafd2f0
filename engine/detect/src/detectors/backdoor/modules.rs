//! Kernel modules: modules-load.d(5), modprobe.d(5), and modules that no package brought.

use pratique_core::Severity;

use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Kind, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/modules",
    "etc/initramfs-tools/modules",
    "etc/modules-load.d/*.conf",
    "usr/lib/modules-load.d/*.conf",
    "usr/local/lib/modules-load.d/*.conf",
    "run/modules-load.d/*.conf",
    "etc/modprobe.d/*.conf",
    "usr/lib/modprobe.d/*.conf",
    "lib/modprobe.d/*.conf",
];

/// The modules themselves.
pub(super) const LIBRARIES: &[&str] = &["lib/modules/**/*.ko*", "usr/lib/modules/**/*.ko*"];

pub(super) const RULE: Rule = Rule {
    id: "kernel-module",
    severity: "Low to Critical",
    reference: "ATT&CK T1547.006",
    what: "modules that are loaded at start and `install` commands of modprobe that no package brought, and kernel modules that no package brought",
    why: "a module is the kernel: it hides whatever it likes, on the node",
    remedy: "take modules out of the image; a container loads none unless it is privileged",
};

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    for (line, content) in notes.lines(&text) {
        let content = content.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        if !path.contains("modprobe.d/") {
            let module = word(content.split_whitespace().next().unwrap_or_default());
            notes.sign(
                Severity::Low,
                Excuse::Owned,
                Some(line),
                format!("the module {module} is loaded at start"),
            );
        } else if let Some(rest) =
            content.strip_prefix("install ").or_else(|| content.strip_prefix("remove "))
        {
            let command =
                rest.trim_start().split_once(char::is_whitespace).map_or("", |(_, command)| command.trim());
            // `install x /bin/false` keeps a module out.
            if !matches!(command, "" | "/bin/false" | "/bin/true" | "/usr/bin/false" | "/usr/bin/true") {
                notes.script(command, line, "modprobe", Some(Severity::Low));
            }
        }
    }
}

pub(super) fn library(file: &FileInput<'_>, notes: &mut Notes) {
    notes.of_rule(RULE.id);
    if file.kind == Kind::File {
        notes.sign(Severity::Medium, Excuse::Unknown, None, "a kernel module");
    }
}
