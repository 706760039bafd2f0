//! Keeps the authority in its Secret, the bundle in its ConfigMap and the serving certificate fresh, on every replica.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use prometheus::{Gauge, IntCounter, Registry};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::authority::{Names, TlsError};
use super::rotation::{Authorities, Step, advance, step};
use super::{Certificates, Issued};
use crate::webhook_config::FIELD_MANAGER;

/// How often Secret and ConfigMap are looked at. Another replica's rotation is noticed within this time, long before the
/// hour that a new authority is published in advance.
const INTERVAL: Duration = Duration::from_secs(10);

/// Attempts to write the Secret while other replicas write it too.
const ATTEMPTS: usize = 5;

/// What the keeper is told by flags.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the Secret and of the ConfigMap, such as `pratique-ca`.
    pub name: String,
    /// Names the serving certificate is made for; their namespace is also the Secret's.
    pub names: Names,
    /// Life of a serving certificate; it is replaced after two thirds of it.
    pub certificate_lifetime: Duration,
    /// Life of an authority; it is replaced after four fifths of it.
    pub authority_lifetime: Duration,
}

/// Metrics of the certificates.
#[derive(Debug, Clone)]
struct Metrics {
    serving_expiry: Gauge,
    authority_expiry: Gauge,
    errors: IntCounter,
    rotations: IntCounter,
}

