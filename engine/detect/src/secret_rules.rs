//! Rules for secrets that users write, and lists of what they allow: YAML in, compiled rules out.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read;

use aho_corasick::AhoCorasick;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use pratique_core::Severity;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_saphyr::Spanned;
use sha2::{Digest as _, Sha256};

/// Bytes of a file.
const MAX_FILE: usize = 1 << 20;
/// Rules of all files together.
const MAX_RULES: usize = 200;
/// Entries of all lists of what is allowed together.
const MAX_ALLOWED: usize = 1000;
/// Regular expressions of all those entries together: each is tried on every secret.
const MAX_PATTERNS: usize = 1000;
/// Texts in one list of an entry or a rule.
const MAX_LIST: usize = 1000;
/// Bytes of a regular expression, a glob or a keyword.
const MAX_TEXT: usize = 4096;
/// Bytes of a regular expression when it is compiled.
const MAX_COMPILED: usize = 1 << 20;
/// Bytes of an id.
const MAX_ID: usize = 64;
/// Bytes of a description or a reason.
const MAX_WORDS: usize = 300;

/// A user's own rules for secrets, and what the user allows. Files are added one by one.
#[derive(Default)]
pub struct SecretRules {
    pub(crate) rules: Vec<SecretRule>,
    pub(crate) allowed: Vec<Allowed>,
    /// All rules' keywords at once, and the rule of the keyword with this place.
    pub(crate) keywords: Option<(AhoCorasick, Vec<usize>)>,
    sums: String,
}

/// A kind of secret that the user described.
pub(crate) struct SecretRule {
    pub(crate) id: String,
    /// The file that has it.
    file: String,
    pub(crate) description: String,
    pub(crate) severity: Severity,
    /// The first group is the secret; without one, all of it.
    pub(crate) pattern: Regex,
    /// It is tried only near one of these; without any, everywhere.
    pub(crate) keywords: Vec<String>,
    /// Bits in a byte that the secret has at least.
    pub(crate) min_entropy: f64,
}

/// What does not count: secrets that satisfy every list that is given.
pub(crate) struct Allowed {
    /// The file that says so.
    pub(crate) by: String,
    pub(crate) reason: String,
    fingerprints: BTreeSet<String>,
    paths: Option<GlobSet>,
    patterns: Vec<Regex>,
}

impl Allowed {
    /// Whether it speaks of a secret by what it is, and of this one: the only list that is judged where the secret is seen.
    pub(crate) fn names(&self, secret: &[u8]) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_match(secret))
    }

    /// Whether it allows a secret with this fingerprint in this file; `named` says what [`Self::names`] said.
    pub(crate) fn holds(&self, fingerprint: &str, path: Option<&str>, named: bool) -> bool {
        (self.fingerprints.is_empty() || self.fingerprints.contains(fingerprint))
            && (self.patterns.is_empty() || named)
            && self.paths.as_ref().is_none_or(|paths| path.is_some_and(|path| paths.is_match(path)))
    }
}

