//! One exchange with the broker, seen from the scanner.

use std::io::PipeReader;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc;
use std::time::Duration;

use pratique_core::Digest;
use pratique_fs::oci::{ImageManifest, Need, Resolver, host_platform};
use pratique_wire::scanner::{Document, FromScanner, Layers, Plan, Wanted, from_scanner, to_scanner};

use crate::channel;

/// How long the broker may take to answer: containerd is asked on the way.
const PATIENCE: Duration = Duration::from_secs(180);

/// A message and its descriptors.
pub(super) type Received = (to_scanner::Message, Vec<OwnedFd>);

/// Why an exchange ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// Nobody waits for it any more.
    #[error("cancelled")]
    Cancelled,
    /// It cannot go on, and the broker is told why.
    #[error("{0}")]
    Failed(String),
}

/// The exchange's own way to the broker and back.
pub(super) struct Link {
    /// Its number.
    pub(super) scan: u64,
    /// The way to the broker.
    pub(super) sender: channel::Sender,
    /// What the broker sends for this exchange. Closed when it is cancelled.
    pub(super) inbox: mpsc::Receiver<Received>,
    /// Closed when it is cancelled, for those who wait for a descriptor.
    pub(super) cancelled: PipeReader,
}

impl Link {
    /// Sends a message.
    pub(super) fn say(&self, message: from_scanner::Message) -> Result<(), Stop> {
        let message = FromScanner { scan: self.scan, message: Some(message) };
        self.sender.send(&message, &[]).map_err(|error| {
            tracing::warn!(%error, "an answer did not reach the broker");
            Stop::Cancelled
        })
    }

    /// Readable or closed when the exchange is cancelled.
    pub(super) fn cancelled(&self) -> BorrowedFd<'_> {
        self.cancelled.as_fd()
    }

    /// Asks for documents until it is known what image the digest means. Every document's digest is checked.
    pub(super) fn resolve(&self, target: &str, media_type: &str) -> Result<ImageManifest, Stop> {
        let failed = |error: &dyn std::error::Error| Stop::Failed(error.to_string());
        let target: Digest = target.parse().map_err(|error| failed(&error))?;
        let mut resolver = Resolver::new(target, media_type, host_platform());
        loop {
            match resolver.next() {
                Need::Ready(image) => return Ok(*image),
                Need::Document { digest, limit, .. } => {
                    let bytes = self.document(&digest, limit)?;
                    resolver.supply(&bytes).map_err(|error| failed(&error))?;
                }
            }
        }
    }

    fn document(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, Stop> {
        self.say(from_scanner::Message::Wanted(Wanted { digest: digest.to_string(), limit }))?;
        match self.hear()? {
            (to_scanner::Message::Document(Document { content: Some(content), .. }), _) => Ok(content.into()),
            (to_scanner::Message::Document(Document { reason, .. }), _) => Err(Stop::Failed(reason)),
            _ => Err(Stop::Failed("the broker answered with something else than a document".to_owned())),
        }
    }

    /// Tells which layers are wanted, and hears where they are.
    pub(super) fn layers(&self, plan: Plan) -> Result<(Layers, Vec<OwnedFd>), Stop> {
        self.say(from_scanner::Message::Plan(plan))?;
        match self.hear()? {
            (to_scanner::Message::Layers(layers), descriptors) => Ok((layers, descriptors)),
            _ => Err(Stop::Failed("the broker answered with something else than layers".to_owned())),
        }
    }

    fn hear(&self) -> Result<Received, Stop> {
        self.inbox.recv_timeout(PATIENCE).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => {
                Stop::Failed(format!("the broker gave no answer within {PATIENCE:?}"))
            }
            mpsc::RecvTimeoutError::Disconnected => Stop::Cancelled,
        })
    }
}
