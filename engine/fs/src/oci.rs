//! The documents that describe an image: index, manifest, config. Pure: what is needed next is said, what was had is
//! supplied.
//!
//! Formats: <https://github.com/opencontainers/image-spec/blob/main/spec.md> and Docker's schema 2,
//! <https://distribution.github.io/distribution/spec/manifest-v2-2/>.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pratique_core::Digest;
use pratique_core::config::{HistoryEntry, ImageConfig};
use pratique_core::facts::Platform;
use pratique_core::lineage::{BASE_DIGEST, BASE_NAME};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::tar::check_digest;
use crate::{Error, Result};

pub use pratique_registry::DOCUMENT_LIMIT;

/// Layers of one image at most.
pub const LAYER_LIMIT: usize = 1_000;
/// Indexes inside indexes at most.
const INDEX_DEPTH: usize = 4;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// An image as its documents describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageManifest {
    /// Digest of the config: the image's ID.
    pub image: Digest,
    /// Digest of the manifest; none where the source keeps none (Docker's own store and archives).
    pub manifest: Option<Digest>,
    /// Indexes that led to it, the outermost first.
    pub indexes: Vec<Digest>,
    /// What it is made for, by its config.
    pub platform: Platform,
    /// When it was built, if the config says so in a form that can be read.
    pub created: Option<Timestamp>,
    /// How it is to be run, and how it was built.
    pub config: ImageConfig,
    /// Layers, base first.
    pub layers: Vec<LayerDescriptor>,
}

impl ImageManifest {
    /// Bytes of all blobs, compressed as they are, by the manifest's word.
    pub fn size(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size))
    }
}

/// One layer of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerDescriptor {
    /// Digest of its uncompressed tar.
    pub diff_id: Digest,
    /// Names it together with all layers below it: the name of the runtime's snapshot
    /// (<https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid>).
    pub chain_id: Digest,
    /// Digest of its blob. Where the source keeps none (folders, archives of `docker save`) that of its tar: the diff ID.
    pub blob: Digest,
    /// Bytes of its blob.
    pub size: u64,
    /// Media type of its blob, as written.
    pub media_type: String,
}

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// An index or manifest.
    Manifest,
    /// An image's config.
    Config,
}

/// What a resolution wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The bytes of this document, at most `limit` of them.
    Document {
        /// Its digest.
        digest: Digest,
        /// Bytes at most.
        limit: u64,
        /// What it is: registries keep the two kinds apart.
        kind: DocumentKind,
    },
    /// Nothing.
    Ready(Box<ImageManifest>),
}

/// Finds out what image a digest means, one document after the other:
///
/// ```
/// # use pratique_fs::oci::{Need, Resolver};
/// # fn read(_: &pratique_core::Digest) -> Vec<u8> { Vec::new() }
/// # fn image(digest: pratique_core::Digest) -> pratique_fs::Result<()> {
/// let mut resolver = Resolver::new(digest, "", pratique_fs::oci::host_platform());
/// let image = loop {
///     match resolver.next() {
///         Need::Document { digest, .. } => resolver.supply(&read(&digest))?,
///         Need::Ready(image) => break image,
///     }
/// };
/// # drop(image); Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Resolver {
    platform: Platform,
    indexes: Vec<Digest>,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Target { digest: Digest, media_type: String },
    Config { manifest: Digest, document: Manifest },
    Ready(Box<ImageManifest>),
}

impl Resolver {
    /// Starts at the digest of an index or manifest, of the media type that whoever named it gave (may be empty). Of an
    /// index the image for `platform` is chosen.
    pub fn new(target: Digest, media_type: &str, platform: Platform) -> Self {
        let state = State::Target { digest: target, media_type: media_type.to_owned() };
        Self { platform, indexes: Vec::new(), state }
    }

