//! Lists of tags and repositories, and patterns over them.

use std::collections::BTreeSet;

use pratique_core::reference::{PatternSet, Reference};
use pratique_core::{Gap, GapKind};
use pratique_http::{Origin, Uri, join, next_link, plain};
use pratique_registry::{Client, Document, Wanted};
use serde::Deserialize;

use crate::{Error, Result};

/// Bytes of one page at most.
const PAGE_LIMIT: u64 = 4 << 20;
/// Pages of one list at most.
const PAGES: usize = 2_000;
/// Names of one list at most.
const NAMES: usize = 200_000;
/// References that one pattern may mean.
const REFERENCES: usize = 10_000;

/// What a text with wildcards means.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    registry: String,
    /// The repository, if it has no wildcard.
    repository: Option<String>,
    /// The tag, if it has no wildcard.
    tag: Option<String>,
    /// The whole, normalised.
    text: String,
}

impl Pattern {
    /// None if there is no wildcard in it.
    fn parse(text: &str) -> Result<Option<Self>> {
        let wild = |text: &str| text.contains(['*', '?']);
        if !wild(text) {
            return Ok(None);
        }
        let wrong = |reason: &str| Error::Malformed {
            what: format!("the pattern `{}`", plain(text)),
            reason: reason.to_owned(),
        };
        if text.contains('@') {
            return Err(wrong("a digest names one image, without wildcards"));
        }
        let last = text.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match text[last..].find(':') {
            Some(colon) => (&text[..last + colon], &text[last + colon + 1..]),
            None => (text, "latest"),
        };
        let exact = |text: &str| (!wild(text)).then(|| text.to_owned());
        if let Some(name) = exact(name) {
            let named: Reference = name.parse().map_err(|error| wrong(&format!("{error}")))?;
            let (registry, repository) = (named.registry().to_owned(), named.repository().to_owned());
            let text = format!("{}:{tag}", named.name());
            return Ok(Some(Self { registry, repository: Some(repository), tag: exact(tag), text }));
        }
        let (registry, _) = name.split_once('/').unwrap_or((name, ""));
        let probe: Result<Reference, _> = format!("{registry}/a/b").parse();
        let registry =
            probe.ok().filter(|probe| probe.repository() == "a/b").map(|probe| probe.registry().to_owned());
        let registry =
            registry.ok_or_else(|| wrong("it starts with no registry; write it as registry/team/*"))?;
        Ok(Some(Self { registry, repository: None, tag: exact(tag), text: format!("{name}:{tag}") }))
    }
}

/// The references that a text means: itself, or, with wildcards (`*`, `?`, and `**` between slashes) in the repository
/// or tag, those that the registry has, sorted. Names that are none are gaps.
pub(super) fn expand(client: &Client, text: &str) -> Result<(Vec<Reference>, Vec<Gap>)> {
    let Some(pattern) = Pattern::parse(text)? else {
        let reference = text.parse().map_err(|error| Error::Malformed {
            what: format!("the reference `{}`", plain(text)),
            reason: format!("{error}"),
        })?;
        return Ok((vec![reference], Vec::new()));
    };
    let set = PatternSet::new(&[&pattern.text]).map_err(|error| Error::Malformed {
        what: format!("the pattern `{}`", plain(text)),
        reason: error.to_string(),
    })?;
    let (registry, mut gaps) = (&pattern.registry, Vec::new());
    let repositories = match &pattern.repository {
        Some(repository) => vec![repository.clone()],
        None => {
            let any_tag = PatternSet::new(&[pattern.text.rsplit_once(':').map_or("", |(name, _)| name)]);
            let any_tag = any_tag.unwrap_or_default();
            let found = list(client, registry, "", &Wanted::Catalogue)?;
            keep(registry, found, &any_tag, &mut gaps, |name| format!("{registry}/{name}"))
                .into_iter()
                .map(|reference| reference.repository().to_owned())
                .collect()
        }
    };
    let mut references = Vec::new();
    for repository in repositories {
        let name = format!("{registry}/{repository}");
        let tags = match &pattern.tag {
            Some(tag) => BTreeSet::from([tag.clone()]),
            None => match list(client, registry, &repository, &Wanted::Tags) {
                Ok(tags) => tags,
                // One repository of many that was deleted or may not be read hides no others.
                Err(error) if pattern.repository.is_none() => {
                    gaps.push(gap(error.to_string()));
                    continue;
                }
                Err(error) => return Err(error),
            },
        };
        references.extend(keep(&name, tags, &set, &mut gaps, |tag| format!("{name}:{tag}")));
        if references.len() > REFERENCES {
            let limit = format!("it means more than {REFERENCES} images; narrow it");
            return Err(Error::Limit { what: format!("the pattern `{}`", plain(text)), limit });
        }
    }
    if references.is_empty() && gaps.is_empty() {
        return Err(Error::NoMatch { query: plain(text), hint: format!(": {registry} has none that fits") });
    }
    Ok((references, gaps))
}

