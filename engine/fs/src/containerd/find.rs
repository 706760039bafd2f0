//! Finding an image by what people type.

use pratique_core::reference::Reference;

use super::RuntimeImage;
use crate::oci::ImageManifest;
use crate::{Error, Result};

/// Shortest digest prefix that is taken for one.
const SHORTEST_PREFIX: usize = 4;

/// A listed image and, if its documents are there, what it is.
#[derive(Debug, Clone)]
pub struct Known {
    /// As listed.
    pub image: RuntimeImage,
    /// What it is.
    pub manifest: Option<ImageManifest>,
}

impl Known {
    /// The digests it answers to: image ID, manifest, indexes and what its name points to.
    fn digests(&self) -> impl Iterator<Item = &str> {
        let manifest = self.manifest.iter();
        let resolved = manifest
            .flat_map(|found| [&found.image].into_iter().chain(&found.manifest).chain(&found.indexes));
        std::iter::once(&self.image.target).chain(resolved).map(pratique_core::Digest::as_str)
    }

    /// What two names of one image have in common.
    fn identity(&self) -> &str {
        self.manifest.as_ref().map_or(&self.image.target, |found| &found.image).as_str()
    }
}

/// The image that `query` means. The first rule that fits anything decides:
///
/// 1. the name as it is listed;
/// 2. a name as Docker writes it (`nginx`, `nginx:1.27`, `shop/web@sha256:…`): without registry it is Docker Hub's,
///    without tag and digest it is `latest`; with a digest the tag plays no part;
/// 3. a digest, with or without `sha256:`: of the image (its ID), its manifest or an index;
/// 4. the first digits of one, at least four.
///
/// Several names of one image are one answer; several images are an error that names them.
pub fn find<'k>(query: &str, known: &'k [Known]) -> Result<&'k Known> {
    let rules: [&dyn Fn(&Known) -> bool; 4] = [
        &|known| known.image.name == query,
        &|known| is_named(query, known),
        &|known| is_digest(query) && known.digests().any(|own| own == query || hex(own) == query),
        &|known| {
            is_prefix(query)
                && known.digests().any(|own| own.starts_with(query) || hex(own).starts_with(query))
        },
    ];
    for rule in rules {
        let mut hits = known.iter().filter(|known| rule(known));
        let Some(first) = hits.next() else { continue };
        let mut others = hits.filter(|other| other.identity() != first.identity()).peekable();
        if others.peek().is_none() {
            return Ok(first);
        }
        let names = std::iter::once(first).chain(others).take(5).map(describe).collect::<Vec<_>>().join(", ");
        return Err(Error::Ambiguous { query: query.to_owned(), choices: names });
    }
    Err(Error::NoMatch { query: query.to_owned(), hint: String::new() })
}

fn is_named(query: &str, known: &Known) -> bool {
    let (Ok(wanted), Ok(own)) = (query.parse::<Reference>(), known.image.name.parse::<Reference>()) else {
        return false;
    };
    if wanted.name() != own.name() {
        return false;
    }
    match wanted.digest() {
        Some(digest) => known.digests().any(|own| own == digest.as_str()),
        None => own.digest().is_none() && wanted.tag_or_latest() == own.tag_or_latest(),
    }
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

fn describe(known: &Known) -> String {
    format!("{} ({}, namespace {})", known.image.name, &known.identity()[..19], known.image.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::{ImageConfig, host_platform};
    use pratique_core::Digest;

    fn known(name: &str, target: u8, image: Option<u8>) -> Known {
        let digest = |byte: u8| Digest::sha256([byte; 32]);
        let manifest = image.map(|image| ImageManifest {
            image: digest(image),
            manifest: Some(digest(image ^ 0xff)),
            indexes: vec![digest(target)],
            platform: host_platform(),
            created: None,
            config: ImageConfig::default(),
            layers: Vec::new(),
        });
        let (name, namespace) = (name.to_owned(), "k8s.io".to_owned());
        Known {
            image: RuntimeImage { namespace, name, target: digest(target), media_type: String::new() },
            manifest,
        }
    }

    fn store() -> Vec<Known> {
        vec![
            known("docker.io/library/nginx:latest", 0x11, Some(0xa1)),
            known("docker.io/library/nginx:1.27", 0x12, Some(0xa2)),
            known("registry.example.com:5000/shop/web:1.4", 0x13, Some(0xb1)),
            known(&format!("sha256:{}", "b1".repeat(32)), 0x13, Some(0xb1)),
            known("docker.io/library/beef:latest", 0x14, None),
        ]
    }

    fn found(query: &str) -> Result<String> {
        find(query, &store()).map(|known| known.image.name.clone())
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
        store.push(known("docker.io/library/other:latest", 0x15, Some(0xa2 ^ 0x01)));
        store[5].image.target = Digest::sha256([0xa1; 32]);
        let error = find("a1a1", &store).expect_err("two images").to_string();
        assert!(error.contains("nginx:latest") && error.contains("other:latest"), "{error}");
    }
}
