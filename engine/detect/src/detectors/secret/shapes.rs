//! What secrets look like, by who issues them. The shapes are those the providers document.

mod clouds;
mod code;
mod services;

use pratique_core::Severity;

use super::assigned::{ASSIGNED, ASSIGNED_CAMEL};
use super::browser;
use super::by_service::BY_SERVICE;
use super::checks::{
    is_bech32, is_common_password, is_jwt, is_login, is_open_key, is_own_password, is_protected_key, varied,
};
use super::commands::COMMAND;
use super::cookies;
use super::manifest::MANIFEST;
use super::name;
use super::named::{
    AZURE_DEVOPS, CONNECTION, KUBECONFIG_KEY, KUBECONFIG_TOKEN, NETRC, NPM_LOGIN, NPM_TOKEN, PGPASS,
    WIREGUARD, XML_PASSWORD,
};
use super::pgp::{GNUPG, GNUPG_PROTECTED, PGP, PGP_PROTECTED};
use super::stores::STORED;

/// A kind of secret.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Stable id, lower-case with dashes.
    pub(super) id: &'static str,
    /// What it is, in the singular.
    pub(super) what: &'static str,
    /// The detector's rule that reports it.
    pub(super) rule: &'static str,
    /// How bad it is to find one.
    pub(super) severity: Severity,
    /// A match begins with one of these, behind its lead.
    pub(super) literals: &'static [&'static str],
    /// Whether the literals are words of names (`api_key`): they are looked for in each way to write a name, and the pattern is
    /// what follows one.
    pub(super) are_names: bool,
    /// Bytes of a match before its literal. With none, a match does not begin within a word.
    pub(super) lead: usize,
    /// What a match looks like, from its lead on. The first group that took part is the secret; without one, all of it.
    pub(super) pattern: &'static str,
    /// Bytes from the lead on that the pattern is tried on; fewer than [`pratique_core::inspect::OVERLAP`] by far.
    pub(super) reach: usize,
    /// Whether the secret of a match is one.
    pub(super) check: fn(&[u8]) -> bool,
}

/// What gives access to a cloud.
pub(super) const CLOUD: Shape = Shape {
    id: "",
    what: "",
    rule: "cloud-key",
    severity: Severity::High,
    literals: &[],
    are_names: false,
    lead: 0,
    pattern: "",
    reach: 400,
    check: varied,
};

/// What gives access to code, packages and images.
pub(super) const CODE: Shape = Shape { rule: "code-token", ..CLOUD };

/// What gives access to a service.
pub(super) const SERVICE: Shape = Shape { rule: "service-token", ..CLOUD };

/// What a machine or a person proves with who it is.
pub(super) const KEY: Shape = Shape { rule: "private-key", ..CLOUD };

/// A name's password, where a program keeps it.
pub(super) const LOGIN: Shape = Shape { rule: "stored-login", ..CLOUD };

const fn shape(
    of: Shape,
    id: &'static str,
    what: &'static str,
    literals: &'static [&'static str],
    pattern: &'static str,
) -> Shape {
    Shape { id, what, literals, pattern, ..of }
}

impl Shape {
    /// The literals as they are looked for.
    pub(super) fn spellings(&self) -> Vec<String> {
        let literals = self.literals.iter();
        match self.are_names {
            true => literals.flat_map(|name| name::spellings(name)).collect(),
            false => literals.map(|literal| (*literal).to_owned()).collect(),
        }
    }

    /// The pattern of a match, from its lead on.
    pub(super) fn regex(&self) -> String {
        match self.are_names {
            true => format!("(?i:{}){}", self.literals.join("|").replace('_', "[_-]?"), self.pattern),
            false => self.pattern.to_owned(),
        }
    }

    /// The same, found by literals that stand so many bytes from its start.
    const fn after(self, lead: usize) -> Self {
        Self { lead, ..self }
    }
}

