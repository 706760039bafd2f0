//! Advisories as an artifact of a registry: a manifest with one layer per file of the published layout, named by its title.
//!
//! ```text
//! oras push registry.example/advisories:latest --artifact-type application/vnd.pratique.advisories.v1 \
//!     Debian/all.zip:application/zip PyPI/all.zip:application/zip known_exploited_vulnerabilities.json …
//! ```
//!
//! What counts is a layer's title; its media type and the artifact's say what they are to people and registries. Manifest:
//! <https://github.com/opencontainers/image-spec/blob/main/manifest.md>; titles:
//! <https://github.com/opencontainers/image-spec/blob/main/annotations.md> (`org.opencontainers.image.title`).

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use pratique_core::Digest;
use pratique_core::digest::Hasher;
use pratique_core::reference::Reference;
use pratique_registry::{self as registry, RemoteBlob};
use serde::Deserialize;

use super::download::{Client, Content, Got, Progress, beside};
use super::{FetchError, SCHEME};

/// Layers of an artifact at most; OSV has some 50 ecosystems.
const LAYERS: usize = 1_000;
/// The annotation that says a layer's name.
const TITLE: &str = "org.opencontainers.image.title";

/// What a manifest says.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// An artifact, its manifest read and nothing else.
pub(super) struct Artifact {
    reference: Reference,
    client: Arc<registry::Client>,
    /// By title.
    layers: BTreeMap<String, (Digest, u64)>,
}

impl Artifact {
    /// Asks what a reference means now.
    pub(super) fn open(reference: &Reference, client: &Client<'_>) -> Result<Self, FetchError> {
        let address = format!("{SCHEME}{reference}");
        let client = client.registries().map_err(|error| request(&address, error))?;
        let (_, document) = client.manifest(reference).map_err(|error| request(&address, error))?;
        let layers = parse(&document.bytes).map_err(|reason| FetchError::refused(&address, reason))?;
        Ok(Self { reference: reference.clone(), client: Arc::new(client), layers })
    }

    /// Whether this is what the reference was asked for.
    pub(super) fn is(&self, reference: &Reference) -> bool {
        self.reference == *reference
    }

    /// Whether there is a file of this name.
    pub(super) fn has(&self, title: &str) -> bool {
        self.layers.contains_key(title)
    }

    /// Reads a small file whole: none if it is as `known` says. With it comes what names its content.
    pub(super) fn read(
        &self,
        title: &str,
        known: Option<&str>,
        limit: u64,
    ) -> Result<Option<Content>, FetchError> {
        let (blob, address) = self.blob(title, limit)?;
        if known == Some(blob.digest.as_str()) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let mut reader = blob.open_at(0).map_err(|error| request(&address, error))?;
        reader.read_to_end(&mut bytes).map_err(|error| broken(&address, error))?;
        let mut hasher = Hasher::like(&blob.digest);
        hasher.update(&bytes);
        check(&address, &hasher, &blob.digest)?;
        Ok(Some((bytes, Some(blob.digest.to_string()))))
    }

    /// Fetches into `file`, which holds what an earlier try left, if it did; as [`Client::fetch`] does.
    pub(super) fn fetch(
        &self,
        title: &str,
        known: Option<&str>,
        file: &Path,
        limit: u64,
        client: &Client<'_>,
    ) -> Result<Got, FetchError> {
        let (blob, address) = self.blob(title, limit)?;
        if known == Some(blob.digest.as_str()) {
            return Ok(Got::Unchanged);
        }
        let name = beside(file);
        // What an earlier try left of something else is of no use.
        if fs::read_to_string(&name).ok().as_deref() != Some(blob.digest.as_str()) {
            let _ = fs::remove_file(file);
            fs::write(&name, blob.digest.as_str()).map_err(FetchError::io(&name))?;
        }
        let result = self.copy(&blob, &address, file, client);
        if !matches!(result, Ok(()) | Err(FetchError::Request { .. })) {
            let _ = fs::remove_file(file);
        }
        if !matches!(result, Err(FetchError::Request { .. })) {
            let _ = fs::remove_file(name);
        }
        result.map(|()| Got::New(Some(blob.digest.to_string())))
    }

