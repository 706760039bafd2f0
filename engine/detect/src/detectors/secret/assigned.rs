//! Values that are assigned to a name like `password`: no issuer's shape tells them, so they must look as if chance had
//! made them.

use pratique_core::Severity;

use super::checks::entropy;
use super::shapes::{CLOUD, SHAPES, Shape};

/// The rule that reports them.
pub(super) const RULE: &str = "assigned-secret";

const OF: Shape = Shape {
    id: "assigned-secret",
    what: "value of a name that is a secret's",
    rule: RULE,
    severity: Severity::Low,
    reach: 300,
    check: looks_random,
    ..CLOUD
};

/// A name that ends in `$word`, and what is assigned to it: `$quoted` in quotes (whose text may stand in quotes itself),
/// `$bare` up to `$end`, or both in quotes; `$argument` if name and value are two arguments of a call, or `$element` if they
/// are an attribute and its element's text. The value is the group.
macro_rules! assigned {
    ($word:expr, $quoted:expr, $bare:expr, $end:expr, $argument:expr, $element:expr) => {
        concat!(
            $word,
            "(?:[_-]?(?i:key|value|key_base))?[0-9_-]{0,3}(?:",
            "\\\\?[\"']?\\s{0,4}(?:=>|:=|[:=])\\s{0,4}(?:",
            "\\\\?[\"'](",
            $quoted,
            ")\\\\?[\"']|(",
            $bare,
            ")",
            $end,
            ")|[\"']\\s{0,4},\\s{0,4}[\"'](",
            $argument,
            ")[\"']|[\"']>(",
            $element,
            ")</)"
        )
    };
}
pub(super) use assigned;

/// What may be a secret of any kind.
macro_rules! value {
    ($word:literal) => {
        assigned!(
            $word,
            "[!#-&(-~]{10,200}?",
            "[0-9A-Za-z+/=_.!@#%^&*~-]{10,200}",
            "(?:[\\s\\x00\"'\\\\]|\\z)",
            "[!#-&(-~]{10,200}",
            "[!#-;=?-~]{10,200}"
        )
    };
}

pub(super) const ASSIGNED: Shape = Shape {
    literals: &["password", "passwd", "passphrase", "secret", "token", "api_key", "access_key"],
    are_names: true,
    pattern: value!(""),
    ..OF
};

/// The same at the end of a name like `dbPassword`.
pub(super) const ASSIGNED_CAMEL: Shape = Shape {
    literals: &["Password", "Passwd", "Secret", "Token", "ApiKey", "AccessKey"],
    lead: 1,
    pattern: value!("[0-9a-z](?:Passw(?:or)?d|Secret|Token|ApiKey|AccessKey)"),
    ..OF
};

/// Whether the shape at this place of [`SHAPES`] is one of them.
pub(super) fn is(shape: usize) -> bool {
    SHAPES.get(shape).is_some_and(|shape| shape.rule == RULE)
}

/// What stands in the place of a secret, and in what only describes one; in lower case.
const PLACEHOLDERS: &[&str] = &[
    "example",
    "sample",
    "placeholder",
    "change",
    "your",
    "dummy",
    "redact",
    "passw",
    "secret",
    "token",
    "insert",
    "replace",
    "xxx",
    "12345",
    "abcd",
    "qwert",
    "asdf",
    "test",
    "fake",
    "todo",
    "fixme",
    "default",
    "foobar",
    "lorem",
    "hunter2",
    "letmein",
    "null",
    "undefined",
    "none",
    "enter",
    "fill",
    "hidden",
    "masked",
    "deadbeef",
    "cafebabe",
    "000000",
    "......",
    "******",
    "key_here",
    "lookup",
    "vault",
    "secrets.",
    "environ",
    "getenv",
    "process.",
    "config",
];

/// How hashes of passwords name their functions; in lower case.
const HASHES: &[&str] =
    &["pbkdf2", "scrypt", "argon2", "sha256$", "sha512$", "sha1$", "scram-", "{ssha", "{sha"];

/// How templates, references and commands begin, and code goes on.
const REFERENCES: &[&str] = &[
    "${", "$(", "{{", "#{", "%(", "<", ">", "://", "()", "[", "]", "{%", "@{", "%{", "&&", "||", "::", "->",
];

/// How files of packages end: `passwd_1:4.13-1_amd64.deb` assigns nothing to `passwd`.
const PACKAGES: &[&str] = &[".deb", ".udeb", ".rpm"];

/// Whether a value is a placeholder, a reference, a path, a package's file, or a hash, not a secret itself.
pub(super) fn is_stand_in(value: &[u8]) -> bool {
    let lower = String::from_utf8_lossy(value).to_ascii_lowercase();
    let first = value.first().copied().unwrap_or_default();
    matches!(first, b'$' | b'{' | b'@' | b'/' | b'.' | b'%' | b'&' | b'*' | b'-' | b'#')
        || PLACEHOLDERS.iter().any(|word| lower.contains(word))
        || HASHES.iter().any(|function| lower.contains(function))
        || REFERENCES.iter().any(|sign| lower.contains(sign))
        || PACKAGES.iter().any(|end| lower.ends_with(end))
}

/// Whether there are letters and digits in a value.
pub(super) fn is_mixed(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic)
}

/// Whether a value is as mixed as chance mixes, and stands for nothing else; no name or identifier either.
pub(super) fn looks_random(value: &[u8]) -> bool {
    if is_stand_in(value) || is_uuid(value) || !is_mixed(value) {
        return false;
    }
    let is_mixed_case = value.iter().any(u8::is_ascii_lowercase) && value.iter().any(u8::is_ascii_uppercase);
    let (changes, letters) = changes(value);
    // Long names of things have few changes for their length; of short ones some have as many as chance makes.
    let enough = changes * if is_mixed_case && letters < 28 { 3 } else { 4 } >= letters;
    let least = if value.len() < 20 { 3.0 } else { 3.25 };
    enough && entropy(value) >= least
}

pub(super) fn is_uuid(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b'-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.iter().all(u8::is_ascii_hexdigit))
}

/// How often letters and digits follow each other, or a capital a small letter; words begin with capitals, and signs
/// stand between them, so neither counts. And how many letters and digits there are.
pub(super) fn changes(value: &[u8]) -> (usize, usize) {
    let letters: Vec<u8> = value.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    let is_change = |one: u8, next: u8| {
        one.is_ascii_digit() != next.is_ascii_digit() || one.is_ascii_lowercase() && next.is_ascii_uppercase()
    };
    (letters.windows(2).filter(|two| is_change(two[0], two[1])).count(), letters.len())
}
