//! The Docker Engine, by its API and, where they can be read, its files. Layers are read from the folders of overlay2; of
//! the containerd image store, from containerd; anything else, and whatever of these cannot be read here, is read as the
//! engine exports it.

mod engine;
mod overlay2;
mod storage;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use pratique_core::Digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use self::engine::Engine;
use self::storage::{Info, Storage};
use crate::archive::{self, ArchiveIndex};
use crate::find::{Known, find};
use crate::listing::{ListedContainer, ListedImage};
use crate::oci::{or_default, parse};
use crate::{Error, OpenImage, Opened, Result, SourceOptions, containerd};

/// How long the engine may take for the next bytes of an export. Before the first ones it copies the whole image.
const EXPORT: Duration = Duration::from_secs(300);

/// An image as the engine lists it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: Digest,
    #[serde(default, deserialize_with = "or_default")]
    repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    repo_digests: Vec<String>,
    #[serde(default)]
    size: u64,
}

impl Listed {
    fn id_and_names(self) -> (Digest, Vec<String>) {
        // Images that have lost their name are listed with this.
        let names =
            self.repo_tags.into_iter().chain(self.repo_digests).filter(|name| !name.contains("<none>"));
        (self.id, names.collect())
    }
}

/// A container as the engine lists it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedByEngine {
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    names: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    image: String,
    #[serde(default, deserialize_with = "or_default")]
    state: String,
}

/// An engine, and a runtime to speak with it.
struct Conversation {
    engine: Engine,
    runtime: tokio::runtime::Runtime,
}

impl Conversation {
    fn new(options: &SourceOptions) -> Result<Self> {
        let engine = Engine::new(&options.docker_host)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::io("a thread to ask the Docker Engine", error))?;
        Ok(Self { engine, runtime })
    }

    fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let bytes = self.runtime.block_on(self.engine.document(path))?;
        parse(&format!("the Docker Engine's answer to {path}"), &bytes)
    }

    fn images(&self) -> Result<Vec<Listed>> {
        self.ask("/images/json")
    }

    fn storage(&self) -> Result<Storage> {
        Ok(self.ask::<Info>("/info")?.storage())
    }

    /// The export of an image by its name, in an unlinked file.
    fn export(&self, name: &str, options: &SourceOptions) -> Result<File> {
        let file = archive::unlinked(&options.temporary)?;
        let path = format!("/images/{name}/get");
        let take = |bytes: &[u8]| {
            (&file).write_all(bytes).map_err(|error| Error::io("the temporary file of an export", error))
        };
        self.runtime.block_on(self.engine.get(&path, EXPORT, options.limits.uncompressed_bytes, take))?;
        Ok(file)
    }
}

/// The engine's images.
pub(crate) fn list_images(options: &SourceOptions) -> Result<Vec<ListedImage>> {
    let engine = Conversation::new(options)?;
    let listed = engine.images()?;
    let place = engine.storage()?.to_string();
    let listed = listed.into_iter().map(|image| {
        let size = Some(image.size);
        let (id, names) = image.id_and_names();
        ListedImage { place: place.clone(), names, image: Some(id), others: Vec::new(), size }
    });
    Ok(listed.collect())
}

/// The engine's containers.
pub(crate) fn list_containers(options: &SourceOptions) -> Result<Vec<ListedContainer>> {
    let listed: Vec<ListedByEngine> = Conversation::new(options)?.ask("/containers/json?all=true")?;
    let listed = listed.into_iter().map(|container| ListedContainer {
        place: String::new(),
        id: container.id,
        names: container.names.iter().map(|name| name.trim_start_matches('/').to_owned()).collect(),
        image: container.image,
        running: Some(container.state == "running"),
    });
    Ok(listed.collect())
}

/// Opens the image that `query` means.
pub(crate) fn open(query: &str, options: &SourceOptions) -> Result<Opened> {
    let engine = Conversation::new(options)?;
    let known = engine.images()?.into_iter().map(|image| {
        let (id, names) = image.id_and_names();
        Known { names, digests: vec![id.clone()], place: String::new(), item: id }
    });
    let known = known.collect::<Vec<_>>();
    let found = find(query, &known)?;
    let (id, names) = (&found.item, &found.names);
    let image = match in_place(&engine.storage()?, id, options) {
        Ok(image) => image,
        Err(reason) => {
            // By a name, so that the archive has names too; what the name means is checked below.
            let name = names.iter().find(|name| !name.contains('@')).cloned();
            let name = name.unwrap_or_else(|| id.to_string());
            let image = read_export(engine.export(&name, options)?, &name, id, options)?;
            OpenImage { via: format!("an export: {reason}"), ..image }
        }
    };
    Ok(Opened::Image(Box::new(OpenImage { names: names.clone(), ..image })))
}

/// Opens an image where the engine keeps it. An error says why not.
fn in_place(storage: &Storage, id: &Digest, options: &SourceOptions) -> Result<OpenImage> {
    match storage {
        Storage::Overlay2 { root, attributes, owners } => {
            let (manifest, layers) = overlay2::open(root, *attributes, *owners, id, options.limits)?;
            let via = format!("the folders of {storage} in {}", root.display());
            Ok(OpenImage { via, ..OpenImage::new(manifest, Vec::new(), layers) })
        }
        Storage::Containerd { socket, namespace, .. } => {
            let sockets = socket.as_ref().map_or(&options.containerd_sockets[..], std::slice::from_ref);
            let image = in_containerd(sockets, namespace, id, options)?;
            Ok(OpenImage { via: format!("the {storage}"), ..image })
        }
        Storage::Other { reason, .. } => Err(Error::Unsupported {
            what: format!("reading the folders of {storage}"),
            reason: (*reason).to_owned(),
        }),
    }
}

/// Opens an image of the first containerd that has it in a namespace: each of several may be Docker's.
fn in_containerd(
    sockets: &[PathBuf],
    namespace: &str,
    id: &Digest,
    options: &SourceOptions,
) -> Result<OpenImage> {
    let mut result = Err(Error::NotHere {
        source_name: "the engine's containerd".to_owned(),
        reason: "no socket is known; CONTAINERD_ADDRESS names one".to_owned(),
    });
    for socket in sockets {
        let options = SourceOptions { containerd_sockets: vec![socket.clone()], ..options.clone() };
        result = containerd::open_image(&format!("//{namespace}/{id}"), &options);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn read_export(file: File, name: &str, id: &Digest, options: &SourceOptions) -> Result<OpenImage> {
    let index = ArchiveIndex::read(format!("the export of {name}"), file)?;
    let image = archive::open_index(&index, None, options)?;
    // With the containerd image store the engine's ID is the digest of an index or manifest, which says nothing here.
    let is_other = image.manifest.image != *id;
    if is_other && !index.contains("oci-layout") {
        return Err(Error::Gone { what: format!("image {name}") });
    }
    Ok(image)
}
