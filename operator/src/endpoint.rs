//! The gRPC server for agents and followers: TLS with a certificate that may change at any time.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tracing::{debug, warn};

use crate::agents::AgentsService;
use crate::replicas::ReplicasService;

/// Time for a TLS handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// Handshakes at a time: thousands of agents may come back at once, and each costs a signature.
const HANDSHAKES: usize = 128;

/// How often a silent peer is asked whether it is there, and how long it may take to say so.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Longest wait for streams to end after `shutdown`.
const GRACE: Duration = Duration::from_secs(10);

/// Serves both services on `listener` until `shutdown`.
///
/// # Errors
/// If the server cannot go on.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    agents: AgentsService,
    replicas: ReplicasService,
    shutdown: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let (connections, incoming) = mpsc::channel(HANDSHAKES);
    tokio::spawn(accept(listener, TlsAcceptor::from(tls), connections, shutdown.clone()));
    let ended = shutdown.clone();
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .max_concurrent_streams(Some(8))
        .add_service(agents.into_server())
        .add_service(replicas.into_server())
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), ended.cancelled_owned());
    tokio::select! {
        result = server => result,
        () = async { shutdown.cancelled().await; tokio::time::sleep(GRACE).await } => {
            warn!("agents' streams were still open after {GRACE:?}");
            Ok(())
        }
    }
}

type Connection = Result<TlsStream<TcpStream>, std::io::Error>;

/// Accepts connections, each with a handshake of its own, so that a slow one keeps nobody waiting.
async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    connections: mpsc::Sender<Connection>,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: at once it would only fail again.
                warn!(%error, "agents' endpoint: accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (acceptor, connections) = (acceptor.clone(), connections.clone());
        tokio::spawn(async move {
            let _slot = slot;
            let _ = stream.set_nodelay(true);
            match timeout(PATIENCE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => drop(connections.send(Ok(stream)).await),
                Ok(Err(error)) => debug!(%peer, %error, "agents' endpoint: handshake"),
                Err(_) => debug!(%peer, "agents' endpoint: no handshake in time"),
            }
        });
    }
}
