//! The layers of one image, each from the best place there is.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use containerd_client::services::v1::PluginsRequest;
use containerd_client::services::v1::introspection_client::IntrospectionClient;
use pratique_core::{Digest, Gap};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use tokio::runtime::Runtime;

use super::{Containerd, LayerFolder, RuntimeImage, View};
use crate::find::Known;
use crate::listing::{ListedContainer, ListedImage};
use crate::oci::{ImageManifest, LayerDescriptor};
use crate::{
    BlobFile, Error, FolderLayer, Layer, Limits, OpenImage, Opened, OverlayAttributes, Result, SourceOptions,
    TarLayer, TreeLayer, UnreadableLayer,
};

/// How long the folders of one image are held: [`ImageLayers`] is to be dropped before.
const LIFETIME: Duration = Duration::from_secs(600);

/// Where a layer is read from, with what it is read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerChoice<F, B> {
    /// Its folder, opacity seen or of no matter.
    Folder(F),
    /// Its blob.
    Blob(B),
    /// Its folder, though opacity is not seen: for want of a blob.
    BlindFolder(F),
}

/// The best place to read a layer from; both reasons if there is none. A folder costs no decompression, but opacity
/// has to be seen in it, except at the image's bottom, where there is nothing to hide.
pub fn choose<F, B, E, G>(
    bottom: bool,
    sees_opacity: bool,
    folder: Result<F, E>,
    blob: Result<B, G>,
) -> Result<LayerChoice<F, B>, (E, G)> {
    match (folder, blob) {
        (Ok(folder), _) if bottom || sees_opacity => Ok(LayerChoice::Folder(folder)),
        (_, Ok(blob)) => Ok(LayerChoice::Blob(blob)),
        (Ok(folder), Err(_)) => Ok(LayerChoice::BlindFolder(folder)),
        (Err(no_folder), Err(no_blob)) => Err((no_folder, no_blob)),
    }
}

/// containerd's state on disk, as this process sees it.
#[derive(Debug, Clone)]
pub struct StatePaths {
    root: PathBuf,
}

impl StatePaths {
    /// containerd's root, such as `/var/lib/containerd`, at the same path as containerd sees it.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Opens a blob of the content store. The digest names it; what it holds is checked when it is read.
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        let name = format!("io.containerd.content.v1.content/blobs/{}/{}", digest.algorithm(), digest.hex());
        self.open(Path::new(&name), OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY).map(File::from)
    }

    /// Opens a layer's folder as a place (O_PATH). A path outside the root is refused, links included.
    pub fn open_folder(&self, folder: &Path) -> Result<OwnedFd> {
        let inside = folder.strip_prefix(&self.root).map_err(|_| Error::Unsupported {
            what: format!("the layer folder {}", folder.display()),
            reason: format!(
                "it lies outside containerd's root {}; set the runtime's root",
                self.root.display()
            ),
        })?;
        self.open(inside, OFlags::PATH | OFlags::DIRECTORY)
    }

    fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd> {
        let failed =
            |error: rustix::io::Errno| Error::io(self.root.join(path).display().to_string(), error.into());
        let place = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, &self.root, place, Mode::empty()).map_err(failed)?;
        let stay = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        openat2(&root, path, flags | OFlags::CLOEXEC, Mode::empty(), stay).map_err(failed)
    }
}

/// The layers of one image, held against garbage collection until [`Self::release`].
pub struct ImageLayers {
    /// What can be read, base first, ready for [`crate::ImageFs::new`].
    pub layers: Vec<Box<dyn Layer>>,
    /// What cannot.
    pub gaps: Vec<Gap>,
    view: View,
}

impl ImageLayers {
    /// Lets go of the folders.
    pub async fn release(self) -> Result<()> {
        self.view.release().await
    }
}

/// A view that is let go of when it is dropped.
struct Held {
    runtime: tokio::runtime::Runtime,
    view: Option<View>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(view) = self.view.take() {
            // What is left after an error goes when the lease expires.
            let _ = self.runtime.block_on(view.release());
        }
    }
}

impl ImageLayers {
    /// The image with these layers, which are let go of on `runtime` when it is dropped.
    fn into_image(
        self,
        manifest: ImageManifest,
        names: Vec<String>,
        runtime: tokio::runtime::Runtime,
    ) -> OpenImage {
        let (mut readable, mut gaps) = (self.layers.into_iter().peekable(), self.gaps);
        let layers = manifest.layers.iter().map(|layer| -> Box<dyn Layer> {
            if let Some(found) = readable.next_if(|next| *next.diff_id() == layer.diff_id) {
                return found;
            }
            let gap = gaps.iter().position(|gap| gap.layer.as_ref() == Some(&layer.diff_id));
            let reason = gap.map_or_else(String::new, |place| gaps.swap_remove(place).reason);
            let what = "its place in containerd".to_owned();
            Box::new(UnreadableLayer::new(layer.diff_id.clone(), &Error::Unsupported { what, reason }))
        });
        let layers = layers.collect();
        let hold = Held { runtime, view: Some(self.view) };
        OpenImage { gaps, hold: Some(Box::new(hold)), ..OpenImage::new(manifest, names, layers) }
    }
}