    /// What is wanted next.
    pub fn next(&self) -> Need {
        let (digest, kind) = match &self.state {
            State::Target { digest, .. } => (digest, DocumentKind::Manifest),
            State::Config { document, .. } => (&document.config.digest, DocumentKind::Config),
            State::Ready(image) => return Need::Ready(image.clone()),
        };
        Need::Document { digest: digest.clone(), limit: DOCUMENT_LIMIT, kind }
    }

    /// Takes the bytes of the document that was wanted. Its digest is checked first.
    pub fn supply(&mut self, bytes: &[u8]) -> Result<()> {
        let Need::Document { digest, limit, .. } = self.next() else { return Ok(()) };
        let what = format!("document {digest}");
        if bytes.len() as u64 > limit {
            return Err(Error::Limit { what, limit: format!("it has more than {limit} bytes") });
        }
        check_digest(&what, bytes, &digest)?;
        let next = match &self.state {
            State::Target { media_type, .. } => self.target(&what, bytes, digest.clone(), media_type)?,
            State::Config { manifest, document } => {
                let image = assemble(&what, bytes, manifest, document, &self.indexes)?;
                State::Ready(Box::new(image))
            }
            State::Ready(_) => return Ok(()),
        };
        if let State::Target { .. } = next {
            self.indexes.push(digest);
        }
        self.state = next;
        Ok(())
    }

    /// The state after the bytes of an index or manifest.
    fn target(&self, what: &str, bytes: &[u8], digest: Digest, media_type: &str) -> Result<State> {
        let probe: Probe = parse(what, bytes)?;
        let kind = probe.media_type.as_deref().unwrap_or(media_type);
        if probe.schema_version == Some(1) {
            return Err(unsupported(
                what,
                "it is a Docker manifest of schema 1; push the image anew with a present tool",
            ));
        }
        match (kind, probe.manifests.is_some(), probe.layers.is_some()) {
            // A document that could be read as both is refused, as the specification advises.
            (_, true, true) => Err(malformed(what, "it has both `manifests` and `layers`")),
            (OCI_INDEX | DOCKER_LIST | "", true, _) => {
                if self.indexes.len() >= INDEX_DEPTH {
                    let limit = format!("more than {INDEX_DEPTH} indexes inside each other");
                    return Err(Error::Limit { what: what.to_owned(), limit });
                }
                let index: Index = parse(what, bytes)?;
                let entries = index.manifests.iter().collect::<Vec<_>>();
                let chosen = choose(what, &entries, &self.platform)?;
                Ok(State::Target { digest: chosen.digest.clone(), media_type: chosen.media_type.clone() })
            }
            (OCI_MANIFEST | DOCKER_MANIFEST | "", _, true) => {
                let document: Manifest = parse(what, bytes)?;
                if !matches!(document.config.media_type.as_str(), OCI_CONFIG | DOCKER_CONFIG) {
                    let reason = format!(
                        "its config is of the type `{}`: it is no container image",
                        cut(&document.config.media_type)
                    );
                    return Err(unsupported(what, reason));
                }
                if document.layers.len() > LAYER_LIMIT {
                    return Err(Error::Limit {
                        what: what.to_owned(),
                        limit: format!("more than {LAYER_LIMIT} layers"),
                    });
                }
                Ok(State::Config { manifest: digest, document })
            }
            (OCI_INDEX | DOCKER_LIST, ..) => Err(malformed(what, "it is an index without `manifests`")),
            (OCI_MANIFEST | DOCKER_MANIFEST, ..) => Err(malformed(what, "it is a manifest without `layers`")),
            (other, ..) => Err(unsupported(
                what,
                format!("it is of the type `{}`, neither index nor manifest", cut(other)),
            )),
        }
    }
}

/// The platform this program was built for.
pub fn host_platform() -> Platform {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    };
    Platform { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: String::new() }
}

