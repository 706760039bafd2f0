//! TLS of the webhook and of the agents' endpoint: an authority of our own, short-lived serving certificates in memory.
//!
//! ```text
//! Secret pratique-ca ◄─► keeper ─► Certificates ─► ServerConfig (webhook), ServerConfig (gRPC)
//! ConfigMap pratique-ca ◄──┘            └─► bundle() ─► webhook configuration, followers
//! ```

mod authority;
mod keeper;
mod rotation;

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

pub use authority::{Authority, Issued, Names, TlsError, Trusted};
pub use keeper::{Settings, run};
pub use rotation::{Authorities, Step, advance, step};

/// The serving certificate in force and the authorities to be trusted. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Certificates {
    serving: Arc<Serving>,
    bundle: watch::Sender<Option<String>>,
}

impl Default for Certificates {
    fn default() -> Self {
        Self { serving: Arc::default(), bundle: watch::Sender::new(None) }
    }
}

impl Certificates {
    /// A server configuration that always presents the certificate in force; connections that stand keep theirs.
    /// `protocols` are offered by ALPN, such as `["h2"]`. Before the first certificate handshakes fail.
    ///
    /// # Errors
    /// If rustls refuses the combination of cryptography and protocol versions it was built with.
    pub fn server_config(&self, protocols: &[&str]) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(authority::provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.serving.clone());
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// The CA certificates (PEM) that a client of this service must trust, once they are published. Old and new ones
    /// during a rotation.
    pub fn bundle(&self) -> watch::Receiver<Option<String>> {
        self.bundle.subscribe()
    }

    /// Whether there is a certificate to serve that is valid at `now`, and clients were told whom to trust.
    pub fn ready(&self, now: Timestamp) -> bool {
        self.bundle.borrow().is_some() && self.serving.get().is_some_and(|issued| now < issued.not_after)
    }

    /// The certificate in force.
    pub fn serving(&self) -> Option<Arc<Issued>> {
        self.serving.get()
    }

    /// Presents another certificate from the next handshake on.
    pub fn present(&self, issued: Issued) {
        *self.serving.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(issued));
    }

    fn trust(&self, bundle: String) {
        self.bundle.send_if_modified(|known| {
            let changed = known.as_ref() != Some(&bundle);
            *known = Some(bundle);
            changed
        });
    }
}

/// Gives rustls the certificate in force, handshake by handshake.
#[derive(Debug, Default)]
struct Serving(RwLock<Option<Arc<Issued>>>);

impl Serving {
    fn get(&self) -> Option<Arc<Issued>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.get().map(|issued| issued.key.clone())
    }
}