/// The namespace and the rest of `//NAMESPACE/REF`; of anything else, itself.
pub(crate) fn split_namespace(target: &str) -> (Option<&str>, &str) {
    match target.strip_prefix("//").and_then(|rest| rest.split_once('/')) {
        Some((namespace, query)) => (Some(namespace), query),
        None => (None, target),
    }
}

/// Opens `REF` or `//NAMESPACE/REF` of the first containerd that answers.
pub(crate) fn open(target: &str, options: &SourceOptions) -> Result<Opened> {
    open_image(target, options).map(|image| Opened::Image(Box::new(image)))
}

/// Likewise, the image itself.
pub(crate) fn open_image(target: &str, options: &SourceOptions) -> Result<OpenImage> {
    let (namespace, query) = split_namespace(target);
    let runtime = runtime()?;
    let opened = runtime.block_on(async {
        let containerd = connect_first(&options.containerd_sockets).await?;
        let found = containerd.find(query, namespace).await?;
        let manifest = containerd.identify(&found, &options.platform).await?;
        let state = StatePaths::new(containerd.root().await?);
        let layers = containerd.open_layers(&found, &manifest, &state, options.limits).await?;
        Ok::<_, Error>((layers, manifest, found.name))
    });
    let (layers, manifest, name) = opened?;
    Ok(layers.into_image(manifest, vec![name], runtime))
}

/// A runtime for one conversation.
fn runtime() -> Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::io("a thread to ask containerd", error))
}

/// The images of the first containerd that answers, each once a namespace.
pub(crate) fn list_images(options: &SourceOptions) -> Result<Vec<ListedImage>> {
    runtime()?.block_on(async {
        let containerd = connect_first(&options.containerd_sockets).await?;
        let mut listed: BTreeMap<(String, Digest), ListedImage> = BTreeMap::new();
        for image in containerd.images().await? {
            let key = (image.namespace.clone(), image.target.clone());
            if let Some(known) = listed.get_mut(&key) {
                known.names.push(image.name);
                continue;
            }
            let manifest = containerd.identify(&image, &options.platform).await.ok();
            let size = manifest.as_ref().map(ImageManifest::size);
            let (place, names) = (image.namespace, vec![image.name]);
            // Without its documents its target is all that is known.
            let digests = manifest.as_ref().map(Known::<()>::digests_of);
            let others = digests.map_or_else(|| vec![image.target], |digests| digests[1..].to_vec());
            let config = manifest.map(|manifest| manifest.image);
            listed.insert(key, ListedImage { place, names, image: config, others, size });
        }
        Ok(listed.into_values().collect())
    })
}

/// The containers of the first containerd that answers.
pub(crate) fn list_containers(options: &SourceOptions) -> Result<Vec<ListedContainer>> {
    runtime()?.block_on(async {
        let containerd = connect_first(&options.containerd_sockets).await?;
        let listed = containerd.containers().await?.into_iter().map(|container| ListedContainer {
            place: container.namespace,
            id: container.id,
            names: container.labels.get("io.kubernetes.pod.name").cloned().into_iter().collect(),
            image: container.image,
            running: Some(container.pid.is_some()),
        });
        Ok(listed.collect())
    })
}

/// The first containerd that answers.
async fn connect_first(sockets: &[PathBuf]) -> Result<Containerd> {
    let mut said = Vec::new();
    for socket in sockets {
        if !socket.exists() {
            said.push(format!("there is no {}", socket.display()));
            continue;
        }
        match Containerd::connect(socket, &format!("command-{}", std::process::id())).await {
            Ok(containerd) => return Ok(containerd),
            Err(error) => said.push(error.to_string()),
        }
    }
    Err(Error::NotHere {
        source_name: "containerd".to_owned(),
        reason: format!("{}; CONTAINERD_ADDRESS names another socket", said.join("; ")),
    })
}

impl Containerd {
    /// The folder with its content store and snapshots, by its own word.
    async fn root(&self) -> Result<PathBuf> {
        let request = PluginsRequest { filters: vec!["id==content".to_owned()] };
        let request = self.request("default", None, request)?;
        let mut client = IntrospectionClient::new(self.channel());
        let plugins = self.call("plugins", client.plugins(request)).await?.plugins;
        let store = plugins.iter().find_map(|plugin| plugin.exports.get("root"));
        let root = store.and_then(|store| Path::new(store).parent()).map(Path::to_owned);
        Ok(root.unwrap_or_else(|| PathBuf::from("/var/lib/containerd")))
    }

