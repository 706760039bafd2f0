//! Accounts that are root by another name: passwd(5).

use pratique_core::Severity;

use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &["etc/passwd"];

pub(super) const RULE: Rule = Rule {
    id: "root-account",
    severity: "High",
    reference: "ATT&CK T1136.001, T1078.003",
    what: "accounts with uid 0 that are not called root",
    why: "the kernel knows numbers only: such an account is root, with a password and keys of its own",
    remedy: "remove the account",
};

pub(super) fn read(file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    for (line, content) in notes.lines(&text) {
        let fields: Vec<&str> = content.trim_start().split(':').collect();
        let [name, _, uid, _, ..] = fields.as_slice() else { continue };
        if name.is_empty() || name.starts_with(['#', '+', '-']) {
            continue;
        }
        // As strtoul(3) reads it.
        if uid.trim_start().parse::<u64>() == Ok(0) && *name != "root" {
            let what = format!("the account {} is root: its uid is 0", word(name));
            notes.sign(Severity::High, Excuse::Genuine, Some(line), what);
        }
    }
}
