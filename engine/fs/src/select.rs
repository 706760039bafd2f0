//! What people type to select of what the runtimes of this machine have.

use globset::Glob;
use pratique_core::Digest;

use crate::find::{Known, fits, hits, is_pattern, pattern};
use crate::listing::{self, ListedContainer, ListedImage, RUNTIMES};
use crate::source::{PassedOver, no_source};
use crate::{Error, Result, SourceKind, SourceOptions, SourceRef, containerd};

/// First characters of a container's id that are taken for it, at least.
const SHORTEST_ID: usize = 4;

/// Those of a source's images that a reference means: with wildcards each that has a name that fits, else those that
/// [`crate::find::find`] would find.
///
/// # Errors
/// A pattern that fits no name at all.
pub fn images(reference: &SourceRef, kind: SourceKind, listed: Vec<ListedImage>) -> Result<Vec<ListedImage>> {
    let Some((place, query)) = asked(reference, kind) else { return Ok(Vec::new()) };
    let listed = listed.into_iter().filter(|image| place.is_none_or(|place| image.place == place));
    if is_pattern(query) {
        let pattern = pattern(query)?;
        return Ok(listed.filter(|image| image.names.iter().any(|name| fits(&pattern, name))).collect());
    }
    let known = listed.map(|image| Known {
        names: image.names.clone(),
        digests: image.image.iter().chain(&image.others).cloned().collect(),
        place: String::new(),
        item: image,
    });
    Ok(hits(query, &known.collect::<Vec<_>>()).into_iter().map(|known| known.item.clone()).collect())
}

/// Those of a source's containers that a reference means. With wildcards each of which a name fits, or its image's. Else
/// the first rule that fits any decides: a name or a whole id, at least four of an id's first characters, the image.
///
/// # Errors
/// A pattern that fits no name at all.
pub fn containers(
    reference: &SourceRef,
    kind: SourceKind,
    listed: Vec<ListedContainer>,
) -> Result<Vec<ListedContainer>> {
    let Some((place, query)) = asked(reference, kind) else { return Ok(Vec::new()) };
    let mut listed = listed;
    listed.retain(|container| place.is_none_or(|place| container.place == place));
    if is_pattern(query) {
        let names = Glob::new(query).ok().map(|glob| glob.compile_matcher());
        let images = match pattern(query) {
            Ok(images) => Some(images),
            Err(_) if names.is_some() => None,
            Err(error) => return Err(error),
        };
        listed.retain(|container| {
            let is_named = |name: &String| names.as_ref().is_some_and(|names| names.is_match(name));
            container.names.iter().any(is_named)
                || images.as_ref().is_some_and(|images| fits(images, &container.image))
        });
        return Ok(listed);
    }
    let rules: [&dyn Fn(&ListedContainer) -> bool; 2] = [
        &|container| container.id == query || container.names.iter().any(|name| name == query),
        &|container| query.len() >= SHORTEST_ID && container.id.starts_with(query),
    ];
    for rule in rules {
        if listed.iter().any(rule) {
            listed.retain(rule);
            return Ok(listed);
        }
    }
    let known = listed.into_iter().map(|container| Known {
        names: vec![container.image.clone()],
        digests: digest(&container.image).into_iter().collect(),
        place: String::new(),
        item: container,
    });
    Ok(hits(query, &known.collect::<Vec<_>>()).into_iter().map(|known| known.item.clone()).collect())
}

/// The references, each of one image, that one with wildcards means: of the runtime that it names, else of the first that
/// has any.
///
/// # Errors
/// No runtime has any.
pub fn expand(reference: &SourceRef, options: &SourceOptions) -> Result<Vec<SourceRef>> {
    let pattern = pattern(containerd::split_namespace(&reference.target).1)?;
    let mut passed_over = Vec::new();
    for kind in RUNTIMES.into_iter().filter(|kind| reference.kind.is_none_or(|only| only == *kind)) {
        let found =
            listing::images(kind, options).and_then(|listed| match images(reference, kind, listed)? {
                none if none.is_empty() => {
                    Err(Error::NoMatch { query: reference.target.clone(), hint: String::new() })
                }
                found => Ok(found),
            });
        match found {
            Ok(found) => {
                let named = found.into_iter().filter_map(|image| {
                    let name = image.names.into_iter().find(|name| fits(&pattern, name))?;
                    let target = match kind {
                        SourceKind::Containerd => format!("//{}/{name}", image.place),
                        _ => name,
                    };
                    Some(SourceRef { kind: Some(kind), target })
                });
                return Ok(named.collect());
            }
            Err(error) if reference.kind.is_none() && error.is_absence() => {
                passed_over.push(PassedOver { kind, reason: error.to_string() });
            }
            Err(error) => return Err(error),
        }
    }
    Err(no_source(&reference.target, &passed_over))
}

