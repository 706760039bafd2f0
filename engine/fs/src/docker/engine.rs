//! Conversations with the Docker Engine over its unix socket (<https://docs.docker.com/reference/api/engine/>).

use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::{Error, Result};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the engine may take for a document.
const DOCUMENT: Duration = Duration::from_secs(30);
/// Bytes of a document at most: a list of images is one.
const DOCUMENT_LIMIT: u64 = 64 << 20;

/// Where the engine is.
pub(super) struct Engine {
    socket: PathBuf,
}

impl Engine {
    pub(super) fn new(host: &str) -> Result<Self> {
        match host.strip_prefix("unix://") {
            Some(path) => Ok(Self { socket: PathBuf::from(path) }),
            None => Err(Error::NotHere {
                source_name: format!("the Docker Engine at {host}"),
                reason: "only unix:// sockets are spoken with; set DOCKER_HOST, or use `docker save`"
                    .to_owned(),
            }),
        }
    }

    /// Gets a document whole.
    pub(super) async fn document(&self, path: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let take = |more: &[u8]| {
            bytes.extend_from_slice(more);
            Ok(())
        };
        self.get(path, DOCUMENT, DOCUMENT_LIMIT, take).await?;
        Ok(bytes)
    }

    /// Gets a path, at most `limit` bytes of it.
    pub(super) async fn get(
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
