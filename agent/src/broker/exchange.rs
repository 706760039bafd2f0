//! What is said between broker and scanner about one image, seen from the broker: it answers what the scanner asks for
//! with bytes and descriptors, and looks at neither.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pratique_core::Digest;
use pratique_fs::containerd::{Containerd, StatePaths, View};
use pratique_fs::{Error, OverlayAttributes};
use pratique_wire::rules::SealedRules;
use pratique_wire::scanner::{
    Document, Done, Identify, Identity, LayerSource, Layers, Open, Plan, PlannedLayer, Wanted, from_scanner,
    to_scanner,
};

use super::node::{Known, Target};
use super::scanner::{Exchange, Lost, Scanner};
use crate::channel::MAX_DESCRIPTORS;

/// Documents that one image may need: index, manifest, config, and the scanner's changes of mind.
const MAX_DOCUMENTS: usize = 64;
/// Longest document, whatever the scanner asks for. The OCI distribution specification advises 4 MiB.
const MAX_DOCUMENT: u64 = 8 << 20;
/// Plans of one image: what is not cached, and all layers if links lead across them.
const MAX_PLANS: usize = 4;
/// Layers of one image.
const MAX_LAYERS: usize = 1000;
/// How long the scanner may be silent while it reads documents.
const TALKING: Duration = Duration::from_secs(120);
/// How long it may be silent while it scans: it has its own, shorter limit.
const SCANNING: Duration = Duration::from_secs(2400);
/// How long containerd keeps folders for a scan whose agent was killed.
const LEASE: Duration = Duration::from_secs(3600);

/// Why an exchange gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The scanner went away.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The scanner could not do it, or asked for what it must not.
    #[error("{0}")]
    Failed(String),
}

/// The end of a scan, and whether the runtime lacked something on the way, as it does when an image is deleted.
pub struct Scanned {
    /// The result.
    pub result: Result<Done, Fault>,
    /// Documents or layers were not there.
    pub missing: bool,
}

/// Broker, runtime and scanner together.
pub struct Desk<'a> {
    /// The runtime.
    pub containerd: &'a Containerd,
    /// The scanner.
    pub scanner: &'a Arc<Scanner>,
    /// The runtime's state, as it is mounted.
    pub state: &'a StatePaths,
}

