//! The user's rules from an artifact of a registry, which is asked again and again whether they changed.

use std::sync::Arc;
use std::time::Duration;

use pratique_core::rule_files::MAX_BYTES;
use pratique_core::{Digest, RuleFile};
use pratique_registry::{self as registry, ArtifactAddress, Client, RegistryOptions, read_rules};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::thread::on_thread;

/// A failed attempt is repeated after this, or after the interval if that is shorter.
const RETRY: Duration = Duration::from_secs(60);

/// The shortest interval.
const SHORTEST: Duration = Duration::from_secs(2);

/// How long a start waits for the first answer. A registry that runs in the cluster may itself wait for the operator.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the artifact is had.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub address: ArtifactAddress,
    /// How its registry is reached.
    pub options: RegistryOptions,
    /// How often it is asked.
    pub interval: Duration,
}

/// What asking gave.
#[derive(Debug, Clone)]
pub(super) struct Pulled {
    /// The files as they were last had, and the manifest's digest; none: they never were.
    had: Option<(Digest, Arc<Vec<RuleFile>>)>,
    /// Why the last attempt failed, if it did.
    pub(super) failed: Option<String>,
}

impl Pulled {
    /// The files as they were last had; none: they never were.
    pub(super) fn files(&self) -> Option<Arc<Vec<RuleFile>>> {
        self.had.as_ref().map(|(_, files)| files.clone())
    }
}

/// An artifact that is pulled until this is dropped.
pub(super) struct Artifact {
    pub(super) pulled: watch::Receiver<Pulled>,
    at_once: Arc<Notify>,
    _task: AbortOnDropHandle<()>,
}

impl Artifact {
    /// Starts pulling, and waits a while for what comes of it.
    pub(super) async fn start(settings: Settings) -> Self {
        let failed = Some(format!("{}: there is no answer yet", settings.address));
        let (sender, pulled) = watch::channel(Pulled { had: None, failed });
        let at_once = Arc::new(Notify::new());
        let task = tokio::spawn(pull_again(settings, sender, at_once.clone()));
        let mut first = pulled.clone();
        let _ = timeout(PATIENCE, first.changed()).await;
        Self { pulled, at_once, _task: AbortOnDropHandle::new(task) }
    }

    /// Asks now, not after the interval.
    pub(super) fn pull(&self) {
        self.at_once.notify_one();
    }
}

async fn pull_again(settings: Settings, pulled: watch::Sender<Pulled>, at_once: Arc<Notify>) {
    loop {
        let known = pulled.borrow().had.as_ref().map(|(digest, _)| digest.clone());
        let asks = settings.clone();
        let result = on_thread("rules", move || pull(&asks, known.as_ref())).await;
        let (had, failed) = match result {
            Some(Ok(had)) => (had, None),
            Some(Err(error)) => (None, Some(format!("{}: {error}", settings.address))),
            None => (None, Some(format!("{}: it ended unexpectedly; the log says why", settings.address))),
        };
        match (&had, &failed) {
            (Some((digest, files)), _) => {
                info!(artifact = %settings.address, %digest, files = files.len(), "rules pulled");
            }
            (None, Some(reason)) => warn!(reason, "the user's rules could not be pulled"),
            (None, None) => {}
        }
        let wait = match failed {
            Some(_) => settings.interval.min(RETRY),
            None => settings.interval,
        };
        let is_final = failed.is_none() && settings.address.0.digest().is_some();
        pulled.send_modify(|pulled| {
            let had = had.map(|(digest, files)| (digest, Arc::new(files)));
            *pulled = Pulled { had: had.or(pulled.had.take()), failed };
        });
        // What a digest names never changes.
        if is_final {
            return;
        }
        // Installations that began together do not ask together for ever.
        let wait = wait.max(SHORTEST).mul_f64(1.0 + fastrand::f64() / 20.0);
        tokio::select! {
            () = sleep(wait) => {}
            () = at_once.notified() => {}
        }
    }
}

/// The artifact's files and its manifest's digest, if that is not the `known` one.
fn pull(settings: &Settings, known: Option<&Digest>) -> registry::Result<Option<(Digest, Vec<RuleFile>)>> {
    // A client of its own reads the login anew.
    let client = Arc::new(Client::new(settings.options.clone())?);
    let artifact = registry::Artifact::open(&settings.address, client)?;
    if known == Some(&artifact.digest) {
        return Ok(None);
    }
    let files = read_rules(&artifact, None, MAX_BYTES as u64)?;
    let named = |file: RuleFile| RuleFile { name: format!("oci/{}", file.name), ..file };
    Ok(Some((artifact.digest, files.into_iter().map(named).collect())))
}
