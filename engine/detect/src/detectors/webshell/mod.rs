//! Pages that run what the request says: programs of web servers, read and followed from what comes in to what is run.
//!
//! A file is split into tokens, read into a tree of no language in particular ([`syntax`]) and followed ([`flow`]): texts are put together and
//! decoded as the program would, and what comes from outside is followed through variables, functions, lists and members. What is found
//! is a path from a source to a sink, never a word that looks bad.

mod braces;
mod command;
mod decode;
mod flow;
mod hints;
mod languages;
mod page;
mod parser;
mod paths;
mod php;
mod python;
mod syntax;
#[cfg(test)]
mod tests;
mod value;
mod vbscript;

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use pratique_core::detector::described;
use pratique_core::{DetectorInfo, GapKind, Severity};

use self::flow::{Hit, Sink};
use self::value::Origin;
use crate::signs::{self, Excuse, Notes};
use crate::{Detector, FileInput, FileReport, ImageInput, Interest, Links, LocatedFact, Outcome, Rule};

/// The detector `webshell`.
pub(super) static DETECTOR: Webshell = Webshell;

/// See the module.
pub(super) struct Webshell;

const INFO: &DetectorInfo = described("webshell");

/// Bytes of a file that are read.
const WINDOW: usize = 4 << 20;
/// Bytes of a file from which on it is followed alone: following takes some fifteen times as much memory.
const LARGE: usize = 512 << 10;
/// Places between source and sink that a finding names.
const MAX_PLACES: usize = 6;

const INTERESTS: &[Interest] = &[
    Interest::head(
        &[
            "**/*.[pP][hH][pP]",
            "**/*.[pP][hH][pP][0-9]",
            "**/*.[pP][hH][tT]",
            "**/*.[pP][hH][tT][mM][lL]",
            "**/*.[pP][hH][pP][sS]",
            "**/*.inc",
            "**/*.module",
            // Pages of Java.
            "**/*.[jJ][sS][pP]",
            "**/*.[jJ][sS][pP][xXfFaA]",
            "**/*.[tT][aA][gG]",
            // Pages of ASP.NET.
            "**/*.[aA][sS][pP][xX]",
            "**/*.[aA][sS][hHmMcC][xX]",
            // Pages of classic ASP.
            "**/*.[aA][sS][pPaA]",
            "**/*.[cC][eE][rR]",
            "**/*.[cC][dD][xX]",
            // Programs of Node.js.
            "**/*.[cm]js",
            "**/*.js",
            // Programs of Python.
            "**/*.py",
            "**/cgi-bin/**",
        ],
        WINDOW,
    ),
    // What servers may be told to run whatever its name: pages, and pictures with a program behind the picture.
    Interest {
        heads: &[b"<?php", b"<?=", b"<?\n", b"GIF89a", b"GIF87a"],
        ..Interest::head(
            &["var/www/**", "srv/**", "usr/share/nginx/**", "usr/local/apache2/htdocs/**", "**/uploads/**"],
            WINDOW,
        )
    },
];

const RULES: &[Rule] = &[
    Rule {
        id: "request-to-code",
        severity: "Critical",
        reference: "ATT&CK T1505.003, CWE-94",
        what: "programs of a web server in which something of the request (parameters, cookies, headers, body) is run as code",
        why: "whoever sends the request runs what he likes with the rights of the server",
        remedy: "find out which layer brought the file: the finding names it; if it is no part of the application, replace the image and look for what was done by it",
    },
    Rule {
        id: "request-to-command",
        severity: "High to Critical",
        reference: "ATT&CK T1505.003, CWE-78",
        what: "the same for a command of the system; high if the program is fixed and the request gives an argument that is not quoted",
        why: "as above",
        remedy: "as above; if the file is the application's, hand the argument over without a shell, or quote it",
    },
    Rule {
        id: "request-to-include",
        severity: "Medium to High",
        reference: "ATT&CK T1505.003, CWE-98",
        what: "files that are run and that the request names wholly or uploads; medium if the end of the name is fixed",
        why: "the request brings the program along",
        remedy: "as above; if the file is the application's, choose from a list",
    },
    Rule {
        id: "request-to-file",
        severity: "Medium to Critical",
        reference: "ATT&CK T1505.003, CWE-434",
        what: "programs that write what the request says into a file that the server runs, or keep an upload under the name that the request gives",
        why: "it is how a webshell comes back, or comes in",
        remedy: "as above; if the file is the application's, choose the name and its end yourself",
    },
    Rule {
        id: "network-to-code",
        severity: "High",
        reference: "ATT&CK T1105, CWE-494",
        what: "programs of a web server that run what another server answers",
        why: "whoever controls that server, or the way to it, runs what he likes; a dropper looks so",
        remedy: "as above",
    },
    Rule {
        id: "hidden-code",
        severity: "Medium",
        reference: "ATT&CK T1027",
        what: "programs of a web server that decode a text of their own and run it",
        why: "what is hidden from its reader is rarely for his good, though some sellers hide their programs so",
        remedy: "decode the text and read it",
    },
];

