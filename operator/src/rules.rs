//! The user's own rules: files in a folder that are read, checked, and watched.
//!
//! The folder has one folder for each kind ([`RuleKind`]), in it one for each source, as volumes give them, and in those the
//! files. Those of an artifact of a registry, if one is named, come beside them. All files are in force together or not at
//! all: with one that is broken, those that were in force before stay.

mod artifact;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use pratique_core::rule_files::{MAX_BYTES, MAX_FILES, Revisions};
use pratique_core::{RuleFile, RuleFiles, RuleKind};
use pratique_detect::UserRules;
use pratique_wire::rules::SealedRules;
use prometheus::{IntGauge, Registry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::events::{Notice, Notices};
use crate::lease::Leadership;
use crate::store::ReportStore;
use crate::{metrics, volume};

use artifact::Artifact;
pub use artifact::Settings as ArtifactSettings;

/// How often the files are looked at; a volume takes up to a minute to show a change.
const INTERVAL: Duration = Duration::from_secs(5);

/// What scans go by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// The files, as agents get them.
    pub sealed: SealedRules,
    /// Which of them each detector goes by.
    pub revisions: Revisions,
}

impl Rules {
    fn of(files: &RuleFiles) -> Self {
        Self { sealed: SealedRules::seal(files), revisions: files.revisions() }
    }

    /// What is in force if files are broken and there were none before: no detector that could go by them has done all that
    /// is wanted.
    fn wanting() -> Self {
        let refused = |kind: RuleKind| (kind.detector().to_owned(), "refused".to_owned());
        Self { sealed: SealedRules::default(), revisions: RuleKind::ALL.into_iter().map(refused).collect() }
    }
}

/// Files, or what is wrong with them.
type Checked = Result<RuleFiles, String>;

/// Reads all files, beside those of an artifact; whether they can be used is not [checked](check).
fn read(folder: &Path, pulled: &[RuleFile]) -> Checked {
    let mut files = pulled.to_vec();
    let mut bytes = 0;
    for kind in RuleKind::ALL {
        for source in visible(&folder.join(kind.id()))? {
            for path in visible(&source)? {
                let name = format!("{}/{}", file_name(&source), file_name(&path));
                let content = volume::read(&path, MAX_BYTES as u64)
                    .map_err(|error| format!("{}/{name}: it cannot be read: {error}", kind.id()))?;
                bytes += content.len();
                files.push(RuleFile { kind, name, content });
                // No more is read than could be of use.
                if bytes > MAX_BYTES || files.len() > MAX_FILES {
                    return RuleFiles::new(files).map_err(|error| error.to_string());
                }
            }
        }
    }
    RuleFiles::new(files).map_err(|error| error.to_string())
}

