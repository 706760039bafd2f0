//! What is known of a detector without running it.

use std::collections::BTreeMap;

use crate::{Category, Finding, Gap, GapKind, Severity};

/// The description of one detector: compiled into every part, so that a policy can be checked without the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectorInfo {
    /// Stable id, lower-case with dashes, such as `weak-password`.
    pub id: &'static str,
    /// Version of its rules: raised whenever the same bytes could give another result.
    pub version: u32,
    /// Category of all its findings.
    pub category: Category,
    /// The rules it can report, such as `linux-account`.
    pub rules: &'static [&'static str],
    /// What it looks for, in one sentence.
    pub summary: &'static str,
}

impl DetectorInfo {
    /// A finding of this detector about the image as a whole, without details; whoever knows its place adds it.
    pub fn finding(
        &self,
        rule: impl Into<String>,
        severity: Severity,
        message: impl Into<String>,
    ) -> Finding {
        Finding {
            detector: self.id.to_owned(),
            rule: rule.into(),
            category: self.category,
            severity,
            message: message.into(),
            path: None,
            layer: None,
            attributes: BTreeMap::new(),
        }
    }

    /// That this detector lacks something of the image as a whole; whoever knows the place adds it.
    pub fn gap(&self, kind: GapKind, reason: impl Into<String>) -> Gap {
        Gap { detector: Some(self.id.to_owned()), ..Gap::of_image(kind, reason) }
    }
}

/// The detector of what is risky in an image's config.
pub const IMAGE_CONFIG: &str = "image-config";
/// Its rule on images whose process is root, which knows the image's own accounts.
pub const RUNS_AS_ROOT: &str = "runs-as-root";

/// What matches packages with advisories: no detector of files, and run where the advisories are.
pub static VULNERABILITY: DetectorInfo = DetectorInfo {
    id: "vulnerability",
    version: 1,
    category: Category::Vulnerability,
    rules: &["package", "end-of-life"],
    summary: "packages with known flaws, and releases that get no more updates",
};

/// All that findings can come from: the detectors of files, and [`VULNERABILITY`].
pub fn all() -> impl Iterator<Item = &'static DetectorInfo> {
    DETECTORS.iter().chain([&VULNERABILITY])
}

/// All detectors of files there are, by id. The engine's registry is checked against this list by a test.
pub const DETECTORS: &[DetectorInfo] = &[
    DetectorInfo {
        id: "weak-password",
        version: 5,
        category: Category::WeakPassword,
        rules: &["linux-account", "linux-group", "service-account", "service-open", "environment", "ssh-key"],
        summary: "passwords of Linux accounts and of services that are empty or can be guessed",
    },
    DetectorInfo {
        id: "backdoor",
        version: 7,
        category: Category::Backdoor,
        rules: &[
            "boot-hook",
            "cron-job",
            "desktop-start",
            "event-hook",
            "git-hook",
            "inetd-service",
            "init-script",
            "kernel-module",
            "name-service",
            "library-module",
            "package-manager-hook",
            "pam",
            "linker-preload",
            "python-startup",
            "server-command",
            "shell-startup",
            "ssh-access",
            "supervised-service",
            "systemd-unit",
            "tool-startup",
            "udev-rule",
        ],
        summary: "ways back in, and ways to be started again, that no package brought",
    },
    DetectorInfo {
        id: "escalation",
        version: 5,
        category: Category::Escalation,
        rules: &[
            "setuid",
            "setuid-count",
            "file-capability",
            "world-writable",
            "sudo-rule",
            "polkit-rule",
            "root-account",
        ],
        summary: "ways from less to more privilege: setuid, capabilities, sudo, accounts, modes",
    },
    DetectorInfo {
        id: "tampering",
        version: 1,
        category: Category::Tampering,
        rules: &[
            "changed-program",
            "changed-configuration",
            "changed-documentation",
            "unowned-program",
            "misplaced-program",
        ],
        summary: "files that are not what their package brought, and programs where none belong",
    },
    DetectorInfo {
        id: IMAGE_CONFIG,
        version: 5,
        category: Category::ImageConfig,
        rules: &["remote-login-port", "start-command", "moving-base", RUNS_AS_ROOT, "no-health-check"],
        summary: "risky settings of the image",
    },
    DetectorInfo {
        id: "build-history",
        version: 3,
        category: Category::History,
        rules: &["remote-add", "code-from-network", "unchecked-packages", "secret-argument", "raised-file"],
        summary: "risky steps of the image's build",
    },
    DetectorInfo {
        id: "base-image",
        version: 1,
        category: Category::Tampering,
        rules: &["poisoned-base", "other-base"],
        summary: "images whose base is not what its name stands for",
    },
    DetectorInfo {
        id: "webshell",
        version: 7,
        category: Category::Webshell,
        rules: &[
            "request-to-code",
            "request-to-command",
            "request-to-include",
            "request-to-file",
            "network-to-code",
            "hidden-code",
        ],
        summary: "programs of web servers that run what a request says",
    },
    DetectorInfo {
        id: "secret",
        version: 9,
        category: Category::Secret,
        rules: &[
            "cloud-key",
            "code-token",
            "service-token",
            "private-key",
            "stored-login",
            "assigned-secret",
            "published-sample",
            "custom-rule",
        ],
        summary: "tokens, keys and logins that were left in files, deleted ones too, and in the image's config",
    },
    DetectorInfo {
        id: "malware",
        version: 9,
        category: Category::Malware,
        rules: &[
            "miner",
            "bot",
            "rootkit",
            "reverse-shell",
            "dropper",
            "ransom-note",
            "known-file",
            "yara-rule",
            "other-scanner",
            "packed-program",
            "test-file",
        ],
        summary: "miners, bots, rootkits, reverse shells, droppers, notes of ransomware, files on your lists of bad ones, packed programs, and the file that tests scanners",
    },
];

/// The description of the detector with this id, which must be one of [`DETECTORS`].
///
/// # Panics
/// If there is none; meant for constants, where that is an error of the compiler.
pub const fn described(id: &str) -> &'static DetectorInfo {
    let mut place = 0;
    while place < DETECTORS.len() {
        let (own, wanted) = (DETECTORS[place].id.as_bytes(), id.as_bytes());
        let mut same = 0;
        while same < own.len() && same < wanted.len() && own[same] == wanted[same] {
            same += 1;
        }
        if same == own.len() && same == wanted.len() {
            return &DETECTORS[place];
        }
        place += 1;
    }
    panic!("no detector has this id")
}
