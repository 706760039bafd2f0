//! Libraries that the dynamic linker loads into every program: ld.so(8).

use pratique_core::{Finding, ImageConfig, Severity};

use super::INFO;
use crate::includes::{Includes, folder_of};
use crate::shell::{commands, hidden_place, is_in_open_place};
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/ld.so.preload",
    "etc/ld.so.conf",
    "etc/ld.so.conf.d/*.conf",
    "etc/ld-musl-*.path",
    "etc/environment",
    "etc/environment.d/*.conf",
    "usr/lib/environment.d/*.conf",
    "**/.config/environment.d/*.conf",
    "etc/security/pam_env.conf",
    "**/.pam_environment",
    "**/.ssh/environment",
];

pub(super) const RULE: Rule = Rule {
    id: "linker-preload",
    severity: "Low to Critical",
    reference: "ATT&CK T1574.006",
    what: "libraries named in /etc/ld.so.preload; variables by which programs load libraries or code or are found (PATH, LD_PRELOAD, LD_AUDIT, LD_LIBRARY_PATH, BASH_ENV, PYTHONPATH, NODE_OPTIONS…) in /etc/environment, pam_env.conf, ~/.ssh/environment or the image's config; folders of libraries in hidden or open places, and files of ld.so.conf that name more of them from elsewhere (include)",
    why: "such a library runs inside every program, sees every password and can hide files, processes and itself",
    remedy: "empty /etc/ld.so.preload; set LD_PRELOAD for the one program that needs it, to a library that a package brought",
};

/// Variables by which programs load libraries or code: how bad it is where that lies in a hidden or open place, and where
/// it lies elsewhere. What is said of one is said by the rule of the file that sets it.
const LOADING: [(&str, Severity, Option<Severity>); 18] = [
    ("LD_AUDIT", Severity::High, Some(Severity::Medium)),
    ("LD_PRELOAD", Severity::High, Some(Severity::Low)),
    ("LD_LIBRARY_PATH", Severity::Medium, None),
    ("PATH", Severity::Medium, None),
    ("GCONV_PATH", Severity::Medium, None),
    ("BASH_ENV", Severity::Medium, None),
    ("ENV", Severity::Medium, None),
    ("PYTHONPATH", Severity::Medium, None),
    ("PYTHONSTARTUP", Severity::Medium, None),
    ("PERL5LIB", Severity::Medium, None),
    ("PERL5OPT", Severity::Medium, None),
    ("RUBYLIB", Severity::Medium, None),
    ("RUBYOPT", Severity::Medium, None),
    ("NODE_PATH", Severity::Medium, None),
    ("NODE_OPTIONS", Severity::Medium, None),
    ("JAVA_TOOL_OPTIONS", Severity::Medium, None),
    ("JDK_JAVA_OPTIONS", Severity::Medium, None),
    ("_JAVA_OPTIONS", Severity::Medium, None),
];

/// Where the code lies that a variable names: of one that holds options, behind those that load code.
fn code<'v>(name: &str, value: &'v str) -> Vec<&'v str> {
    let options: &[&str] = match name {
        "NODE_OPTIONS" => &["--require", "-r", "--import", "--loader", "--experimental-loader"],
        "JAVA_TOOL_OPTIONS" | "JDK_JAVA_OPTIONS" | "_JAVA_OPTIONS" => &["-javaagent", "-agentpath"],
        "RUBYOPT" | "PERL5OPT" => &["-r", "-I"],
        _ => return value.split([':', ' ']).collect(),
    };
    let words: Vec<&str> = value.split_whitespace().collect();
    let behind = |(place, word): (usize, &&'v str)| {
        let own = options.iter().find_map(|option| word.strip_prefix(option))?.trim_start_matches([':', '=']);
        if own.is_empty() { words.get(place + 1).copied() } else { own.split('=').next() }
    };
    words.iter().enumerate().filter_map(behind).collect()
}

