//! Finding an image by what people type, the same for every source that has several.

use pratique_core::Digest;
use pratique_core::reference::{PatternSet, Reference};

use crate::oci::ImageManifest;
use crate::{Error, Result};

/// Shortest digest prefix that is taken for one.
const SHORTEST_PREFIX: usize = 4;

/// An image that a source has, with what it answers to.
#[derive(Debug, Clone)]
pub struct Known<T> {
    /// Its names.
    pub names: Vec<String>,
    /// Its digests. The first says whether two are the same image.
    pub digests: Vec<Digest>,
    /// Where it is, for messages: `namespace k8s.io`; may be empty.
    pub place: String,
    /// What is found by it.
    pub item: T,
}

impl<T> Known<T> {
    /// The digests that an image answers to: its ID, its manifest, the indexes that lead to it.
    pub fn digests_of(manifest: &ImageManifest) -> Vec<Digest> {
        [&manifest.image].into_iter().chain(&manifest.manifest).chain(&manifest.indexes).cloned().collect()
    }

    fn identity(&self) -> Option<&Digest> {
        self.digests.first()
    }

    fn any_digest(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.digests.iter().any(|own| fits(own.as_str()))
    }

    fn describe(&self) -> String {
        let name = self.names.first().map_or("no name", String::as_str);
        let id = self.identity().map_or("no digest", Digest::short);
        let comma = if self.place.is_empty() { "" } else { ", " };
        format!("{name} ({id}{comma}{})", self.place)
    }
}

/// Whether an image is meant.
type Rule<'r, T> = dyn Fn(&Known<T>) -> bool + 'r;

/// The image that `query` means. The first rule that fits anything decides:
///
/// 1. a name as it is listed;
/// 2. a name as Docker writes it (`nginx`, `nginx:1.27`, `shop/web@sha256:…`): without registry it is Docker Hub's,
///    without tag and digest it is `latest`; with a digest the tag plays no part;
/// 3. the same of the registry `localhost`, as Podman and Buildah call what they build;
/// 4. a digest, with or without `sha256:`: of the image (its ID), its manifest or an index;
/// 5. the first digits of one, at least four.
///
/// Several names of one image are one answer; several images are an error that names them.
pub fn find<'k, T>(query: &str, known: &'k [Known<T>]) -> Result<&'k Known<T>> {
    let hits = hits(query, known);
    let Some(first) = hits.first().copied() else {
        let listed =
            known.iter().filter_map(|known| known.names.first()).take(5).cloned().collect::<Vec<_>>();
        let more = if known.len() > listed.len() { "…" } else { "" };
        let hint = if listed.is_empty() {
            String::new()
        } else {
            format!(": there are {}{more}", listed.join(", "))
        };
        return Err(Error::NoMatch { query: query.to_owned(), hint });
    };
    match hits.iter().any(|other| other.identity() != first.identity()) {
        false => Ok(first),
        true => {
            let others = hits.iter().copied().filter(|other| other.identity() != first.identity());
            Err(ambiguous(query, std::iter::once(first).chain(others)))
        }
    }
}

/// The images that the first rule takes which takes any; see [`find`].
pub(crate) fn hits<'k, T>(query: &str, known: &'k [Known<T>]) -> Vec<&'k Known<T>> {
    let local = format!("localhost/{query}");
    let rules: [&Rule<'_, T>; 5] = [
        &|known| known.names.iter().any(|name| name == query),
        &|known| is_named(query, known),
        &|known| is_named(&local, known),
        &|known| is_digest(query) && known.any_digest(|own| own == query || hex(own) == query),
        &|known| {
            is_prefix(query) && known.any_digest(|own| own.starts_with(query) || hex(own).starts_with(query))
        },
    ];
    let hits = rules.iter().map(|rule| known.iter().filter(|known| rule(known)).collect::<Vec<_>>());
    hits.into_iter().find(|hits| !hits.is_empty()).unwrap_or_default()
}

/// Whether a query has wildcards, and so means any number of images by their names.
pub fn is_pattern(query: &str) -> bool {
    query.contains(['*', '?'])
}

/// A query with wildcards, as a [`PatternSet`]: read as a name is read, it may lack the registry of Docker Hub or
/// `localhost`. Without a tag it means any.
///
/// # Errors
/// It fits no name at all.
pub(crate) fn pattern(query: &str) -> Result<PatternSet> {
    let mut candidates = vec![query.to_owned(), format!("docker.io/{query}"), format!("localhost/{query}")];
    if !query.contains('/') {
        candidates.push(format!("docker.io/library/{query}"));
    }
    candidates.retain(|candidate| PatternSet::new(&[candidate]).is_ok());
    if candidates.is_empty() {
        candidates.push(query.to_owned());
    }
    PatternSet::new(&candidates).map_err(|error| Error::Malformed {
        what: format!("the pattern `{}`", query.escape_debug()),
        reason: error.to_string(),
    })
}

/// Whether a name, as a runtime lists it, fits a pattern.
pub(crate) fn fits(pattern: &PatternSet, name: &str) -> bool {
    name.parse().is_ok_and(|name| pattern.matches(&name))
}

/// The error that says that a query means each of these.
pub(crate) fn ambiguous<'k, T: 'k>(query: &str, hits: impl Iterator<Item = &'k Known<T>>) -> Error {
    let choices = hits.take(20).map(Known::describe).collect::<Vec<_>>().join(", ");
    Error::Ambiguous { query: query.to_owned(), choices }
}

