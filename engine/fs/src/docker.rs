//! The Docker Engine, by its API over a unix socket (<https://docs.docker.com/reference/api/engine/>). An image is read as
//! the engine exports it: nothing of the engine's own files is needed, whatever its storage driver.

use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::Write;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use pratique_core::Digest;
use serde::Deserialize;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::archive::{self, ArchiveIndex};
use crate::find::{Known, find};
use crate::listing::{ListedContainer, ListedImage};
use crate::oci::{or_default, parse};
use crate::{Error, Opened, Result, SourceOptions};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the engine may take for an answer or its next bytes. Before the first ones it copies the whole image.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long it may take to list its images.
const LIST: Duration = Duration::from_secs(30);
/// Bytes of a list at most.
const LIST_LIMIT: u64 = 64 << 20;

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

/// A runtime for one conversation.
fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::io("a thread to ask the Docker Engine", error))
}

/// The engine's images.
pub(crate) fn list_images(options: &SourceOptions) -> Result<Vec<ListedImage>> {
    let engine = Engine::new(&options.docker_host)?;
    let listed = runtime()?.block_on(engine.listed())?.into_iter().map(|image| {
        let size = Some(image.size);
        let (id, names) = image.id_and_names();
        ListedImage { place: String::new(), names, image: Some(id), size }
    });
    Ok(listed.collect())
}

/// The engine's containers.
pub(crate) fn list_containers(options: &SourceOptions) -> Result<Vec<ListedContainer>> {
    let engine = Engine::new(&options.docker_host)?;
    let bytes = runtime()?.block_on(engine.list("/containers/json?all=true"))?;
    let listed: Vec<ListedByEngine> = parse("the Docker Engine's list of containers", &bytes)?;
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
    let engine = Engine::new(&options.docker_host)?;
    let runtime = runtime()?;
    let (name, id, names) = runtime.block_on(async {
        let known = engine.images().await?;
        let found = find(query, &known)?;
        // By a name, so that the archive has names too; what the name means is checked below.
        let id = found.item.clone();
        let name = found.names.iter().find(|name| !name.contains('@')).cloned();
        Ok::<_, Error>((name.unwrap_or_else(|| id.to_string()), id, found.names.clone()))
    })?;
    let file = archive::unlinked(&options.temporary)?;
    let path = format!("/images/{name}/get");
    runtime.block_on(engine.get(&path, PATIENCE, options.limits.uncompressed_bytes, |bytes| {
        (&file).write_all(bytes).map_err(|error| Error::io("the temporary file of an export", error))
    }))?;
    read(file, &name, &id, names, options)
}

fn read(file: File, name: &str, id: &Digest, names: Vec<String>, options: &SourceOptions) -> Result<Opened> {
    let index = ArchiveIndex::read(format!("the export of {name}"), file)?;
    let mut image = archive::open_index(&index, None, options)?;
    // With the containerd image store the engine's ID is the digest of an index or manifest, which says nothing here.
    let is_other = image.manifest.image != *id;
    if is_other && !index.contains("oci-layout") {
        return Err(Error::Gone { what: format!("image {name}") });
    }
    image.names = names;
    Ok(Opened::Image(Box::new(image)))
}

/// Where the engine is.
struct Engine {
    socket: PathBuf,
}

impl Engine {
    fn new(host: &str) -> Result<Self> {
        match host.strip_prefix("unix://") {
            Some(path) => Ok(Self { socket: PathBuf::from(path) }),
            None => Err(Error::NotHere {
                source_name: format!("the Docker Engine at {host}"),
                reason: "only unix:// sockets are spoken with; set DOCKER_HOST, or use `docker save`"
                    .to_owned(),
            }),
        }
    }

    async fn images(&self) -> Result<Vec<Known<Digest>>> {
        let known = self.listed().await?.into_iter().map(|image| {
            let (id, names) = image.id_and_names();
            Known { names, digests: vec![id.clone()], place: String::new(), item: id }
        });
        Ok(known.collect())
    }

    async fn listed(&self) -> Result<Vec<Listed>> {
        parse("the Docker Engine's list of images", &self.list("/images/json").await?)
    }

    /// Gets a list whole.
    async fn list(&self, path: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let take = |more: &[u8]| {
            bytes.extend_from_slice(more);
            Ok(())
        };
        self.get(path, LIST, LIST_LIMIT, take).await?;
        Ok(bytes)
    }

    /// Gets a path, at most `limit` bytes of it.
    async fn get(
        &self,
        path: &str,
        patience: Duration,
        limit: u64,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let answer = self.ask(path, patience).await?;
        let status = answer.status();
        let mut body = answer.into_body();
        let mut said = Vec::new();
        let mut length = 0;
        while let Some(bytes) = self.step(patience, next(&mut body)).await? {
            length += bytes.len() as u64;
            if length > limit {
                let what = format!("{path} of the Docker Engine");
                return Err(Error::Limit { what, limit: format!("it has more than {limit} bytes") });
            }
            if status.is_success() {
                take(&bytes)?;
            } else if said.len() < 1_000 {
                said.extend_from_slice(&bytes[..bytes.len().min(1_000)]);
            }
        }
        if status.is_success() {
            return Ok(());
        }
        Err(self.failed(format!("{path}: {status}: {}", String::from_utf8_lossy(&said).trim())))
    }

    async fn ask(&self, path: &str, patience: Duration) -> Result<Response<Incoming>> {
        let absent = |reason: String| Error::NotHere {
            source_name: format!("the Docker Engine at {}", self.socket.display()),
            reason: format!("{reason}; is it running, and may you use its socket?"),
        };
        let connected = timeout(CONNECT, UnixStream::connect(&self.socket)).await;
        let stream = connected
            .map_err(|_| absent(format!("no connection within {} s", CONNECT.as_secs())))?
            .map_err(|error| absent(error.to_string()))?;
        let (mut sender, connection) = self.step(CONNECT, http1::handshake(TokioIo::new(stream))).await?;
        tokio::spawn(connection);
        let request = Request::get(path).header("Host", "docker").body(String::new());
        let request =
            request.map_err(|error| self.failed(format!("`{path}` cannot be asked for: {error}")))?;
        self.step(patience, sender.send_request(request)).await
    }

    async fn step<T>(
        &self,
        patience: Duration,
        answer: impl Future<Output = Result<T, hyper::Error>>,
    ) -> Result<T> {
        match timeout(patience, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failed(error.to_string())),
            Err(_) => Err(self.failed(format!("no answer within {} s", patience.as_secs()))),
        }
    }

    fn failed(&self, reason: String) -> Error {
        Error::Runtime { runtime: format!("the Docker Engine at {}", self.socket.display()), reason }
    }
}

/// The next bytes of an answer.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, hyper::Error> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(bytes) = frame?.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}
