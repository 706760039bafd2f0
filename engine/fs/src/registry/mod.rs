//! Registries as a source of images, by the OCI distribution specification
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>). Nothing is written to disk: layers are read
//! as streams, and only those that are read are asked for.
//!
//! What is believed: nothing but digests. A tag's document is taken as the registry gives it, and everything below it by
//! its digest.

mod blob;
mod challenge;
mod client;
mod expand;
mod failure;
mod helper;
mod login;
mod options;
mod token;

use std::sync::Arc;

use pratique_core::reference::Reference;
use pratique_core::{Digest, Gap};

use client::{Client, Document, Wanted};

pub use login::{Credential, LoginFile, Logins};
pub use options::{Mirror, RegistryOptions};
pub use pratique_http::{Patience, Proxies, RetryPolicy};

use crate::oci::{DOCUMENT_LIMIT, DocumentKind, ImageManifest, LayerDescriptor, Need, Resolver, digest_of};
use crate::source::OpenImage;
use crate::tar::check_digest;
use crate::{Error, Layer, Result, TarLayer};

/// The readers of foreign text, for fuzzing.
#[doc(hidden)]
pub mod readers {
    pub use super::challenge::parse as challenges;
    pub use super::expand::parse as names;
    pub use super::failure::said;
    pub use super::helper::parse as helper_answer;
    pub use super::login::Config as LoginConfig;
    pub use super::token::parse as token;
    pub use pratique_http::{content_range, join, next_link};
}

/// A client of registries. Cheap to clone and safe to share; its methods block.
#[derive(Clone)]
pub struct Registries {
    client: Arc<Client>,
}

impl Registries {
    /// A client. CA files are read here, everything else when it is needed.
    pub fn new(options: RegistryOptions) -> Result<Self> {
        Ok(Self { client: Arc::new(Client::new(options)?) })
    }

    /// Opens an image. Its documents are read and checked; of its layers nothing is asked for before they are visited.
    pub fn open(&self, reference: &Reference) -> Result<OpenImage> {
        let manifest = self.manifest(reference)?;
        let layers = manifest.layers.iter().map(|layer| self.layer(reference, layer)).collect();
        Ok(OpenImage::new(manifest, vec![reference.to_string()], layers))
    }

    /// What image a reference means, on the platform of the options.
    pub fn manifest(&self, reference: &Reference) -> Result<ImageManifest> {
        let platform = self.client.options.platform.clone();
        let mut resolver = match reference.digest() {
            Some(digest) => Resolver::new(digest.clone(), "", platform),
            None => {
                let (digest, document) = self.tagged(reference)?;
                let media_type = header(&document, "content-type").unwrap_or_default();
                let media_type = media_type.split(';').next().unwrap_or_default().trim();
                let mut resolver = Resolver::new(digest, media_type, platform);
                resolver.supply(&document.bytes)?;
                resolver
            }
        };
        loop {
            match resolver.next() {
                Need::Document { digest, limit, kind } => {
                    let wanted = match kind {
                        DocumentKind::Manifest => Wanted::Manifest(digest.to_string()),
                        DocumentKind::Config => Wanted::Blob(digest),
                    };
                    resolver.supply(&self.document(reference, &wanted, limit)?.bytes)?;
                }
                Need::Ready(image) => return Ok(*image),
            }
        }
    }

    /// The digest of the index or manifest that a reference means now.
    pub fn digest(&self, reference: &Reference) -> Result<Digest> {
        match reference.digest() {
            Some(digest) => Ok(digest.clone()),
            None => Ok(self.tagged(reference)?.0),
        }
    }

    /// The references that a text means: itself, or with wildcards those that the registry has:
    /// `registry.example/team/web:1.*` of the repository's tags, `registry.example/team/*` of the catalogue (each with the
    /// tag `latest`), `registry.example/**:*` everything. Sorted; what could not be listed is returned as gaps.
    pub fn expand(&self, text: &str) -> Result<(Vec<Reference>, Vec<Gap>)> {
        expand::expand(&self.client, text)
    }

    fn layer(&self, reference: &Reference, layer: &LayerDescriptor) -> Box<dyn Layer> {
        let blob = blob::RemoteBlob {
            client: self.client.clone(),
            registry: reference.registry().to_owned(),
            repository: reference.repository().to_owned(),
            digest: layer.blob.clone(),
            size: layer.size,
        };
        let limits = self.client.options.limits;
        Box::new(TarLayer::new(blob, layer.blob.clone(), layer.diff_id.clone(), limits))
    }

    fn document(&self, reference: &Reference, wanted: &Wanted, limit: u64) -> Result<Document> {
        self.client.document(reference.registry(), reference.repository(), wanted, limit)
    }

    /// What a tag points to, with its digest. A registry that names another digest than its document has is refused.
    fn tagged(&self, reference: &Reference) -> Result<(Digest, Document)> {
        let tag = reference.tag_or_latest().unwrap_or_default();
        let document = self.document(reference, &Wanted::Manifest(tag.to_owned()), DOCUMENT_LIMIT)?;
        let what = format!("manifest {tag} of {}", reference.name());
        let digest = match header(&document, "docker-content-digest") {
            None => digest_of(&document.bytes),
            Some(said) => {
                let digest: Digest = said.parse().map_err(|_| Error::Malformed {
                    what: what.clone(),
                    reason: "the digest that its registry names is none".to_owned(),
                })?;
                check_digest(&what, &document.bytes, &digest)?;
                digest
            }
        };
        Ok((digest, document))
    }
}

fn header<'d>(document: &'d Document, name: &str) -> Option<&'d str> {
    document.headers.get(name)?.to_str().ok()
}
