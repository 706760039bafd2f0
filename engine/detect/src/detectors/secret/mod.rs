//! Secrets that were left in an image: tokens, keys and logins, by their documented shapes.
//!
//! - [`shapes`], [`checks`]: what they look like, and what of that a pattern cannot tell
//! - [`pgp`]: private keys of OpenPGP, by their packets
//! - [`encoded`]: what is encoded and says a text
//! - [`finder`]: looking for all of them at once
//! - [`custom`]: looking for what a user's rules describe
//! - [`assigned`]: what has no shape, but a name that tells, [`by_service`]: one that names the service, and [`name`]: how names are written
//! - [`commands`]: what shells remember, [`stores`]: where programs keep passwords, and [`manifest`]: Secrets of Kubernetes
//! - [`mylogin`]: what MySQL hides
//! - [`database`]: rows of SQLite; [`browser`]: logins that browsers store, [`firefox_key`]: what protects them, and [`cookies`]: sessions
//! - [`archive`]: files in archives, and whose they are; [`member`]: those that are read whole
//! - [`notes`]: what is noted of a file, and [`config`] of the image's config
//! - [`judge`]: from there to findings, with what packages say of their files

mod archive;
mod assigned;
mod browser;
mod by_service;
mod checks;
mod commands;
mod config;
mod cookies;
mod custom;
mod database;
mod encoded;
mod finder;
mod firefox_key;
mod judge;
mod manifest;
mod member;
mod mylogin;
mod name;
mod named;
mod notes;
mod pgp;
mod published;
mod shapes;
mod stores;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use pratique_core::DetectorInfo;
use pratique_core::database::sqlite;
use pratique_core::detector::described;

use crate::{
    Detector, Extent, FileInput, FileReport, ImageInput, Interest, Links, LocatedFact, Outcome, Rule,
    SecretRules, Stream,
};

/// The detector `secret`.
pub(super) static DETECTOR: Secrets = Secrets { rules: None };

/// See the module.
pub(super) struct Secrets {
    /// The user's own.
    rules: Option<Arc<SecretRules>>,
}

impl Secrets {
    pub(super) fn with(rules: SecretRules) -> Self {
        Self { rules: Some(Arc::new(rules)) }
    }
}

/// Whether there is a built-in kind of this id.
pub(super) fn is_kind(id: &str) -> bool {
    shapes::SHAPES.iter().any(|shape| shape.id == id)
}

const INFO: &DetectorInfo = described("secret");

/// Of a longer file the rest is not looked at, which is a gap.
const MAX_SIZE: u64 = 4 << 30;

/// A larger database is looked at in pieces only.
const MAX_DATABASE: u64 = 1 << 30;

/// Every file: a secret is one wherever it lies. Of databases the rows, and what browsers store.
const INTERESTS: &[Interest] = &[
    Interest { globs: &["**"], heads: &[], min_size: 8, extent: Extent::Stream(MAX_SIZE) },
    Interest { heads: &[sqlite::HEAD], ..Interest::whole(&["**"], MAX_DATABASE) },
    Interest { heads: sqlite::LOG_HEADS, ..Interest::whole(&["**/*-wal"], MAX_DATABASE) },
    Interest { heads: &[b"{"], ..Interest::whole(browser::FIREFOX, browser::MAX_SIZE) },
];

const LEFT: &str = "whoever can pull the image has it, and so has whoever breaks into a container";
const REVOKE: &str = "revoke it, and hand its successor over as a Secret that is mounted, or at build time by RUN --mount=type=secret; deleting the file in a later step takes nothing back";

const RULES: &[Rule] = &[
    Rule {
        id: "cloud-key",
        severity: "Low to Critical",
        reference: "CWE-798, ATT&CK T1552.001",
        what: "keys and tokens of clouds",
        why: LEFT,
        remedy: REVOKE,
    },
    Rule {
        id: "code-token",
        severity: "Low to High",
        reference: "CWE-798, ATT&CK T1552.001",
        what: "tokens of services that keep code, packages and images",
        why: "whoever has it may change what others build and run",
        remedy: REVOKE,
    },
    Rule {
        id: "service-token",
        severity: "Low to High",
        reference: "CWE-798, ATT&CK T1552.001",
        what: "tokens and keys of other services, and JSON web tokens",
        why: LEFT,
        remedy: REVOKE,
    },
    Rule {
        id: "private-key",
        severity: "Low to High",
        reference: "CWE-321, ATT&CK T1552.004",
        what: "private keys of TLS, SSH, OpenPGP and the like; low if they need a passphrase",
        why: "whoever has it can pass for its owner",
        remedy: REVOKE,
    },
    Rule {
        id: "stored-login",
        severity: "Low to High",
        reference: "CWE-522, ATT&CK T1552.001",
        what: "passwords in URLs, logins that programs keep (of registries (Docker, npm), .netrc, .pgpass, Maven, kubeconfig, Firefox, Chromium, WordPress and some twenty others), passwords and tokens in manifests of Kubernetes' Secrets, sessions that browsers keep, and passwords that commands were given, in the history of a shell or of the image's build",
        why: LEFT,
        remedy: REVOKE,
    },
    Rule {
        id: "assigned-secret",
        severity: "Low",
        reference: "CWE-798, ATT&CK T1552.001",
        what: "values that look random and are assigned to a name like password, secret, token or api_key; no issuer's shape tells what they are for",
        why: LEFT,
        remedy: "look at it; if it opens something, revoke it, and hand its successor over as a Secret that is mounted",
    },
    Rule {
        id: "published-sample",
        severity: "Negligible",
        reference: "CWE-798",
        what: "what has the shape of a secret in files that are as their package brought them, counted by package",
        why: "it is no secret: everybody has it; but nothing may be protected by such a key",
        remedy: "nothing, unless your service uses it",
    },
    Rule {
        id: "custom-rule",
        severity: "as the rule says",
        reference: "CWE-798, ATT&CK T1552.001",
        what: "what a rule of yours describes, if you gave any",
        why: LEFT,
        remedy: REVOKE,
    },
];

impl Detector for Secrets {
    fn info(&self) -> &'static DetectorInfo {
        INFO
    }

    fn revision(&self) -> Option<String> {
        self.rules.as_ref().map(|rules| rules.revision().to_owned())
    }

    fn interests(&self) -> &'static [Interest] {
        INTERESTS
    }

    fn rules(&self) -> &'static [Rule] {
        RULES
    }

    fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        let search = notes::Search::new(file.path, archive::is_member(file), self.rules.clone());
        database::inspect(file, Box::new(search))
    }

    fn stream(&self, file: &FileInput<'_>) -> Option<Box<dyn Stream>> {
        let rules = self.rules.clone();
        Some(match archive::is_member(file) {
            true => Box::new(member::Member::new(file, rules)),
            false => Box::new(notes::Search::new(file.path, false, rules)),
        })
    }

    /// Every file is met where it lies.
    fn links(&self) -> Links {
        Links::NotFollowed
    }

    fn looks_into_archives(&self) -> bool {
        true
    }

    fn judges_removed(&self) -> bool {
        true
    }

    fn judge(&self, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
        judge::judge(image, facts, self.rules.as_ref())
    }
}
