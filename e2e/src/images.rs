//! Images of tests: small, real, runnable (a static busybox), each test its own.

use std::fs;
use std::path::Path;

use pratique_core::Digest;
use pratique_testkit::{BuiltImage, Compression, ImageBuilder, LayerBuilder};
use serde_json::json;

use crate::Cluster;
use crate::cluster::root;

/// An image to be built and pushed.
#[derive(Debug, Clone)]
pub struct Image {
    repository: String,
    tag: String,
    builder: ImageBuilder,
}

/// An image in the cluster's registry.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// `registry/repository:tag`.
    pub reference: String,
    /// `registry/repository`.
    pub repository: String,
    /// The image.
    pub built: BuiltImage,
}

impl Pushed {
    /// The reference by manifest digest.
    pub fn by_digest(&self) -> String {
        format!("{}@{}", self.repository, self.built.manifest)
    }
}

/// Tells the images of this run, and of this try of a test, from earlier ones that the nodes may still have: no layer and no
/// tag is met twice.
fn run() -> String {
    format!("{}-{}", std::env::var("E2E_RUN").unwrap_or_default(), std::process::id())
}

/// The layer every image starts with: busybox, and accounts that are locked. `mark` makes it another layer than other tests have.
pub fn base(mark: &str) -> LayerBuilder {
    let busybox = fs::read("/bin/busybox").expect("busybox-static is installed by e2e/prerequisites");
    LayerBuilder::new()
        .dir("bin")
        .file("bin/busybox", busybox)
        .owned(0o755, 0, 0)
        .dir("etc")
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/busybox\n")
        .file("etc/shadow", "root:*:19000:0:99999:7:::\n")
        .owned(0o640, 0, 42)
        .file("etc/mark", format!("{mark} {}", run()))
}

/// A layer in which root's password is `changeme`. `mark` makes it another layer than other tests have.
pub fn weak_root(mark: &str) -> LayerBuilder {
    LayerBuilder::new()
        .file("etc/mark-of-weak", format!("{mark} {}", run()))
        .file("etc/shadow", format!("root:{}:19000:0:99999:7:::\n", weak_hash()))
        .owned(0o640, 0, 42)
}

/// The crypt(3) hash of `changeme`, made by openssl once per call: no third party's sample.
pub fn weak_hash() -> String {
    openssl_passwd(&["-salt", "pratiquedemo"])
}

/// Another hash of the same password each time, which no agent has met yet.
pub fn new_weak_hash() -> String {
    openssl_passwd(&[])
}

fn openssl_passwd(salt: &[&str]) -> String {
    let output = std::process::Command::new("openssl")
        .args(["passwd", "-6"])
        .args(salt)
        .arg("changeme")
        .output()
        .expect("openssl runs");
    String::from_utf8(output.stdout).expect("openssl prints text").trim().to_owned()
}

impl Image {
    /// An image of the base layer alone. `name` is `repository:tag`, below the cluster's registry.
    pub fn clean(name: &str) -> Self {
        Self::of(name, [base(name)])
    }

    /// The base layer and a weak root password above it.
    pub fn risky(name: &str) -> Self {
        Self::of(name, [base(name), weak_root(name)])
    }

    /// An image of these layers, base first.
    pub fn of(name: &str, layers: impl IntoIterator<Item = LayerBuilder>) -> Self {
        let (repository, tag) = name.rsplit_once(':').expect("name is repository:tag");
        let builder = layers
            .into_iter()
            .fold(ImageBuilder::new(), |image, layer| image.layer(layer, Compression::Gzip));
        Self { repository: repository.to_owned(), tag: format!("{tag}-{}", run()), builder }
    }

    /// Changes what the builder makes.
    pub fn with(mut self, change: impl FnOnce(ImageBuilder) -> ImageBuilder) -> Self {
        self.builder = change(self.builder);
        self
    }

    /// Builds it and pushes it to the registry that the nodes pull from.
    pub fn push(&self, cluster: &Cluster) -> Pushed {
        self.push_layout(cluster, |_, _| {})
    }

    /// The same under an index of one image; the index's digest.
    pub fn push_as_index(&self, cluster: &Cluster) -> (Pushed, Digest) {
        let mut digest = None;
        let pushed = self.push_layout(cluster, |built, layout| {
            let (index, bytes) = BuiltImage::index(&[built]);
            let descriptor = json!({
                "mediaType": "application/vnd.oci.image.index.v1+json", "digest": index.as_str(), "size": bytes.len(),
                "annotations": {"org.opencontainers.image.ref.name": "latest"},
            });
            fs::write(layout.join("blobs/sha256").join(index.hex()), bytes).expect("the index is written");
            let entry = json!({"schemaVersion": 2, "manifests": [descriptor]});
            fs::write(layout.join("index.json"), entry.to_string()).expect("the layout's entry is written");
            digest = Some(index);
        });
        (pushed, digest.expect("the layout was written"))
    }

    fn push_layout(&self, cluster: &Cluster, finish: impl FnOnce(&BuiltImage, &Path)) -> Pushed {
        let built = self.builder.build();
        let scratch = tempfile::tempdir().expect("a temporary folder");
        built.write_oci_layout(scratch.path(), "latest");
        finish(&built, scratch.path());
        push(scratch.path(), &format!("{}:{}", self.repository, self.tag));
        let repository = format!("{}/{}", cluster.registry, self.repository);
        Pushed { reference: format!("{repository}:{}", self.tag), repository, built }
    }
}

/// Pushes a layout to the registry that the nodes pull from.
fn push(layout: &Path, name: &str) {
    let done = std::process::Command::new(root().join("e2e/push"))
        .arg(layout)
        .arg(name)
        .output()
        .expect("e2e/push starts");
    assert!(done.status.success(), "e2e/push {name}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Pushes files as an artifact, as `oras push` does, in place of what was pushed under the name before; its address.
/// `name` is the repository, below the cluster's registry.
pub fn push_files(cluster: &Cluster, name: &str, files: &[(&str, &str)]) -> String {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let blobs = scratch.path().join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a folder is made");
    let put = |content: &str, media_type: &str| {
        let digest = Digest::of(content.as_bytes());
        fs::write(blobs.join(digest.hex()), content).expect("a blob is written");
        json!({"mediaType": media_type, "digest": digest.as_str(), "size": content.len()})
    };
    let layer = |(title, content): &(&str, &str)| {
        let mut layer = put(content, "application/vnd.oci.image.layer.v1.tar");
        layer["annotations"] = json!({"org.opencontainers.image.title": title});
        layer
    };
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": kind, "artifactType": "application/vnd.pratique.rules.v1",
        "config": put("{}", "application/vnd.oci.empty.v1+json"),
        "layers": files.iter().map(layer).collect::<Vec<_>>(),
    });
    let mut entry = put(&manifest.to_string(), kind);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    fs::write(scratch.path().join("index.json"), index).expect("the index is written");
    fs::write(scratch.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("it is written");
    let name = format!("{name}:1-{}", run());
    push(scratch.path(), &name);
    format!("oci://{}/{name}", cluster.registry)
}
