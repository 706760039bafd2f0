//! Keeps the advisories: fetched for what occurs in the cluster, brought up to date at intervals. Whatever fails, the old
//! ones serve on, and why is told by log, metric and Event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use pratique_vulns::fetch::{self, Client, FetchError, Store, Updated};
use pratique_vulns::vex::Statement;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::notices::{self, Notify};
use super::{Advice, Settings, Vulnerabilities, judge, vex};
use crate::events::Notice;
use crate::thread::on_thread;

/// A failed attempt is repeated after this, or after the interval if that is shorter.
const RETRY: Duration = Duration::from_secs(900);

/// The shortest interval.
const SHORTEST: Duration = Duration::from_secs(2);

/// How long an ecosystem that occurs for the first time waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// How long a refresh waits for images that are being judged: which ecosystems occur is not known before.
const PATIENCE: Duration = Duration::from_secs(120);

/// VEX documents are read again, and workloads counted, this often.
const LOOK: Duration = Duration::from_secs(15);

/// Keeps the advisories until it is no longer polled. `operator`: the object that people look at when they fail.
pub(super) async fn keep(
    vulnerabilities: Vulnerabilities,
    settings: Settings,
    notify: Notify,
    operator: ObjectReference,
) {
    let _leave = Leave(notify.clone());
    let mut keeper = Keeper::new(vulnerabilities, settings, notify, operator);
    keeper.read_documents().await;
    keeper.open().await;
    let mut due = Instant::now();
    loop {
        let is_due = tokio::select! {
            () = sleep_until(due) => true,
            () = keeper.vulnerabilities.0.occurred.notified() => {
                sleep(GATHER).await;
                true
            }
            () = sleep(LOOK) => false,
        };
        // Also where the interval is shorter than the time between two looks.
        keeper.look().await;
        if !is_due {
            continue;
        }
        let _ = timeout(PATIENCE, keeper.vulnerabilities.settled()).await;
        let interval = keeper.settings.interval.max(SHORTEST);
        let wait = if keeper.refresh().await { interval } else { interval.min(RETRY) };
        // Installations that began together do not ask together for ever.
        due = Instant::now() + wait.mul_f64(1.0 + fastrand::f64() / 20.0);
    }
}

/// Takes back what only a leader's keeper may say.
struct Leave(Notify);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.metrics.leave();
    }
}

pub(super) struct Keeper {
    vulnerabilities: Vulnerabilities,
    settings: Settings,
    notify: Notify,
    operator: ObjectReference,
    store: Store,
    documents: vex::Documents,
    /// The days of what is advised by, by ecosystem; none: nothing is.
    days: Option<BTreeMap<String, Timestamp>>,
}

impl Keeper {
    pub(super) fn new(
        vulnerabilities: Vulnerabilities,
        settings: Settings,
        notify: Notify,
        operator: ObjectReference,
    ) -> Self {
        let (store, documents) = (Store::new(&settings.folder), vex::Documents::default());
        Self { vulnerabilities, settings, notify, operator, store, documents, days: None }
    }

    /// Brings the advisories up to date; false if some could not be.
    pub(super) async fn refresh(&mut self) -> bool {
        let wanted = self.vulnerabilities.ecosystems();
        if wanted.is_empty() && self.store.held().is_empty() {
            return true;
        }
        let (settings, store) = (self.settings.clone(), self.store.clone());
        let done =
            on_thread("advisories", move || update(&store, &wanted, &settings, Timestamp::now())).await;
        let (result, problem) = match &done {
            Some(Ok(updated)) => {
                for warning in &updated.warnings {
                    warn!(warning, "a list about attacks is not up to date");
                }
                let problem = updated.failed.iter().next().map(|(name, reason)| format!("{name}: {reason}"));
                let result = if updated.changed { "changed" } else { "unchanged" };
                (result, problem)
            }
            Some(Err(error)) => ("failed", Some(error.to_string())),
            None => ("failed", Some("the update ended unexpectedly; the log says why".to_owned())),
        };
        let metrics = &self.notify.metrics;
        let result = if problem.is_some() { "failed" } else { result };
        metrics.refreshes.with_label_values(&[result]).inc();
        metrics.failing.set(i64::from(problem.is_some()));
        if let Some(reason) = &problem {
            self.complain(reason);
        }
        if let Some(Ok(updated)) = done {
            let checked = self.store.held();
            if updated.changed || self.days.as_ref() != Some(&days(&checked)) {
                self.open().await;
            } else {
                metrics.note_checked(&checked);
            }
        }
        problem.is_none()
    }