/// The names that make references which fit.
fn keep(
    whose: &str,
    names: BTreeSet<String>,
    set: &PatternSet,
    gaps: &mut Vec<Gap>,
    whole: impl Fn(&str) -> String,
) -> Vec<Reference> {
    let (mut kept, mut wrong) = (Vec::new(), Vec::new());
    for name in names {
        match whole(&name).parse::<Reference>() {
            Ok(reference) if set.matches(&reference) => kept.push(reference),
            Ok(_) => {}
            Err(_) => wrong.push(name),
        }
    }
    if let Some(first) = wrong.first() {
        let reason = format!("{whose} lists {} names that are none, such as `{}`", wrong.len(), plain(first));
        gaps.push(Gap { kind: GapKind::Malformed, ..gap(reason) });
    }
    kept
}

fn gap(reason: String) -> Gap {
    Gap { kind: GapKind::Unreadable, detector: None, path: None, layer: None, reason }
}

/// All names of a list, page by page.
pub(super) fn list(
    client: &Client,
    registry: &str,
    repository: &str,
    wanted: &Wanted,
) -> Result<BTreeSet<String>> {
    let what = || format!("the {} at {registry}", wanted.describe(repository));
    let limit = |limit: String| Error::Limit { what: what(), limit };
    let malformed = |reason: &str| Error::Malformed { what: what(), reason: reason.to_owned() };
    let mut names = BTreeSet::new();
    let mut page = client.document(registry, repository, wanted, PAGE_LIMIT)?;
    for _ in 0..PAGES {
        names.extend(parse(&page.bytes).map_err(malformed)?);
        if names.len() > NAMES {
            return Err(limit(format!("it has more than {NAMES} names")));
        }
        let Some(next) = next(&page).map_err(malformed)? else { return Ok(names) };
        page = client.linked(&page, &next, wanted, PAGE_LIMIT)?;
    }
    Err(limit(format!("it has more than {PAGES} pages")))
}

/// The next page, if there is one. It lies where this one does: a login goes with it.
fn next(page: &Document) -> Result<Option<Uri>, &'static str> {
    let links = page.headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
    let Some(target) = links.filter_map(next_link).next() else { return Ok(None) };
    let next = join(&page.uri, target).ok_or("its link to the next page is no address")?;
    if Origin::of(&next) != Origin::of(&page.uri) {
        return Err("its link to the next page leads to another host");
    }
    if next == page.uri {
        return Err("its link to the next page leads to itself");
    }
    Ok(Some(next))
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

/// The names of one page of tags or of the catalogue.
pub fn parse(bytes: &[u8]) -> Result<Vec<String>, &'static str> {
    let page: Page = serde_json::from_slice(bytes).map_err(|_| "it is no list")?;
    // A repository without tags has `null`.
    Ok(page.tags.or(page.repositories).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_say_what_has_to_be_listed() {
        let of = |text: &str| {
            let pattern = Pattern::parse(text).unwrap().unwrap();
            (pattern.registry, pattern.repository, pattern.tag, pattern.text)
        };
        let some = |text: &str| Some(text.to_owned());
        let wanted =
            ("docker.io".to_owned(), some("library/nginx"), None, "docker.io/library/nginx:1.*".to_owned());
        assert_eq!(of("nginx:1.*"), wanted);
        let wanted = ("r.example:5000".to_owned(), some("a/b"), None, "r.example:5000/a/b:*".to_owned());
        assert_eq!(of("r.example:5000/a/b:*"), wanted);
        let wanted = ("r.example".to_owned(), None, some("latest"), "r.example/team/*:latest".to_owned());
        assert_eq!(of("r.example/team/*"), wanted);
        let wanted = ("localhost:5000".to_owned(), None, None, "localhost:5000/**:v?".to_owned());
        assert_eq!(of("localhost:5000/**:v?"), wanted);
        assert_eq!(Pattern::parse("nginx:1.27").unwrap(), None);
    }

    #[test]
    fn patterns_that_mean_nothing_are_refused() {
        for text in ["*", "team/*", "*/nginx:1", "a*.example/b", "r.example/a:*@sha256:00", "UPPER:*"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_fits_is_kept_and_what_is_no_name_is_told() {
        let set = PatternSet::new(&["r.example/a:1.*"]).unwrap();
        let tags = ["1.0", "1.1", "2.0", "not a tag", "../x"].map(str::to_owned);
        let mut gaps = Vec::new();
        let kept = keep("r.example/a", tags.into(), &set, &mut gaps, |tag| format!("r.example/a:{tag}"));
        let kept: Vec<_> = kept.iter().map(ToString::to_string).collect();
        assert_eq!(kept, ["r.example/a:1.0", "r.example/a:1.1"]);
        assert_eq!(gaps.len(), 1);
        assert!(gaps[0].reason.contains("2 names"), "{}", gaps[0].reason);
    }

    #[test]
    fn pages_are_read() {
        assert_eq!(parse(br#"{"name":"a","tags":["1","2"]}"#).unwrap(), ["1", "2"]);
        assert_eq!(parse(br#"{"name":"a","tags":null}"#).unwrap(), [""; 0]);
        assert_eq!(parse(br#"{"repositories":["a/b"]}"#).unwrap(), ["a/b"]);
        for wrong in ["", "null", r#"{"tags":[1]}"#, r#"{"tags":"a"}"#] {
            assert_eq!(parse(wrong.as_bytes()), Err("it is no list"), "{wrong}");
        }
    }
}
