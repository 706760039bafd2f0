//! What an image was built on: which of its layers come from which base.
//!
//! A build adds layers to those of its base and changes none of them, so a base's layers are the first layers of every
//! image that was built on it. Images say what they were built on, if at all, by annotations
//! (<https://github.com/opencontainers/image-spec/blob/main/annotations.md>), which is their word alone.

use serde::{Deserialize, Serialize};

use crate::reference::Reference;
use crate::{Digest, ImageConfig};

/// The annotation that names an image's base.
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The annotation that has the digest of its base's manifest.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// An image that others may be built on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownBase {
    /// What it is called, such as `docker.io/library/debian:12`.
    pub name: String,
    /// Its layers (diff IDs), base first.
    pub layers: Vec<Digest>,
    /// Digests of manifests that lead to it, as far as they are known.
    #[serde(default)]
    pub digests: Vec<Digest>,
    /// Whether somebody vouches for it: an image of this name with other layers is not the genuine one. Several may be
    /// vouched for under one name, as a tag moves.
    #[serde(default)]
    pub genuine: bool,
}

/// The base of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Its name, if anything tells it.
    pub name: Option<String>,
    /// How many of the image's layers are the base's, from the first on.
    pub layers: usize,
    /// How that is known.
    pub evidence: Evidence,
}

/// How a base is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Evidence {
    /// Its layers are the first of the image: certain.
    Layers,
    /// The image's build history has a start command in the middle, as bases end with one: a guess.
    History,
}

impl Evidence {
    /// Both.
    pub const ALL: [Evidence; 2] = [Self::Layers, Self::History];

    /// The name as it is written in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Layers => "Layers",
            Self::History => "History",
        }
    }
}

impl KnownBase {
    /// Whether an image with these layers was built on it. One with the same layers and no more was: it changes the config
    /// alone.
    pub fn is_base_of(&self, layers: &[Digest]) -> bool {
        !self.layers.is_empty() && layers.starts_with(&self.layers)
    }

    /// Whether it goes by this name; what lacks a registry or a tag is completed as a pull would.
    pub fn is_called(&self, name: &str) -> bool {
        same_name(&self.name, name)
    }
}

/// The base of an image: of the known ones whose layers are its first the one with the most, and of equals the one that is
/// vouched for, then the first; if there is none, what the history tells. None: nothing tells of any.
pub fn base_of(layers: &[Digest], config: &ImageConfig, known: &[KnownBase]) -> Option<Base> {
    let mut found: Option<&KnownBase> = None;
    for base in known.iter().filter(|base| base.is_base_of(layers)) {
        let rank = |base: &KnownBase| (base.layers.len(), base.genuine);
        if found.is_none_or(|found| rank(base) > rank(found)) {
            found = Some(base);
        }
    }
    match found {
        Some(base) => {
            let (name, layers) = (Some(base.name.clone()), base.layers.len());
            Some(Base { name, layers, evidence: Evidence::Layers })
        }
        None => {
            let layers = boundary(layers.len(), config)?;
            let name = config.labels.get(BASE_NAME).cloned();
            Some(Base { name, layers, evidence: Evidence::History })
        }
    }
}

/// How many layers lie below the last start command that layers follow.
fn boundary(layers: usize, config: &ImageConfig) -> Option<usize> {
    let steps = &config.history;
    if steps.iter().filter(|step| !step.empty_layer).count() != layers {
        return None;
    }
    let mut below = 0;
    let mut boundary = None;
    let mut pending = None;
    for step in steps {
        let instruction = step.created_by.rsplit("#(nop)").next().unwrap_or_default().trim_start();
        if !step.empty_layer {
            boundary = pending.or(boundary);
            below += 1;
        } else if instruction.starts_with("CMD") || instruction.starts_with("ENTRYPOINT") {
            pending = Some(below).filter(|below| *below > 0);
        }
    }
    boundary
}

