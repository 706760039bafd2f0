//! Who may become whom without a password: doas.conf(5).

use pratique_core::Severity;

use super::sudo::weigh;
use crate::FileInput;
use crate::signs::{Excuse, Notes, text, word};

pub(super) const PLACES: &[&str] = &["etc/doas.conf", "etc/doas.d/*.conf"];

/// `permit|deny [nopass …] identity [as target] [cmd command …]`; the last rule that fits counts, so each is told.
pub(super) fn read(file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    for (line, content) in notes.joined_lines(&text) {
        let content = content.split('#').next().unwrap_or_default();
        let words: Vec<&str> = content.split_whitespace().collect();
        if words.first() != Some(&"permit") || !words.contains(&"nopass") {
            continue;
        }
        let after = |name: &str| {
            words.iter().position(|one| *one == name).and_then(|place| words.get(place + 1)).copied()
        };
        let who = words[1..].iter().find(|one| {
            !matches!(**one, "nopass" | "nolog" | "persist" | "keepenv") && !one.contains(['{', '}', '='])
        });
        if who == Some(&"root") {
            continue;
        }
        let (severity, what) = weigh(after("cmd").unwrap_or("ALL"));
        let whom = after("as").unwrap_or("root");
        let severity = if whom == "root" { severity } else { Severity::Low };
        let message =
            format!("{} may run {what} as {} without a password", word(who.unwrap_or(&"")), word(whom));
        notes.sign(severity, Excuse::Owned, Some(line), message);
    }
}
