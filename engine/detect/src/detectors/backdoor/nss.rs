//! Who exists: nsswitch.conf(5) and the libraries behind it.

use pratique_core::Severity;

use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Kind, Rule};

pub(super) const PLACES: &[&str] = &["etc/nsswitch.conf"];

/// The libraries themselves, as glibc names them.
pub(super) const LIBRARIES: &[&str] = &[
    "lib/**/libnss_*.so.2",
    "lib64/libnss_*.so.2",
    "usr/lib/**/libnss_*.so.2",
    "usr/lib64/libnss_*.so.2",
    "usr/local/lib/**/libnss_*.so.2",
];

pub(super) const RULE: Rule = Rule {
    id: "name-service",
    severity: "Medium to High",
    reference: "ATT&CK T1556",
    what: "libraries of the name service switch that no package brought, and services of nsswitch.conf whose name leads out of the folders of libraries",
    why: "they run inside every program that asks who a user is, and may answer with accounts that no file shows",
    remedy: "remove the library and its name from nsswitch.conf",
};

pub(super) fn read(_path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    for (line, content) in notes.lines(&text) {
        let content = content.split('#').next().unwrap_or_default();
        let Some((_, services)) = content.split_once(':') else { continue };
        // Reactions such as [NOTFOUND=return] are no services; a service is a part of a file's name.
        for service in
            services.split_whitespace().filter(|service| service.contains('/') && !service.starts_with('['))
        {
            let why = hidden_place(service).unwrap_or("another folder");
            let what = format!("the name service {} is loaded from {why}", word(service));
            notes.sign(Severity::High, Excuse::Genuine, Some(line), what);
        }
    }
}

pub(super) fn library(file: &FileInput<'_>, notes: &mut Notes) {
    notes.of_rule(RULE.id);
    if file.kind == Kind::File {
        notes.sign(Severity::Medium, Excuse::Unknown, None, "a library that answers who exists");
    }
}