const INCLUDES: Includes = Includes { who: "the linker", places: PLACES, severity: Severity::Low };

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    for (line, content) in notes.lines(&text) {
        let content = content.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        if path == "etc/ld.so.preload" {
            // Separated by blanks or colons.
            for library in content.split([' ', '\t', ':']).filter(|library| !library.is_empty()) {
                let worst = hidden_place(library).is_some();
                let severity = if worst { Severity::Critical } else { Severity::High };
                let what = format!("every program loads the library {}", word(library));
                notes.sign(severity, Excuse::Owned, Some(line), what);
            }
        } else if !path.starts_with("etc/ld") {
            for told in assignments(content).filter_map(|(name, value)| loads(name, value)) {
                told.note("", line, notes);
            }
        } else if let Some(targets) =
            content.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t']))
        {
            for target in targets.split_whitespace() {
                INCLUDES.file(target, folder_of(path), line, notes);
            }
        } else {
            // musl's linker has several in a line.
            for folder in content.split(':') {
                if let Some(why) = hidden_place(&format!("{folder}/")) {
                    let what = format!("libraries are looked for in {}, {why}", word(folder));
                    notes.sign(Severity::High, Excuse::Owned, Some(line), what);
                }
            }
        }
    }
}

/// What one line of a file of variables sets: `NAME=VALUE`, or as pam_env(8) has it `NAME DEFAULT=VALUE OVERRIDE=VALUE`.
fn assignments(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, values) = line.split_once([' ', '\t']).unwrap_or_default();
    let by_pam = values
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("DEFAULT=").or_else(|| word.strip_prefix("OVERRIDE=")))
        .map(move |value| (name, value));
    line.split_once('=').into_iter().chain(by_pam)
}

/// A variable that makes programs load something.
pub(super) struct Loaded {
    severity: Severity,
    what: String,
}

impl Loaded {
    /// Notes it of a line; `whose` follows it.
    pub(super) fn note(self, whose: &str, line: u32, notes: &mut Notes) {
        notes.sign(self.severity, Excuse::Owned, Some(line), self.what + whose);
    }
}

/// What setting a variable makes programs load.
pub(super) fn loads(name: &str, value: &str) -> Option<Loaded> {
    let value = value.trim().trim_matches(['"', '\'']);
    let (name, hidden, elsewhere) = LOADING.iter().find(|(known, ..)| *known == name.trim())?;
    let is_hidden = |part: &str| {
        // It may be such a folder itself.
        let part = format!("{}/", part.trim_end_matches('/'));
        // Many tools keep their programs in a hidden folder of their own.
        is_in_open_place(&part) || (*name != "PATH" && hidden_place(&part).is_some())
    };
    let severity = match code(name, value).into_iter().any(is_hidden) {
        true => Some(*hidden),
        false => *elsewhere,
    };
    severity
        .filter(|_| !value.is_empty())
        .map(|severity| Loaded { severity, what: format!("{name} is set to {}", word(value)) })
}

/// The same of all that a script sets, or of what it sets for one program.
pub(super) fn loaded_by(script: &str, whose: &str, notes: &mut Notes) {
    for (line, words) in commands(script).0 {
        let says = words.first().is_some_and(|first| matches!(first.as_str(), "echo" | "printf"));
        let set = words.iter().filter(|_| !says).filter_map(|word| word.split_once('='));
        // As csh and fish write it.
        let apart = match words.as_slice() {
            [set, .., name, value] if matches!(set.as_str(), "set" | "setenv") => {
                Some((name.as_str(), value.as_str()))
            }
            _ => None,
        };
        for told in set.chain(apart).filter_map(|(name, value)| loads(name, value)) {
            told.note(whose, line, notes);
        }
    }
}

/// Findings in the environment that an image's config sets.
pub(super) fn of_config(config: &ImageConfig) -> Vec<Finding> {
    let loaded = config.env.iter().filter_map(|assignment| assignment.split_once('='));
    let finding = |told: Loaded| {
        INFO.finding(RULE.id, told.severity, format!("{} in the image's environment", told.what))
    };
    loaded.filter_map(|(name, value)| loads(name, value)).map(finding).collect()
}
