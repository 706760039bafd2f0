//! Image references, normalised as Docker and containerd do.

mod pattern;

use std::fmt;
use std::str::FromStr;

use crate::Digest;
pub use pattern::{InvalidPattern, PatternSet};

/// Longest name (registry and repository) that the distribution specification lets clients rely on.
const MAX_NAME: usize = 255;
/// Longest tag (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>).
const MAX_TAG: usize = 128;
const DEFAULT_REGISTRY: &str = "docker.io";

/// A normalised reference such as `docker.io/library/nginx:1.27`. What was written without a registry is Docker
/// Hub's, and what was written without a tag keeps none (see [`Reference::tag_or_latest`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no image reference: {reason}")]
pub struct InvalidReference {
    /// The text, cut to 160 characters.
    text: String,
    reason: String,
}

impl Reference {
    /// Host and port, such as `docker.io` or `localhost:5000`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository within the registry, such as `library/nginx`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Registry and repository without tag and digest, such as `docker.io/library/nginx`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The tag, if one was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was written. It decides what runs, whatever the tag says.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The tag a pull would ask for: the written one, `latest` where neither tag nor digest was written, none where
    /// the digest alone says it.
    pub fn tag_or_latest(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, None) => Some("latest"),
            (None, Some(_)) => None,
        }
    }

    /// The repository's last part, such as `nginx`, in the form Kubernetes demands of object names (RFC 1123: lower
    /// case, digits and dashes) and at most 40 characters long.
    pub fn short_name(&self) -> String {
        let last = self.repository.rsplit('/').next().unwrap_or_default();
        let name: String =
            last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
        let name = name.trim_matches('-');
        if name.is_empty() { "image".to_owned() } else { name.to_owned() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    /// Reads a reference by the grammar of <https://github.com/distribution/reference>, and gives what lacks a
    /// registry to Docker Hub.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| InvalidReference { text: text.chars().take(160).collect(), reason })
    }
}

fn parse(text: &str) -> Result<Reference, String> {
    // An image ID alone (64 digits) is refused as Docker refuses it: no registry could tell it from a name.
    if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("64 hexadecimal digits are an image ID, no name".to_owned());
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().map_err(|error| error.to_string())?)),
        None => (text, None),
    };
    let (name, tag) = split_tag(rest);
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => (first, rest.to_owned()),
        _ => (DEFAULT_REGISTRY, name.to_owned()),
    };
    check_registry(registry)?;
    let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
    let repository = if registry == DEFAULT_REGISTRY && !repository.contains('/') {
        format!("library/{repository}")
    } else {
        repository
    };
    for part in repository.split('/') {
        check_part(part)?;
    }
    if registry.len() + 1 + repository.len() > MAX_NAME {
        return Err(format!("its name is longer than {MAX_NAME} characters"));
    }
    Ok(Reference { registry: registry.to_owned(), repository, tag: tag.map(str::to_owned), digest })
}

/// Splits at the colon after the last slash: one before it belongs to a registry's port.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    match text[last..].find(':') {
        Some(colon) => (&text[..last + colon], Some(&text[last + colon + 1..])),
        None => (text, None),
    }
}

/// Whether the part before the first slash is a host and not the first part of a repository on Docker Hub.
fn is_registry(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':']) || part.bytes().any(|b| b.is_ascii_uppercase())
}

fn check_registry(registry: &str) -> Result<(), String> {
    let wrong = |reason: &str| Err(format!("`{registry}` is no registry: {reason}"));
    let (host, port) = if let Some(rest) = registry.strip_prefix('[') {
        let Some((address, rest)) = rest.split_once(']') else { return wrong("`[` has no `]`") };
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return wrong("what stands in brackets is no IPv6 address");
        }
        if rest.is_empty() {
            return Ok(());
        }
        let Some(port) = rest.strip_prefix(':') else { return wrong("only a port may follow `]`") };
        (None, Some(port))
    } else {
        match registry.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(registry), None),
        }
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err() || !port.bytes().all(|b| b.is_ascii_digit())) {
        return wrong("its port is no number up to 65535");
    }
    let label_is_good = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.is_some_and(|host| !host.split('.').all(label_is_good)) {
        return wrong("a host is made of letters, digits, dashes and single dots");
    }
    Ok(())
}

/// One part of a repository: lower-case letters and digits, between them `.`, `_`, `__` or dashes.
fn check_part(part: &str) -> Result<(), String> {
    if part.is_empty() {
        return Err("a part of its name is empty".to_owned());
    }
    if part.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(format!("`{part}` has upper-case letters"));
    }
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separators = part.split(|c: char| c.is_ascii() && is_word(c as u8));
    let separators_are_good =
        separators.into_iter().all(|s| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-'));
    let ends_are_good = part.bytes().next().is_some_and(is_word) && part.bytes().last().is_some_and(is_word);
    if separators_are_good && ends_are_good {
        Ok(())
    } else {
        Err(format!(
            "`{part}` is not made of lower-case letters and digits separated by `.`, `_`, `__` or dashes"
        ))
    }
}

fn check_tag(tag: &str) -> Result<(), String> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if tag.len() > MAX_TAG {
        return Err(format!("its tag is longer than {MAX_TAG} characters"));
    }
    if tag.bytes().next().is_some_and(is_word) && tag.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
    {
        Ok(())
    } else {
        Err("a tag is made of letters, digits, `_`, `.` and `-`, and starts with none of the last two"
            .to_owned())
    }
}

#[cfg(test)]
mod tests;
