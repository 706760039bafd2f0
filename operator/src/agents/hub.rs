//! What the sessions of all agents share while this replica leads: who is connected, what each node's agent has said,
//! and the planner.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pratique_core::attempts::Attempts;
use pratique_core::package::{Inventory, PackageCounts};
use pratique_core::{Digest, ImageFacts};
use pratique_wire::agents::{Assignment, ScanResult, ToAgent, Withdrawn, to_agent};
use pratique_wire::rules::SealedRules;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::{debug, info, warn};

use super::assemble::{self, Assembly};
use super::ledger::Ledger;
use super::messages::{NodeImageHash, ReportedImage};
use super::plan::{Limits, Planner, Step, Wanted};
use crate::index::SharedIndex;
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::store::{Learned, ReportStore};
use crate::vulnerabilities::Vulnerabilities;

/// What is wanted of every image, and the rules that agents are told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScanSettings {
    /// Detectors to run, with the version of their rules that this operator knows.
    pub wanted: Wanted,
    /// The user's rules, which [`Wanted::revisions`] are of.
    pub rules: SealedRules,
}

/// Messages to one agent.
pub(super) type ToAgentSender = mpsc::Sender<Result<ToAgent, Status>>;

/// The shared state of all sessions.
pub struct Hub {
    pub(super) index: SharedIndex,
    store: ReportStore,
    /// None: packages are not matched with advisories.
    vulnerabilities: Option<Vulnerabilities>,
    pub(super) settings: watch::Receiver<ScanSettings>,
    pub(super) leadership: watch::Receiver<Leadership>,
    metrics: Metrics,
    state: Mutex<State>,
    wake: Notify,
    /// Held while the ledger is written down, so that no older one replaces a newer.
    writing: tokio::sync::Mutex<()>,
    /// Whether scans are handed out.
    handing_out: AtomicBool,
}

#[derive(Default)]
struct State {
    planner: Planner,
    ledger: Ledger,
    sessions: HashMap<String, Session>,
    /// By node and image; outlives a session, so that a reconnect sends only what changed.
    hashes: HashMap<String, HashMap<Digest, NodeImageHash>>,
    sessions_opened: u64,
}

struct Session {
    id: u64,
    to_agent: ToAgentSender,
    stop: CancellationToken,
    assembly: Assembly,
    /// Images that were asked for and have not come yet; none: no roster yet.
    lacking: Option<HashSet<Digest>>,
}

/// What a scan gave, checked.
pub(super) struct ScanEnd {
    claim: String,
    facts: ImageFacts,
    inventory: Option<Inventory>,
    attempts: Attempts,
}

/// A session's place in the hub.
pub(super) struct Place {
    pub(super) node: String,
    pub(super) id: u64,
    /// Cancelled when a newer session of the node takes over, or this replica no longer leads.
    pub(super) stop: CancellationToken,
}

impl Hub {
    /// A hub without sessions.
    pub fn new(
        index: SharedIndex,
        store: ReportStore,
        vulnerabilities: Option<Vulnerabilities>,
        settings: watch::Receiver<ScanSettings>,
        leadership: watch::Receiver<Leadership>,
        limits: Limits,
        metrics: Metrics,
    ) -> Arc<Self> {
        let state = Mutex::new(State { planner: Planner::new(limits), ..State::default() });
        Arc::new(Self {
            index,
            store,
            vulnerabilities,
            settings,
            leadership,
            metrics,
            state,
            wake: Notify::new(),
            writing: tokio::sync::Mutex::default(),
            handing_out: AtomicBool::new(false),
        })
    }

    /// Names of the connected nodes whose images are all known.
    pub fn synced_nodes(&self) -> HashSet<String> {
        let state = self.state();
        let synced = state
            .sessions
            .iter()
            .filter(|(_, session)| session.lacking.as_ref().is_some_and(HashSet::is_empty));
        synced.map(|(node, _)| node.clone()).collect()
    }