/// The entry of an index for a platform, as runtimes choose it: of several the one with the wanted variant, then the
/// first; one without a platform if nothing else fits. Annotations play no part, as they play none for runtimes: what
/// BuildKit puts beside the images has the platform `unknown/unknown`.
pub(crate) fn choose<'i>(
    what: &str,
    entries: &[&'i Descriptor],
    wanted: &Platform,
) -> Result<&'i Descriptor> {
    let images =
        || entries.iter().copied().filter(|entry| entry.platform.as_ref().is_none_or(|p| p.os != "unknown"));
    let fits = |entry: &&Descriptor| {
        entry.platform.as_ref().is_some_and(|p| p.os == wanted.os && p.architecture == wanted.architecture)
    };
    let variant = |entry: &&Descriptor| {
        entry.platform.as_ref().is_some_and(|p| plain_variant(p) == plain_variant(wanted))
    };
    images()
        .find(|entry| fits(entry) && variant(entry))
        .or_else(|| images().find(fits))
        .or_else(|| images().find(|entry| entry.platform.is_none()))
        .ok_or_else(|| {
            let others = images().filter_map(|entry| entry.platform.as_ref()).take(20);
            let others = others.map(|p| cut(&p.to_string()).to_owned()).collect::<Vec<_>>().join(", ");
            unsupported(what, format!("it has no image for {wanted}, only for: {others}"))
        })
}

/// The variant, with the usual one of its architecture left out.
fn plain_variant(platform: &Platform) -> &str {
    match (platform.architecture.as_str(), platform.variant.as_str()) {
        ("amd64", "v1") | ("arm64", "v8") => "",
        (_, variant) => variant,
    }
}

fn assemble(
    what: &str,
    bytes: &[u8],
    manifest: &Digest,
    document: &Manifest,
    indexes: &[Digest],
) -> Result<ImageManifest> {
    let config: Config = parse(what, bytes)?;
    let blobs = document.layers.iter().map(|blob| (blob.digest.clone(), blob.size, blob.media_type.clone()));
    let blobs = blobs.collect::<Vec<_>>();
    let mut image = config.into_manifest(
        what,
        document.config.digest.clone(),
        Some(manifest.clone()),
        indexes,
        &blobs,
    )?;
    // Builders write what they built on here or there; the specification knows both places.
    for key in [BASE_NAME, BASE_DIGEST] {
        if let Some(value) = document.annotations.get(key) {
            image.config.labels.entry(key.to_owned()).or_insert_with(|| value.clone());
        }
    }
    Ok(image)
}

pub(crate) fn parse<'b, T: Deserialize<'b>>(what: &str, bytes: &'b [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| malformed(what, cut(&error.to_string())))
}

/// Foreign text, short enough for a message.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(200)]
}

fn malformed(what: &str, reason: impl Into<String>) -> Error {
    Error::Malformed { what: what.to_owned(), reason: reason.into() }
}

fn unsupported(what: &str, reason: impl Into<String>) -> Error {
    Error::Unsupported { what: what.to_owned(), reason: reason.into() }
}

/// What tells the documents apart.
#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "schemaVersion")]
    schema_version: Option<u64>,
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(crate) struct Index {
    pub(crate) manifests: Vec<Descriptor>,
}

#[derive(Debug, Clone, Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default, deserialize_with = "or_default")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    #[serde(default)]
    size: u64,
    pub(crate) platform: Option<Platform>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Config {
    created: Option<String>,
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
    #[serde(default, deserialize_with = "or_default")]
    author: String,
    #[serde(default, deserialize_with = "or_default")]
    config: Execution,
    #[serde(default, deserialize_with = "or_default")]
    history: Vec<Step>,
    rootfs: RootFs,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Execution {
    #[serde(deserialize_with = "or_default")]
    user: String,
    #[serde(deserialize_with = "or_default")]
    env: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    entrypoint: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    cmd: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    working_dir: String,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    exposed_ports: BTreeMap<String, IgnoredAny>,
    #[serde(deserialize_with = "or_default")]
    volumes: BTreeMap<String, IgnoredAny>,
    healthcheck: Option<Healthcheck>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Healthcheck {
    #[serde(default, deserialize_with = "or_default")]
    test: Vec<String>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(default, deserialize_with = "or_default")]
    created: String,
    #[serde(default, deserialize_with = "or_default")]
    created_by: String,
    #[serde(default, deserialize_with = "or_default")]
    comment: String,
    #[serde(default, deserialize_with = "or_default")]
    empty_layer: bool,
}

impl From<Step> for HistoryEntry {
    fn from(step: Step) -> Self {
        let Step { created, created_by, comment, empty_layer } = step;
        Self { created, created_by, comment, empty_layer }
    }
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default, deserialize_with = "or_default")]
    diff_ids: Vec<Digest>,
}

