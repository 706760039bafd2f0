//! How an image was built, as its history says: what of its steps is risky.

use std::collections::BTreeMap;

use pratique_core::detector::described;
use pratique_core::mask::mask;
use pratique_core::{DetectorInfo, Finding, GapKind, Severity};

use crate::shell::{self, ActKind};
use crate::signs::word;
use crate::{Detector, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome, Rule};

/// The detector `build-history`.
pub(super) static DETECTOR: History = History;

/// See the module.
pub(super) struct History;

const INFO: &DetectorInfo = described("build-history");

const RULES: &[Rule] = &[
    Rule {
        id: "remote-add",
        severity: "Low",
        reference: "CWE-494, CIS Docker 4.9",
        what: "ADD of an address without --checksum",
        why: "whoever answers at that address decides what is in the image",
        remedy: "ADD --checksum=sha256:… ADDRESS, or fetch and check in one RUN",
    },
    Rule {
        id: "code-from-network",
        severity: "Low to Critical",
        reference: "ATT&CK T1195.002, CWE-494",
        what: "steps that fetch code and run it without checking it (curl | sh), decode code and run it, or open a shell to the network",
        why: "the build runs whatever the other side sends that day; a shell that is opened in a build is an attack",
        remedy: "fetch a version, compare its checksum or signature, then run it",
    },
    Rule {
        id: "unchecked-packages",
        severity: "Medium",
        reference: "CWE-347",
        what: "package managers and downloads that are told not to check signatures or certificates (--allow-unauthenticated, [trusted=yes], --allow-untrusted, --nogpgcheck, --trusted-host, curl -k, --no-check-certificate)",
        why: "whoever is on the way decides what is installed",
        remedy: "install the repository's key and leave the checks on",
    },
    Rule {
        id: "secret-argument",
        severity: "Medium to High",
        reference: "CWE-532, CIS Docker 4.10",
        what: "build arguments with a value whose name says that they are a password, a token or a key",
        why: "arguments stay in the history: whoever pulls the image reads them",
        remedy: "change the secret, and hand it over by RUN --mount=type=secret",
    },
    Rule {
        id: "raised-file",
        severity: "Low",
        reference: "ATT&CK T1548.001",
        what: "steps that make a file setuid or give it capabilities",
        why: "whoever runs it has those rights; the detector escalation judges what is left of it",
        remedy: "leave the step out",
    },
];

/// Steps that are read, and bytes of each.
const MAX_STEPS: usize = 2_000;
const MAX_STEP: usize = 64 << 10;

impl Detector for History {
    fn info(&self) -> &'static DetectorInfo {
        INFO
    }

    fn interests(&self) -> &'static [Interest] {
        &[]
    }

    fn rules(&self) -> &'static [Rule] {
        RULES
    }

    fn inspect(&self, _file: &FileInput<'_>) -> FileReport {
        FileReport::default()
    }

    fn judge(&self, image: &ImageInput<'_>, _facts: &[LocatedFact]) -> Outcome {
        let mut outcome = Outcome::default();
        let steps = image.config.map(|config| config.history.as_slice()).unwrap_or_default();
        let mut limit = |reason: String| outcome.gaps.push(INFO.gap(GapKind::Limit, reason));
        if steps.len() > MAX_STEPS {
            limit(format!("only the first {MAX_STEPS} steps of the image's history were read"));
        }
        let mut findings = Vec::new();
        for (entry, number) in steps.iter().take(MAX_STEPS).zip(1..) {
            if entry.created_by.len() > MAX_STEP {
                limit(format!(
                    "step {number} of the image's history is longer than {MAX_STEP} bytes and was not read"
                ));
                continue;
            }
            let mut told = Vec::new();
            if !Step::of(&entry.created_by).judge(&mut told) {
                limit(format!(
                    "step {number} of the image's history is deeper than scripts are read, or does more"
                ));
            }
            findings.extend(told.into_iter().map(|(rule, severity, what)| Finding {
                attributes: BTreeMap::from([("step".to_owned(), number.to_string())]),
                ..INFO.finding(rule, severity, format!("step {number} {what}"))
            }));
        }
        findings.sort();
        findings.dedup();
        outcome.findings = findings;
        outcome
    }
}