    fn copy(
        &self,
        blob: &RemoteBlob,
        address: &str,
        file: &Path,
        client: &Client<'_>,
    ) -> Result<(), FetchError> {
        let failed = FetchError::io(file);
        let mut out = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(file)
            .map_err(&failed)?;
        let mut hasher = Hasher::like(&blob.digest);
        let mut buffer = vec![0; 256 << 10];
        let mut had = 0;
        loop {
            let read = out.read(&mut buffer).map_err(&failed)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            had += read as u64;
        }
        let mut reader = blob.open_at(had).map_err(|error| request(address, error))?;
        loop {
            (client.progress)(Progress::Fetching { address, had, whole: Some(blob.size) });
            let read = match reader.read(&mut buffer).map_err(|error| broken(address, error))? {
                0 => break,
                read => read,
            };
            had += read as u64;
            hasher.update(&buffer[..read]);
            out.write_all(&buffer[..read]).map_err(&failed)?;
        }
        out.sync_all().map_err(&failed)?;
        check(address, &hasher, &blob.digest)
    }

    /// The layer of this name, and what it is called in messages.
    fn blob(&self, title: &str, limit: u64) -> Result<(RemoteBlob, String), FetchError> {
        let address = format!("{SCHEME}{}: {title}", self.reference);
        let Some((digest, size)) = self.layers.get(title) else {
            return Err(FetchError::Request {
                address,
                reason: "no layer of the artifact has this title".to_owned(),
                answered: true,
            });
        };
        if *size > limit {
            return Err(FetchError::refused(&address, format!("it has more than {limit} bytes")));
        }
        let blob = RemoteBlob {
            client: self.client.clone(),
            registry: self.reference.registry().to_owned(),
            repository: self.reference.repository().to_owned(),
            digest: digest.clone(),
            size: *size,
        };
        Ok((blob, address))
    }
}

/// The layers of a manifest by their titles. The error is a reason.
pub fn parse(bytes: &[u8]) -> Result<BTreeMap<String, (Digest, u64)>, String> {
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no manifest: {error}"))?;
    if manifest.layers.len() > LAYERS {
        return Err(format!("it has more than {LAYERS} layers"));
    }
    let mut layers = BTreeMap::new();
    for mut layer in manifest.layers {
        let Some(title) = layer.annotations.remove(TITLE) else { continue };
        if layers.insert(title.clone(), (layer.digest, layer.size)).is_some() {
            return Err(format!("two of its layers have the title `{}`", pratique_http::plain(&title)));
        }
    }
    if !layers.keys().any(|title| title.ends_with("/all.zip")) {
        let reason = "it has no layer titled ECOSYSTEM/all.zip; push the published layout with `oras push`";
        return Err(reason.to_owned());
    }
    Ok(layers)
}

fn check(address: &str, hasher: &Hasher, wanted: &Digest) -> Result<(), FetchError> {
    let got = hasher.digest();
    if got == *wanted {
        return Ok(());
    }
    let reason = format!("it has another digest than the manifest says: wanted {wanted}, got {got}");
    Err(FetchError::refused(address, reason))
}

/// A registry that refused one thing may give others; one that does not answer gives nothing.
fn request(address: &str, error: registry::Error) -> FetchError {
    match error {
        registry::Error::Request { asked, status, reason, .. } => FetchError::Request {
            address: address.to_owned(),
            reason: format!("{asked}: {reason}"),
            answered: status.is_some_and(|status| status < 500 && status != 429),
        },
        other => FetchError::refused(address, other.to_string()),
    }
}

/// What stopped the reading of a blob.
fn broken(address: &str, error: io::Error) -> FetchError {
    if error.kind() == io::ErrorKind::InvalidData {
        return FetchError::refused(address, error.to_string());
    }
    let said = error.to_string();
    match error.into_inner().and_then(|inner| inner.downcast::<registry::Error>().ok()) {
        Some(inner) => request(address, *inner),
        None => FetchError::Request { address: address.to_owned(), reason: said, answered: false },
    }
}