/// Whether two names stand for one image: the same repository and tag, whatever digest stands behind.
fn same_name(one: &str, other: &str) -> bool {
    match (one.parse::<Reference>(), other.parse::<Reference>()) {
        (Ok(one), Ok(other)) => {
            let tag = |name: &Reference| name.tag_or_latest().map(str::to_owned);
            one.name() == other.name() && tag(&one).is_some() && tag(&one) == tag(&other)
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HistoryEntry;

    fn digests(bytes: &[u8]) -> Vec<Digest> {
        bytes.iter().map(|byte| Digest::sha256([*byte; 32])).collect()
    }

    fn base(name: &str, layers: &[u8]) -> KnownBase {
        KnownBase { name: name.into(), layers: digests(layers), digests: Vec::new(), genuine: false }
    }

    fn steps(steps: &[(&str, bool)]) -> ImageConfig {
        let step = |(created_by, layer): &(&str, bool)| HistoryEntry {
            created_by: (*created_by).to_owned(),
            empty_layer: !layer,
            ..HistoryEntry::default()
        };
        ImageConfig { history: steps.iter().map(step).collect(), ..ImageConfig::default() }
    }

    #[test]
    fn the_longest_known_image_whose_layers_come_first_is_the_base() {
        let known = [
            base("debian:12", &[1]),
            base("python:3", &[1, 2, 3]),
            base("other", &[1, 9]),
            base("none", &[]),
        ];
        for (layers, expected) in [
            (&[1, 2, 3, 4][..], Some(("python:3", 3))),
            (&[1, 2, 3], Some(("python:3", 3))),
            (&[1, 2], Some(("debian:12", 1))),
            (&[2, 1], None),
            (&[], None),
        ] {
            let found = base_of(&digests(layers), &ImageConfig::default(), &known);
            let found = found.as_ref().map(|base| (base.name.as_deref().unwrap_or_default(), base.layers));
            assert_eq!(found, expected, "{layers:?}");
        }
        let mut vouched = base("registry.example.com/python:3", &[1, 2, 3]);
        vouched.genuine = true;
        let known = [base("python:3", &[1, 2, 3]), vouched];
        let found = base_of(&digests(&[1, 2, 3, 4]), &ImageConfig::default(), &known).unwrap();
        assert_eq!(found.name.as_deref(), Some("registry.example.com/python:3"));
    }

    #[test]
    fn history_tells_where_a_base_ends_if_it_ends_with_a_command_and_all_steps_are_there() {
        let debian =
            [("/bin/sh -c #(nop) ADD file:1 in / ", true), ("/bin/sh -c #(nop)  CMD [\"bash\"]", false)];
        let python = [("RUN apt-get install", true), ("RUN pip", true), ("CMD [\"python3\"]", false)];
        let app = [("WORKDIR /srv", false), ("COPY . .", true), ("CMD [\"app\"]", false)];
        for (history, layers, expected) in [
            ([&debian[..], &python, &app].concat(), 4, Some(3)),
            ([&debian[..], &app].concat(), 2, Some(1)),
            (debian.to_vec(), 1, None),
            (app.to_vec(), 1, None),
            ([&[("ENTRYPOINT [\"x\"]", false)], &app[..]].concat(), 1, None),
            ([&debian[..], &app].concat(), 3, None),
        ] {
            let layers = digests(&(0..layers).collect::<Vec<_>>());
            let found = base_of(&layers, &steps(&history), &[]);
            assert_eq!(found.map(|base| base.layers), expected, "{history:?}");
        }
    }

    #[test]
    fn names_are_the_same_if_a_pull_would_ask_for_the_same() {
        let debian = base("docker.io/library/debian:12", &[1]);
        let digest = Digest::sha256([1; 32]);
        for name in ["debian:12", "library/debian:12", &format!("docker.io/library/debian:12@{digest}")] {
            assert!(debian.is_called(name), "{name}");
        }
        for name in ["debian", "debian:13", "example.com/debian:12", "", &format!("debian@{digest}")] {
            assert!(!debian.is_called(name), "{name}");
        }
        assert!(base("oci:folder", &[1]).is_called("oci:folder"));
    }
}