impl Metrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            serving_expiry: Gauge::new(
                "pratique_certificate_expiry_timestamp_seconds",
                "When the serving certificate in force ends, in seconds since 1970.",
            )?,
            authority_expiry: Gauge::new(
                "pratique_ca_expiry_timestamp_seconds",
                "When the signing authority ends, in seconds since 1970.",
            )?,
            errors: IntCounter::new(
                "pratique_certificate_errors_total",
                "Failed attempts to read or write the authority, or to make a certificate.",
            )?,
            rotations: IntCounter::new(
                "pratique_certificate_rotations_total",
                "Serving certificates that were put in force.",
            )?,
        };
        registry.register(Box::new(metrics.serving_expiry.clone()))?;
        registry.register(Box::new(metrics.authority_expiry.clone()))?;
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.rotations.clone()))?;
        Ok(metrics)
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum KeeperError {
    #[error("{what} could not be {done}: {source}")]
    Api {
        what: &'static str,
        done: &'static str,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("Secret of the certificate authority was changed by others {ATTEMPTS} times in a row")]
    Contended,
    #[error(transparent)]
    Tls(#[from] TlsError),
}

fn api(what: &'static str, done: &'static str) -> impl FnOnce(kube::Error) -> KeeperError {
    move |source| KeeperError::Api { what, done, source: Box::new(source) }
}

/// Works until `shutdown`: makes or adopts the authority, publishes it, and presents a fresh serving certificate in
/// `certificates` in time. While the API server is away it goes on with what it has.
///
/// # Errors
/// If the metrics are registered already.
pub async fn run(
    client: Client,
    settings: Settings,
    certificates: Certificates,
    registry: Registry,
    shutdown: CancellationToken,
) -> prometheus::Result<()> {
    let metrics = Metrics::new(&registry)?;
    let mut keeper = Keeper { client, settings, known: None };
    while !shutdown.is_cancelled() {
        let now = Timestamp::now();
        let synced = keeper.sync(now).await;
        if let Err(error) = &synced {
            metrics.errors.inc();
            warn!(%error, "certificate authority");
        }
        if let Some(known) = &keeper.known {
            metrics.authority_expiry.set(known.signing.certificate.not_after.as_second() as f64);
            // A certificate is of use only to clients that can know its issuer: it waits for the publication.
            if synced.is_ok() {
                certificates.trust(known.bundle());
            }
            if needs_renewal(certificates.serving().as_deref(), known, now) {
                match known.signing.issue(&keeper.settings.names, keeper.settings.certificate_lifetime, now) {
                    Ok(issued) => {
                        info!(not_after = %issued.not_after, "serving certificate put in force");
                        metrics.serving_expiry.set(issued.not_after.as_second() as f64);
                        metrics.rotations.inc();
                        certificates.present(issued);
                    }
                    Err(error) => {
                        metrics.errors.inc();
                        warn!(%error, "serving certificate");
                    }
                }
            }
        }
        let pause = pause(certificates.serving().as_deref(), Timestamp::now());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => {}
        }
    }
    Ok(())
}

/// Whether another serving certificate is due: none yet, its life two thirds over, or its issuer replaced.
fn needs_renewal(serving: Option<&Issued>, authorities: &Authorities, now: Timestamp) -> bool {
    serving
        .is_none_or(|issued| now >= issued.renew_at() || issued.issuer != authorities.signing.certificate.pem)
}

/// How long to sleep: to the next look or the next renewal, whichever comes first.
fn pause(serving: Option<&Issued>, now: Timestamp) -> Duration {
    let renewal = serving
        .and_then(|issued| Duration::try_from(now.duration_until(issued.renew_at())).ok())
        .unwrap_or_default();
    renewal.clamp(Duration::from_secs(1), INTERVAL)
}

struct Keeper {
    client: Client,
    settings: Settings,
    known: Option<Authorities>,
}

impl Keeper {
    async fn sync(&mut self, now: Timestamp) -> Result<(), KeeperError> {
        let authorities = self.sync_secret(now).await?;
        self.publish(&authorities.bundle()).await?;
        self.known = Some(authorities);
        Ok(())
    }

    /// Reads the Secret, takes the step that is due and writes it back; whoever comes first wins.
    async fn sync_secret(&self, now: Timestamp) -> Result<Authorities, KeeperError> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.settings.names.namespace);
        for _ in 0..ATTEMPTS {
            let stored =
                secrets.get_opt(&self.settings.name).await.map_err(api("Secret of the CA", "read"))?;
            let read = stored
                .as_ref()
                .map(|secret| Authorities::from_secret(secret.data.as_ref().unwrap_or(&Default::default())));
            let usable = match read {
                Some(Ok(authorities)) => Some(authorities),
                // Deleted or damaged: what this replica knows is still what clients trust.
                Some(Err(error)) => {
                    warn!(secret = self.settings.name, %error, "the Secret is damaged and will be replaced");
                    None
                }
                None => None,
            };
            let unchanged = usable.is_some() && step(usable.as_ref(), now) == Step::Keep;
            let authorities =
                advance(usable.or_else(|| self.known.clone()), self.settings.authority_lifetime, now)?;
            if unchanged {
                return Ok(authorities);
            }
            let secret = self.secret(&authorities, stored.as_ref());
            let written = match &stored {
                Some(_) => secrets.replace(&self.settings.name, &PostParams::default(), &secret).await,
                None => secrets.create(&PostParams::default(), &secret).await,
            };
            match written {
                Ok(_) => {
                    info!(secret = self.settings.name, "certificate authority written");
                    return Ok(authorities);
                }
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(api("Secret of the CA", "written")(error)),
            }
        }
        Err(KeeperError::Contended)
    }

    fn secret(&self, authorities: &Authorities, stored: Option<&Secret>) -> Secret {
        Secret {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                resource_version: stored.and_then(ResourceExt::resource_version),
                labels: Some(crate::webhook_config::labels()),
                owner_references: stored.and_then(|secret| secret.metadata.owner_references.clone()),
                ..ObjectMeta::default()
            },
            // A Secret's type can never be changed.
            type_: stored.map_or_else(|| Some("kubernetes.io/tls".to_owned()), |secret| secret.type_.clone()),
            data: Some(authorities.to_secret()),
            ..Secret::default()
        }
    }

    /// Writes the ConfigMap from which agents learn whom to trust.
    async fn publish(&self, bundle: &str) -> Result<(), KeeperError> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.settings.names.namespace);
        let stored = maps.get_opt(&self.settings.name).await.map_err(api("ConfigMap of the CA", "read"))?;
        let data = stored.as_ref().and_then(|map| map.data.as_ref());
        if data.and_then(|data| data.get("ca.crt")).is_some_and(|known| known == bundle) {
            return Ok(());
        }
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                labels: Some(crate::webhook_config::labels()),
                ..ObjectMeta::default()
            },
            data: Some([("ca.crt".to_owned(), bundle.to_owned())].into()),
            ..ConfigMap::default()
        };
        let params = PatchParams::apply(FIELD_MANAGER).force();
        maps.patch(&self.settings.name, &params, &Patch::Apply(&map))
            .await
            .map_err(api("ConfigMap of the CA", "written"))?;
        Ok(())
    }
}