impl Detector for Webshell {
    fn info(&self) -> &'static DetectorInfo {
        INFO
    }

    fn interests(&self) -> &'static [Interest] {
        INTERESTS
    }

    fn rules(&self) -> &'static [Rule] {
        RULES
    }

    fn links(&self) -> Links {
        Links::FollowedElsewhere
    }

    fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        static ALONE: Mutex<()> = Mutex::new(());
        // Another's panic leaves nothing behind that would matter here.
        let _alone =
            (file.bytes.len() >= LARGE).then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
        let mut notes = Notes::new(INFO.rules[0]);
        let flows = languages::follow(file.path, file.bytes);
        for hit in flows.iter().flat_map(|flow| &flow.hits) {
            note(hit, &mut notes);
        }
        if let Some(reason) = flows.iter().find_map(|flow| flow.cut) {
            notes.problem(GapKind::Limit, format!("not all of the program was followed: {reason}"));
        }
        notes.finish(file)
    }

    fn judge(&self, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
        signs::judge(INFO, image, facts)
    }
}

fn note(hit: &Hit, notes: &mut Notes) {
    let origin = hit.taint.as_ref().map(|taint| taint.origin);
    let is_network = origin == Some(Origin::Network);
    let (rule, severity, act) = match (&hit.sink, hit.part) {
        (Sink::Hidden, _) => ("hidden-code", Severity::Medium, "is run as code"),
        (Sink::Code, _) if is_network => ("network-to-code", Severity::High, "is run as code"),
        (Sink::Command, _) if is_network => ("network-to-code", Severity::High, "is run as a command"),
        (Sink::Include, _) if is_network => ("network-to-code", Severity::High, "is run as a program"),
        (Sink::Write, _) if is_network => ("network-to-code", Severity::High, "is written into a program"),
        (Sink::Code, _) => ("request-to-code", Severity::Critical, "is run as code"),
        (Sink::Command, false) => ("request-to-command", Severity::Critical, "is run as a command"),
        (Sink::Command, true) => ("request-to-command", Severity::High, "becomes a part of a command"),
        (Sink::Include, false) => ("request-to-include", Severity::High, "is run as a program"),
        (Sink::Include, true) => ("request-to-include", Severity::Medium, "names the program that is run"),
        (Sink::Write, false) => ("request-to-file", Severity::Critical, "is written into a program"),
        (Sink::Write, true) => {
            ("request-to-file", Severity::High, "is written into a file that the request names")
        }
        (Sink::Upload, false) => ("request-to-file", Severity::High, "names the file that an upload becomes"),
        (Sink::Upload, true) => {
            ("request-to-file", Severity::Medium, "ends the name of the file that an upload becomes")
        }
    };
    notes.of_rule(rule);
    let Some(taint) = &hit.taint else {
        let what = format!("a text that the program hides {act} by {}", signs::word(&hit.by));
        return notes.sign(severity, Excuse::Genuine, Some(hit.line), what);
    };
    let places = taint.trail.places();
    let mut what = String::new();
    for (number, place) in places.iter().enumerate() {
        let is_left_out = number > 0 && places.len() > MAX_PLACES && number < places.len() - (MAX_PLACES - 1);
        if is_left_out {
            continue;
        }
        if number > 0 {
            what.push_str(" → ");
            if places.len() > MAX_PLACES && number == places.len() - (MAX_PLACES - 1) {
                what.push_str("… → ");
            }
        }
        // Writing to a text cannot fail.
        let _ = write!(what, "{} (line {})", signs::word(&place.what), place.line);
    }
    let _ = write!(what, " {act} by {} (line {})", signs::word(&hit.by), hit.line);
    notes.sign(severity, Excuse::Genuine, Some(hit.line), what);
}