/// What a reference asks of a source: the namespace that it names, and the rest; nothing if it names another source.
fn asked(reference: &SourceRef, kind: SourceKind) -> Option<(Option<&str>, &str)> {
    match reference.kind {
        Some(SourceKind::Containerd) if kind == SourceKind::Containerd => {
            Some(containerd::split_namespace(&reference.target))
        }
        Some(only) if only != kind => None,
        _ => Some((None, &reference.target)),
    }
}

/// The digest that an image is named by, with or without its algorithm.
fn digest(image: &str) -> Option<Digest> {
    image.parse().or_else(|_| format!("sha256:{image}").parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> Digest {
        Digest::sha256([byte; 32])
    }

    fn image(place: &str, names: &[&str], own: u8, others: &[u8]) -> ListedImage {
        ListedImage {
            place: place.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            image: Some(id(own)),
            others: others.iter().map(|other| id(*other)).collect(),
            size: None,
        }
    }

    fn container(place: &str, id: &str, name: &str, image: &str) -> ListedContainer {
        let names = vec![name.to_owned()];
        ListedContainer {
            place: place.to_owned(),
            id: id.to_owned(),
            names,
            image: image.to_owned(),
            running: None,
        }
    }

    #[test]
    fn images_are_selected_by_what_people_type() {
        let listed = || {
            vec![
                image(
                    "k8s.io",
                    &["docker.io/library/nginx:1.27", "docker.io/library/nginx:latest"],
                    0xa1,
                    &[0x11],
                ),
                image("moby", &["docker.io/library/nginx:1.27"], 0xa1, &[0x11]),
                image("k8s.io", &["registry.example.com/shop/web:1.4"], 0xb1, &[0x12]),
                image("k8s.io", &[], 0xb2, &[]),
            ]
        };
        let (whole, manifest) = (id(0xa1), id(0x12));
        let at = format!("registry.example.com/shop/web@{manifest}");
        for (query, selected) in [
            ("nginx", &[0][..]),
            ("docker.io/library/nginx:1.27", &[0, 1]),
            ("containerd:nginx:1.27", &[0, 1]),
            ("containerd://moby/nginx:1.27", &[1]),
            ("containerd://moby/*", &[1]),
            ("nginx:2", &[]),
            (whole.as_str(), &[0, 1]),
            (whole.hex(), &[0, 1]),
            ("a1a1", &[0, 1]),
            ("b2b2", &[3]),
            (manifest.as_str(), &[2]),
            (&at, &[2]),
            ("**/web", &[2]),
            ("ngin?", &[0, 1]),
            ("nginx:l*", &[0]),
            ("docker:nginx", &[]),
        ] {
            let reference = SourceRef::parse(query).expect(query);
            let found = images(&reference, SourceKind::Containerd, listed()).expect(query);
            let wanted = selected.iter().map(|place| listed()[*place].clone()).collect::<Vec<_>>();
            assert_eq!(found, wanted, "{query}");
        }
    }

    #[test]
    fn containers_are_selected_by_name_id_and_image() {
        let (first, second, whole) = ("0badcafe".repeat(8), "0badf00d".repeat(8), id(0xa1));
        let listed = || {
            vec![
                container("k8s.io", &first, "web-1", "docker.io/library/nginx:1.27"),
                container("k8s.io", &second, "web-2", "docker.io/library/redis:7"),
                container("moby", "one", "db", whole.hex()),
            ]
        };
        for (query, selected) in [
            ("web-1", &[0][..]),
            ("web-*", &[0, 1]),
            ("web-?", &[0, 1]),
            (first.as_str(), &[0]),
            ("0badc", &[0]),
            ("0bad", &[0, 1]),
            ("0ba", &[]),
            ("nginx:1.27", &[0]),
            ("nginx", &[]),
            ("library/*", &[0, 1]),
            ("docker.io/library/*", &[0, 1]),
            ("redis:*", &[1]),
            ("a1a1a1", &[2]),
            ("containerd://moby/one", &[2]),
            ("containerd://moby/web-1", &[]),
            ("docker:web-1", &[]),
        ] {
            let reference = SourceRef::parse(query).expect(query);
            let found = containers(&reference, SourceKind::Containerd, listed()).expect(query);
            let wanted = selected.iter().map(|place| listed()[*place].clone()).collect::<Vec<_>>();
            assert_eq!(found, wanted, "{query}");
        }
    }
}
