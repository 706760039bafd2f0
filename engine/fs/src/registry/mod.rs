//! Registries as a source of images. Nothing is written to disk: layers are read as streams, and only those that are read
//! are asked for.

mod expand;

use std::io::{self, Read};
use std::sync::Arc;

use pratique_core::facts::Platform;
use pratique_core::reference::Reference;
use pratique_core::{Digest, Gap};
use pratique_registry::{Client, Document, RemoteBlob, Wanted};

pub use pratique_registry::{
    Credential, LoginFile, Logins, Mirror, Patience, Proxies, RegistryOptions, RetryPolicy,
};

use crate::oci::{DocumentKind, ImageManifest, LayerDescriptor, Need, Resolver};
use crate::source::{OpenImage, SourceOptions};
use crate::{Blob, Check, Layer, Limits, Result, TarLayer};

/// The readers of foreign text, for fuzzing.
#[doc(hidden)]
pub mod readers {
    pub use super::expand::parse as names;
}

/// The images of registries. Cheap to clone and safe to share; its methods block.
#[derive(Clone)]
pub struct Registries {
    client: Arc<Client>,
    platform: Platform,
    limits: Limits,
    check: Check,
}

impl Registries {
    /// Images as `options` want them. CA files are read here, everything else when it is needed.
    pub fn new(options: &SourceOptions) -> Result<Self> {
        let client = Arc::new(Client::new(options.registry.clone())?);
        let platform = options.platform.clone();
        Ok(Self { client, platform, limits: options.limits, check: options.check })
    }

    /// Opens an image. Its documents are read and checked; of its layers nothing is asked for before they are visited.
    pub fn open(&self, reference: &Reference) -> Result<OpenImage> {
        let manifest = self.manifest(reference)?;
        let layers = manifest.layers.iter().map(|layer| self.layer(reference, layer)).collect();
        Ok(OpenImage::new(manifest, vec![reference.to_string()], layers))
    }

    /// What image a reference means, on the platform of the options.
    pub fn manifest(&self, reference: &Reference) -> Result<ImageManifest> {
        let platform = self.platform.clone();
        let mut resolver = match reference.digest() {
            Some(digest) => Resolver::new(digest.clone(), "", platform),
            None => {
                let (digest, document) = self.client.manifest(reference)?;
                let media_type = document.header("content-type").unwrap_or_default();
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
            None => Ok(self.client.manifest(reference)?.0),
        }
    }

    /// The references that a text means: itself, or with wildcards those that the registry has:
    /// `registry.example/team/web:1.*` of the repository's tags, `registry.example/team/*` of the catalogue (each with the
    /// tag `latest`), `registry.example/**:*` everything. Sorted; what could not be listed is returned as gaps.
    pub fn expand(&self, text: &str) -> Result<(Vec<Reference>, Vec<Gap>)> {
        expand::expand(&self.client, text)
    }

    fn layer(&self, reference: &Reference, layer: &LayerDescriptor) -> Box<dyn Layer> {
        let blob = RemoteBlob {
            client: self.client.clone(),
            registry: reference.registry().to_owned(),
            repository: reference.repository().to_owned(),
            digest: layer.blob.clone(),
            size: layer.size,
        };
        let layer = TarLayer::new(blob, layer.blob.clone(), layer.diff_id.clone(), self.limits);
        Box::new(layer.checking(self.check))
    }

    fn document(&self, reference: &Reference, wanted: &Wanted, limit: u64) -> Result<Document> {
        Ok(self.client.document(reference.registry(), reference.repository(), wanted, limit)?)
    }
}

impl Blob for RemoteBlob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.open_at(0).map_err(io::Error::other)?))
    }
}
