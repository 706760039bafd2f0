//! How an image was built, as its history says: what of its steps is risky.

mod step;
mod unchecked;

use std::collections::BTreeMap;

use pratique_core::detector::described;
use pratique_core::{DetectorInfo, Finding, GapKind};

use self::step::Step;
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
        what: "ADD of an address without --checksum, and of a git repository without a whole commit",
        why: "whoever answers at that address decides what is in the image",
        remedy: "ADD --checksum=sha256:… ADDRESS, or ADDRESS.git#COMMIT, or fetch and check in one RUN",
    },
    Rule {
        id: "code-from-network",
        severity: "Low to Critical",
        reference: "ATT&CK T1195.002, CWE-494",
        what: "steps that fetch code and run it without checking it (curl | sh), decode code and run it, or open a shell to the network, the same of triggers (ONBUILD), and health checks that do any such thing or run a program from a hidden or open folder",
        why: "the build runs whatever the other side sends that day; a shell that is opened in a build is an attack",
        remedy: "fetch a version, compare its checksum or signature, then run it",
    },
    Rule {
        id: "unchecked-packages",
        severity: "Low to Medium",
        reference: "CWE-295, CWE-347",
        what: "package managers and downloads that are told not to check signatures, certificates or host keys, by options (--allow-unauthenticated, --allow-untrusted, --nogpgcheck, --trusted-host, --no-check-certificate, curl -k), settings ([trusted=yes], gpgcheck=0, strict-ssl false, http.sslVerify false) or variables (NODE_TLS_REJECT_UNAUTHORIZED=0, GIT_SSL_NO_VERIFY), and keys of packages that come over plain http or are named by eight digits",
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

#[cfg(test)]
mod tests {
    use pratique_core::ImageConfig;
    use pratique_core::config::HistoryEntry;

    use super::*;

    #[test]
    fn golden_cases() {
        crate::golden::check(&DETECTOR);
    }

    fn judge(steps: impl IntoIterator<Item = String>) -> Outcome {
        let entry = |created_by| HistoryEntry { created_by, ..HistoryEntry::default() };
        let config =
            ImageConfig { history: steps.into_iter().map(entry).collect(), ..ImageConfig::default() };
        let image = ImageInput { config: Some(&config), ..ImageInput::default() };
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