    /// Opens the layers of an image for this process to read.
    pub async fn open_layers(
        &self,
        image: &RuntimeImage,
        manifest: &ImageManifest,
        state: &StatePaths,
        limits: Limits,
    ) -> Result<ImageLayers> {
        let snapshotters = match self.snapshotters(&image.namespace, &manifest.image).await {
            Ok(snapshotters) => snapshotters,
            Err(error) => return Err(self.gone_or(image, error).await),
        };
        let mut view = self.view(&image.namespace, LIFETIME).await?;
        let (mut layers, mut gaps): (Vec<Box<dyn Layer>>, Vec<Gap>) = (Vec::new(), Vec::new());
        for (number, descriptor) in manifest.layers.iter().enumerate() {
            let bottom = number == 0;
            let folder = folder(&mut view, &snapshotters, descriptor, bottom, state).await;
            match open_layer(descriptor, folder, bottom, state, limits) {
                Ok(layer) => layers.push(layer),
                Err(error) => {
                    let below = number.checked_sub(1).map(|below| &manifest.layers[below]);
                    if let Some((with, without)) =
                        trees(&mut view, &snapshotters, descriptor, below, state).await
                    {
                        layers.push(Box::new(TreeLayer::new(
                            with,
                            without,
                            descriptor.diff_id.clone(),
                            limits,
                        )));
                        continue;
                    }
                    if self.is_gone(image).await {
                        view.release().await?;
                        return Err(Error::Gone { what: format!("image {}", image.name) });
                    }
                    gaps.push(Gap::of_layer(error.gap_kind(), descriptor.diff_id.clone(), error.to_string()));
                }
            }
        }
        Ok(ImageLayers { layers, gaps, view })
    }
}

/// The folder of a layer, from the first snapshotter that has one.
async fn folder(
    view: &mut View,
    snapshotters: &[String],
    descriptor: &LayerDescriptor,
    bottom: bool,
    state: &StatePaths,
) -> Result<(OwnedFd, OverlayAttributes)> {
    let mut result = Err(Error::Unsupported {
        what: format!("layer {}", descriptor.diff_id),
        reason: "it is not unpacked".to_owned(),
    });
    for snapshotter in snapshotters {
        let found = view.folder(snapshotter, &descriptor.chain_id, bottom).await;
        result =
            found.and_then(|LayerFolder { path, attributes }| Ok((state.open_folder(&path)?, attributes)));
        if result.is_ok() {
            break;
        }
    }
    result
}

/// The files with a layer and those without it, from the first snapshotter that has both.
async fn trees(
    view: &mut View,
    snapshotters: &[String],
    layer: &LayerDescriptor,
    below: Option<&LayerDescriptor>,
    state: &StatePaths,
) -> Option<(OwnedFd, Option<OwnedFd>)> {
    for snapshotter in snapshotters {
        let mut open = async |layer: &LayerDescriptor| {
            state.open_folder(&view.tree(snapshotter, &layer.chain_id).await?)
        };
        let Ok(with) = open(layer).await else { continue };
        match below {
            None => return Some((with, None)),
            Some(below) => {
                if let Ok(without) = open(below).await {
                    return Some((with, Some(without)));
                }
            }
        }
    }
    None
}

/// Opens a layer at the best place; an error names why none will do.
fn open_layer(
    descriptor: &LayerDescriptor,
    folder: Result<(OwnedFd, OverlayAttributes)>,
    bottom: bool,
    state: &StatePaths,
    limits: Limits,
) -> Result<Box<dyn Layer>> {
    let diff_id = descriptor.diff_id.clone();
    let blob = state.open_blob(&descriptor.blob);
    let seen = folder.as_ref().is_ok_and(|(_, attributes)| FolderLayer::sees_opacity(*attributes));
    match choose(bottom, seen, folder, blob) {
        Ok(LayerChoice::Folder((folder, attributes)) | LayerChoice::BlindFolder((folder, attributes))) => {
            Ok(Box::new(FolderLayer::new(folder, diff_id, attributes, limits)))
        }
        Ok(LayerChoice::Blob(blob)) => {
            Ok(Box::new(TarLayer::new(BlobFile::new(blob), descriptor.blob.clone(), diff_id, limits)))
        }
        Err((no_folder, no_blob)) => Err(Error::Unsupported {
            what: format!("layer {diff_id}"),
            reason: format!("neither folder nor blob can be read: {no_folder}; {no_blob}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_first_where_opacity_is_seen_or_plays_no_part() {
        use LayerChoice::{BlindFolder, Blob, Folder};
        let (here, gone) = (Ok::<_, ()>(()), Err::<(), _>(()));
        for (bottom, sees, folder, blob, choice) in [
            (true, false, here, here, Ok(Folder(()))),
            (false, true, here, here, Ok(Folder(()))),
            (false, false, here, here, Ok(Blob(()))),
            (false, false, here, gone, Ok(BlindFolder(()))),
            (false, true, gone, here, Ok(Blob(()))),
            (true, false, gone, gone, Err(((), ()))),
        ] {
            assert_eq!(choose(bottom, sees, folder, blob), choice, "{bottom} {sees} {folder:?} {blob:?}");
        }
    }
}
