//! containerd as a source of images and containers, over its socket. Nothing is mounted and nothing of its state is
//! changed but views and leases of our own.

mod layers;
mod view;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use containerd_client::services::v1::{
    GetImageRequest, InfoRequest, ListContainersRequest, ListImagesRequest, ListNamespacesRequest,
    ListTasksRequest, ReadContentRequest, containers_client::ContainersClient, content_client::ContentClient,
    images_client::ImagesClient, namespaces_client::NamespacesClient, tasks_client::TasksClient,
    version_client::VersionClient,
};
use containerd_client::tonic::{Code, Request, Status, transport::Channel};
use pratique_core::{Digest, Platform};
use tokio::time::timeout;

pub use layers::{ImageLayers, LayerChoice, StatePaths, choose};
pub(crate) use layers::{list_containers, list_images, open, open_image, split_namespace};
pub use view::{LayerFolder, View};

use crate::find::{Known, find};
use crate::oci::{ImageManifest, Need, Resolver, host_platform};
use crate::{Error, Result};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// Bytes of one answer at most: a list of images has some 500 bytes an image.
const ANSWER_BYTES: usize = 64 << 20;
/// Label of a config's blob that names the snapshot it was unpacked to: the prefix of the snapshotter's name.
const SNAPSHOT_LABEL: &str = "containerd.io/gc.ref.snapshot.";

/// A connection to containerd. Cheap to clone.
#[derive(Clone)]
pub struct Containerd {
    channel: Channel,
    socket: PathBuf,
    owner: String,
}

/// An image as containerd lists it: a name for an index or manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeImage {
    /// containerd's namespace, such as `k8s.io`.
    pub namespace: String,
    /// Its name: `docker.io/library/nginx:1.27`, a name with a digest, or (Kubernetes) the image's ID.
    pub name: String,
    /// Digest of the index or manifest.
    pub target: Digest,
    /// Media type of the target.
    pub media_type: String,
}

/// A container as containerd lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeContainer {
    /// containerd's namespace.
    pub namespace: String,
    /// Its id.
    pub id: String,
    /// The name of its image, as [`RuntimeImage::name`].
    pub image: String,
    /// Its labels; Kubernetes' are `io.kubernetes.pod.name` and the like.
    pub labels: BTreeMap<String, String>,
    /// The snapshotter that holds its files.
    pub snapshotter: String,
    /// Its writable snapshot.
    pub snapshot: String,
    /// Process id of its first process, as the node counts; none if it does not run.
    pub pid: Option<u32>,
}

impl Containerd {
    /// Connects to a socket, within 5 seconds. `owner` names whose views and leases are ours (letters, digits and
    /// dashes), see [`Self::sweep`].
    pub async fn connect(socket: &Path, owner: &str) -> Result<Self> {
        let failed = |reason: String| Error::Runtime {
            runtime: format!("containerd at {}", socket.display()),
            reason: format!(
                "cannot connect: {reason}; is it running, and is its socket's folder mounted here?"
            ),
        };
        let channel = timeout(CONNECT, containerd_client::connect(socket))
            .await
            .map_err(|_| failed("no answer within 5 s".to_owned()))?
            .map_err(|error| failed(with_causes(&error)))?;
        let connected = Self { channel, socket: socket.to_owned(), owner: owner.to_owned() };
        connected.version().await?;
        Ok(connected)
    }

    /// The channel, for services that this type does not wrap, such as events.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Its version.
    pub async fn version(&self) -> Result<String> {
        Ok(self.call("version", VersionClient::new(self.channel()).version(())).await?.version)
    }

    /// Its namespaces.
    pub async fn namespaces(&self) -> Result<Vec<String>> {
        let request = ListNamespacesRequest::default();
        let listed = self.call("namespaces", NamespacesClient::new(self.channel()).list(request)).await?;
        Ok(listed.namespaces.into_iter().map(|namespace| namespace.name).collect())
    }

