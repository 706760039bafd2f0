//! Passwords of accounts, of the system's and of services, that are empty or can be guessed.
//!
//! - [`accounts`]: bytes of passwd, shadow, group and gshadow into facts; [`services`]: bytes of everything else
//! - [`environment`]: passwords in the image's environment
//! - [`judge`]: facts of all files together into findings, by way of
//!   - [`linux`] and [`severity`]: which of the system's accounts count, how bad that is, and why
//!   - [`guess`] and [`dictionary`]: what is tried, in which order
//!   - [`attempt`] and [`crack`]: trying it within a budget

mod accounts;
mod attempt;
mod crack;
mod dictionary;
mod environment;
mod guess;
mod judge;
mod linux;
mod services;
mod severity;
mod suspect;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod missed;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use pratique_core::{DetectorInfo, GapKind};
use serde::{Deserialize, Serialize};

use crate::{Detector, Fact, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome, Rule};

/// The detector `weak-password`.
pub(super) static DETECTOR: WeakPassword = WeakPassword;

/// See the module.
pub(super) struct WeakPassword;

const INFO: &DetectorInfo = pratique_core::detector::described("weak-password");

const ACCOUNTS: Interest = Interest::head(
    &[
        "etc/passwd",
        "etc/passwd[-+~]",
        "etc/passwd.*",
        "etc/shadow",
        "etc/shadow[-+~]",
        "etc/shadow.*",
        "etc/group",
        "etc/group[-+~]",
        "etc/group.*",
        "etc/gshadow",
        "etc/gshadow[-+~]",
        "etc/gshadow.*",
    ],
    4 << 20,
);

static INTERESTS: LazyLock<Vec<Interest>> = LazyLock::new(|| {
    let services = services::SERVICES.iter().flat_map(|service| service.interests());
    [ACCOUNTS].into_iter().chain(services).collect()
});

/// What is noted of a file.
#[derive(Serialize, Deserialize)]
enum Noted {
    Linux(accounts::Accounts),
    Service(services::Logins),
}

impl Noted {
    /// How many accounts it speaks of.
    fn accounts(&self) -> usize {
        match self {
            Self::Linux(noted) => noted.entries.len(),
            Self::Service(noted) => noted.logins.len(),
        }
    }
}

const RULES: &[Rule] = &[
    Rule {
        id: "linux-account",
        severity: "Low to Critical",
        reference: "ATT&CK T1078.003, CWE-521",
        what: "accounts of /etc/passwd and /etc/shadow, and of copies beside them, that ask for no password or whose password can be guessed",
        why: "a process that was broken into becomes that account by su; whoever finds a login service gets in",
        remedy: "lock the account: usermod -p '*' USER",
    },
    Rule {
        id: "linux-group",
        severity: "Low to Medium",
        reference: "ATT&CK T1078.003, CWE-521",
        what: "groups of /etc/group and /etc/gshadow whose password can be guessed",
        why: "whoever knows it gains what the group may do, by newgrp",
        remedy: "remove the password: gpasswd -r GROUP",
    },
    Rule {
        id: "service-account",
        severity: "Low to High",
        reference: "ATT&CK T1078.001, CWE-521, CWE-1392",
        what: "accounts of databases, servers and tools whose password can be guessed, or is the one their product comes with",
        why: "whoever reaches the service logs in, and every container of the image has the same password",
        remedy: "take the password out of the image and give the container one from a Secret",
    },
    Rule {
        id: "service-open",
        severity: "Low to High",
        reference: "ATT&CK T1078, CWE-306",
        what: "services that are set to ask for no password",
        why: "whoever reaches the service is its administrator",
        remedy: "turn authentication on in the file that the finding names",
    },
    Rule {
        id: "environment",
        severity: "Medium to High",
        reference: "ATT&CK T1078.001, CWE-526",
        what: "passwords in the image's environment that can be guessed, and settings there that ask for none",
        why: "many images make their first account from it, and it is the same in every container",
        remedy: "leave it unset in the image and set it from a Secret where the container is run",
    },
    Rule {
        id: "ssh-key",
        severity: "High",
        reference: "ATT&CK T1552.004, CWE-522",
        what: "private SSH keys of root that no passphrase protects",
        why: "whoever can pull the image, or read one file of its container, becomes root wherever the key is let in",
        remedy: "take the key out in the step that brought it, mount it where it is needed, and replace it where it is let in",
    },
];

impl Detector for WeakPassword {
    fn info(&self) -> &'static DetectorInfo {
        INFO
    }

    fn interests(&self) -> &'static [Interest] {
        &INTERESTS
    }

    fn rules(&self) -> &'static [Rule] {
        RULES
    }

    fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        let Some((table, backup)) = accounts::Table::of(file.path) else {
            return services::inspect(file);
        };
        let (accounts, mut problems) = accounts::parse(table, backup, file.bytes);
        problems.extend(cut(file));
        note(&Noted::Linux(accounts), problems)
    }

    fn judge(&self, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
        judge::judge(INFO, image, facts)
    }
}

/// What to say of a file of which only the beginning was handed over.
fn cut(file: &FileInput<'_>) -> Option<(GapKind, String)> {
    let reason = || format!("only the first {} of its {} bytes were read", file.bytes.len(), file.size);
    file.is_cut().then(|| (GapKind::Limit, reason()))
}

fn note(noted: &Noted, mut problems: Vec<(GapKind, String)>) -> FileReport {
    let facts = match serde_json::to_vec(noted) {
        Ok(json) => vec![Fact(json)],
        Err(error) => {
            problems.push((GapKind::Malformed, format!("its accounts cannot be noted: {error}")));
            Vec::new()
        }
    };
    FileReport { facts, problems }
}
