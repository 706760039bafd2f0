//! Values of Kubernetes' Secrets in manifests (kubernetes.io, Secret v1), in YAML or JSON, also where kubectl keeps the one of
//! before within a text of the next: in base64 under `data`, as they are under `stringData`. People make most of them, so that
//! neither a shape nor chance tells them, but the names of their keys do.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem;
use pratique_core::inspect::Piece;
use regex::bytes::Regex;

use super::checks::{base64, is_kept_password};
use super::finder::own_places;
use super::shapes::{LOGIN, Shape};

/// What is reported of them. Nothing but the name tells such a value.
pub(super) const MANIFEST: Shape =
    Shape { id: "kubernetes-secret", what: "password or token in a manifest of a Secret", ..LOGIN };

/// Bytes of documents with Secrets that are read of one file.
pub(super) const MAX_BYTES: usize = 16 << 20;

/// What says that a document is of a Secret.
static KIND: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r#"\bkind\\{0,3}["']?[ \t]{0,8}:[ \t]{0,8}\\{0,3}["']?Secret(?:[\s"'\\,}]|\z)"#)
});
/// A key, and the value on its line, or the brace that begins one; a template goes to the line's end.
static MEMBER: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r#"([0-9A-Za-z._-]+)\\{0,3}["']?[ \t]{0,8}:[ \t]{0,8}\\{0,3}["']?(\{\{[^\n]*|\{|[^\s"'\\,{}]*)"#)
});
/// A key whose value is a secret.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)(?:passw(?:or)?d|passphrase|(?:^|[._-])(?:pass|pwd|pw)|secret|token|(?:api|access|auth|private|encryption|signing|secret)[._-]?key)[0-9]{0,3}$",
    )
});

fn compiled(pattern: &str) -> Regex {
    Regex::new(&format!("(?-u){pattern}")).expect("a test compiles every pattern")
}

/// A value in a manifest.
pub(super) struct Value {
    /// Where it stands in the piece.
    pub(super) place: Range<usize>,
    /// What it says, if it is encoded.
    pub(super) decoded: Option<Vec<u8>>,
}

/// The passwords and tokens that begin in this piece, in manifests that lie in one piece with what says that they are a Secret's.
/// What is read of these is added to `read`, until that is more than [`MAX_BYTES`].
pub(super) fn values(piece: &Piece<'_>, read: &mut usize) -> Vec<Value> {
    let (own, bytes) = (own_places(piece), piece.bytes);
    let (mut values, mut start) = (Vec::new(), 0);
    // Few files have the word at all.
    if memmem::find(bytes, b"Secret").is_none() {
        return values;
    }
    // Documents of YAML; what is none is one.
    for end in memmem::find_iter(bytes, b"\n---").chain([bytes.len()]) {
        let document = start..end;
        start = end;
        if *read <= MAX_BYTES && KIND.is_match(&bytes[document.clone()]) {
            *read += document.len();
            values.extend(members(bytes, document));
        }
    }
    values.retain(|value| own.contains(&value.place.start));
    values
}

/// Those of the members of a document's data that are secrets.
fn members(bytes: &[u8], document: Range<usize>) -> Vec<Value> {
    let (mut is_encoded, mut values) = (None, Vec::new());
    for member in MEMBER.captures_iter(&bytes[document.clone()]) {
        let (Some(name), Some(value)) = (member.get(1), member.get(2)) else { continue };
        match (name.as_bytes(), value.as_bytes()) {
            (b"data", b"" | b"{") => is_encoded = Some(true),
            (b"stringData", b"" | b"{") => is_encoded = Some(false),
            // What else a manifest has, at its top or around it.
            (b"metadata" | b"annotations" | b"labels" | b"items" | b"spec" | b"status", b"" | b"{") => {
                is_encoded = None
            }
            (name, written) if NAME.is_match(name) => {
                let place = document.start + value.start()..document.start + value.end();
                let (decoded, plain) = match is_encoded {
                    Some(true) => (decoded(written), None),
                    Some(false) => (None, is_plain(written).then_some(written)),
                    None => continue,
                };
                let said = decoded.as_deref().or(plain);
                if said.is_some_and(|said| is_kept_password(said) && !is_hash(said)) {
                    values.push(Value { place, decoded });
                }
            }
            _ => {}
        }
    }
    values
}

/// The text that a value says in base64, without the end of a line; none if it is no text, or one that something fills in.
fn decoded(value: &[u8]) -> Option<Vec<u8>> {
    let mut text = value.len().is_multiple_of(4).then(|| base64(value.iter().copied()))??;
    text.truncate(text.trim_ascii_end().len());
    let is_text = std::str::from_utf8(&text).is_ok_and(|text| !text.chars().any(char::is_control));
    let is_filled = ["${", "$(", "{{", "<"].iter().any(|start| text.starts_with(start.as_bytes()));
    (is_text && !is_filled).then_some(text)
}

/// Whether a value that stands as it is is no reference, template, or sign of YAML.
fn is_plain(value: &[u8]) -> bool {
    !value.first().is_some_and(|first| b"$<{%#@/|>!&*[".contains(first))
}

/// Whether a value is the hash of a password, alone or behind a name as in a file of htpasswd: nobody logs in by it.
fn is_hash(value: &[u8]) -> bool {
    let last = value.rsplit(|byte| *byte == b':').next().unwrap_or(value);
    last.starts_with(b"$") && std::str::from_utf8(last).is_ok_and(|hash| pratique_crypt::parse(hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::notes::Search;
    use super::*;
    use crate::Stream;

    const SECRET: &str = "---\nkind: Secret\ndata:\n  password: cmVkLWtldHRsZTE=\n";

    fn piece(bytes: &[u8], offset: u64) -> Piece<'_> {
        Piece { bytes, offset, seen: 0, last: false }
    }

    #[test]
    fn documents_of_others_are_not_read() {
        let text = format!(
            "{SECRET}---\nkind: ConfigMap\ndata:\n  password: cmVkLWtldHRsZTI=\n{}",
            " ".repeat(4 << 10)
        );
        let mut read = 0;
        let values = values(&piece(text.as_bytes(), 0), &mut read);
        let said: Vec<_> = values.iter().filter_map(|value| value.decoded.as_deref()).collect();
        assert_eq!(said, [b"red-kettle1"]);
        assert_eq!(read, SECRET.len() - 1);
    }

    #[test]
    fn manifests_without_end_are_a_gap() {
        let filler = "  password: cmVkLWtldHRsZTE=\n  name: shop\n  note: a text of some words\n";
        let text = format!("{SECRET}{}", filler.repeat((256 << 10) / filler.len()));
        let mut search = Box::new(Search::new(b"x", false, None));
        for number in 0..MAX_BYTES / text.len() {
            search.take(&piece(text.as_bytes(), (number * text.len()) as u64));
        }
        assert!(search.finish().problems.is_empty());
        let mut search = Box::new(Search::new(b"x", false, None));
        for number in 0..MAX_BYTES / text.len() + 4 {
            search.take(&piece(text.as_bytes(), (number * text.len()) as u64));
        }
        let problems = search.finish().problems;
        assert!(problems.len() == 1 && problems[0].1.contains("manifests of Secrets"), "{problems:?}");
    }
}