    /// The images of all namespaces.
    pub async fn images(&self) -> Result<Vec<RuntimeImage>> {
        let mut images = Vec::new();
        for namespace in self.namespaces().await? {
            let request = self.request(&namespace, None, ListImagesRequest::default())?;
            let mut client = ImagesClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES);
            for image in self.call("images", client.list(request)).await?.images {
                let Some(target) = image.target else { continue };
                // A target whose digest is none cannot be read by anyone.
                let Ok(digest) = target.digest.parse() else { continue };
                let (namespace, name, media_type) = (namespace.clone(), image.name, target.media_type);
                images.push(RuntimeImage { namespace, name, target: digest, media_type });
            }
        }
        Ok(images)
    }

    /// The containers of all namespaces, with the process of each that runs.
    pub async fn containers(&self) -> Result<Vec<RuntimeContainer>> {
        let mut containers = Vec::new();
        for namespace in self.namespaces().await? {
            let request = self.request(&namespace, None, ListTasksRequest::default())?;
            let mut tasks = TasksClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES);
            let listed = self.call("tasks", tasks.list(request)).await?;
            let pids = listed.tasks.into_iter().filter(|task| task.pid != 0).map(|task| (task.id, task.pid));
            let pids: BTreeMap<String, u32> = pids.collect();
            // One message a container: a spec may have hundreds of kilobytes.
            let request = self.request(&namespace, None, ListContainersRequest::default())?;
            let mut client = ContainersClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES);
            let mut stream = self.call("containers", client.list_stream(request)).await?;
            while let Some(message) = self.step("containers", stream.message()).await? {
                let Some(container) = message.container else { continue };
                containers.push(RuntimeContainer {
                    namespace: namespace.clone(),
                    pid: pids.get(&container.id).copied(),
                    id: container.id,
                    image: container.image,
                    labels: container.labels.into_iter().collect(),
                    snapshotter: container.snapshotter,
                    snapshot: container.snapshot_key,
                });
            }
        }
        Ok(containers)
    }

    /// Reads a blob of the content store whole, if it has at most `limit` bytes. The digest is not checked here.
    pub async fn document(&self, namespace: &str, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let what = || format!("document {digest}");
        // One byte more is asked for, to tell a document that is too long.
        let size = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let message = ReadContentRequest { digest: digest.to_string(), offset: 0, size };
        let request = self.request(namespace, None, message)?;
        let mut client = ContentClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES);
        let mut stream = self.call("content", client.read(request)).await?;
        let mut bytes = Vec::new();
        loop {
            let step = self.step("content", stream.message()).await;
            let Some(message) = step.map_err(|error| absent(error, what))? else { return Ok(bytes) };
            bytes.extend_from_slice(&message.data);
            if bytes.len() as u64 > limit {
                return Err(Error::Limit { what: what(), limit: format!("it has more than {limit} bytes") });
            }
        }
    }

    /// What image a listed name means on a platform. [`Error::Gone`] if the name was removed or moved
    /// meanwhile.
    pub async fn identify(&self, image: &RuntimeImage, platform: &Platform) -> Result<ImageManifest> {
        let mut resolver = Resolver::new(image.target.clone(), &image.media_type, platform.clone());
        loop {
            match resolver.next() {
                Need::Ready(manifest) => return Ok(*manifest),
                Need::Document { digest, limit, .. } => {
                    match self.document(&image.namespace, &digest, limit).await {
                        Ok(bytes) => resolver.supply(&bytes)?,
                        Err(error) => return Err(self.gone_or(image, error).await),
                    }
                }
            }
        }
    }

    /// [`Error::Gone`] if the image is not listed any more as it was, else the error.
    pub async fn gone_or(&self, image: &RuntimeImage, error: Error) -> Error {
        if self.is_gone(image).await { Error::Gone { what: format!("image {}", image.name) } } else { error }
    }

    /// Whether it is known that the image is not listed any more as it was.
    async fn is_gone(&self, image: &RuntimeImage) -> bool {
        matches!(self.is_listed(image).await, Ok(false))
    }

    async fn is_listed(&self, image: &RuntimeImage) -> Result<bool> {
        let request = self.request(&image.namespace, None, GetImageRequest { name: image.name.clone() })?;
        match self.call("images", ImagesClient::new(self.channel()).get(request)).await {
            Ok(answer) => {
                let target = answer.image.and_then(|image| image.target);
                Ok(target.is_some_and(|target| target.digest == image.target.as_str()))
            }
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The image that `query` names, see [`crate::find::find`]; `namespace` narrows the search.
    pub async fn find(&self, query: &str, namespace: Option<&str>) -> Result<RuntimeImage> {
        let images = self.images().await?;
        let images = images.into_iter().filter(|image| namespace.is_none_or(|only| image.namespace == only));
        let mut known = Vec::new();
        for image in images {
            // An image whose documents are not there is still found by its name and target.
            let manifest = self.identify(&image, &host_platform()).await.ok();
            let mut digests = manifest.as_ref().map(Known::<()>::digests_of).unwrap_or_default();
            digests.push(image.target.clone());
            let (names, place) = (vec![image.name.clone()], format!("namespace {}", image.namespace));
            known.push(Known { names, digests, place, item: image });
        }
        find(query, &known).map(|known| known.item.clone())
    }

    /// The snapshotters that hold an image unpacked, by the labels of its config.
    pub async fn snapshotters(&self, namespace: &str, config: &Digest) -> Result<Vec<String>> {
        let request = self.request(namespace, None, InfoRequest { digest: config.to_string() })?;
        let answer = self.call("content", ContentClient::new(self.channel()).info(request)).await;
        let labels = answer
            .map_err(|error| absent(error, || format!("document {config}")))?
            .info
            .unwrap_or_default()
            .labels;
        let mut names: Vec<String> =
            labels.keys().filter_map(|label| label.strip_prefix(SNAPSHOT_LABEL)).map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// A request in a namespace, on behalf of a lease if there is one.
    fn request<T>(&self, namespace: &str, lease: Option<&str>, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        for (key, value) in [("containerd-namespace", Some(namespace)), ("containerd-lease", lease)] {
            let Some(value) = value else { continue };
            let value =
                value.parse().map_err(|_| self.failed(format!("`{value}` cannot be sent as a header")))?;
            request.metadata_mut().insert(key, value);
        }
        Ok(request)
    }

    /// An answer, within its time. What is not found is [`Error::NotFound`].
    async fn call<T>(
        &self,
        what: &str,
        answer: impl Future<Output = Result<containerd_client::tonic::Response<T>, Status>>,
    ) -> Result<T> {
        self.step(what, answer).await.map(containerd_client::tonic::Response::into_inner)
    }

    async fn step<T>(&self, what: &str, answer: impl Future<Output = Result<T, Status>>) -> Result<T> {
        match timeout(ANSWER, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(status)) if status.code() == Code::NotFound => {
                Err(Error::NotFound { path: status.message().to_owned() })
            }
            Ok(Err(status)) => Err(self.failed(format!("{what}: {} ({})", status.message(), status.code()))),
            Err(_) => Err(self.failed(format!("{what}: no answer within {} s", ANSWER.as_secs()))),
        }
    }

    fn failed(&self, reason: String) -> Error {
        Error::Runtime { runtime: format!("containerd at {}", self.socket.display()), reason }
    }
}

/// Names what is not there in our words.
fn absent(error: Error, what: impl FnOnce() -> String) -> Error {
    match error {
        Error::NotFound { .. } => Error::io(
            what(),
            std::io::Error::new(std::io::ErrorKind::NotFound, "the content store does not have it"),
        ),
        other => other,
    }
}

/// An error with what caused it, as transports say little at the top.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
