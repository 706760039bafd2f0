//! The user's own rules: files in a folder that are read, checked, and watched.
//!
//! The folder has one folder for each kind ([`RuleKind`]), in it one for each source, as volumes give them, and in those the
//! files. All files are in force together or not at all: with one that is broken, those that were in force before stay.

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

/// Reads all files; whether they can be used is not [checked](check).
fn read(folder: &Path) -> Checked {
    let mut files = Vec::new();
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
                "1 while the user's own files of rules are refused, and those before stay in force.",
            )?,
        })
    }
}

/// Keeps the user's rules up to date.
pub struct Keeper {
    folder: PathBuf,
    store: ReportStore,
    metrics: Metrics,
    in_force: watch::Sender<Arc<Rules>>,
    /// What was read last: only what is new is checked, which compiles it.
    last: Option<Checked>,
    /// Why it is refused.
    refusal: Option<String>,
}

impl Keeper {
    /// Reads the files for the first time. If they are broken, those in force before the restart stay, as the store kept them.
    pub async fn start(folder: PathBuf, store: ReportStore, metrics: Metrics) -> Self {
        let in_force = watch::Sender::default();
        let mut keeper = Self { folder, store, metrics, in_force, last: None, refusal: None };
        keeper.look().await;
        if keeper.refusal().is_some() {
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
        let mut told = None;
        let mut tick = tokio::time::interval(INTERVAL);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => {}
            }
            self.look().await;
            let refusal = self.refusal();
            if leadership.borrow().epoch().is_some() && told.as_ref() != refusal {
                if let Some(reason) = refusal {
                    notices.send(Notice {
                        regarding: operator.clone(),
                        related: None,
                        reason: "RulesRefused",
                        action: "ReadRules",
                        note: note(reason),
                        joins: false,
                    });
                }
                told = refusal.cloned();
            }
        }
    }

    fn refusal(&self) -> Option<&String> {
        self.refusal.as_ref()
    }

    /// Reads the files; those that are new and right are in force from now on.
    async fn look(&mut self) {
        let folder = self.folder.clone();
        let read = on_thread(move || read(&folder)).await;
        if self.last.as_ref() == Some(&read) {
            return;
        }
        let checked = match read.clone() {
            Ok(files) => on_thread(move || check(files)).await,
            Err(reason) => Err(reason),
        };
        self.metrics.refused.set(i64::from(checked.is_err()));
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
            Err(reason) => error!("{}", note(reason)),
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

fn note(reason: &str) -> String {
    format!("the user's rules are refused, and those before stay in force: {reason}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const RULE: &str = "rules: [{id: acme, description: ours, regex: 'ACME-[0-9]+', severity: High}]\n";

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, path: &str, content: &str) {
            let path = self.0.path().join("rules").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        async fn start(&self) -> Keeper {
            let store = ReportStore::open(&self.0.path().join("store")).unwrap();
            let metrics = Metrics::new(&Registry::new()).unwrap();
            Keeper::start(self.0.path().join("rules"), store, metrics).await
        }
    }

    fn names(rules: &Rules) -> Vec<String> {
        rules.sealed.open().unwrap().iter().map(|file| file.name.clone()).collect()
    }

    #[tokio::test]
    async fn a_broken_file_leaves_the_old_rules_in_force_even_over_a_restart() {
        let place = Place::new();
        place.write("secrets/values/acme.yaml", RULE);
        place.write("dictionary/team/words", "quay\n");
        place.write("dictionary/team/..data", "what a volume keeps\n");
        let mut keeper = place.start().await;
        let in_force = keeper.in_force();
        let old = in_force.borrow().clone();
        assert_eq!(
            (names(&old), keeper.refusal()),
            (vec!["team/words".into(), "values/acme.yaml".into()], None)
        );
        assert_eq!(old.revisions.keys().collect::<Vec<_>>(), ["secret", "weak-password"]);

        place.write("secrets/values/acme.yaml", "rules:\n- id: acme\n");
        place.write("dictionary/team/words", "pier\n");
        keeper.look().await;
        let reason = keeper.refusal().unwrap();
        assert!(reason.starts_with("secrets/values/acme.yaml: line 2: "), "{reason}");
        assert_eq!((in_force.borrow().clone(), keeper.metrics.refused.get()), (old.clone(), 1));
        let again = place.start().await;
        assert_eq!((again.in_force().borrow().clone(), again.refusal()), (old.clone(), Some(reason)));

        place.write("secrets/values/acme.yaml", RULE);
        keeper.look().await;
        let new = in_force.borrow().clone();
        assert_eq!((new.revisions["secret"] == old.revisions["secret"], keeper.refusal()), (true, None));
        assert_ne!(new.revisions["weak-password"], old.revisions["weak-password"]);
        assert_eq!((keeper.metrics.refused.get(), keeper.metrics.files.get()), (0, 2));
    }

    #[tokio::test]
    async fn broken_from_the_first_on_no_scan_is_all_that_is_wanted() {
        let place = Place::new();
        place.write("hashes/values/bad.txt", "nonsense\n");
        let keeper = place.start().await;
        assert_eq!(**keeper.in_force().borrow(), Rules::wanting());
        assert!(keeper.refusal().unwrap().starts_with("hashes/values/bad.txt: line 1: "));
    }

    #[tokio::test]
    async fn without_files_there_are_no_rules_and_too_many_are_refused() {
        let place = Place::new();
        let mut keeper = place.start().await;
        assert_eq!((keeper.in_force().borrow().as_ref().clone(), keeper.refusal()), (Rules::default(), None));
        place.write("hashes/values/long", &"#".repeat(MAX_BYTES + 1));
        keeper.look().await;
        assert!(keeper.refusal().unwrap().contains("too long"));
    }
}
