//! Images in the folders of the storage driver overlay2. Below the data root, `image/overlay2` has the configs of images
//! and, for each chain of layers, the name of the folder with its topmost one; `overlay2` has the folders
//! (<https://docs.docker.com/engine/storage/drivers/overlayfs-driver/#how-the-overlay2-driver-works>).

use std::path::Path;
use std::sync::Arc;

use pratique_core::{Digest, Gap};

use crate::oci::{self, DOCUMENT_LIMIT, ImageManifest, LayerDescriptor};
use crate::state::{StateFolder, check_id};
use crate::{
    Error, File, FolderLayer, FsPath, Layer, LayerVisitor, Limits, Opacity, OverlayAttributes, Owners, Result,
};

/// Bytes of a file with one id or number at most.
const ID_LIMIT: u64 = 256;

/// The image with an ID, and its layers, none read yet. An error means that not all of it can be read here.
pub(super) fn open(
    root: &Path,
    attributes: OverlayAttributes,
    owners: Owners,
    image: &Digest,
    limits: Limits,
) -> Result<(ImageManifest, Vec<Box<dyn Layer>>)> {
    let root = Arc::new(StateFolder::open(root)?);
    let config = format!("image/overlay2/imagedb/content/{}/{}", image.algorithm(), image.hex());
    let mut manifest = oci::from_config(image, &root.document(&config, DOCUMENT_LIMIT)?, &[])?;
    if manifest.layers.len() > 1 && !FolderLayer::sees_opacity(attributes) {
        return Err(Error::Unsupported {
            what: format!("the data root {}", root.path.display()),
            reason: "this process may not see which folders are opaque (it lacks CAP_SYS_ADMIN)".to_owned(),
        });
    }
    let mut layers: Vec<Box<dyn Layer>> = Vec::with_capacity(manifest.layers.len());
    for descriptor in &mut manifest.layers {
        let chain = Chain::find(&root, descriptor)?;
        descriptor.size = chain.size()?;
        let folder = root.folder(&format!("overlay2/{}/diff", chain.folder))?;
        let layer = FolderLayer::new(folder, descriptor.diff_id.clone(), attributes, limits);
        layers.push(Box::new(EngineLayer { layer: layer.with_owners(owners), chain }));
    }
    Ok((manifest, layers))
}

/// What the engine knows of a chain of layers.
struct Chain {
    root: Arc<StateFolder>,
    /// Its folder in the engine's database.
    place: String,
    /// The name of the topmost layer's folder.
    folder: String,
}

impl Chain {
    fn find(root: &Arc<StateFolder>, layer: &LayerDescriptor) -> Result<Self> {
        let id = &layer.chain_id;
        let place = format!("image/overlay2/layerdb/{}/{}", id.algorithm(), id.hex());
        let mut chain = Self { root: root.clone(), place, folder: String::new() };
        chain.folder = chain.read("cache-id")?;
        check_id(&chain.folder)?;
        Ok(chain)
    }

    fn read(&self, name: &str) -> Result<String> {
        let bytes = self.root.document(&format!("{}/{name}", self.place), ID_LIMIT)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// Bytes of the topmost layer, unpacked.
    fn size(&self) -> Result<u64> {
        let text = self.read("size")?;
        text.parse().map_err(|_| Error::Malformed {
            what: self.root.describe(&format!("{}/size", self.place)),
            reason: "it is no number of bytes".to_owned(),
        })
    }
}

/// A layer that the engine may remove while it is read.
struct EngineLayer {
    layer: FolderLayer,
    chain: Chain,
}

impl Layer for EngineLayer {
    fn diff_id(&self) -> &Digest {
        self.layer.diff_id()
    }

    fn opacity(&self) -> Opacity {
        self.layer.opacity()
    }

    fn visit(&mut self, visitor: &mut LayerVisitor<'_>) -> Result<Vec<Gap>> {
        let visited = self.layer.visit(visitor);
        // A layer leaves the database before its folder is emptied: what is still listed was whole all the time.
        match self.chain.read("cache-id") {
            Ok(folder) if folder == self.chain.folder => visited,
            _ => Err(Error::Gone { what: format!("layer {}", self.layer.diff_id()) }),
        }
    }

    fn open(&self, path: &FsPath, position: u64) -> Result<Box<dyn File>> {
        self.layer.open(path, position)
    }
}
