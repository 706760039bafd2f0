//! Variables by which programs load libraries or code, or run others: environ(7), git(1), less(1), ld.so(8).

use pratique_core::{Finding, Gap, GapKind, ImageConfig, Severity};

use super::{INFO, preload};
use crate::shell::{acts, commands, hidden_place, is_in_open_place};
use crate::signs::{Excuse, Notes, word};

/// Variables by which programs load libraries or code: how bad it is where that lies in a hidden or open place, and where
/// it lies elsewhere. What is said of one is said by the rule of the file that sets it.
const LOADING: [(&str, Severity, Option<Severity>); 32] = [
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
    ("OPENSSL_CONF", Severity::Medium, None),
    ("OPENSSL_ENGINES", Severity::Medium, None),
    ("OPENSSL_MODULES", Severity::Medium, None),
    ("GIT_EXEC_PATH", Severity::Medium, None),
    ("GIT_TEMPLATE_DIR", Severity::Medium, None),
    ("GIT_CONFIG_GLOBAL", Severity::Medium, None),
    ("GIT_CONFIG_SYSTEM", Severity::Medium, None),
    ("PHPRC", Severity::Medium, None),
    ("PHP_INI_SCAN_DIR", Severity::Medium, None),
    ("DOTNET_STARTUP_HOOKS", Severity::Medium, None),
    ("R_PROFILE", Severity::Medium, None),
    ("R_PROFILE_USER", Severity::Medium, None),
    ("LUA_CPATH", Severity::Medium, None),
    ("TCLLIBPATH", Severity::Medium, None),
];

/// Variables whose value is run: by pagers and editors, git, and whatever asks for a password or a connection. What they are
/// set to by many does nothing that is told.
const RUN: [&str; 31] = [
    "LESSOPEN",
    "LESSCLOSE",
    "PAGER",
    "MANPAGER",
    "GIT_PAGER",
    "PSQL_PAGER",
    "SYSTEMD_PAGER",
    "BAT_PAGER",
    "EDITOR",
    "VISUAL",
    "FCEDIT",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "PSQL_EDITOR",
    "SUDO_EDITOR",
    "SYSTEMD_EDITOR",
    "KUBE_EDITOR",
    "BROWSER",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_PROXY_COMMAND",
    "GIT_EXTERNAL_DIFF",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "RSYNC_RSH",
    "CVS_RSH",
    "SVN_SSH",
    "PROMPT_COMMAND",
    "RUSTC_WRAPPER",
    "SHELL",
];

/// Where the code lies that a variable names: of one that holds options, behind those that load code.
fn code<'v>(name: &str, value: &'v str) -> Vec<&'v str> {
    let options: &[&str] = match name {
        "NODE_OPTIONS" => &["--require", "-r", "--import", "--loader", "--experimental-loader"],
        "JAVA_TOOL_OPTIONS" | "JDK_JAVA_OPTIONS" | "_JAVA_OPTIONS" => &["-javaagent", "-agentpath"],
        "RUBYOPT" | "PERL5OPT" => &["-r", "-I"],
        _ => return value.split([':', ';', ' ']).collect(),
    };
    let words: Vec<&str> = value.split_whitespace().collect();
    let behind = |(place, word): (usize, &&'v str)| {
        let own = options.iter().find_map(|option| word.strip_prefix(option))?.trim_start_matches([':', '=']);
        if own.is_empty() { words.get(place + 1).copied() } else { own.split('=').next() }
    };
    words.iter().enumerate().filter_map(behind).collect()
}

/// What a variable makes programs load or run.
pub(super) struct Loaded {
    told: Vec<(Severity, Excuse, String)>,
    /// Whether all of it was read.
    whole: bool,
}

impl Loaded {
    /// Notes it of a line; `whose` follows it.
    pub(super) fn note(self, whose: &str, line: u32, notes: &mut Notes) {
        for (severity, excuse, what) in self.told {
            notes.sign(severity, excuse, Some(line), what + whose);
        }
        if !self.whole {
            notes.problem(GapKind::Limit, "a variable is longer or deeper than scripts are read".to_owned());
        }
    }
}

/// What setting a variable makes programs load or run.
pub(super) fn loads(name: &str, value: &str) -> Option<Loaded> {
    let (name, value) = (name.trim(), unquoted(value.trim()));
    if RUN.contains(&name) {
        return runs(name, value);
    }
    let (name, hidden, elsewhere) = LOADING.iter().find(|(known, ..)| *known == name)?;
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
    let severity = severity.filter(|_| !value.is_empty())?;
    let what = format!("{name} is set to {}", word(value));
    Some(Loaded { told: vec![(severity, Excuse::Owned, what)], whole: true })
}

/// The same of one whose value is a command.
fn runs(name: &str, value: &str) -> Option<Loaded> {
    // less(1): `|` and `-` say how what it writes is taken.
    let (acts, whole) = acts(value.trim_start_matches(['|', '-']));
    let told = acts.into_iter().map(|act| {
        let what = format!("{name} {} ({})", act.kind.in_words(), word(&act.subject));
        (act.kind.severity(), Excuse::Genuine, what)
    });
    let told: Vec<_> = told.collect();
    (!told.is_empty() || !whole).then_some(Loaded { told, whole })
}

/// A value without quotes around it.
fn unquoted(value: &str) -> &str {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
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

/// Findings in the environment that an image's config sets, and what of it was not read.
pub(super) fn of_config(config: &ImageConfig) -> (Vec<Finding>, Vec<Gap>) {
    let set = config.env.iter().filter_map(|assignment| assignment.split_once('='));
    let (mut findings, mut gaps) = (Vec::new(), Vec::new());
    for loaded in set.filter_map(|(name, value)| loads(name, value)) {
        findings.extend(loaded.told.into_iter().map(|(severity, _, what)| {
            INFO.finding(preload::RULE.id, severity, format!("{what} in the image's environment"))
        }));
        if !loaded.whole {
            let reason = "a variable of the image's environment is longer or deeper than scripts are read";
            gaps.push(INFO.gap(GapKind::Limit, reason));
        }
    }
    (findings, gaps)
}
