//! An image: layers, config, manifest.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pratique_core::Digest;
use serde_json::{Value, json};

use crate::layer::sha256;
use crate::{Compression, LayerBuilder};

/// Media type of an OCI manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI index.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an OCI config.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Builds an image for linux/amd64, or what the config is changed to.
#[derive(Debug, Clone)]
pub struct ImageBuilder {
    layers: Vec<(LayerBuilder, Compression)>,
    architecture: String,
    user: String,
    created: String,
    ports: Vec<String>,
    steps: Vec<String>,
}

/// One layer of a built image.
#[derive(Debug, Clone)]
pub struct BuiltLayer {
    /// What it does.
    pub layer: LayerBuilder,
    /// Digest of the tar.
    pub diff_id: Digest,
    /// Digest of the compressed tar, found in [`BuiltImage::blobs`].
    pub blob: Digest,
}

/// An image in memory.
#[derive(Debug, Clone)]
pub struct BuiltImage {
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Digest of the config: the image's ID.
    pub config: Digest,
    /// The layers, base first.
    pub layers: Vec<BuiltLayer>,
    /// Every blob and document by its digest.
    pub blobs: BTreeMap<Digest, Vec<u8>>,
    platform: Value,
}

impl Default for ImageBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ImageBuilder {
    /// An image without layers, made for this machine's processor.
    pub fn new() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self {
            layers: Vec::new(),
            architecture: architecture.to_owned(),
            user: "65532".to_owned(),
            created: "2026-01-02T03:04:05Z".to_owned(),
            ports: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Adds a layer on top.
    pub fn layer(mut self, layer: LayerBuilder, compression: Compression) -> Self {
        self.layers.push((layer, compression));
        self
    }

    /// The processor it is made for, in Go's words.
    pub fn architecture(mut self, architecture: &str) -> Self {
        architecture.clone_into(&mut self.architecture);
        self
    }

    /// The user its process runs as: 65532, if nothing is said; empty for none.
    pub fn user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// Exposes a port, such as `22/tcp`.
    pub fn port(mut self, port: &str) -> Self {
        self.ports.push(port.to_owned());
        self
    }

    /// Adds a step to the history of its build, one that made no layer.
    pub fn step(mut self, step: &str) -> Self {
        self.steps.push(step.to_owned());
        self
    }

    /// Makes the documents.
    pub fn build(&self) -> BuiltImage {
        let mut blobs = BTreeMap::new();
        let mut put = |bytes: Vec<u8>| {
            let (digest, size) = (sha256(&bytes), bytes.len());
            blobs.insert(digest.clone(), bytes);
            (digest, size)
        };
        let mut layers = Vec::new();
        let mut descriptors = Vec::new();
        for (layer, compression) in &self.layers {
            let (blob, size) = put(layer.to_blob(*compression));
            descriptors.push(json!({"mediaType": compression.media_type(), "digest": blob, "size": size}));
            layers.push(BuiltLayer { layer: layer.clone(), diff_id: layer.diff_id(), blob });
        }
        let ports: BTreeMap<&str, Value> = self.ports.iter().map(|port| (port.as_str(), json!({}))).collect();
        let step = |step: &String| json!({"created_by": step, "empty_layer": true});
        let config = json!({
            "created": self.created,
            "architecture": self.architecture,
            "os": "linux",
            "config": {"User": self.user, "Cmd": ["/bin/true"], "ExposedPorts": ports},
            "history": self.steps.iter().map(step).collect::<Vec<_>>(),
            "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|l| &l.diff_id).collect::<Vec<_>>()},
        });
        let (config, size) = put(config.to_string().into_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": config, "size": size},
            "layers": descriptors,
        });
        let (manifest, _) = put(manifest.to_string().into_bytes());
        let platform = json!({"os": "linux", "architecture": self.architecture});
        BuiltImage { manifest, config, layers, blobs, platform }
    }
}

impl BuiltImage {
    /// The descriptor of the manifest, as an index lists it.
    pub fn descriptor(&self) -> Value {
        json!({
            "mediaType": MANIFEST,
            "digest": self.manifest,
            "size": self.blobs[&self.manifest].len(),
            "platform": self.platform,
        })
    }

    /// An index of several images, with its digest.
    pub fn index(images: &[&BuiltImage]) -> (Digest, Vec<u8>) {
        let manifests = images.iter().map(|image| image.descriptor()).collect::<Vec<_>>();
        let bytes =
            json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string().into_bytes();
        (sha256(&bytes), bytes)
    }

    /// Writes an OCI layout whose only image has the given name
    /// (<https://github.com/opencontainers/image-spec/blob/main/image-layout.md>).
    ///
    /// # Panics
    /// If something cannot be written.
    pub fn write_oci_layout(&self, folder: &Path, name: &str) {
        for (path, bytes) in self.oci_layout(name) {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder for the layout");
            fs::write(path, bytes).expect("a file of the layout");
        }
    }

    /// The OCI layout as a tar, as `ctr image import` and `docker load` take it.
    ///
    /// # Panics
    /// Never: memory takes everything.
    pub fn to_oci_archive(&self, name: &str) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in self.oci_layout(name) {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, bytes.as_slice()).expect("memory takes everything");
        }
        tar.into_inner().expect("memory takes everything")
    }

    /// The image as `docker save` writes it (Docker 1.10 to 24): plain layers in folders of their own, and of a layer that
    /// comes twice a link in the second place.
    ///
    /// # Panics
    /// Never: memory takes everything.
    pub fn to_docker_archive(&self, name: &str) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut file = |path: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, bytes).expect("memory takes everything");
        };
        let mut first_of = BTreeMap::new();
        let mut links = Vec::new();
        let mut paths = Vec::new();
        for (number, layer) in self.layers.iter().enumerate() {
            let path = format!("{}/layer.tar", sha256(format!("{number}").as_bytes()).hex());
            match first_of.get(&layer.diff_id) {
                Some(first) => links.push((path.clone(), format!("../{first}"))),
                None => {
                    file(&path, &layer.layer.to_tar());
                    first_of.insert(layer.diff_id.clone(), path.clone());
                }
            }
            paths.push(path);
        }
        let config = format!("{}.json", self.config.hex());
        file(&config, &self.blobs[&self.config]);
        let manifest = json!([{"Config": config, "RepoTags": [name], "Layers": paths}]);
        file("manifest.json", manifest.to_string().as_bytes());
        for (path, target) in links {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, path, target).expect("memory takes everything");
        }
        tar.into_inner().expect("memory takes everything")
    }

    fn oci_layout(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        let mut descriptor = self.descriptor();
        descriptor["annotations"] = json!({
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rsplit(':').next(),
        });
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]});
        let mut files = vec![
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), index.to_string().into_bytes()),
        ];
        for (digest, bytes) in &self.blobs {
            files.push((format!("blobs/sha256/{}", digest.hex()), bytes.clone()));
        }
        files
    }
}