fn is_named<T>(query: &str, known: &Known<T>) -> bool {
    let Ok(wanted) = query.parse::<Reference>() else { return false };
    known.names.iter().filter_map(|name| name.parse::<Reference>().ok()).any(|own| {
        wanted.name() == own.name()
            && match wanted.digest() {
                Some(digest) => {
                    own.digest() == Some(digest) || known.any_digest(|own| own == digest.as_str())
                }
                None => own.digest().is_none() && wanted.tag_or_latest() == own.tag_or_latest(),
            }
    })
}

fn is_digest(query: &str) -> bool {
    matches!(hex(query).len(), 64 | 128) && is_hex(hex(query))
}

fn is_prefix(query: &str) -> bool {
    hex(query).len() >= SHORTEST_PREFIX && is_hex(hex(query))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The digits of a digest, with or without its algorithm.
fn hex(digest: &str) -> &str {
    digest.split_once(':').map_or(digest, |(_, hex)| hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, digests: &[u8]) -> Known<String> {
        let digests = digests.iter().map(|byte| Digest::sha256([*byte; 32])).collect();
        Known { names: vec![name.to_owned()], digests, place: String::new(), item: name.to_owned() }
    }

    fn store() -> Vec<Known<String>> {
        vec![
            known("docker.io/library/nginx:latest", &[0xa1, 0x11]),
            known("docker.io/library/nginx:1.27", &[0xa2, 0x12]),
            known("registry.example.com:5000/shop/web:1.4", &[0xb1, 0x13]),
            known(&format!("sha256:{}", "b1".repeat(32)), &[0xb1, 0x13]),
            known("docker.io/library/beef:latest", &[0x14]),
            known("localhost/built:1", &[0xc1]),
        ]
    }

    fn found(query: &str) -> Result<String> {
        find(query, &store()).map(|known| known.item.clone())
    }

    #[test]
    fn each_way_of_naming_leads_to_the_image() {
        let (index, id) = (format!("sha256:{}", "12".repeat(32)), "a2".repeat(32));
        let at = format!("nginx@{index}");
        let tag_and_digest = format!("nginx:other@sha256:{id}");
        for (query, name) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("docker.io/library/nginx:1.27", "docker.io/library/nginx:1.27"),
            ("registry.example.com:5000/shop/web:1.4", "registry.example.com:5000/shop/web:1.4"),
            (index.as_str(), "docker.io/library/nginx:1.27"),
            (id.as_str(), "docker.io/library/nginx:1.27"),
            (&id[..4], "docker.io/library/nginx:1.27"),
            ("sha256:a2a2a2", "docker.io/library/nginx:1.27"),
            (at.as_str(), "docker.io/library/nginx:1.27"),
            (tag_and_digest.as_str(), "docker.io/library/nginx:1.27"),
            // Two names of one image are no choice between two; a name goes before a prefix.
            ("b1b1", "registry.example.com:5000/shop/web:1.4"),
            ("beef", "docker.io/library/beef:latest"),
            ("built:1", "localhost/built:1"),
        ] {
            assert_eq!(found(query).unwrap_or_else(|error| panic!("{query}: {error}")), name, "{query}");
        }
    }

    #[test]
    fn what_means_nothing_or_several_is_an_error() {
        for query in ["nginx:9", "a2a", "shop/web", "ffff", "", "nginx@sha256:12"] {
            assert!(matches!(found(query), Err(Error::NoMatch { .. })), "{query}");
        }
        let mut store = store();
        store.push(known("docker.io/library/other:latest", &[0xa3, 0xa1]));
        let error = find("a1a1", &store).expect_err("two images");
        assert!(matches!(error, Error::Ambiguous { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("nginx:latest") && error.contains("other:latest"), "{error}");
    }

    #[test]
    fn a_pattern_is_read_as_a_name_is() {
        for (query, fitting) in [
            ("nginx*", &["nginx", "nginx:1.27", "nginx-exporter:1", "localhost/nginx:2"][..]),
            ("nginx:1.*", &["nginx:1.27"]),
            ("*", &["nginx", "nginx:1.27", "nginx-exporter:1", "localhost/nginx:2"]),
            ("shop/*", &["shop/web:1"]),
            ("*/web", &["shop/web:1"]),
            ("**/web", &["shop/web:1", "registry.example.com:5000/shop/web:1"]),
            ("registry.example.com:5000/**", &["registry.example.com:5000/shop/web:1"]),
            ("docker.io/library/ngin?:*", &["nginx", "nginx:1.27"]),
            ("apache*", &[]),
        ] {
            let pattern = pattern(query).unwrap_or_else(|error| panic!("{query}: {error}"));
            let names = [
                "nginx",
                "nginx:1.27",
                "nginx-exporter:1",
                "shop/web:1",
                "localhost/nginx:2",
                "registry.example.com:5000/shop/web:1",
                "not a name",
            ];
            let found = names.into_iter().filter(|name| fits(&pattern, name)).collect::<Vec<_>>();
            assert_eq!(found, fitting, "{query}");
        }
        for wrong in ["a**b", "a b*", "a//*"] {
            assert!(matches!(pattern(wrong), Err(Error::Malformed { .. })), "{wrong}");
        }
    }
}
