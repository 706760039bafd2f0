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

/// What follows the name's main word: the rest of the name, then the value. It stands in quotes (whose text may stand in
/// quotes itself), alone on its line or up to the quotes around both; or name and value are two arguments of a call, or
/// an attribute and its element's text.
macro_rules! value {
    ($before:literal) => {
        concat!(
            $before,
            "(?:[_-]?(?i:key|value|key_base))?[0-9_-]{0,3}(?:",
            "\\\\?[\"']?\\s{0,4}(?:=>|:=|[:=])\\s{0,4}(?:",
            "\\\\?[\"']([!#-&(-~]{10,200}?)\\\\?[\"']|",
            "([0-9A-Za-z+/=_.!@#%^&*~-]{10,200})(?:[\\s\\x00\"'\\\\]|\\z))|",
            "[\"']\\s{0,4},\\s{0,4}[\"']([!#-&(-~]{10,200})[\"']|",
            "[\"']>([!#-;=?-~]{10,200})</)"
        )
    };
}

pub(super) const ASSIGNED: Shape = Shape {
    literals: &[
        "password",
        "Password",
        "PASSWORD",
        "passwd",
        "Passwd",
        "PASSWD",
        "passphrase",
        "PASSPHRASE",
        "secret",
        "Secret",
        "SECRET",
        "token",
        "Token",
        "TOKEN",
        "api_key",
        "API_KEY",
        "apikey",
        "apiKey",
        "ApiKey",
        "APIKEY",
        "api-key",
        "Api-Key",
        "access_key",
        "ACCESS_KEY",
        "accessKey",
    ],
    pattern: value!("(?i:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access_?key)"),
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

/// Whether a value is as mixed as chance mixes, and no placeholder, reference, path, name or identifier.
pub(super) fn looks_random(value: &[u8]) -> bool {
    let lower = String::from_utf8_lossy(value).to_ascii_lowercase();
    let first = value.first().copied().unwrap_or_default();
    if matches!(first, b'$' | b'{' | b'@' | b'/' | b'.' | b'%' | b'&' | b'*' | b'-' | b'#')
        || PLACEHOLDERS.iter().any(|word| lower.contains(word))
        || HASHES.iter().any(|function| lower.contains(function))
        || REFERENCES.iter().any(|sign| lower.contains(sign))
        || is_uuid(value)
    {
        return false;
    }
    let has = |is: fn(&u8) -> bool| value.iter().any(is);
    let is_mixed_case = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    if !has(u8::is_ascii_digit) || !has(u8::is_ascii_alphabetic) {
        return false;
    }
    let (changes, letters) = changes(value);
    // Long names of things have few changes for their length; of short ones some have as many as chance makes.
    let enough = changes * if is_mixed_case && letters < 28 { 3 } else { 4 } >= letters;
    let least = if value.len() < 20 { 3.0 } else { 3.25 };
    enough && entropy(value) >= least
}

fn is_uuid(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b'-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.iter().all(u8::is_ascii_hexdigit))
}

/// How often letters and digits follow each other, or a capital a small letter; words begin with capitals, and signs
/// stand between them, so neither counts. And how many letters and digits there are.
fn changes(value: &[u8]) -> (usize, usize) {
    let letters: Vec<u8> = value.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    let is_change = |one: u8, next: u8| {
        one.is_ascii_digit() != next.is_ascii_digit() || one.is_ascii_lowercase() && next.is_ascii_uppercase()
    };
    (letters.windows(2).filter(|two| is_change(two[0], two[1])).count(), letters.len())
}
