//! Files in a registry: an artifact's manifest with one layer per file, named by its title, as `oras push` makes it.
//!
//! Manifest: <https://github.com/opencontainers/image-spec/blob/main/manifest.md>; titles:
//! <https://github.com/opencontainers/image-spec/blob/main/annotations.md> (`org.opencontainers.image.title`).

use std::collections::BTreeMap;
use std::sync::Arc;

use pratique_core::Digest;
use pratique_core::reference::Reference;
use pratique_http::plain;
use serde::Deserialize;

use crate::{Client, Error, RemoteBlob, Result};

/// What artifacts' addresses begin with.
const SCHEME: &str = "oci://";
/// Layers of an artifact at most.
const LAYERS: usize = 1_000;
/// The annotation that says a layer's name.
const TITLE: &str = "org.opencontainers.image.title";

/// The address of an artifact: `oci://registry/repository[:tag|@digest]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactAddress(pub Reference);

impl ArtifactAddress {
    /// Reads an address; none: the text has another scheme or none.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let name = text.strip_prefix(SCHEME)?;
        let reference: Reference = match name.parse() {
            Ok(reference) => reference,
            Err(error) => return Some(Err(format!("`{text}`: {error}"))),
        };
        // Whoever names an artifact means no default registry.
        let is_whole = name.strip_prefix(reference.registry()).is_some_and(|rest| rest.starts_with('/'));
        let hint = || format!("`{text}` names no registry; write it as oci://registry/repository:tag");
        Some(is_whole.then_some(Self(reference)).ok_or_else(hint))
    }
}

impl std::fmt::Display for ArtifactAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SCHEME}{}", self.0)
    }
}

/// A file of an artifact, by its layer's descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Of the layer. Whoever pushes says what it is.
    pub media_type: String,
    /// Of what it holds.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

/// An artifact, its manifest read and nothing else.
pub struct Artifact {
    /// Where it is.
    pub address: ArtifactAddress,
    /// Of the manifest.
    pub digest: Digest,
    /// By title, which whoever pushed chose: it is no path.
    pub files: BTreeMap<String, ArtifactFile>,
    client: Arc<Client>,
}

impl Artifact {
    /// Asks what an address means now.
    ///
    /// # Errors
    /// If the registry does not give its manifest, or that is none of an artifact of titled files.
    pub fn open(address: &ArtifactAddress, client: Arc<Client>) -> Result<Self> {
        let (digest, document) = client.manifest(&address.0)?;
        let files = parse(&document.bytes)
            .map_err(|reason| Error::Malformed { what: format!("the artifact {address}"), reason })?;
        Ok(Self { address: address.clone(), digest, files, client })
    }

    /// The content of one of its files.
    pub fn blob(&self, file: &ArtifactFile) -> RemoteBlob {
        let ArtifactAddress(reference) = &self.address;
        RemoteBlob {
            client: self.client.clone(),
            registry: reference.registry().to_owned(),
            repository: reference.repository().to_owned(),
            digest: file.digest.clone(),
            size: file.size,
        }
    }
}

/// What a manifest says.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// The files of a manifest by their titles. The error is a reason.
pub fn parse(bytes: &[u8]) -> Result<BTreeMap<String, ArtifactFile>, String> {
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no manifest: {error}"))?;
    if manifest.layers.len() > LAYERS {
        return Err(format!("it has more than {LAYERS} layers"));
    }
    let mut files = BTreeMap::new();
    for (number, layer) in (1..).zip(manifest.layers) {
        let Descriptor { media_type, digest, size, mut annotations } = layer;
        // One that is passed over would be missed by nobody.
        let Some(title) = annotations.remove(TITLE) else {
            return Err(format!("layer {number} of it has no title; push files with `oras push`"));
        };
        if files.insert(title.clone(), ArtifactFile { media_type, digest, size }).is_some() {
            return Err(format!("two of its layers have the title `{}`", plain(&title)));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(layers: &str) -> String {
        format!(r#"{{"schemaVersion":2,"layers":[{layers}]}}"#)
    }

    fn layer(title: &str) -> String {
        let digest = Digest::of(title.as_bytes());
        format!(
            r#"{{"mediaType":"text/plain","digest":"{digest}","size":7,"annotations":{{"{TITLE}":"{title}"}}}}"#
        )
    }

    #[test]
    fn an_address_names_its_registry() {
        let address = |text: &str| ArtifactAddress::parse(text).map(|parsed| parsed.map(|a| a.to_string()));
        let digest = Digest::of(b"");
        for whole in ["oci://r.example:5000/team/a:1", &format!("oci://r.example/a:1@{digest}")] {
            assert_eq!(address(whole), Some(Ok(whole.to_owned())));
        }
        for wrong in ["oci://team/osv", "oci://osv", "oci://r.example/UPPER", "oci://"] {
            assert!(address(wrong).is_some_and(|parsed| parsed.is_err()), "{wrong}");
        }
        for other in ["https://r.example/a", "oci:/srv/layout", "/srv/oci://x/y"] {
            assert_eq!(address(other), None, "{other}");
        }
    }

    #[test]
    fn files_are_known_by_their_titles() {
        let files = parse(manifest(&[layer("b/1"), layer("a")].join(",")).as_bytes()).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["a", "b/1"]);
        let file = &files["a"];
        assert_eq!((&file.media_type[..], &file.digest, file.size), ("text/plain", &Digest::of(b"a"), 7));
        assert!(parse(manifest("").as_bytes()).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_manifest_of_titled_files_is_refused() {
        let untitled = format!(r#"{{"digest":"{}","size":2}}"#, Digest::of(b"{}"));
        let many = vec![layer("a"); LAYERS + 1].join(",");
        for (layers, reason) in [
            (format!("{},{untitled}", layer("a")), "layer 2 of it has no title"),
            (format!("{0},{0}", layer("a")), "two of its layers have the title `a`"),
            (many, "more than 1000 layers"),
            (r#"{"digest":"sha256:../etc","size":1}"#.to_owned(), "no manifest"),
            (layer("a").replace('7', "-7"), "no manifest"),
        ] {
            let error = parse(manifest(&layers).as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert!(parse(b"<html>").is_err());
    }
}
