//! Globs over normalised references.

use globset::{Glob, GlobBuilder, GlobMatcher};

use super::{Reference, split_tag};

/// Patterns over normalised references, compiled. A reference matches the set if it matches any of them.
///
/// A pattern is `repository[:tag][@digest]`, each a glob of its own: `*` stands for any text without `/`, `?` for one
/// character that is not `/`, and `**`, which stands alone between slashes, for any number of parts.
/// - Without `:tag`, any tag and any digest match: `docker.io/library/nginx` is every nginx.
/// - A tag's glob is tested against the written tag, or `latest` where neither tag nor digest was written; a reference
///   by digest alone has the empty tag, which only `*` matches.
/// - A digest's glob matches references with a digest only.
#[derive(Debug, Clone, Default)]
pub struct PatternSet(Vec<Pattern>);

#[derive(Debug, Clone)]
struct Pattern {
    name: GlobMatcher,
    tag: Option<GlobMatcher>,
    digest: Option<GlobMatcher>,
}

/// Why a text is no pattern over references.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` matches no image: {reason}")]
pub struct InvalidPattern {
    pattern: String,
    reason: String,
}

impl PatternSet {
    /// Compiles `patterns`. A pattern that could never match is an error, because normalised references always have
    /// a registry.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, InvalidPattern> {
        let compile = |pattern: &S| {
            let pattern = pattern.as_ref();
            Pattern::new(pattern)
                .map_err(|reason| InvalidPattern { pattern: pattern.chars().take(160).collect(), reason })
        };
        patterns.iter().map(compile).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any pattern matches `reference`.
    pub fn matches(&self, reference: &Reference) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let name = reference.name();
        self.0.iter().any(|pattern| pattern.matches(&name, reference))
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > 512 {
            return Err("a pattern has 1 to 512 characters".to_owned());
        }
        if let Some(wrong) = text.chars().find(|c| !is_allowed(*c)) {
            return Err(format!("`{wrong}` occurs in no reference; `*`, `**` and `?` are the wildcards"));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = split_tag(rest);
        let parts: Vec<&str> = name.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err("a part between slashes is empty".to_owned());
        }
        if parts.iter().any(|part| part.contains("**") && *part != "**") {
            return Err("`**` stands alone between slashes".to_owned());
        }
        let can_be_registry = parts[0] == "localhost" || parts[0].contains(['.', ':', '*', '?']);
        if !can_be_registry || (parts.len() == 1 && parts[0] != "**") {
            return Err(format!(
                "a pattern starts with a registry, as in docker.io/library/{} or */**",
                parts.last().unwrap_or(&"nginx")
            ));
        }
        let optional = |part: Option<&str>| part.map(glob).transpose();
        Ok(Self { name: glob(name)?, tag: optional(tag)?, digest: optional(digest)? })
    }

    fn matches(&self, name: &str, reference: &Reference) -> bool {
        self.tag.as_ref().is_none_or(|tag| tag.is_match(reference.tag_or_latest().unwrap_or_default()))
            && self
                .digest
                .as_ref()
                .is_none_or(|glob| reference.digest().is_some_and(|digest| glob.is_match(digest.as_str())))
            && self.name.is_match(name)
    }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/' | '@' | '*' | '?')
}

fn glob(text: &str) -> Result<GlobMatcher, String> {
    let glob: Glob =
        GlobBuilder::new(text).literal_separator(true).build().map_err(|error| error.kind().to_string())?;
    Ok(glob.compile_matcher())
}
