//! What polkit lets anybody do unasked: polkit(8), pklocalauthority(8).

use pratique_core::Severity;

use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/polkit-1/rules.d/*.rules",
    "run/polkit-1/rules.d/*.rules",
    "usr/local/share/polkit-1/rules.d/*.rules",
    "usr/share/polkit-1/rules.d/*.rules",
    "etc/polkit-1/localauthority/*/*.pkla",
    "var/lib/polkit-1/localauthority/*/*.pkla",
    "etc/polkit-1/actions/*.policy",
    "usr/local/share/polkit-1/actions/*.policy",
    "usr/share/polkit-1/actions/*.policy",
];

pub(super) const RULE: Rule = Rule {
    id: "polkit-rule",
    severity: "Low to High",
    reference: "ATT&CK T1548",
    what: "rules, local authorities and actions of polkit that no package brought and that let somebody do something without a password (polkit.Result.YES, ResultAny=yes, allow_any), high if no rule says who or what, and programs that rules run (polkit.spawn)",
    why: "whoever gets into the system as any user may then do as root what the rule is about, with pkexec everything",
    remedy: "remove the rule; let it ask (polkit.Result.AUTH_ADMIN)",
};

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    if path.ends_with(".rules") {
        rules(&text, notes);
    } else if path.ends_with(".pkla") {
        authorities(&text, notes);
    } else {
        actions(&text, notes);
    }
}

/// Rules are JavaScript, of which the words are looked at that are no comment: each function reaches to the next.
fn rules(text: &str, notes: &mut Notes) {
    let (mut open, mut asks_what) = (false, false);
    for (line, content) in notes.lines(text) {
        let content = uncommented(content, &mut open);
        if content.contains("addRule") || content.contains("addAdminRule") {
            asks_what = false;
        }
        asks_what |= ["action.id", "subject.user", "subject.isInGroup", "action.lookup"]
            .iter()
            .any(|word| content.contains(word));
        if content.contains("polkit.Result.YES") || content.contains("return \"yes\"") {
            let (severity, what) = match asks_what {
                true => (Severity::Low, "a rule of polkit lets some do something without a password"),
                false => (Severity::High, "a rule of polkit lets anybody do anything without a password"),
            };
            notes.sign(severity, Excuse::Owned, Some(line), what);
        }
        if content.contains("polkit.spawn") {
            notes.sign(Severity::Low, Excuse::Owned, Some(line), "a rule of polkit runs a program");
        }
    }
}

/// A line of JavaScript without its comments; `open` says whether one goes on from the line before.
fn uncommented(line: &str, open: &mut bool) -> String {
    let (mut kept, mut rest) = (String::new(), line);
    loop {
        if *open {
            let Some((_, behind)) = rest.split_once("*/") else { return kept };
            (*open, rest) = (false, behind);
        }
        let end = rest.find("//").unwrap_or(rest.len());
        let (before, behind) = rest[..end]
            .split_once("/*")
            .map_or((&rest[..end], None), |(before, _)| (before, Some(&rest[before.len() + 2..])));
        kept.push_str(before);
        let Some(behind) = behind else { return kept };
        (*open, rest) = (true, behind);
    }
}

/// Key files: `Identity`, `Action`, and what comes of it.
fn authorities(text: &str, notes: &mut Notes) {
    let mut all = false;
    for (line, content) in notes.lines(text) {
        let (name, value) = content.split_once('=').unwrap_or((content, ""));
        let (name, value) = (name.trim(), value.trim());
        if name.starts_with('[') {
            all = false;
        }
        all |= name == "Action"
            && value.split(';').any(|action| matches!(action, "*" | "org.freedesktop.policykit.exec"));
        if matches!(name, "ResultAny" | "ResultInactive" | "ResultActive") && value == "yes" {
            let severity = if all { Severity::High } else { Severity::Low };
            let what = if all { "anything" } else { "something" };
            notes.sign(
                severity,
                Excuse::Owned,
                Some(line),
                format!("polkit lets some do {what} without a password ({name})"),
            );
        }
    }
}

/// Actions, with what is allowed where no rule says otherwise.
fn actions(text: &str, notes: &mut Notes) {
    let mut action = String::new();
    for (line, content) in notes.lines(text) {
        if let Some((_, rest)) = content.split_once("<action id=\"") {
            action = word(rest.split('"').next().unwrap_or_default());
        }
        // What somebody at the console may do is every distribution's own choice.
        if content.contains("<allow_any>yes</allow_any>") {
            let severity =
                if action == "org.freedesktop.policykit.exec" { Severity::High } else { Severity::Low };
            notes.sign(
                severity,
                Excuse::Owned,
                Some(line),
                format!("polkit lets anybody do {action} without a password"),
            );
        }
    }
}