/// What lies in a folder, sorted; nothing in one that is not there.
fn visible(folder: &Path) -> Result<Vec<PathBuf>, String> {
    match volume::entries(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries.map_err(|error| format!("{}: {error}", folder.display())),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Files of which every one can be used.
fn check(files: RuleFiles) -> Checked {
    UserRules::read(&files).map_err(|error| error.to_string())?;
    Ok(files)
}

async fn on_thread(work: impl FnOnce() -> Checked + Send + 'static) -> Checked {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(format!("an error in Pratique: {panic}")))
}

/// What is told about the files.
#[derive(Debug, Clone)]
pub struct Metrics {
    files: IntGauge,
    refused: IntGauge,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// If the registry already has a metric of one of the names.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name, help| metrics::gauge(registry, name, help);
        Ok(Self {
            files: gauge("pratique_user_rules_files", "The user's own files of rules that scans go by.")?,
            refused: gauge(
                "pratique_user_rules_refused",
                "1 while the user's own files of rules are refused or cannot be pulled, and those before stay in force.",
            )?,
        })
    }
}

/// Keeps the user's rules up to date.
pub struct Keeper {
    folder: PathBuf,
    artifact: Option<Artifact>,
    store: ReportStore,
    metrics: Metrics,
    in_force: watch::Sender<Arc<Rules>>,
    /// What was read last: only what is new is checked, which compiles it.
    last: Option<Checked>,
    /// Why it is refused.
    refusal: Option<String>,
    /// Why the artifact could not be pulled.
    not_pulled: Option<String>,
}

/// What people are told: an Event's reason and its note.
type Trouble = (&'static str, String);

impl Keeper {
    /// Reads the files for the first time. If they are broken, those in force before the restart stay, as the store kept them.
    pub async fn start(
        folder: PathBuf,
        artifact: Option<ArtifactSettings>,
        store: ReportStore,
        metrics: Metrics,
    ) -> Self {
        let in_force = watch::Sender::default();
        let artifact = match artifact {
            Some(settings) => Some(Artifact::start(settings).await),
            None => None,
        };
        let mut keeper =
            Self { folder, artifact, store, metrics, in_force, last: None, refusal: None, not_pulled: None };
        keeper.look().await;
        if keeper.refusal.is_some() {
            let rules = match keeper.kept().await {
                Some(files) => keeper.in_force_now(&files),
                None => Rules::wanting(),
            };
            keeper.in_force.send_replace(Arc::new(rules));
        }
        keeper
    }

    /// What scans go by, now and from now on.
    pub fn in_force(&self) -> watch::Receiver<Arc<Rules>> {
        self.in_force.subscribe()
    }

    /// Looks at the files again and again, and tells of broken ones while this replica leads, until `shutdown`.
    pub async fn run(
        mut self,
        leadership: watch::Receiver<Leadership>,
        notices: Notices,
        operator: ObjectReference,
        shutdown: CancellationToken,
    ) {
        let (mut led, mut told) = (false, Vec::new());
        let mut tick = tokio::time::interval(INTERVAL);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => {}
            }
            let leads = leadership.borrow().epoch().is_some();
            // Scans do not go back to what another leader has long replaced.
            if let (true, false, Some(artifact)) = (leads, led, &self.artifact) {
                artifact.pull();
            }
            led = leads;
            self.look().await;
            if !leads {
                continue;
            }
            let troubles = self.troubles();
            for (reason, note) in troubles.iter().filter(|trouble| !told.contains(*trouble)) {
                notices.send(Notice {
                    regarding: operator.clone(),
                    related: None,
                    reason,
                    action: "ReadRules",
                    note: note.clone(),
                    joins: false,
                });
            }
            told = troubles;
        }
    }

    fn troubles(&self) -> Vec<Trouble> {
        let stay = "and those before stay in force";
        let not_pulled = self.not_pulled.iter().map(|reason| {
            ("RulesNotPulled", format!("the user's rules could not be pulled, {stay}: {reason}"))
        });
        // An artifact that was never had is one trouble, not two.
        let refused = self.refusal.iter().filter(|reason| self.not_pulled.as_ref() != Some(*reason));
        let refused =
            refused.map(|reason| ("RulesRefused", format!("the user's rules are refused, {stay}: {reason}")));
        not_pulled.chain(refused).collect()
    }

    /// Reads the files; those that are new and right are in force from now on.
    async fn look(&mut self) {
        let pulled = self.artifact.as_ref().map(|artifact| artifact.pulled.borrow().clone());
        self.not_pulled = pulled.as_ref().and_then(|pulled| pulled.failed.clone());
        let beside = pulled.map_or_else(|| Some(Arc::default()), |pulled| pulled.files());
        let read = match beside {
            Some(beside) => {
                let folder = self.folder.clone();
                on_thread(move || read(&folder, &beside)).await
            }
            None => Err(self.not_pulled.clone().unwrap_or_default()),
        };
        if self.last.as_ref() != Some(&read) {
            self.take(read).await;
        }
        self.metrics.refused.set(i64::from(!self.troubles().is_empty()));
    }

    /// Puts what was read in force, if it can be used.
    async fn take(&mut self, read: Checked) {
        let checked = match read.clone() {
            Ok(files) => on_thread(move || check(files)).await,
            Err(reason) => Err(reason),
        };
        match &checked {
            Ok(files) => {
                let rules = self.in_force_now(files);
                info!(
                    files = files.iter().count(),
                    digest = rules.sealed.digest(),
                    "the user's rules are in force"
                );
                if let Err(error) = self.store.put_rules(rules.sealed.bytes().clone()).await {
                    warn!(%error, "the user's rules were not kept for a restart");
                }
                self.in_force.send_if_modified(|known| {
                    let changed = **known != rules;
                    *known = Arc::new(rules);
                    changed
                });
            }
            Err(reason) => error!(reason, "the user's rules are refused, and those before stay in force"),
        }
        self.refusal = checked.err();
        self.last = Some(read);
    }

    fn in_force_now(&self, files: &RuleFiles) -> Rules {
        self.metrics.files.set(files.iter().count().try_into().unwrap_or(i64::MAX));
        Rules::of(files)
    }

    /// The rules that were in force before a restart, if this release can use them.
    async fn kept(&self) -> Option<RuleFiles> {
        check(SealedRules::of(self.store.rules().await?).open().ok()?).ok()
    }
}
