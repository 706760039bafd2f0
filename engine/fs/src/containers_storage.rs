//! The storage of Podman, Buildah and CRI-O, read from its folders: no daemon is asked and nothing is locked or changed
//! (<https://github.com/containers/storage/blob/main/docs/containers-storage.conf.5.md>).

use std::collections::{BTreeMap, HashSet};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pratique_core::Digest;
use rustix::fs::OFlags;
use serde::Deserialize;

use crate::find::{Known, find};
use crate::listing::{ListedContainer, ListedImage};
use crate::oci::{
    DOCUMENT_LIMIT, ImageManifest, LAYER_LIMIT, LayerDescriptor, Need, Resolver, or_default, parse,
};
use crate::state::{StateFolder, check_id};
use crate::{
    Error, FolderLayer, Layer, OpenImage, Opened, OverlayAttributes, Result, SourceOptions, TreeLayer,
    UnreadableLayer,
};

/// Bytes of a list of images or layers at most.
const LIST_LIMIT: u64 = 64 << 20;

/// An image in `images.json`.
#[derive(Debug, Clone, Deserialize)]
struct StoredImage {
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    digest: String,
    #[serde(default, deserialize_with = "or_default")]
    names: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    layer: String,
}

/// A container in `containers.json`.
#[derive(Debug, Clone, Deserialize)]
struct StoredContainer {
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    names: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    image: String,
}

/// A layer in `layers.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredLayer {
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    parent: String,
    diff_digest: Option<Digest>,
}

/// How a store keeps layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    /// What each layer changes, as the kernel's overlay wants it.
    Overlay,
    /// Whole trees.
    Vfs,
}

impl Driver {
    fn name(self) -> &'static str {
        match self {
            Self::Overlay => "overlay",
            Self::Vfs => "vfs",
        }
    }
}

/// A storage folder with the driver that its lists are of.
struct Store {
    state: StateFolder,
    driver: Driver,
}

/// Opens the image that `query` means in any of the storage folders.
pub(crate) fn open(query: &str, options: &SourceOptions) -> Result<Opened> {
    let stores = stores(options)?;
    let mut known = Vec::new();
    for store in &stores {
        for image in store.images()? {
            let digests = [format!("sha256:{}", image.id), image.digest.clone()];
            let digests = digests.iter().filter_map(|digest| digest.parse().ok()).collect();
            let place = store.state.path.display().to_string();
            known.push(Known { names: image.names.clone(), digests, place, item: (store, image) });
        }
    }
    let (store, image) = &find(query, &known)?.item;
    let manifest = store.manifest(image, options)?;
    let chain = chain(image, &stores)?;
    if chain.len() != manifest.layers.len() {
        let reason =
            format!("{} of its layers are stored, its config names {}", chain.len(), manifest.layers.len());
        return Err(Error::Malformed {
            what: format!("image {} in {}", image.id, store.state.path.display()),
            reason,
        });
    }
    let mut layers = Vec::with_capacity(chain.len());
    for (place, descriptor) in manifest.layers.iter().enumerate() {
        layers.push(layer(&chain, place, descriptor, options));
    }
    Ok(Opened::Image(Box::new(OpenImage::new(manifest, image.names.clone(), layers))))
}

/// The stores that there are, at least one.
fn stores(options: &SourceOptions) -> Result<Vec<Store>> {
    let stores = options.storage_folders.iter().flat_map(|path| Store::all(path)).collect::<Vec<_>>();
    if stores.is_empty() {
        let paths = options.storage_folders.iter().map(|path| path.display().to_string());
        let paths = paths.collect::<Vec<_>>().join(", ");
        return Err(Error::NotHere {
            source_name: "the storage of Podman, Buildah and CRI-O".to_owned(),
            reason: format!("{paths}: no images of the overlay or vfs driver can be read there"),
        });
    }
    Ok(stores)
}

/// The images of all stores.
pub(crate) fn list_images(options: &SourceOptions) -> Result<Vec<ListedImage>> {
    let mut listed = Vec::new();
    for store in stores(options)? {
        listed.extend(store.images()?.into_iter().map(|image| ListedImage {
            place: store.state.path.display().to_string(),
            image: format!("sha256:{}", image.id).parse().ok(),
            others: image.digest.parse().into_iter().collect(),
            names: image.names,
            size: None,
        }));
    }
    Ok(listed)
}