/// Why a file of rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretRulesError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is none of such a file as a whole.
    #[error("{0}")]
    File(String),
    /// Something in it is wrong.
    #[error("line {line}: {reason}")]
    Line {
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rules: Vec<RuleText>,
    #[serde(default)]
    allow: Vec<Spanned<AllowedText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RuleText {
    id: Spanned<String>,
    description: Spanned<String>,
    regex: Spanned<String>,
    #[serde(default)]
    keywords: Vec<Spanned<String>>,
    min_entropy: Option<Spanned<f64>>,
    severity: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowedText {
    #[serde(default)]
    fingerprints: Vec<Spanned<String>>,
    #[serde(default)]
    paths: Vec<Spanned<String>>,
    #[serde(default)]
    regexes: Vec<Spanned<String>>,
    reason: Spanned<String>,
}

impl SecretRules {
    /// Adds a file's rules and what it allows, all of it or, on an error, nothing. Findings and reports call it `name`.
    ///
    /// # Errors
    /// The source fails, is no text, or longer than 1 MiB; it is not YAML of this form; a rule or an entry is wrong, or there
    /// are too many.
    pub fn add(&mut self, name: &str, source: &mut dyn Read) -> Result<(), SecretRulesError> {
        let mut text = String::new();
        source.take(MAX_FILE as u64 + 1).read_to_string(&mut text)?;
        if text.len() > MAX_FILE {
            return Err(SecretRulesError::File(format!("it has more than {MAX_FILE} bytes; split it")));
        }
        let file = parse(&text)?;
        let mut rules: Vec<SecretRule> = Vec::new();
        for rule in &file.rules {
            let id = &rule.id;
            if self.rules.len() + rules.len() == MAX_RULES {
                return Err(wrong(id, format!("there are more than {MAX_RULES} rules")));
            }
            if let Some(other) = self.rules.iter().chain(&rules).find(|other| other.id == id.value) {
                let reason = format!("the id `{}` is that of another rule, in {}", other.id, other.file);
                return Err(wrong(id, reason));
            }
            rules.push(SecretRule::of(rule, name)?);
        }
        let mut allowed = Vec::new();
        for entry in &file.allow {
            if self.allowed.len() + allowed.len() == MAX_ALLOWED {
                return Err(wrong(entry, format!("there are more than {MAX_ALLOWED} entries")));
            }
            allowed.push(Allowed::of(entry, name)?);
        }
        let patterns: usize = self.allowed.iter().chain(&allowed).map(|entry| entry.patterns.len()).sum();
        if patterns > MAX_PATTERNS {
            let reason = format!("`allow` has more than {MAX_PATTERNS} regular expressions; join some");
            return Err(SecretRulesError::File(reason));
        }
        let all: Vec<(usize, &str)> = self
            .rules
            .iter()
            .chain(&rules)
            .enumerate()
            .flat_map(|(place, rule)| rule.keywords.iter().map(move |word| (place, word.as_str())))
            .collect();
        let literals = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(all.iter().map(|(_, word)| word))
            .map_err(|error| SecretRulesError::File(format!("its keywords are too many: {error}")))?;
        self.keywords = Some((literals, all.iter().map(|(place, _)| *place).collect()));
        self.rules.append(&mut rules);
        self.allowed.append(&mut allowed);
        for byte in Sha256::digest(&text) {
            let _ = write!(self.sums, "{byte:02x}");
        }
        self.sums.push('\n');
        Ok(())
    }

    /// Names what decides which facts a file gives: another text for other rules.
    pub(crate) fn revision(&self) -> &str {
        &self.sums
    }
}

impl SecretRule {
    fn of(text: &RuleText, file: &str) -> Result<Self, SecretRulesError> {
        let RuleText { id, description, regex, keywords, min_entropy, severity } = text;
        let is_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if id.value.is_empty() || id.value.len() > MAX_ID || !id.value.bytes().all(is_id) {
            let reason = "it is no id: up to 64 of a to z, 0 to 9 and `-`";
            return Err(wrong(id, format!("`{}`: {reason}", shown(&id.value))));
        }
        if crate::detectors::is_kind_of_secret(&id.value) {
            return Err(wrong(id, format!("the id `{}` is that of a built-in kind of secret", id.value)));
        }
        words("description", description)?;
        list("keywords", keywords)?;
        if let Some(empty) = keywords.iter().find(|word| word.value.is_empty()) {
            return Err(wrong(empty, "a keyword is empty".to_owned()));
        }
        if let Some(least) = min_entropy.as_ref().filter(|least| !(0.0..=8.0).contains(&least.value)) {
            let reason = format!("min-entropy: {} is not between 0 and 8 bits in a byte", least.value);
            return Err(wrong(least, reason));
        }
        Ok(Self {
            id: id.value.clone(),
            file: file.to_owned(),
            description: description.value.clone(),
            severity: severity.value.parse().map_err(|reason| wrong(severity, reason))?,
            pattern: pattern(regex)?,
            keywords: keywords.iter().map(|word| word.value.clone()).collect(),
            min_entropy: min_entropy.as_ref().map_or(0.0, |least| least.value),
        })
    }
}

impl Allowed {
    fn of(entry: &Spanned<AllowedText>, by: &str) -> Result<Self, SecretRulesError> {
        let AllowedText { fingerprints, paths, regexes, reason } = &entry.value;
        if fingerprints.is_empty() && paths.is_empty() && regexes.is_empty() {
            let reason = "the entry allows everything; give fingerprints, paths or regexes";
            return Err(wrong(entry, reason.to_owned()));
        }
        words("reason", reason)?;
        list("fingerprints", fingerprints)?;
        list("paths", paths)?;
        list("regexes", regexes)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        let is_none =
            |print: &&Spanned<String>| print.value.len() != 16 || !print.value.bytes().all(is_digit);
        if let Some(print) = fingerprints.iter().find(is_none) {
            let reason = "it is no fingerprint: the 16 hexadecimal digits that a finding has (quote them)";
            return Err(wrong(print, format!("`{}`: {reason}", shown(&print.value))));
        }
        Ok(Self {
            by: by.to_owned(),
            reason: reason.value.clone(),
            fingerprints: fingerprints.iter().map(|print| print.value.clone()).collect(),
            paths: globs(paths)?,
            patterns: regexes.iter().map(pattern).collect::<Result<_, _>>()?,
        })
    }
}

fn parse(text: &str) -> Result<File, SecretRulesError> {
    serde_saphyr::from_str_with_options(text, crate::yaml::options()).map_err(|error| {
        match error.location() {
            Some(location) => {
                let place = format!(" at line {}, column {}", location.line(), location.column());
                let reason = error.to_string().replace(&place, "");
                SecretRulesError::Line { line: location.line(), reason }
            }
            None => SecretRulesError::File(error.to_string()),
        }
    })
}

fn wrong<T>(at: &Spanned<T>, reason: String) -> SecretRulesError {
    SecretRulesError::Line { line: at.referenced.line(), reason }
}

/// The beginning of a user's text, for messages.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn words(field: &str, text: &Spanned<String>) -> Result<(), SecretRulesError> {
    let is_line = !text.value.trim().is_empty() && !text.value.contains(char::is_control);
    if is_line && text.value.len() <= MAX_WORDS {
        return Ok(());
    }
    Err(wrong(text, format!("{field}: it is no line of up to {MAX_WORDS} bytes")))
}

fn list(field: &str, texts: &[Spanned<String>]) -> Result<(), SecretRulesError> {
    if let Some(text) = texts.get(MAX_LIST) {
        return Err(wrong(text, format!("{field}: there are more than {MAX_LIST}")));
    }
    match texts.iter().find(|text| text.value.len() > MAX_TEXT) {
        Some(text) => Err(wrong(text, format!("{field}: one is longer than {MAX_TEXT} bytes"))),
        None => Ok(()),
    }
}

fn pattern(text: &Spanned<String>) -> Result<Regex, SecretRulesError> {
    let refuse = |reason: &str| wrong(text, format!("regex `{}`: {reason}", shown(&text.value)));
    if text.value.len() > MAX_TEXT {
        return Err(refuse(&format!("it is longer than {MAX_TEXT} bytes")));
    }
    let pattern = RegexBuilder::new(&text.value).size_limit(MAX_COMPILED).build();
    let pattern = pattern.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            refuse(&format!("it takes more than {limit} bytes when it is compiled; shorten its repetitions"))
        }
        // The last line of several says what is wrong, those before it show where.
        other => refuse(other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ")),
    })?;
    if pattern.is_match(b"") {
        return Err(refuse("it matches where there is nothing"));
    }
    Ok(pattern)
}

fn globs(texts: &[Spanned<String>]) -> Result<Option<GlobSet>, SecretRulesError> {
    if texts.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for text in texts {
        let glob = GlobBuilder::new(&text.value).literal_separator(true).build();
        set.add(glob.map_err(|error| wrong(text, format!("paths: {error}")))?);
    }
    let set = set.build().map_err(|error| wrong(&texts[0], format!("paths: {error}")))?;
    Ok(Some(set))
}

#[cfg(test)]
mod tests;
