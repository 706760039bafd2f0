//! The webhook's server: HTTP over TLS, limits on what a client may cost, and an end without a dropped request.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Connections at a time. API servers hold a few each.
const MAX_CONNECTIONS: usize = 512;

/// Time for a TLS handshake, and for the headers of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest wait for requests in flight once no new ones are taken.
const GRACE: Duration = Duration::from_secs(10);

/// Serves `router` on `listener`. After `shutdown` it goes on for `drain`, in which the API server learns that this
/// replica is no longer ready; then it asks the connections to end, and returns when they have.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    router: Router,
    drain: Duration,
    shutdown: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(tls);
    let connections = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let drained = async {
        shutdown.cancelled().await;
        info!(?drain, "webhook: draining");
        tokio::time::sleep(drain).await;
    };
    tokio::pin!(drained);
    loop {
        // A slot first: over the limit, connections wait in the kernel's queue.
        let accepted = async {
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            () = &mut drained => break,
            accepted = accepted => accepted,
        };
        match (slot, accepted) {
            (Ok(slot), Ok((stream, peer))) => {
                let connection =
                    connection(acceptor.clone(), stream, router.clone(), connections.watcher(), slot);
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        debug!(%peer, error, "webhook: connection");
                    }
                });
            }
            (_, Err(error)) => {
                // Out of descriptors, most likely: at once it would only fail again.
                warn!(%error, "webhook: accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            (Err(_), _) => break,
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, connections.shutdown()).await.is_err() {
        warn!("webhook: requests were still in flight after {GRACE:?}");
    }
}

async fn connection(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    router: Router,
    watcher: Watcher,
    _slot: OwnedSemaphorePermit,
) -> Result<(), String> {
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let stream = tokio::time::timeout(PATIENCE, acceptor.accept(stream))
        .await
        .map_err(|_| "no TLS handshake in time".to_owned())?
        .map_err(|error| format!("TLS handshake: {error}"))?;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30));
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    watcher.watch(connection).await.map_err(|error| error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::atomic::{AtomicU64, Ordering};

    use axum::routing::get;
    use jiff::Timestamp;
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsConnector;
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;
    use crate::tls::{Authorities, Certificates, Names, advance};

    const HOUR: Duration = Duration::from_secs(3600);

    fn names() -> Names {
        Names {
            services: vec!["pratique-webhook".into(), "pratique-agents".into()],
            namespace: "pratique".into(),
            address: Some(Ipv4Addr::LOCALHOST.into()),
        }
    }

    fn client(bundle: &str) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }

    /// One request on a connection of its own; the serial number of the certificate that was presented.
    async fn request(address: SocketAddr, bundle: &str, name: &'static str) -> std::io::Result<String> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(name).unwrap();
        let mut stream = client(bundle).connect(name, stream).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(std::io::Error::other(answer));
        }
        let presented = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
        Ok(X509Certificate::from_der(&presented).unwrap().1.raw_serial_as_string())
    }

    async fn started(
        certificates: &Certificates,
        drain: Duration,
    ) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "here" }));
        let shutdown = CancellationToken::new();
        let tls = certificates.server_config(&["h2", "http/1.1"]).unwrap();
        let server = tokio::spawn(serve(listener, tls, router, drain, shutdown.clone()));
        (address, shutdown, server)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn certificates_and_authorities_rotate_under_load_without_one_refused_connection() {
        let certificates = Certificates::default();
        let now = Timestamp::now();
        let life = HOUR * 24 * 100;
        let mut authorities = advance(None, life, now).unwrap();
        let issue = |authorities: &Authorities| {
            certificates.present(authorities.signing.issue(&names(), HOUR, now).unwrap());
        };
        issue(&authorities);
        let (address, shutdown, server) = started(&certificates, Duration::ZERO).await;

        // Each client has the bundle that was published last, as agents and the API server have.
        let (published, bundle) = tokio::sync::watch::channel(authorities.bundle());
        let stop = CancellationToken::new();
        let done = Arc::new(AtomicU64::new(0));
        let clients: Vec<_> = (0..4)
            .map(|i| {
                let (bundle, stop, done) = (bundle.clone(), stop.clone(), done.clone());
                let name = ["pratique-webhook.pratique.svc", "127.0.0.1"][i % 2];
                tokio::spawn(async move {
                    let mut serials = BTreeSet::new();
                    while !stop.is_cancelled() {
                        let trusted = bundle.borrow().clone();
                        serials.insert(request(address, &trusted, name).await.unwrap());
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    serials
                })
            })
            .collect();
        let served = || async {
            let goal = done.load(Ordering::Relaxed) + 8;
            while done.load(Ordering::Relaxed) < goal {
                assert!(!clients.iter().any(|client| client.is_finished()), "a connection was refused");
                tokio::task::yield_now().await;
            }
        };
        let rotate = async {
            served().await;
            for _ in 0..5 {
                issue(&authorities);
                served().await;
            }
            // The authority's whole rotation: prepare, publish, promote.
            for hours in [24 * 85, 24 * 85 + 2] {
                let then = now + jiff::SignedDuration::from_hours(hours);
                authorities = advance(Some(authorities.clone()), life, then).unwrap();
                published.send_replace(authorities.bundle());
                served().await;
                // Issued as of today, so that today's clients accept it; the new authority is valid from day 85 on.
                if authorities.previous.is_none() {
                    issue(&authorities);
                }
                served().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), rotate).await.unwrap();
        stop.cancel();
        let mut serials = BTreeSet::new();
        for client in clients {
            serials.extend(client.await.unwrap());
        }
        assert_eq!(serials.len(), 7, "every certificate was seen");
        shutdown.cancel();
        server.await.unwrap();
    }

    #[tokio::test]
    async fn while_draining_requests_are_still_served_and_afterwards_none() {
        let certificates = Certificates::default();
        let now = Timestamp::now();
        let authorities = advance(None, HOUR * 24, now).unwrap();
        let bundle = authorities.bundle();
        certificates.present(authorities.signing.issue(&names(), HOUR, now).unwrap());
        let (address, shutdown, server) = started(&certificates, Duration::from_millis(500)).await;
        shutdown.cancel();
        request(address, &bundle, "127.0.0.1").await.unwrap();
        tokio::time::timeout(GRACE, server).await.unwrap().unwrap();
        assert!(request(address, &bundle, "127.0.0.1").await.is_err());
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_keep_the_server_from_ending() {
        let certificates = Certificates::default();
        let now = Timestamp::now();
        let authorities = advance(None, HOUR * 24, now).unwrap();
        certificates.present(authorities.signing.issue(&names(), HOUR, now).unwrap());
        let (address, shutdown, server) = started(&certificates, Duration::ZERO).await;
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let idle = client(&authorities.bundle()).connect(name, stream).await.unwrap();
        shutdown.cancel();
        tokio::time::timeout(GRACE * 2, server).await.unwrap().unwrap();
        drop(idle);
    }
}