/// The containers of all stores. Whether they run is not for the storage to know.
pub(crate) fn list_containers(options: &SourceOptions) -> Result<Vec<ListedContainer>> {
    let mut listed = Vec::new();
    for store in stores(options)? {
        listed.extend(store.containers()?.into_iter().map(|container| ListedContainer {
            place: store.state.path.display().to_string(),
            id: container.id,
            names: container.names,
            image: container.image,
            running: None,
        }));
    }
    Ok(listed)
}

/// A layer with the store that has it.
type Placed<'s> = (&'s Store, StoredLayer);

/// The layers of an image, base first. A parent may lie in another store.
fn chain<'s>(image: &StoredImage, stores: &'s [Store]) -> Result<Vec<Placed<'s>>> {
    let what = || format!("image {}", image.id);
    let mut all: BTreeMap<String, Placed<'s>> = BTreeMap::new();
    for store in stores {
        for layer in store.layers()? {
            all.entry(layer.id.clone()).or_insert((store, layer));
        }
    }
    let mut chain = Vec::new();
    let mut seen = HashSet::new();
    let mut next = image.layer.as_str();
    while !next.is_empty() {
        if chain.len() >= LAYER_LIMIT || !seen.insert(next) {
            let reason = format!("its layers form a cycle or are more than {LAYER_LIMIT}");
            return Err(Error::Malformed { what: what(), reason });
        }
        let Some((store, layer)) = all.get(next) else {
            return Err(Error::Malformed {
                what: what(),
                reason: format!("its layer {next:.64} is not listed"),
            });
        };
        chain.push((*store, layer.clone()));
        next = &layer.parent;
    }
    chain.reverse();
    Ok(chain)
}