/// What [`Shape::pattern`] says of a prefix and a UUID.
macro_rules! before_uuid {
    ($prefix:literal) => {
        concat!($prefix, "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
    };
}
use before_uuid;

/// All of them. Where two find the same, the earlier one counts.
pub(super) const SHAPES: &[Shape] = &joined::<{ count() }>();

const PARTS: &[&[Shape]] = &[
    code::SHAPES,
    clouds::SHAPES,
    services::SHAPES,
    OF_ANY,
    BY_SERVICE,
    &[STORED, MANIFEST, ASSIGNED, ASSIGNED_CAMEL],
];

const fn count() -> usize {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
}

const fn joined<const COUNT: usize>() -> [Shape; COUNT] {
    let mut all = [CLOUD; COUNT];
    let (mut next, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut place = 0;
        while place < PARTS[part].len() {
            all[next] = PARTS[part][place];
            (next, place) = (next + 1, place + 1);
        }
        part += 1;
    }
    all
}

/// Keys and logins of any issuer.
const OF_ANY: &[Shape] = &[
    Shape {
        check: is_bech32,
        ..shape(KEY, "age-key", "age key", &["AGE-SECRET-KEY-1"], "AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}")
    },
    Shape {
        reach: 8 << 10,
        ..shape(
            KEY,
            "putty-key",
            "PuTTY private key",
            &["PuTTY-User-Key-File-"],
            "PuTTY-User-Key-File-[23]: [0-9a-z-]{3,40}\\r?\\nEncryption: none\\r?\\n[\\x0a\\x0d\\x20-\\x7e]{10,}?Private-Lines: [0-9]{1,3}\\r?\\n((?:[0-9A-Za-z+/=]{4,64}\\r?\\n)+)",
        )
    },
    // Where programs keep logins.
    Shape {
        check: is_login,
        reach: 2 << 10,
        ..shape(
            LOGIN,
            "registry-login",
            "login of a container registry",
            &["\"auth\""],
            "\"auth\"\\s{0,4}:\\s{0,4}\"([0-9A-Za-z+/]{8,}={0,2})\"",
        )
    },
    NPM_TOKEN,
    NPM_LOGIN,
    NETRC,
    PGPASS,
    XML_PASSWORD,
    KUBECONFIG_TOKEN,
    KUBECONFIG_KEY,
    CONNECTION,
    COMMAND,
    browser::OPEN,
    browser::KEYRING,
    browser::PRIMARY,
    browser::PROTECTED,
    cookies::OPEN,
    cookies::KEYRING,
    AZURE_DEVOPS,
    WIREGUARD,
    PGP,
    PGP_PROTECTED,
    GNUPG,
    GNUPG_PROTECTED,
    Shape { reach: 8 << 10, check: is_open_key, ..shape(KEY, "private-key", "private key", BEGIN, PEM) },
    Shape {
        reach: 8 << 10,
        severity: Severity::Low,
        check: is_protected_key,
        ..shape(KEY, "private-key-protected", "private key with a passphrase", BEGIN, PEM)
    },
    Shape {
        reach: 4 << 10,
        severity: Severity::Medium,
        check: is_jwt,
        ..shape(
            SERVICE,
            "jwt",
            "JSON web token",
            &["eyJ"],
            "eyJ[0-9A-Za-z_-]{10,}\\.eyJ[0-9A-Za-z_-]{2,}\\.[0-9A-Za-z_-]{16,}",
        )
    },
    Shape { check: is_own_password, ..shape(LOGIN, "url-password", "password in a URL", &["://"], URL) },
    // Documentation is full of them, and some people take them at their word.
    Shape {
        severity: Severity::Low,
        check: is_common_password,
        ..shape(LOGIN, "url-common-password", "password in a URL that stands in many examples", &["://"], URL)
    },
];

/// Place of the shape of this id in [`SHAPES`].
pub(super) fn place(id: &str) -> Option<usize> {
    SHAPES.iter().position(|shape| shape.id == id)
}

const URL: &str = "://[0-9A-Za-z._~%+-]{1,64}:([^\\s:/@\"'<>${}\\x00-\\x20]{6,100})@[0-9A-Za-z\\[]";

/// How the private keys of RFC 7468, of OpenSSL before it and of OpenSSH begin.
const BEGIN: &[&str] = &[
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN DSA PRIVATE KEY-----",
    "-----BEGIN EC PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
];
const PEM: &str = "-----BEGIN [A-Z ]{0,10}PRIVATE KEY-----[\\s\\\\0-9A-Za-z+/=:,.-]{40,}?-----END [A-Z ]{0,10}PRIVATE KEY-----";
