//! Advisories as an artifact of a registry: one layer per file of the published layout, named by its title.
//!
//! ```text
//! oras push registry.example/advisories:latest --artifact-type application/vnd.pratique.advisories.v1 \
//!     Debian/all.zip:application/zip PyPI/all.zip:application/zip known_exploited_vulnerabilities.json …
//! ```
//!
//! What counts is a layer's title; its media type and the artifact's say what they are to people and registries.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use pratique_core::digest::Hasher;
use pratique_registry::{self as registry, Artifact, ArtifactAddress, RemoteBlob};

use super::FetchError;
use super::download::{Client, Content, Got, Progress, beside};

/// Asks what an address means now.
pub(super) fn open(address: &ArtifactAddress, client: &Client<'_>) -> Result<Artifact, FetchError> {
    let refused = |error| request(&address.to_string(), error);
    let client = client.registries().map_err(refused)?;
    let artifact = Artifact::open(address, Arc::new(client)).map_err(refused)?;
    if !artifact.files.keys().any(|title| title.ends_with("/all.zip")) {
        let reason = "it has no layer titled ECOSYSTEM/all.zip; push the published layout with `oras push`";
        return Err(FetchError::refused(address, reason));
    }
    Ok(artifact)
}

/// Reads a small file whole: none if it is as `known` says. With it comes what names its content.
pub(super) fn read(
    artifact: &Artifact,
    title: &str,
    known: Option<&str>,
    limit: u64,
) -> Result<Option<Content>, FetchError> {
    let (blob, address) = find(artifact, title, limit)?;
    if known == Some(blob.digest.as_str()) {
        return Ok(None);
    }
    let bytes = blob.read().map_err(|error| request(&address, error))?;
    Ok(Some((bytes, Some(blob.digest.to_string()))))
}

/// Fetches into `file`, which holds what an earlier try left, if it did; as [`Client::fetch`] does.
pub(super) fn fetch(
    artifact: &Artifact,
    title: &str,
    known: Option<&str>,
    file: &Path,
    limit: u64,
    client: &Client<'_>,
) -> Result<Got, FetchError> {
    let (blob, address) = find(artifact, title, limit)?;
    if known == Some(blob.digest.as_str()) {
        return Ok(Got::Unchanged);
    }
    let name = beside(file);
    // What an earlier try left of something else is of no use.
    if fs::read_to_string(&name).ok().as_deref() != Some(blob.digest.as_str()) {
        let _ = fs::remove_file(file);
        fs::write(&name, blob.digest.as_str()).map_err(FetchError::io(&name))?;
    }
    let result = copy(&blob, &address, file, client);
    if !matches!(result, Ok(()) | Err(FetchError::Request { .. })) {
        let _ = fs::remove_file(file);
    }
    if !matches!(result, Err(FetchError::Request { .. })) {
        let _ = fs::remove_file(name);
    }
    result.map(|()| Got::New(Some(blob.digest.to_string())))
}

fn copy(blob: &RemoteBlob, address: &str, file: &Path, client: &Client<'_>) -> Result<(), FetchError> {
    let failed = FetchError::io(file);
    let mut out =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(file).map_err(&failed)?;
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
        let read = match reader.read(&mut buffer).map_err(|error| request(address, blob.explain(error)))? {
            0 => break,
            read => read,
        };
        had += read as u64;
        hasher.update(&buffer[..read]);
        out.write_all(&buffer[..read]).map_err(&failed)?;
    }
    out.sync_all().map_err(&failed)?;
    blob.check(&hasher).map_err(|error| request(address, error))
}

/// The layer of this name, and what it is called in messages.
fn find(artifact: &Artifact, title: &str, limit: u64) -> Result<(RemoteBlob, String), FetchError> {
    let address = format!("{}: {title}", artifact.address);
    let Some(file) = artifact.files.get(title) else {
        let reason = "no layer of the artifact has this title".to_owned();
        return Err(FetchError::Request { address, reason, answered: true });
    };
    if file.size > limit {
        return Err(FetchError::refused(&address, format!("it has more than {limit} bytes")));
    }
    Ok((artifact.blob(file), address))
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