fn layer(
    chain: &[Placed<'_>],
    place: usize,
    descriptor: &LayerDescriptor,
    options: &SourceOptions,
) -> Box<dyn Layer> {
    let diff_id = descriptor.diff_id.clone();
    match open_layer(chain, place, &diff_id, options) {
        Ok(layer) => layer,
        Err(error) => Box::new(UnreadableLayer::new(diff_id, &error)),
    }
}

fn open_layer(
    chain: &[Placed<'_>],
    place: usize,
    diff_id: &Digest,
    options: &SourceOptions,
) -> Result<Box<dyn Layer>> {
    let (store, layer) = &chain[place];
    if layer.diff_digest.as_ref().is_some_and(|own| own != diff_id) {
        return Err(Error::DigestMismatch {
            what: format!("layer {} in {}", layer.id, store.state.path.display()),
            wanted: diff_id.to_string(),
            got: layer.diff_digest.as_ref().map(ToString::to_string).unwrap_or_default(),
        });
    }
    let folder = store.layer_folder(&layer.id)?;
    if store.driver == Driver::Overlay {
        let attributes = store.attributes();
        let layer = FolderLayer::new(folder, diff_id.clone(), attributes, options.limits);
        return Ok(Box::new(layer.with_named_whiteouts()));
    }
    let below = place.checked_sub(1).map(|below| &chain[below]);
    let below = below.map(|(store, layer)| store.layer_folder(&layer.id)).transpose()?;
    Ok(Box::new(TreeLayer::new(folder, below, diff_id.clone(), options.limits)))
}

impl Store {
    /// The stores in a folder, one for each driver that has lists there.
    fn all(path: &Path) -> Vec<Self> {
        let stores = [Driver::Overlay, Driver::Vfs].into_iter().filter_map(|driver| {
            let store = Self { state: StateFolder::open(path).ok()?, driver };
            store.state.at(&store.list("images"), OFlags::PATH).is_ok().then_some(store)
        });
        stores.collect()
    }

    fn list(&self, of: &str) -> String {
        let driver = self.driver.name();
        format!("{driver}-{of}/{of}.json")
    }

    fn images(&self) -> Result<Vec<StoredImage>> {
        let name = self.list("images");
        parse(&self.state.describe(&name), &self.state.document(&name, LIST_LIMIT)?)
    }

    /// Its containers; a store that never had one has no list.
    fn containers(&self) -> Result<Vec<StoredContainer>> {
        let name = self.list("containers");
        match self.state.at(&name, OFlags::PATH) {
            Ok(_) => parse(&self.state.describe(&name), &self.state.document(&name, LIST_LIMIT)?),
            Err(_) => Ok(Vec::new()),
        }
    }

    fn layers(&self) -> Result<Vec<StoredLayer>> {
        let name = self.list("layers");
        parse(&self.state.describe(&name), &self.state.document(&name, LIST_LIMIT)?)
    }

    /// What an image is, by the documents that are stored with it.
    fn manifest(&self, image: &StoredImage, options: &SourceOptions) -> Result<ImageManifest> {
        check_id(&image.id)?;
        let document = |key: &str| {
            let name = format!("{}-images/{}/{}", self.driver.name(), image.id, file_of(key));
            self.state.document(&name, DOCUMENT_LIMIT)
        };
        let manifest = document("manifest")?;
        let mut resolver = Resolver::new(Digest::of(&manifest), "", options.platform.clone());
        resolver.supply(&manifest)?;
        loop {
            match resolver.next() {
                Need::Ready(manifest) => return Ok(*manifest),
                Need::Document { digest, .. } => {
                    let bytes =
                        document(digest.as_str()).or_else(|_| document(&format!("manifest-{digest}")))?;
                    resolver.supply(&bytes)?;
                }
            }
        }
    }

    fn layer_folder(&self, id: &str) -> Result<OwnedFd> {
        check_id(id)?;
        let name = match self.driver {
            Driver::Overlay => format!("overlay/{id}/diff"),
            Driver::Vfs => format!("vfs/dir/{id}"),
        };
        self.state.at(&name, OFlags::PATH | OFlags::DIRECTORY)
    }

    /// A store that is not root's is mounted with `userxattr`.
    fn attributes(&self) -> OverlayAttributes {
        match rustix::fs::fstat(&self.state.place) {
            Ok(stat) if stat.st_uid != 0 => OverlayAttributes::User,
            _ => OverlayAttributes::Trusted,
        }
    }
}

/// The name of the file that a document is stored in, by its key.
fn file_of(key: &str) -> String {
    if key.bytes().all(|byte| matches!(byte, b'.' | b'0'..=b'9' | b'a'..=b'z')) {
        return key.to_owned();
    }
    format!("={}", STANDARD.encode(key))
}

/// The parts of storage.conf that say where images are.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StorageConf {
    storage: Storage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Storage {
    graphroot: Option<PathBuf>,
    options: StorageConfOptions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StorageConfOptions {
    additionalimagestores: Vec<PathBuf>,
}

/// The storage folders that the environment and storage.conf name: the user's own first, then the system's.
pub(crate) fn folders_of_environment() -> Result<Vec<PathBuf>> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(file) = variable("CONTAINERS_STORAGE_CONF") {
        let text = std::fs::read_to_string(&file);
        let text = text.map_err(|error| Error::io(file.display().to_string(), error))?;
        return folders(&file, &text, Path::new("/var/lib/containers/storage"));
    }
    let mut all = Vec::new();
    let home = variable("HOME").filter(|_| !rustix::process::geteuid().is_root());
    if let Some(home) = home {
        let own = variable("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
        let file = variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let file = file.join("containers/storage.conf");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        all.extend(folders(&file, &text, &own.join("containers/storage"))?);
    }
    let usual = Path::new("/var/lib/containers/storage");
    for file in ["/etc/containers/storage.conf", "/usr/share/containers/storage.conf"].map(Path::new) {
        if let Ok(text) = std::fs::read_to_string(file) {
            all.extend(folders(file, &text, usual)?);
            return Ok(all);
        }
    }
    all.push(usual.to_owned());
    Ok(all)
}

/// The folders that a storage.conf names; `usual` where it names none.
fn folders(file: &Path, text: &str, usual: &Path) -> Result<Vec<PathBuf>> {
    let conf: StorageConf = toml::from_str(text).map_err(|error| Error::Malformed {
        what: file.display().to_string(),
        reason: error.message().to_owned(),
    })?;
    let mut folders = vec![conf.storage.graphroot.unwrap_or_else(|| usual.to_owned())];
    folders.extend(conf.storage.options.additionalimagestores);
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_conf_names_the_store_and_additional_ones() {
        let file = Path::new("/etc/containers/storage.conf");
        let text = "[storage]\ndriver = \"overlay\"\ngraphroot = \"/srv/images\"\n\
                    [storage.options]\nadditionalimagestores = [ \"/mnt/a\",\n \"/mnt/b\" ]\n";
        let found = folders(file, text, Path::new("/usual")).expect("parsed");
        assert_eq!(found, ["/srv/images", "/mnt/a", "/mnt/b"].map(PathBuf::from));
        assert_eq!(folders(file, "", Path::new("/usual")).expect("parsed"), [PathBuf::from("/usual")]);
        let error = folders(file, "storage = 1", Path::new("/usual")).expect_err("no table").to_string();
        assert!(error.contains("storage.conf"), "{error}");
    }

    #[test]
    fn documents_lie_in_files_named_after_their_keys() {
        assert_eq!(file_of("manifest"), "manifest");
        assert_eq!(file_of("sha256:12"), "=c2hhMjU2OjEy");
    }
}
