//! Rules of udev that run something: udev(7).

use pratique_core::Severity;

use crate::signs::{Notes, text};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/udev/rules.d/*.rules",
    "usr/lib/udev/rules.d/*.rules",
    "lib/udev/rules.d/*.rules",
    "usr/local/lib/udev/rules.d/*.rules",
    "run/udev/rules.d/*.rules",
];

pub(super) const RULE: Rule = Rule {
    id: "udev-rule",
    severity: "Low to Critical",
    reference: "ATT&CK T1546.017",
    what: "rules of udev with RUN, PROGRAM or IMPORT{program} that no package brought, by what they run",
    why: "they run as root whenever a device appears, which at every start some do",
    remedy: "take the rule out of the image: containers have no udev",
};

pub(super) fn read(_path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    for (line, content) in notes.joined_lines(&text) {
        if content.trim_start().starts_with('#') {
            continue;
        }
        let mut rest = content.as_str();
        while let Some(quote) = rest.find('"') {
            let key: String = rest[..quote].chars().filter(|c| !c.is_whitespace()).collect();
            let Some(end) = rest[quote + 1..].find('"') else { break };
            let value = &rest[quote + 1..quote + 1 + end];
            rest = &rest[quote + end + 2..];
            let key = key.trim_start_matches(',').trim_end_matches(['=', '+', ':', '!']);
            if matches!(key, "RUN" | "RUN{program}" | "PROGRAM" | "IMPORT{program}") && !value.is_empty() {
                notes.script(value, line, "a rule of udev", Some(Severity::Low));
            }
        }
    }
}
