//! The broker's end of the socket to the scanner.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pratique_wire::scanner::{Cancel, FromScanner, ToScanner, from_scanner, to_scanner};
use tokio::sync::mpsc;

use crate::backoff::Backoff;
use crate::channel;
use crate::metrics::Metrics;

/// Messages of one exchange that may wait to be read. The scanner waits for an answer to nearly each.
const WAITING: usize = 16;
/// How often it is looked whether the scanner lives.
const LOOK: Duration = Duration::from_secs(1);

/// The scanner did not do its part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// It is not there.
    #[error("the scanner does not answer on {socket}: {reason}")]
    Absent {
        /// Its socket.
        socket: PathBuf,
        /// Why.
        reason: String,
    },
    /// The connection ended in the midst of an exchange.
    #[error("the scanner went away in the midst of its work; it was restarted, or ended for want of memory")]
    Gone,
    /// It took too long.
    #[error("the scanner gave no answer within {0:?}")]
    Timeout(Duration),
}

/// The scanner, connected when needed and again after it went away.
pub struct Scanner {
    socket: PathBuf,
    connection: Mutex<Option<Arc<Connection>>>,
    next: AtomicU64,
    metrics: Arc<Metrics>,
}

struct Connection {
    sender: channel::Sender,
    routes: Mutex<Option<HashMap<u64, mpsc::Sender<from_scanner::Message>>>>,
}

impl Scanner {
    /// The scanner that listens on `socket`.
    pub fn new(socket: PathBuf, metrics: Arc<Metrics>) -> Self {
        Self { socket, connection: Mutex::new(None), next: AtomicU64::new(1), metrics }
    }

    /// Starts an exchange.
    ///
    /// # Errors
    /// The scanner is not there.
    pub async fn begin(self: &Arc<Self>, first: to_scanner::Message) -> Result<Exchange, Lost> {
        let this = self.clone();
        let connection = blocking(move || this.connect()).await??;
        let scan = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, incoming) = mpsc::channel(WAITING);
        match connection.routes().as_mut() {
            Some(routes) => routes.insert(scan, sender),
            None => return Err(Lost::Gone),
        };
        let exchange = Exchange { scan, connection, incoming };
        exchange.send(first, Vec::new()).await?;
        Ok(exchange)
    }

    /// Waits until the scanner is there, as it is not while its container is restarted.
    ///
    /// # Errors
    /// It is not there in time.
    pub async fn wait(self: &Arc<Self>, patience: Duration) -> Result<(), Lost> {
        let deadline = Instant::now() + patience;
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let this = self.clone();
            match blocking(move || this.connect()).await? {
                Ok(_) => return Ok(()),
                Err(lost) if Instant::now() >= deadline => return Err(lost),
                Err(_) => tokio::time::sleep(backoff.pause()).await,
            }
        }
    }

    /// Looks after the connection for good, so that it is known whether the scanner lives.
    pub async fn keep(self: Arc<Self>) {
        let mut reported = false;
        loop {
            match self.wait(Duration::ZERO).await {
                Ok(()) => reported = false,
                Err(lost) if !reported => {
                    tracing::warn!(%lost, "no image can be scanned");
                    reported = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn connect(&self) -> Result<Arc<Connection>, Lost> {
        let mut current = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = current.as_ref().filter(|connection| connection.routes().is_some()) {
            return Ok(connection.clone());
        }
        let absent =
            |error: std::io::Error| Lost::Absent { socket: self.socket.clone(), reason: error.to_string() };
        let stream = UnixStream::connect(&self.socket).map_err(absent)?;
        let (sender, receiver) = channel::split(stream).map_err(absent)?;
        let connection = Arc::new(Connection { sender, routes: Mutex::new(Some(HashMap::new())) });
        let (reading, metrics) = (connection.clone(), self.metrics.clone());
        std::thread::Builder::new()
            .name("scanner".to_owned())
            .spawn(move || {
                metrics.scanner.set(1);
                let reason = reading.read(receiver);
                tracing::warn!(reason, "the connection to the scanner ended");
                metrics.scanner.set(0);
            })
            .map_err(absent)?;
        *current = Some(connection.clone());
        Ok(connection)
    }
}

impl Connection {
    fn routes(&self) -> std::sync::MutexGuard<'_, Option<HashMap<u64, mpsc::Sender<from_scanner::Message>>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands each message to its exchange until the connection ends; then ends the exchanges.
    fn read(&self, mut receiver: channel::Receiver) -> String {
        let reason = loop {
            match receiver.receive::<FromScanner>() {
                Ok(Some((message, _))) => {
                    let Some(content) = message.message else { continue };
                    let mut routes = self.routes();
                    let Some(routes) = routes.as_mut() else { break "closed".to_owned() };
                    // An exchange that ended meanwhile is no longer there.
                    if let Some(route) = routes.get(&message.scan)
                        && let Err(mpsc::error::TrySendError::Full(_)) = route.try_send(content)
                    {
                        break "it sends without waiting for answers".to_owned();
                    }
                }
                Ok(None) => break "the scanner closed it".to_owned(),
                Err(error) => break error.to_string(),
            }
        };
        self.sender.close();
        *self.routes() = None;
        reason
    }
}

/// One exchange. Dropping it cancels what the scanner still does for it.
pub struct Exchange {
    scan: u64,
    connection: Arc<Connection>,
    incoming: mpsc::Receiver<from_scanner::Message>,
}

impl Exchange {
    /// Sends a message and the descriptors it speaks of.
    ///
    /// # Errors
    /// The scanner is gone.
    pub async fn send(&self, message: to_scanner::Message, descriptors: Vec<OwnedFd>) -> Result<(), Lost> {
        let message = ToScanner { scan: self.scan, message: Some(message) };
        let connection = self.connection.clone();
        blocking(move || {
            let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            connection.sender.send(&message, &borrowed).map_err(|error| {
                tracing::warn!(%error, "a message did not reach the scanner");
                // Half a message may have gone out: nothing more can be said on this connection.
                connection.sender.close();
                Lost::Gone
            })
        })
        .await?
    }

    /// The scanner's next message.
    ///
    /// # Errors
    /// The scanner is gone or silent.
    pub async fn next(&mut self, patience: Duration) -> Result<from_scanner::Message, Lost> {
        match tokio::time::timeout(patience, self.incoming.recv()).await {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(Lost::Gone),
            Err(_) => Err(Lost::Timeout(patience)),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let known =
            self.connection.routes().as_mut().is_some_and(|routes| routes.remove(&self.scan).is_some());
        if known {
            let cancel = ToScanner { scan: self.scan, message: Some(to_scanner::Message::Cancel(Cancel {})) };
            let connection = self.connection.clone();
            // Of an exchange that ended the scanner knows nothing any more, and takes no harm. Writing may block, so a
            // thread for such work does it.
            tokio::task::spawn_blocking(move || connection.sender.send(&cancel, &[]));
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Lost::Gone)
}