type Told = Vec<(&'static str, Severity, String)>;

/// A step of the build.
enum Step<'s> {
    /// A command, with the build arguments that it was given.
    Run { arguments: Vec<(&'s str, &'s str)>, script: &'s str },
    /// Another instruction and the rest of its line.
    Other { instruction: &'s str, rest: &'s str },
}

impl<'s> Step<'s> {
    /// From the forms that Docker's builder, BuildKit, Buildah and Kaniko write.
    fn of(step: &'s str) -> Self {
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
        // `|2 A=1 B=2 /bin/sh -c script`: so many arguments. A value may hold blanks; the shell ends them all.
        let (arguments, script) = match run.find("/bin/sh -c ").or_else(|| run.find("/bin/bash -")) {
            Some(at) if run.starts_with('|') => (&run[..at], &run[at..]),
            _ => ("", run),
        };
        let arguments = arguments.split_whitespace().skip(1).filter_map(|one| one.split_once('=')).collect();
        // What follows the shell is a script as it stands, without quotes around it.
        let script = [
            "/bin/sh -c ",
            "/bin/bash -c ",
            "/bin/bash -o pipefail -c ",
            "/bin/bash -eo pipefail -c ",
            "/bin/ash -eo pipefail -c ",
        ]
        .iter()
        .find_map(|shell| script.strip_prefix(shell))
        .unwrap_or(script);
        Self::Run { arguments, script }
    }

    /// What is risky about it; false if not all of it was read.
    fn judge(&self, told: &mut Told) -> bool {
        match self {
            Self::Run { arguments, script } => {
                for (name, value) in arguments {
                    secret(name, value, told);
                }
                return run(script, told);
            }
            Self::Other { instruction: "ARG", rest } => {
                if let Some((name, value)) = rest.split_once('=') {
                    secret(name, value, told);
                }
            }
            Self::Other { instruction: "ADD", rest } => {
                let checked = rest.split_whitespace().any(|word| word.starts_with("--checksum="));
                let address = rest.split_whitespace().find(|word| {
                    ["http://", "https://", "ftp://"].iter().any(|scheme| word.starts_with(scheme))
                });
                if let Some(address) = address.filter(|_| !checked) {
                    // Without a password, or what is asked for.
                    let host = address
                        .split("://")
                        .nth(1)
                        .unwrap_or_default()
                        .split(['/', '?'])
                        .next()
                        .unwrap_or_default();
                    let host = host.rsplit('@').next().unwrap_or_default();
                    told.push(("remote-add", Severity::Low, format!("adds what {} answers", word(host))));
                }
            }
            Self::Other { .. } => {}
        }
        true
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
            ActKind::HiddenProgram | ActKind::OpensAccess | ActKind::LoadsModule => continue,
        };
        told.push((rule, severity, format!("{} ({})", act.kind.in_words(), word(&act.subject))));
    }
    const UNCHECKED: [&str; 12] = [
        "--allow-unauthenticated",
        "--force-yes",
        "[trusted=yes]",
        "AllowUnauthenticated",
        "--allow-untrusted",
        "--nogpgcheck",
        "--no-gpg-checks",
        "--trusted-host",
        "--no-check-certificate",
        "--allow-insecure-repositories",
        "strict-ssl false",
        "GIT_SSL_NO_VERIFY=1",
    ];
    let mut told_of: Vec<&str> = UNCHECKED.into_iter().filter(|one| script.contains(one)).collect();
    let insecure = |word: &str| {
        word == "--insecure"
            || word == "-k"
            || (word.starts_with('-')
                && !word.starts_with("--")
                && word.len() < 8
                && word.contains('k')
                && word.bytes().skip(1).all(|b| b.is_ascii_alphabetic()))
    };
    // The options of one curl: up to what ends its command.
    let mut of_curl = false;
    for word in script.split_whitespace() {
        match word {
            "|" | "&&" | "||" | ";" => of_curl = false,
            _ if word.rsplit('/').next() == Some("curl") => of_curl = true,
            _ if of_curl && insecure(word) => {
                told_of.push("curl --insecure");
                break;
            }
            _ => {}
        }
    }
    for option in told_of {
        told.push((
            "unchecked-packages",
            Severity::Medium,
            format!("does not check what it fetches ({option})"),
        ));
    }
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
        "CREDENTIALS",
    ]
    .iter()
    .any(|one| upper.contains(one));
    // Where it is, or what it is called, is no secret.
    let is_about = ["_FILE", "_PATH", "_URL", "_NAME", "_ID", "_LENGTH", "_VERSION", "_TTL"]
        .iter()
        .any(|end| upper.ends_with(end));
    let is_empty = value.len() < 4
        || matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "none" | "null")
        || value.starts_with('$')
        || value.starts_with('/');
    if is_key && !is_about && !is_empty {
        let severity = if value.len() >= 8 { Severity::High } else { Severity::Medium };
        told.push((
            "secret-argument",
            severity,
            format!("keeps the build argument {} ({})", word(name), mask(value)),
        ));
    }
}