/// A value that tools written in Go leave out or write as `null` when it is empty.
pub(crate) fn or_default<'d, D: Deserializer<'d>, T: Deserialize<'d> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Config {
    fn into_manifest(
        self,
        what: &str,
        image: Digest,
        manifest: Option<Digest>,
        indexes: &[Digest],
        blobs: &[(Digest, u64, String)],
    ) -> Result<ImageManifest> {
        let diff_ids = self.rootfs.diff_ids;
        if diff_ids.len() != blobs.len() {
            let reason = format!("it names {} layers, its manifest {}", diff_ids.len(), blobs.len());
            return Err(malformed(what, reason));
        }
        let mut layers: Vec<LayerDescriptor> = Vec::with_capacity(diff_ids.len());
        for (diff_id, (blob, size, media_type)) in diff_ids.into_iter().zip(blobs.iter().cloned()) {
            let chain_id = match layers.last() {
                None => diff_id.clone(),
                Some(below) => Digest::of(format!("{} {diff_id}", below.chain_id).as_bytes()),
            };
            layers.push(LayerDescriptor { diff_id, chain_id, blob, size, media_type });
        }
        let execution = self.config;
        let is_set = |check: Healthcheck| check.test.first().is_some_and(|first| first != "NONE");
        Ok(ImageManifest {
            image,
            manifest,
            indexes: indexes.to_vec(),
            platform: Platform { os: self.os, architecture: self.architecture, variant: self.variant },
            created: self.created.and_then(|text| text.parse().ok()),
            config: ImageConfig {
                user: execution.user,
                env: execution.env,
                entrypoint: execution.entrypoint,
                cmd: execution.cmd,
                working_dir: execution.working_dir,
                labels: execution.labels,
                exposed_ports: execution.exposed_ports.into_keys().collect(),
                volumes: execution.volumes.into_keys().collect(),
                healthcheck: execution.healthcheck.is_some_and(is_set),
                author: self.author,
                history: self.history.into_iter().map(HistoryEntry::from).collect(),
            },
            layers,
        })
    }
}

/// An image whose source keeps no manifest: its config, and of each layer the bytes that it takes (0 where unknown).
pub fn from_config(image: &Digest, bytes: &[u8], sizes: &[u64]) -> Result<ImageManifest> {
    let what = format!("document {image}");
    if bytes.len() as u64 > DOCUMENT_LIMIT {
        return Err(Error::Limit { what, limit: format!("it has more than {DOCUMENT_LIMIT} bytes") });
    }
    check_digest(&what, bytes, image)?;
    let config: Config = parse(&what, bytes)?;
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() > LAYER_LIMIT {
        return Err(Error::Limit { what, limit: format!("more than {LAYER_LIMIT} layers") });
    }
    let size = |number: usize| sizes.get(number).copied().unwrap_or(0);
    let blobs = diff_ids.iter().enumerate();
    let blobs = blobs.map(|(number, diff_id)| (diff_id.clone(), size(number), OCI_LAYER.to_owned()));
    let blobs = blobs.collect::<Vec<_>>();
    config.into_manifest(&what, image.clone(), None, &[], &blobs)
}