    /// From now on scans are handed out. Called once the nodes had time to say what they have and hold: before that an image
    /// could be given to one node while another still holds its result.
    pub fn hand_out(&self) {
        self.handing_out.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    pub(super) fn open(&self, node: &str, rule_set: &str, to_agent: ToAgentSender) -> Place {
        let stop = CancellationToken::new();
        let mut state = self.state();
        state.sessions_opened += 1;
        let id = state.sessions_opened;
        state.planner.connect(node, rule_set);
        let session =
            Session { id, to_agent, stop: stop.clone(), assembly: Assembly::default(), lacking: None };
        if let Some(older) = state.sessions.insert(node.to_owned(), session) {
            older.stop.cancel();
        }
        self.metrics.agents_connected.set(count(state.sessions.len()));
        drop(state);
        info!(node, rule_set, "agent connected");
        self.wake.notify_one();
        Place { node: node.to_owned(), id, stop }
    }

    pub(super) fn close(&self, place: &Place) {
        let mut state = self.state();
        if state.sessions.get(&place.node).is_some_and(|session| session.id == place.id) {
            state.sessions.remove(&place.node);
            state.planner.disconnect(&place.node);
            self.metrics.agents_connected.set(count(state.sessions.len()));
            info!(node = place.node, "agent disconnected");
            self.wake.notify_one();
        }
    }

    /// Takes in a node's list of images; returns those whose description is wanted.
    pub(super) fn roster(&self, place: &Place, roster: &HashMap<Digest, NodeImageHash>) -> Vec<Digest> {
        let mut state = self.state();
        let known = state.hashes.entry(place.node.clone()).or_default();
        known.retain(|image, _| roster.contains_key(image));
        let lacking: HashSet<Digest> = roster
            .iter()
            .filter(|(image, hash)| known.get(image) != Some(hash))
            .map(|(image, _)| image.clone())
            .collect();
        let mut index = self.index.write();
        let gone: Vec<Digest> = index.nodes().get(&place.node).map_or_else(Vec::new, |images| {
            images
                .iter()
                .map(|image| &image.image)
                .filter(|image| !roster.contains_key(image))
                .cloned()
                .collect()
        });
        index.apply_node_images(&place.node, Vec::new(), &gone);
        drop(index);
        let answer = lacking.iter().cloned().collect();
        if let Some(session) = state.session(place) {
            session.lacking = Some(lacking);
        }
        drop(state);
        self.wake.notify_one();
        answer
    }

    pub(super) fn images(&self, place: &Place, images: Vec<ReportedImage>, gone: &[Digest]) {
        let mut state = self.state();
        // A session that was replaced has nothing to say any more.
        let Some(session) = state.session(place) else { return };
        if let Some(lacking) = &mut session.lacking {
            images.iter().map(|image| &image.image.image).chain(gone).for_each(|image| {
                lacking.remove(image);
            });
        }
        let hashes = state.hashes.entry(place.node.clone()).or_default();
        gone.iter().for_each(|image| {
            hashes.remove(image);
        });
        let images = images.into_iter().map(|ReportedImage { image, hash }| {
            hashes.insert(image.image.clone(), hash);
            image
        });
        let images = images.collect();
        self.index.write().apply_node_images(&place.node, images, gone);
        drop(state);
        self.wake.notify_one();
    }

    pub(super) fn pulse(&self, place: &Place, claims: &[String]) {
        self.state().planner.pulse(&place.node, claims.iter().map(String::as_str), Instant::now());
    }

    pub(super) fn handed_back(&self, place: &Place, claim: &str, reason: &str, image_gone: bool) {
        let mut state = self.state();
        let image = state.planner.claim(claim, &place.node).map(|claim| claim.image.clone());
        state.planner.handed_back(claim, &place.node, Instant::now());
        drop(state);
        self.metrics.scans.with_label_values(&["handed_back"]).inc();
        if let Some(image) = image {
            info!(node = place.node, %image, reason, "scan handed back");
            if image_gone {
                self.images(place, Vec::new(), &[image]);
            }
        }
        self.wake.notify_one();
    }

    /// Takes in a chunk of a result; gives the whole result with the last one.
    pub(super) fn chunk(&self, place: &Place, chunk: &ScanResult) -> Option<ScanEnd> {
        let now = Instant::now();
        let mut state = self.state();
        // Chunks speak for the claim as a pulse does. A void claim's result is of no use: another node has the image.
        state.planner.pulse(&place.node, [chunk.claim.as_str()], now);
        let Some(claim) = state.planner.claim(&chunk.claim, &place.node).cloned() else {
            if let Some(session) = state.session(place) {
                session.assembly.forget(&chunk.claim);
            }
            debug!(node = place.node, claim = chunk.claim, "result of a void claim dropped");
            return None;
        };
        let session = state.session(place)?;
        let parts = session.assembly.push(chunk);
        // Decoding may take long; nobody waits for it.
        drop(state);
        let result = match parts {
            Ok(None) => return None,
            Ok(Some(parts)) => assemble::result(&parts, &claim.image, &place.node, Timestamp::now()),
            Err(error) => Err(error),
        };
        match result {
            Ok((facts, inventory, attempts)) => {
                self.metrics.layers.with_label_values(&["read"]).inc_by(chunk.layers_read);
                self.metrics.layers.with_label_values(&["cached"]).inc_by(chunk.layers_cached);
                self.metrics.scans.with_label_values(&[outcome(&facts)]).inc();
                Some(ScanEnd { claim: chunk.claim.clone(), facts, inventory, attempts })
            }
            Err(error) => {
                self.metrics.scans.with_label_values(&["invalid"]).inc();
                let failures = self.state().planner.failed(&chunk.claim, now);
                warn!(node = place.node, image = %claim.image, failures, %error, "result thrown away");
                self.wake.notify_one();
                None
            }
        }
    }

    /// Keeps what a scan gave: its inventory and attempts in the store, and its facts in the index.
    pub(super) async fn keep(&self, place: &Place, end: ScanEnd) {
        let ScanEnd { claim, facts, inventory, attempts } = end;
        self.learn(attempts).await;
        let facts = self.settings.borrow().wanted.credited(facts);
        let image = facts.image.clone();
        let usable = inventory.filter(|_| facts.error.is_none());
        let packages = match &usable {
            None => Ok(None),
            Some(inventory) => {
                self.store.put_inventory(&image, inventory).await.map(|()| Some(PackageCounts::of(inventory)))
            }
        };
        let judging = match &self.vulnerabilities {
            Some(vulnerabilities) => Some((vulnerabilities, vulnerabilities.judging().await)),
            None => None,
        };
        let facts = match (&judging, usable) {
            (Some((vulnerabilities, judging)), Some(inventory)) => {
                vulnerabilities.judge(judging, facts, inventory).await
            }
            _ => facts,
        };
        let mut state = self.state();
        // The claim may have been given to another node meanwhile, whose result is waited for.
        if state.planner.claim(&claim, &place.node).is_none() {
            return;
        }
        let now = Instant::now();
        let mut index = self.index.write();
        match (&facts.error, packages) {
            (Some(error), _) => {
                let failures = state.planner.failed(&claim, now);
                warn!(node = place.node, %image, failures, error, "scan failed");
                // What an earlier scan could say is worth more than today's error.
                if index.facts().get(&image).is_none_or(|known| known.error.is_some()) {
                    index.apply_facts(Arc::new(facts));
                }
            }
            (None, Ok(packages)) => {
                let total = packages.as_ref().map(|counts| counts.total);
                info!(node = place.node, %image, findings = facts.findings.len(), gaps = facts.gaps.len(), packages = total, "scanned");
                let wanted = self.settings.borrow().wanted.clone();
                state.planner.succeeded(&claim, &facts, packages.is_some(), &wanted);
                index.apply_facts(Arc::new(facts));
                if let Some(packages) = packages {
                    index.apply_packages(&image, packages);
                }
            }
            (None, Err(error)) => {
                // Its facts are of use all the same; the inventory is asked for again, later and later.
                let failures = state.planner.failed(&claim, now);
                warn!(node = place.node, %image, failures, %error, "the inventory was not stored");
                self.metrics.store_errors.inc();
                index.apply_facts(Arc::new(facts));
            }
        }
        drop(index);
        drop(state);
        self.wake.notify_one();
    }

    /// Takes in what is known of guesses from before a restart.
    pub fn recall(&self, learned: Vec<Learned>) {
        self.state().ledger.recall(learned, Timestamp::now());
    }

    /// Takes in what an agent told of guesses, and writes it down.
    async fn learn(&self, attempts: Attempts) {
        if attempts.is_empty() {
            return;
        }
        self.state().ledger.learn(attempts, Timestamp::now());
        let _one_at_a_time = self.writing.lock().await;
        let learned = self.state().ledger.learned();
        if let Err(error) = self.store.put_attempts(&learned).await {
            warn!(%error, "attempts at passwords were not stored: after a restart they are made again");
            self.metrics.store_errors.inc();
        }
    }

    /// Plans whenever something happened, and every few seconds, while this replica leads and [hands out](Self::hand_out)
    /// scans. Ends with `shutdown`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut leadership = self.leadership.clone();
        let mut settings = self.settings.clone();
        let mut leading = false;
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return self.stop(),
                _ = tick.tick() => {}
                () = self.wake.notified() => {}
                Ok(()) = settings.changed() => {}
                Ok(()) = leadership.changed() => {}
            }
            let epoch = leadership.borrow_and_update().epoch();
            match epoch {
                Some(epoch) if !leading => {
                    leading = true;
                    self.state().planner.begin(epoch);
                }
                None if leading => {
                    leading = false;
                    self.stop();
                }
                _ => {}
            }
            if leading && self.handing_out.load(Ordering::Relaxed) {
                self.plan();
                // Many events at once are one plan.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Ends all sessions.
    fn stop(&self) {
        let mut state = self.state();
        for (node, session) in std::mem::take(&mut state.sessions) {
            session.stop.cancel();
            state.planner.disconnect(&node);
        }
        state.hashes.clear();
        self.metrics.agents_connected.set(0);
    }

    fn plan(&self) {
        let ScanSettings { wanted, rules } = self.settings.borrow().clone();
        let mut state = self.state();
        let index = self.index.read();
        let mut pick = |below: usize| fastrand::usize(..below);
        let (steps, waiting) =
            state.planner.plan(&index, &wanted, (Instant::now(), Timestamp::now()), &mut pick);
        drop(index);
        let attempts = state.ledger.encoded(Timestamp::now());
        for step in steps {
            match step {
                Step::Assign { id, claim } => {
                    let message = to_agent::Message::Assignment(Assignment {
                        claim: id.clone(),
                        image: claim.image.to_string(),
                        detectors: claim.detectors.iter().cloned().collect(),
                        rules: rules.digest().to_owned(),
                        attempts: attempts.clone(),
                    });
                    debug!(node = claim.node, image = %claim.image, claim = id, "scan assigned");
                    if !state.send(&claim.node, message) {
                        state.planner.undelivered(&id);
                    }
                }
                Step::Withdraw { id, node } => {
                    warn!(node, claim = id, "claim is quiet: another node takes over");
                    self.metrics.scans.with_label_values(&["quiet"]).inc();
                    state.send(&node, to_agent::Message::Withdrawn(Withdrawn { claim: id }));
                }
            }
        }
        self.metrics.claims_open.set(count(state.planner.open()));
        self.metrics.scan_queue.set(count(waiting));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn session(&mut self, place: &Place) -> Option<&mut Session> {
        self.sessions.get_mut(&place.node).filter(|session| session.id == place.id)
    }

    /// Queues a message; false if the node is not connected or takes nothing in.
    fn send(&self, node: &str, message: to_agent::Message) -> bool {
        let message = Ok(ToAgent { message: Some(message) });
        self.sessions.get(node).is_some_and(|session| session.to_agent.try_send(message).is_ok())
    }
}

fn outcome(facts: &ImageFacts) -> &'static str {
    match pratique_core::Verdict::of(facts) {
        pratique_core::Verdict::Clean | pratique_core::Verdict::Findings => "complete",
        pratique_core::Verdict::Incomplete => "incomplete",
        pratique_core::Verdict::Error => "error",
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
