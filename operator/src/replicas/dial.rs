//! The way to the leader.

use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt;
use pratique_core::Digest;
use pratique_core::package::Inventory;
use pratique_wire::inventory::{MAX_INVENTORY, decode};
use pratique_wire::replicas::InventoryRequest;
use pratique_wire::replicas::replicas_client::ReplicasClient;
use tokio::sync::watch;
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};

/// How long the leader may take to send an inventory.
const PATIENCE: Duration = Duration::from_secs(15);

/// How the leader is known and convinced.
#[derive(Debug, Clone)]
pub struct Trust {
    /// CA certificates (PEM) that the leader's certificate must be signed by; renewed by whoever keeps the authority.
    pub bundle: watch::Receiver<Option<String>>,
    /// The name in the leader's certificate.
    pub server_name: String,
    /// File with this pod's token; read for every attempt, since it is renewed.
    pub token: PathBuf,
    /// This pod's name, for the leader's log.
    pub replica: String,
}

impl Trust {
    /// Adds this pod's token to a request.
    pub(super) async fn sign<T>(&self, request: &mut Request<T>) -> Result<(), String> {
        let token = tokio::fs::read_to_string(&self.token)
            .await
            .map_err(|error| format!("token {} cannot be read: {error}", self.token.display()))?;
        let bearer = MetadataValue::try_from(format!("Bearer {}", token.trim()))
            .map_err(|_| format!("token {} has characters that no token has", self.token.display()))?;
        request.metadata_mut().insert("authorization", bearer);
        Ok(())
    }
}

/// Connects to the leader at this address.
pub(super) async fn dial(trust: &Trust, leader: &str) -> Result<ReplicasClient<Channel>, String> {
    let mut bundle = trust.bundle.clone();
    let pem = match bundle.wait_for(Option::is_some).await {
        Ok(pem) => pem.clone().unwrap_or_default(),
        Err(_) => return Err("there is no certificate authority".to_owned()),
    };
    let tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)).domain_name(&trust.server_name);
    let channel = Channel::from_shared(format!("https://{leader}"))
        .map(|endpoint| endpoint.connect_timeout(Duration::from_secs(5)))
        .map_err(|error| error.to_string())?
        .tls_config(tls)
        .map_err(|error| chain(&error))?
        .http2_keep_alive_interval(Duration::from_secs(5))
        .keep_alive_timeout(Duration::from_secs(5))
        .connect()
        .await
        .map_err(|error| chain(&error))?;
    Ok(ReplicasClient::new(channel).max_decoding_message_size(super::MAX_UPDATE))
}

/// Asks the leader what an image is made of; none if it does not know.
///
/// # Errors
/// The reason why it cannot be asked, or gave no inventory.
pub async fn inventory_of_leader(
    trust: &Trust,
    leader: &str,
    image: &Digest,
) -> Result<Option<Inventory>, String> {
    let ask = async {
        let mut client = dial(trust, leader).await?;
        let mut request = Request::new(InventoryRequest { image: image.to_string() });
        trust.sign(&mut request).await?;
        receive(client.inventory(request).await.map_err(|status| status.to_string())?.into_inner()).await
    };
    tokio::time::timeout(PATIENCE, ask)
        .await
        .unwrap_or_else(|_| Err(format!("the leader gave no inventory within {PATIENCE:?}")))
}

/// Puts an inventory's parts together.
pub(super) async fn receive(
    mut parts: tonic::Streaming<pratique_wire::replicas::InventoryPart>,
) -> Result<Option<Inventory>, String> {
    let mut bytes = Vec::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|status| status.to_string())?.part;
        if bytes.len() + part.len() > MAX_INVENTORY {
            return Err(format!("the leader's inventory has more than {MAX_INVENTORY} bytes"));
        }
        bytes.extend_from_slice(&part);
    }
    // Even one without packages has bytes: it lists its layers, if none.
    if bytes.is_empty() { Ok(None) } else { decode(&bytes).map(Some).map_err(|error| error.to_string()) }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
