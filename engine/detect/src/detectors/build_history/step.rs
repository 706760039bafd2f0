//! One step of a build: what its line says in the forms of several builders, and what of it is risky.

use std::borrow::Cow;

use pratique_core::Severity;
use pratique_core::mask::mask;

use super::unchecked;
use crate::shell::{self, ActKind};
use crate::signs::word;

/// Findings: rule, severity, and what the step does.
pub(super) type Told = Vec<(&'static str, Severity, String)>;

/// A step of the build.
pub(super) enum Step<'s> {
    /// A command, with the build arguments that it was given.
    Run { arguments: Vec<(&'s str, &'s str)>, script: Cow<'s, str> },
    /// Another instruction and the rest of its line.
    Other { instruction: &'s str, rest: &'s str },
}

impl<'s> Step<'s> {
    /// From the forms that Docker's builder, BuildKit, Buildah and Kaniko write. Buildpacks, Bazel, ko, apko, Jib and Nix write
    /// what they are, or nothing: of their steps nothing is known.
    pub(super) fn of(step: &'s str) -> Self {
        let step = step.trim().strip_suffix("# buildkit").unwrap_or(step.trim()).trim();
        if let Some(at) = step.find("#(nop)") {
            let rest = step[at + "#(nop)".len()..].trim();
            let (instruction, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            return Self::Other { instruction, rest: rest.trim() };
        }
        let run = step.strip_prefix("RUN ").unwrap_or(step).trim();
        let (instruction, rest) = run.split_once(' ').unwrap_or((run, ""));
        if run.len() == step.len()
            && !instruction.is_empty()
            && instruction.bytes().all(|b| b.is_ascii_uppercase())
        {
            return Self::Other { instruction, rest: rest.trim() };
        }
        let (arguments, command) = arguments(run);
        // As a Dockerfile has it: options of the instruction, then a command or a list of words.
        let mut command = command;
        while let Some((_, rest)) = command.strip_prefix("--").and_then(|option| option.split_once(' ')) {
            command = rest.trim_start();
        }
        let script = match listed(command) {
            Some(script) => Cow::Owned(script),
            // In quotes it is what somebody wrote, and not what a builder did.
            None => Cow::Borrowed(
                handed(command).filter(|script| !script.starts_with(['\'', '"'])).unwrap_or(command),
            ),
        };
        Self::Run { arguments, script }
    }

    /// What is risky about it; false if not all of it was read.
    pub(super) fn judge(&self, told: &mut Told) -> bool {
        match self {
            Self::Run { arguments, script } => {
                for (name, value) in arguments {
                    secret(name, value, told);
                    unchecked::variable(name, value, told);
                }
                return run(script, told);
            }
            Self::Other { instruction: instruction @ ("ARG" | "ENV"), rest } => {
                let words = shell::commands(rest).0.into_iter().flat_map(|(_, words)| words);
                for (name, value) in words.filter_map(|word| {
                    word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
                }) {
                    // What the environment holds is judged in the image's config.
                    if *instruction == "ARG" {
                        secret(&name, &value, told);
                    }
                    unchecked::variable(&name, &value, told);
                }
            }
            Self::Other { instruction: "ADD", rest } => add(rest, told),
            // Run by the build of whoever builds on it.
            Self::Other { instruction: "ONBUILD", rest } if !rest.starts_with("ONBUILD") => {
                return Step::of(rest).judge(told);
            }
            Self::Other { instruction: "HEALTHCHECK", rest } => return health_check(rest, told),
            Self::Other { .. } => {}
        }
        true
    }
}

/// A command that is a list of words, as a script.
fn listed(command: &str) -> Option<String> {
    serde_json::from_str::<Vec<String>>(command).ok().map(|words| shell::quoted(&words))
}

/// What ADD takes from the network without saying what it should be. Passwords in an address, and what is asked for, are left out.
fn add(rest: &str, told: &mut Told) {
    if rest.split_whitespace().any(|word| word.starts_with("--checksum=")) {
        return;
    }
    // A list of words has quotes around each.
    for address in rest.split_whitespace().map(|word| word.trim_matches(['[', ']', '"', ','])) {
        let is_address = |scheme: &&str| {
            address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        let schemes = ["http://", "https://", "ftp://", "git://", "ssh://", "git@"];
        if !schemes.iter().any(is_address) || names_commit(address) {
            continue;
        }
        let host = address.split_once("://").map_or(address, |(_, rest)| rest);
        // Behind a colon a port, or of git's short form the path.
        let host = host.split(['/', '?']).next().unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default();
        told.push(("remote-add", Severity::Low, format!("adds what {} answers", word(host))));
    }
}

/// Whether the address of a git repository names a commit by its whole digest: `…git#DIGEST:folder`, `…git?commit=DIGEST`.
fn names_commit(address: &str) -> bool {
    let is_digest =
        |text: &str| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let by_fragment = address.split_once('#').and_then(|(_, name)| name.split(':').next());
    let asked = address.split_once('?').map_or("", |(_, asked)| asked.split('#').next().unwrap_or_default());
    let mut by_query = asked.split('&').filter_map(|one| one.split_once('='));
    by_fragment.is_some_and(is_digest)
        || by_query.any(|(name, value)| matches!(name, "commit" | "checksum" | "ref") && is_digest(value))
}

/// What a health check runs, over and over, as Docker's builders write it (`&{["CMD-SHELL" "curl …"] "30s" …}`) and as a Dockerfile
/// has it; false if not all of it was read.
fn health_check(rest: &str, told: &mut Told) -> bool {
    let written = rest.strip_prefix("&{").and_then(|rest| rest.split_once("] ")).map(|(words, _)| words);
    let script = match written {
        Some(words) => {
            let words = format!("{}]", words.replace("\" \"", "\",\""));
            match serde_json::from_str::<Vec<String>>(&words).unwrap_or_default().as_slice() {
                [how, script] if how == "CMD-SHELL" => script.clone(),
                [_, words @ ..] => shell::quoted(words),
                [] => return true,
            }
        }
        None => match rest.split_once("CMD ").map(|(_, command)| command.trim()) {
            Some(command) => listed(command).unwrap_or_else(|| command.to_owned()),
            None => return true,
        },
    };
    let (acts, whole) = shell::acts(&script);
    for act in acts {
        let what = format!("sets a health check that {} ({})", act.kind.in_words(), word(&act.subject));
        told.push(("code-from-network", act.kind.severity(), what));
    }
    whole
}

/// Build arguments before a command, `|2 A=1 B=2 /bin/sh -c script`, and the command. A value may hold blanks; the shell ends
/// them all, and without one their number does.
fn arguments(run: &str) -> (Vec<(&str, &str)>, &str) {
    let Some((number, rest)) = run.strip_prefix('|').and_then(|run| run.split_once(' ')) else {
        return (Vec::new(), run);
    };
    let mut starts = std::iter::once(0).chain(rest.match_indices(' ').map(|(at, _)| at + 1));
    let shell = starts.clone().find(|at| handed(&rest[*at..]).is_some());
    let command = shell.or_else(|| starts.nth(number.parse().ok()?)).unwrap_or(rest.len());
    let (arguments, command) = rest.split_at(command);
    (arguments.split_whitespace().filter_map(|one| one.split_once('=')).collect(), command)
}

/// What a shell is handed as its script, the rest of the line as it stands: `/bin/bash -eo pipefail -c SCRIPT`.
fn handed(command: &str) -> Option<&str> {
    let (program, mut rest) = command.split_once(' ')?;
    if !shell::is_shell(program.rsplit('/').next()?) {
        return None;
    }
    loop {
        let (option, after) = rest.split_once([' ', '\n'])?;
        let letters = option.strip_prefix(['-', '+']).filter(|letters| !letters.starts_with('-'))?;
        // The name of an option follows.
        rest = if letters.ends_with(['o', 'O']) { after.split_once(' ')?.1 } else { after };
        if letters.contains('c') {
            return Some(rest);
        }
    }
}

/// What a command does; false if not all of it was read.
fn run(script: &str, told: &mut Told) -> bool {
    let checked =
        ["sha256sum", "sha512sum", "sha1sum", "shasum", "--verify", "gpgv", "cosign verify", "md5sum"]
            .iter()
            .any(|one| script.contains(one));
    let (acts, whole) = shell::acts(script);
    for act in acts {
        let (rule, severity) = match act.kind {
            ActKind::ReverseShell => ("code-from-network", Severity::Critical),
            ActKind::FetchAndRun if checked && !act.subject.contains(['|', '$']) => continue,
            // Many installers are meant to be run so, and are trusted by those who do.
            ActKind::FetchAndRun => ("code-from-network", Severity::Low),
            ActKind::DecodeAndRun | ActKind::OpensConnection => ("code-from-network", Severity::Medium),
            ActKind::RaisesPrivilege => ("raised-file", Severity::Low),
            // What a step leaves in the image is judged where it lies.
            ActKind::HiddenProgram | ActKind::OpensAccess | ActKind::LoadsModule | ActKind::TakesNode => {
                continue;
            }
        };
        told.push((rule, severity, format!("{} ({})", act.kind.in_words(), word(&act.subject))));
    }
    unchecked::judge(script, told);
    whole
}

/// Whether a build argument is a secret, by its name.
fn secret(name: &str, value: &str, told: &mut Told) {
    let upper = name.to_ascii_uppercase();
    let value = value.trim().trim_matches(['"', '\'']);
    let is_key = [
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "TOKEN",
        "API_KEY",
        "APIKEY",
        "PRIVATE_KEY",
        "ACCESS_KEY",
        "AUTH_KEY",
        "DEPLOY_KEY",
        "ENCRYPTION_KEY",
        "LICENSE_KEY",
        "MASTER_KEY",
        "SIGNING_KEY",
        "SSH_KEY",
        "PASSPHRASE",
        "CREDENTIALS",
    ]
    .iter()
    .any(|one| upper.contains(one))
        // As a whole word at the end: else it is part of many others.
        || ["PASS", "PWD", "PAT"].iter().any(|end| upper.strip_suffix(end).is_some_and(|rest| rest.ends_with('_')));
    // Where it is, or what it is called, is no secret.
    let is_about = ["_FILE", "_PATH", "_URL", "_NAME", "_ID", "_LENGTH", "_VERSION", "_TTL"]
        .iter()
        .any(|end| upper.ends_with(end));
    let is_empty = value.len() < 4
        || matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "none" | "null")
        || value.starts_with('$')
        || value.starts_with(['/', '~', '.']);
    if is_key && !is_about && !is_empty {
        let severity = if value.len() >= 8 { Severity::High } else { Severity::Medium };
        told.push((
            "secret-argument",
            severity,
            format!("keeps the build argument {} ({})", word(name), mask(value)),
        ));
    }
}