    fn complain(&self, reason: &str) {
        let state = if self.days.is_some() { "the old ones serve on" } else { "there are none yet" };
        warn!(reason, "advisories could not be brought up to date; {state}");
        self.notify.notices.send(Notice {
            regarding: self.operator.clone(),
            related: None,
            reason: "AdvisoriesNotRefreshed",
            action: "Refresh",
            note: format!("advisories could not be brought up to date, {state}: {reason}"),
            joins: false,
        });
    }

    /// Opens what is kept, and has images judged by it.
    pub(super) async fn open(&mut self) {
        let store = self.store.clone();
        let opened = on_thread("advisories", move || store.open()).await;
        let advisories = match opened {
            Some(Ok(advisories)) => advisories,
            Some(Err(error)) => {
                self.complain(&error.to_string());
                None
            }
            None => None,
        };
        if let Some(advisories) = &advisories {
            self.notify.metrics.note_checked(&advisories.checked);
            let status = advisories.database.status();
            info!(advisories = status.advisories, built = %status.built, "advisories in place");
        }
        self.days = advisories.as_ref().map(|advisories| days(&advisories.checked));
        self.advise(advisories).await;
    }

    async fn advise(&self, advisories: Option<fetch::Advisories>) {
        let statements: Vec<Statement> = self.documents.statements.clone();
        self.vulnerabilities.advise(Advice { advisories, statements }).await;
    }

    /// Sees to what may have changed beside the advisories.
    pub(super) async fn look(&mut self) {
        if self.read_documents().await {
            self.open().await;
        }
        let count = notices::critical_workloads(&self.vulnerabilities.0.index.read(), &self.notify.owners);
        self.notify.metrics.critical_workloads.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Reads the VEX documents; whether they say something else now.
    async fn read_documents(&mut self) -> bool {
        let Some(folder) = self.settings.vex.clone() else { return false };
        let Some(read) = on_thread("advisories", move || vex::read(&folder)).await else { return false };
        if read == self.documents {
            return false;
        }
        for problem in read.problems.iter().filter(|problem| !self.documents.problems.contains(problem)) {
            warn!(problem, "a VEX document cannot be used");
            self.notify.notices.send(Notice {
                regarding: self.operator.clone(),
                related: None,
                reason: "VexDocumentUnusable",
                action: "Read",
                note: problem.clone(),
                joins: false,
            });
        }
        let unusable = i64::try_from(read.problems.len()).unwrap_or(i64::MAX);
        self.notify.metrics.unusable_documents.set(unusable);
        let changed = read.statements != self.documents.statements;
        self.documents = read;
        changed
    }
}

/// Brings what is stored, and `wanted` beside it, to what the source has at `now`.
pub(super) fn update(
    store: &Store,
    wanted: &BTreeSet<String>,
    settings: &Settings,
    now: Timestamp,
) -> Result<Updated, FetchError> {
    let silent = |_: fetch::Progress<'_>| {};
    let client = Client::new(settings.transport.clone(), settings.retry, &silent)
        .map_err(|error| {
            let what = settings.feeds.advisories.to_string();
            FetchError::Refused { what, reason: error.to_string() }
        })?
        .for_registries(settings.logins.clone(), Vec::new());
    store.update(wanted, &settings.feeds, &client, now)
}

fn days(checked: &BTreeMap<String, Timestamp>) -> BTreeMap<String, Timestamp> {
    checked.iter().map(|(name, at)| (name.clone(), judge::day(*at))).collect()
}