impl Desk<'_> {
    /// Asks what an image is.
    ///
    /// # Errors
    /// The scanner is gone, or cannot tell.
    pub async fn identify(&self, target: &Target) -> Result<Identity, Fault> {
        let identify = Identify { target: target.digest.to_string(), media_type: target.media_type.clone() };
        let mut exchange = self.scanner.begin(to_scanner::Message::Identify(identify)).await?;
        for _ in 0..MAX_DOCUMENTS {
            match exchange.next(TALKING).await? {
                from_scanner::Message::Wanted(wanted) => {
                    self.answer(&exchange, &target.namespace, &wanted).await?;
                }
                from_scanner::Message::Identity(Identity { error: Some(error), .. }) => {
                    return Err(Fault::Failed(error));
                }
                from_scanner::Message::Identity(identity) => return Ok(identity),
                other => return Err(unexpected(&other)),
            }
        }
        Err(Fault::Failed(format!("the scanner asked for more than {MAX_DOCUMENTS} documents")))
    }

    /// Has an image scanned. Views and leases are gone afterwards.
    pub async fn scan(
        &self,
        known: &Known,
        target: &Target,
        detectors: &[String],
        rules: &SealedRules,
        attempts: &Bytes,
    ) -> Scanned {
        let (mut views, mut missing) = (Vec::new(), false);
        let open = Open {
            target: target.digest.to_string(),
            media_type: target.media_type.clone(),
            names: known.image.references.clone(),
            detectors: detectors.to_vec(),
            rules: rules.bytes().clone(),
            attempts: attempts.clone(),
        };
        let result = self.converse(known, target, open, &mut views, &mut missing).await;
        for view in views {
            if let Err(error) = view.release().await {
                tracing::debug!(%error, "a lease was not released; it expires");
            }
        }
        Scanned { result, missing }
    }

    async fn converse(
        &self,
        known: &Known,
        target: &Target,
        open: Open,
        views: &mut Vec<View>,
        missing: &mut bool,
    ) -> Result<Done, Fault> {
        let mut exchange = self.scanner.begin(to_scanner::Message::Open(open)).await?;
        let (mut documents, mut plans) = (0, 0);
        loop {
            let patience = if plans == 0 { TALKING } else { SCANNING };
            match exchange.next(patience).await? {
                from_scanner::Message::Wanted(wanted) if documents < MAX_DOCUMENTS => {
                    documents += 1;
                    *missing |= self.answer(&exchange, &target.namespace, &wanted).await?;
                }
                from_scanner::Message::Plan(plan) if plans < MAX_PLANS && plan.layers.len() <= MAX_LAYERS => {
                    plans += 1;
                    let failed = |error: Error| Fault::Failed(error.to_string());
                    let view = self.containerd.view(&target.namespace, LEASE).await.map_err(failed)?;
                    views.push(view);
                    let snapshotters = match known.image.image.parse() {
                        Ok(config) => self.containerd.snapshotters(&target.namespace, &config).await,
                        Err(_) => Ok(Vec::new()),
                    };
                    *missing |= snapshotters.as_ref().is_err_and(is_missing);
                    let view = views.last_mut();
                    let (layers, descriptors) =
                        self.sources(view, &snapshotters.unwrap_or_default(), plan, missing).await;
                    exchange.send(to_scanner::Message::Layers(layers), descriptors).await?;
                }
                from_scanner::Message::Done(done) => return Ok(done),
                from_scanner::Message::Failed(failed) => return Err(Fault::Failed(failed.reason)),
                other => return Err(unexpected(&other)),
            }
        }
    }

    /// Hands over a document, or why there is none; tells whether the runtime lacks it.
    async fn answer(&self, exchange: &Exchange, namespace: &str, wanted: &Wanted) -> Result<bool, Lost> {
        let limit = wanted.limit.min(MAX_DOCUMENT);
        let (content, reason, missing) = match wanted.digest.parse::<Digest>() {
            Ok(digest) => match self.containerd.document(namespace, &digest, limit).await {
                Ok(content) => (Some(content.into()), String::new(), false),
                Err(error) => (None, error.to_string(), is_missing(&error)),
            },
            Err(error) => (None, error.to_string(), false),
        };
        let document = Document { digest: wanted.digest.clone(), content, reason };
        exchange.send(to_scanner::Message::Document(document), Vec::new()).await?;
        Ok(missing)
    }

    /// Where each planned layer can be read, and the descriptors of those that have folders.
    async fn sources(
        &self,
        mut view: Option<&mut View>,
        snapshotters: &[String],
        plan: Plan,
        missing: &mut bool,
    ) -> (Layers, Vec<OwnedFd>) {
        let (mut layers, mut descriptors) = (Vec::new(), Vec::new());
        for layer in plan.layers {
            let mut no_folder = if descriptors.len() >= MAX_DESCRIPTORS {
                Some(format!("more than {MAX_DESCRIPTORS} layers are to be read at once"))
            } else {
                None
            };
            let mut user_attributes = false;
            if let Some(view) = view.as_deref_mut().filter(|_| no_folder.is_none()) {
                match self.folder(view, snapshotters, &layer).await {
                    Ok((descriptor, attributes)) => {
                        descriptors.push(descriptor);
                        user_attributes = attributes == OverlayAttributes::User;
                    }
                    Err(error) => {
                        *missing |= is_missing(&error);
                        no_folder = Some(error.to_string());
                    }
                }
            }
            layers.push(LayerSource {
                diff_id: layer.diff_id,
                folder: no_folder.is_none(),
                no_folder_reason: no_folder.unwrap_or_default(),
                blob_digest: layer.blob_digest,
                media_type: layer.media_type,
                user_attributes,
            });
        }
        (Layers { layers }, descriptors)
    }

    /// The folder of a layer, from the first snapshotter that has one.
    async fn folder(
        &self,
        view: &mut View,
        snapshotters: &[String],
        layer: &PlannedLayer,
    ) -> Result<(OwnedFd, OverlayAttributes), Error> {
        let malformed = |error: pratique_core::digest::InvalidDigest| Error::Malformed {
            what: "the scanner's plan".to_owned(),
            reason: error.to_string(),
        };
        let chain: Digest = layer.chain_id.parse().map_err(malformed)?;
        let bottom = layer.chain_id == layer.diff_id;
        let mut last = Error::NotFound { path: format!("snapshot {chain}: no snapshotter has the image") };
        for snapshotter in snapshotters {
            match view.folder(snapshotter, &chain, bottom).await {
                Ok(folder) => return Ok((self.state.open_folder(&folder.path)?, folder.attributes)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Whether the runtime has no such thing, as after an image was deleted.
fn is_missing(error: &Error) -> bool {
    match error {
        Error::NotFound { .. } | Error::Gone { .. } => true,
        Error::Io { error, .. } => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn unexpected(message: &from_scanner::Message) -> Fault {
    let name = match message {
        from_scanner::Message::Wanted(_) => "another document",
        from_scanner::Message::Plan(_) => "another plan, or one that is too long",
        from_scanner::Message::Done(_) => "the end of a scan",
        from_scanner::Message::Check(_) => "a report of what it can do",
        from_scanner::Message::Identity(_) => "an identity",
        from_scanner::Message::Failed(failed) => return Fault::Failed(failed.reason.clone()),
    };
    Fault::Failed(format!(
        "the scanner sent {name} when that was not its turn; are both containers of one release?"
    ))
}
