//! Installed Python packages: `.dist-info` (<https://packaging.python.org/en/latest/specifications/recording-installed-packages/>)
//! and `.egg-info`, as folder or file. Their headers are the core metadata
//! (<https://packaging.python.org/en/latest/specifications/core-metadata/>).
//!
//! Names stay as the metadata write them (`Flask-Login`, `zope.interface`); whoever compares them with advisories
//! normalises both sides (PEP 503). The long description after the headers is not looked at.

use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use base64::{Engine as _, alphabet};
use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Checksum, Ecosystem, OwnedFile, Owner, Package, Record};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: PythonInstalled = PythonInstalled;

pub(super) struct PythonInstalled;

/// Headers are a few kilobytes; some hold a whole licence.
const HEADERS: usize = 128 << 10;
/// Entries of a RECORD that are kept: the largest packages have some ten thousand files.
const MAX_FILES: usize = 100_000;
/// A longer `License` is the licence's text, not its name.
const MAX_LICENSE: usize = 100;

impl Parser for PythonInstalled {
    fn id(&self) -> &'static str {
        "python-installed"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[
                Interest::head(
                    &["**/*.dist-info/METADATA", "**/{*.egg-info,EGG-INFO}/PKG-INFO", "**/*.egg-info"],
                    HEADERS,
                ),
                Interest::head(&["**/*.dist-info/RECORD"], formats::DOCUMENT),
            ]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if file.path.ends_with(b"/RECORD") { record(file) } else { metadata(file) }
    }
}

fn metadata(file: &FileInput<'_>) -> Parsed {
    let text = String::from_utf8_lossy(file.bytes);
    let (mut name, mut version, mut expression, mut license) = (None, None, None, None);
    let mut classifiers = Vec::new();
    for (key, value) in headers(&text) {
        match key.to_ascii_lowercase().as_str() {
            "name" => name = name.or(Some(value)),
            "version" => version = version.or(Some(value)),
            "license-expression" => expression = Some(value),
            "license" => license = Some(value),
            "classifier" => classifiers.extend(classified_license(value)),
            _ => {}
        }
    }
    // A single file of that name may be of another program.
    let is_file = file.path.ends_with(b".egg-info");
    if is_file && !headers(&text).any(|(key, _)| key.eq_ignore_ascii_case("metadata-version")) {
        return Parsed::default();
    }
    let (Some(name), Some(version)) = (name.filter(|name| is_name(name)), version.filter(|v| !v.is_empty()))
    else {
        return Parsed::problem(GapKind::Malformed, "the metadata lack a valid name or a version");
    };
    let license = license.filter(|text| text.len() <= MAX_LICENSE && !matches!(*text, "" | "UNKNOWN"));
    let mut package = Package::new(Ecosystem::PyPi, name, version);
    package.licenses = match (expression, license) {
        (Some(expression), _) => vec![expression.to_owned()],
        (None, Some(license)) => vec![license.to_owned()],
        (None, None) => classifiers,
    };
    Parsed { records: vec![package.into()], problems: Vec::new() }
}

/// The headers, up to the first empty line. Of a folded header only the first line counts.
fn headers(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with([' ', '\t']))
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key, value.trim()))
}

/// `License :: OSI Approved :: MIT License` names a licence in its last part; with fewer parts it names a kind.
fn classified_license(classifier: &str) -> Option<String> {
    let rest = classifier.strip_prefix("License :: ")?;
    let name = rest.rsplit(" :: ").next()?;
    (name != "OSI Approved").then(|| name.to_owned())
}

/// <https://packaging.python.org/en/latest/specifications/name-normalization/#name-format>
fn is_name(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

/// RECORD: a line of comma-separated path, hash and size for each installed file; the path is relative to the folder
/// that holds the `.dist-info`.
fn record(file: &FileInput<'_>) -> Parsed {
    let text = match formats::text(file) {
        Ok(text) => text,
        Err(problem) => return problem,
    };
    let path = String::from_utf8_lossy(file.path);
    let mut parents = path.rsplitn(3, '/');
    let (_, Some(info), base) = (parents.next(), parents.next(), parents.next().unwrap_or_default()) else {
        return Parsed::default();
    };
    let stem = info.trim_end_matches(".dist-info");
    let name = stem.rsplit_once('-').map_or(stem, |(name, _)| name);
    let mut files: Vec<OwnedFile> =
        text.lines().filter_map(|line| owned(base, line)).take(MAX_FILES + 1).collect();
    let mut parsed = Parsed::default();
    if files.len() > MAX_FILES {
        files.truncate(MAX_FILES);
        parsed.problems.push((GapKind::Limit, format!("more than {MAX_FILES} files, the rest is not read")));
    }
    let owner = Owner::new(Ecosystem::PyPi, name);
    parsed.records.push(Record::Files { owner, files: files.into_iter().collect() });
    parsed
}

fn owned(base: &str, line: &str) -> Option<OwnedFile> {
    let (path, rest) = match line.strip_prefix('"') {
        Some(quoted) => {
            // A quote inside quotes is doubled.
            let end = quoted.find("\",")?;
            (quoted[..end].replace("\"\"", "\""), &quoted[end + 2..])
        }
        None => line.split_once(',').map(|(path, rest)| (path.to_owned(), rest))?,
    };
    let hash = rest.split(',').next().unwrap_or_default();
    let checksum = hash.split_once('=').and_then(|(algorithm, digest)| {
        matches!(algorithm, "sha256" | "sha512")
            .then(|| Checksum::from_bytes(&URL_BASE64.decode(digest).ok()?))
            .flatten()
    });
    Some(OwnedFile::with_checksum(resolve(base, &path)?, checksum))
}

/// Where a path of a RECORD leads, seen from the root; nothing if it leads out of it.
fn resolve(base: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { base };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// Base64 with the alphabet for URLs, without padding; bits behind the last byte say nothing.
const URL_BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_out_of_the_root_is_no_file_of_the_package() {
        assert_eq!(resolve("usr/lib/python3", "../../bin/pip").as_deref(), Some("usr/bin/pip"));
        assert_eq!(resolve("usr/lib", "/opt/x").as_deref(), Some("opt/x"));
        assert_eq!(resolve("usr", "../../etc/passwd"), None);
        assert_eq!(resolve("usr", ".."), None);
    }
}