#[cfg(test)]
mod tests {
    use pratique_core::ImageConfig;
    use pratique_core::attempts::Attempts;
    use pratique_core::config::HistoryEntry;
    use pratique_core::package::Ownership;

    use super::*;

    #[test]
    fn golden_cases() {
        crate::golden::check(&DETECTOR);
    }

    fn judge(steps: impl IntoIterator<Item = String>) -> Outcome {
        let entry = |created_by| HistoryEntry { created_by, ..HistoryEntry::default() };
        let config =
            ImageConfig { history: steps.into_iter().map(entry).collect(), ..ImageConfig::default() };
        let image = ImageInput {
            names: &[],
            config: Some(&config),
            layers: &[],
            bases: &[],
            ownership: &Ownership::default(),
            dictionary: &[],
            hash_budget: std::time::Duration::ZERO,
            attempts: &Attempts::new(),
        };
        DETECTOR.judge(&image, &[])
    }

    #[test]
    fn what_is_not_read_of_a_step_is_a_gap_and_what_is_beside_it_is_found() {
        let beside = || "ADD http://x.test/b /b".to_owned();
        for hostile in [
            format!("RUN {}", "a".repeat(1 << 20)),
            format!("RUN {}", "$(".repeat(10_000)),
            format!("RUN {}", (0..40).map(|n| format!("/tmp/program{n};")).collect::<String>()),
            format!("RUN {}", "eval ".repeat(1_000)),
        ] {
            let outcome = judge([hostile, beside()]);
            assert_eq!(outcome.gaps.len(), 1, "{:?}", outcome.gaps);
            let gap = &outcome.gaps[0];
            assert!(gap.kind == GapKind::Limit && gap.reason.starts_with("step 1 "), "{gap:?}");
            assert_eq!(gap.detector.as_deref(), Some(INFO.id));
            assert!(outcome.findings.iter().any(|finding| finding.rule == "remote-add"));
        }
        let many = judge((0..100_000).map(|_| beside()));
        assert_eq!((many.findings.len(), many.gaps.len()), (MAX_STEPS, 1));
        assert!(many.gaps[0].reason.contains("only the first 2000 steps"), "{:?}", many.gaps);
    }

    /// Each of its words could be the option of every curl before it.
    #[test]
    fn a_step_full_of_curls_is_read_in_one_pass() {
        let step = |rest: &str| format!("RUN {}{rest}", "curl ".repeat(13_000));
        assert_eq!(judge([step("-x ; -k")]).findings, []);
        assert_eq!(judge([step("| -k")]).findings, []);
        assert_eq!(judge([step("-sk x")]).findings[0].rule, "unchecked-packages");
    }
}
