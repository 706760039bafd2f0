//! Assignments: a bounded queue, a few at a time, each ending in a result or handed back.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use pratique_core::detector::DETECTORS;
use pratique_core::facts::Trust;
use pratique_core::package::Inventory;
use pratique_core::rule_files::rules_version;
use pratique_core::{Digest, Gap, GapKind, ImageFacts, Platform, Verdict};
use pratique_fs::containerd::{Containerd, StatePaths};
use pratique_wire::CHUNK;
use pratique_wire::agents::{Assignment, Claimed, FromAgent, HandedBack, Rules, ScanResult, from_agent};
use pratique_wire::attempts::MAX_ENCODED;
use pratique_wire::inventory::{MAX_INVENTORY, encode};
use pratique_wire::rules::{RulesAssembly, SealedRules};
use pratique_wire::scanner::Done;
use prost::Message;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::exchange::{Desk, Fault, Scanned};
use super::node::{Known, Node, Target, by_target};
use super::scanner::{Lost, Scanner};
use crate::metrics::{Metrics, Outcome};

/// Assignments that may wait here; the operator gives few to a node at a time.
const QUEUE: usize = 64;
/// How often an image is begun again: when it came back after it was deleted, or the scanner died of it.
const ATTEMPTS: usize = 3;
/// How long an assignment waits for a runtime or a scanner that is not there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rules that were replaced, and are remembered.
const REPLACED: usize = 16;

/// Messages that belong together.
pub type Batch = Vec<FromAgent>;

/// The node's scans. Clones are the same.
#[derive(Clone)]
pub struct Scans(Arc<Inner>);

struct Inner {
    tools: Tools,
    permits: Semaphore,
    said: mpsc::Sender<Batch>,
    rules: watch::Sender<Came>,
    state: Mutex<State>,
}

/// The user's rules that came.
#[derive(Default)]
struct Came {
    /// The last ones.
    rules: SealedRules,
    /// Digests of those before, the latest [`REPLACED`] of them.
    replaced: VecDeque<String>,
}

/// What scans need.
pub struct Tools {
    /// The runtime, while it answers.
    pub containerd: watch::Receiver<Option<Arc<Containerd>>>,
    /// The scanner.
    pub scanner: Arc<Scanner>,
    /// What the node has.
    pub node: Arc<watch::Sender<Node>>,
    /// The runtime's state, as it is mounted.
    pub state: StatePaths,
    /// This node's name.
    pub node_name: String,
    /// Counts scans.
    pub metrics: Arc<Metrics>,
}

#[derive(Default)]
struct State {
    claims: BTreeMap<String, CancellationToken>,
    coming: RulesAssembly,
    stopping: bool,
}

/// How an assignment ends.
enum Ending {
    Done { done: Box<Done>, outcome: Outcome },
    Back { reason: String, gone: bool },
}

impl Scans {
    /// Scans `at_a_time` images; what is to be told the operator goes to `said`.
    pub fn new(tools: Tools, at_a_time: usize, said: mpsc::Sender<Batch>) -> Self {
        let permits = Semaphore::new(at_a_time);
        Self(Arc::new(Inner {
            tools,
            permits,
            said,
            rules: watch::Sender::default(),
            state: Mutex::default(),
        }))
    }

    /// Takes the user's rules, a piece at a time.
    pub fn take_rules(&self, message: &Rules) {
        match self.0.state().coming.push(message) {
            Ok(None) => {}
            Ok(Some(rules)) => {
                tracing::info!(rules = rules.digest(), "the user's rules are here");
                self.0.rules.send_modify(|came| {
                    let old = mem::replace(&mut came.rules, rules).digest().to_owned();
                    came.replaced.push_back(old);
                    came.replaced.retain(|digest| digest != came.rules.digest());
                    if came.replaced.len() > REPLACED {
                        came.replaced.pop_front();
                    }
                });
            }
            Err(error) => tracing::warn!(%error, "the user's rules are not taken"),
        }
    }

    /// Takes an assignment, or hands it back at once.
    pub fn assign(&self, assignment: Assignment) -> Option<FromAgent> {
        let cancel = CancellationToken::new();
        {
            let mut state = self.0.state();
            if state.stopping {
                return Some(handed_back(assignment.claim, "the agent stops".to_owned(), false));
            }
            if state.claims.contains_key(&assignment.claim) {
                return None;
            }
            if state.claims.len() >= QUEUE {
                return Some(handed_back(
                    assignment.claim,
                    format!("{QUEUE} scans wait here already"),
                    false,
                ));
            }
            state.claims.insert(assignment.claim.clone(), cancel.clone());
        }
        let inner = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = inner.work(assignment) => {}
                () = cancel.cancelled() => {}
            }
        });
        None
    }

    /// Forgets an assignment; what runs of it is ended.
    pub fn withdraw(&self, claim: &str) {
        if let Some(cancel) = self.0.state().claims.remove(claim) {
            cancel.cancel();
        }
    }

    /// Assignments that wait or are worked on.
    pub fn claims(&self) -> Vec<String> {
        self.0.state().claims.keys().cloned().collect()
    }

    /// Ends everything and takes nothing more.
    pub fn hand_back_all(&self, reason: &str) -> Vec<FromAgent> {
        let mut state = self.0.state();
        state.stopping = true;
        let hand_back = |(claim, cancel): (String, CancellationToken)| {
            cancel.cancel();
            handed_back(claim, reason.to_owned(), false)
        };
        std::mem::take(&mut state.claims).into_iter().map(hand_back).collect()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(&self, assignment: Assignment) {
        // The semaphore is never closed.
        let Ok(_permit) = self.permits.acquire().await else { return };
        let Assignment { claim, image, detectors, rules, attempts } = assignment;
        self.say(vec![FromAgent {
            message: Some(from_agent::Message::Claimed(Claimed { claim: claim.clone() })),
        }])
        .await;
        let started = Instant::now();
        let ending = match self.rules(&rules, PATIENCE).await {
            Ok(rules) => self.scan(&image, &detectors, &rules, &attempts).await,
            Err(reason) => back(reason),
        };
        // Withdrawn or handed back meanwhile: the operator wants no answer.
        if self.state().claims.remove(&claim).is_none() {
            return;
        }
        let metrics = &self.tools.metrics;
        let seconds = started.elapsed().as_secs_f64();
        match ending {
            Ending::Done { done, outcome } => {
                tracing::info!(
                    image,
                    ?outcome,
                    layers_read = done.layers_read,
                    layers_cached = done.layers_cached,
                    seconds,
                    "scanned"
                );
                metrics.scan_seconds.observe(seconds);
                metrics.scanned(outcome);
                let detectors = done.facts.iter().flat_map(|facts| &facts.detectors);
                let detectors = detectors.map(|(id, rules)| format!("{id}@{rules}")).collect();
                self.say(chunks(&claim, *done)).await;
                self.tools.node.send_modify(|node| node.scanned(&image, detectors));
            }
            Ending::Back { reason, gone } => {
                tracing::warn!(image, reason, gone, "not scanned here");
                metrics.scanned(Outcome::HandedBack);
                self.say(vec![handed_back(claim, reason, gone)]).await;
            }
        }
    }

    async fn say(&self, batch: Batch) {
        // The session ends only with the agent.
        let _ = self.said.send(batch).await;
    }

    /// The user's rules with this digest, which may still be on their way: without them nothing is scanned as if there were
    /// none. Whoever asked for what was replaced meanwhile wants something else by now.
    async fn rules(&self, digest: &str, patience: Duration) -> Result<SealedRules, String> {
        if digest.is_empty() {
            return Ok(SealedRules::default());
        }
        let mut rules = self.rules.subscribe();
        let is_decided =
            |came: &Came| came.rules.digest() == digest || came.replaced.iter().any(|old| old == digest);
        match tokio::time::timeout(patience, rules.wait_for(is_decided)).await {
            Ok(Ok(came)) if came.rules.digest() == digest => Ok(came.rules.clone()),
            Ok(_) => Err(format!("the user's rules {digest} have been replaced")),
            Err(_) => Err(format!("the user's rules {digest} have not come within {patience:?}")),
        }
    }

    /// Scans an image, and begins anew if it was deleted and came back, or if the scanner died over it.
    async fn scan(&self, image: &str, detectors: &[String], rules: &SealedRules, attempts: &Bytes) -> Ending {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let last = attempt == ATTEMPTS;
            let Some(known) = self.tools.node.borrow().get(image).cloned() else { return gone() };
            let Some(containerd) = self.runtime().await else {
                return back("the container runtime does not answer");
            };
            if let Err(lost) = self.tools.scanner.wait(PATIENCE).await {
                return back(lost);
            }
            // Another name or namespace may still have what this one lacks.
            let Some(target) = known.targets.iter().cycle().nth(attempt - 1) else { return gone() };
            let desk =
                Desk { containerd: &containerd, scanner: &self.tools.scanner, state: &self.tools.state };
            let scanned = desk.scan(&known, target, detectors, rules, attempts).await;
            let deleted = scanned.missing && is_wanting(&scanned);
            match scanned.result {
                _ if deleted && !is_there(&containerd, &known.targets).await => return gone(),
                _ if deleted && !last => {
                    tracing::info!(image, "the image was deleted and came back; begun anew")
                }
                Ok(done) => return self.facts(image, done),
                Err(Fault::Failed(reason)) => return back(reason),
                Err(Fault::Lost(lost)) if last => return self.crashed(&known, detectors, rules, &lost),
                Err(Fault::Lost(lost)) => tracing::warn!(image, attempt, %lost, "begun anew"),
            }
        }
    }

    async fn runtime(&self) -> Option<Arc<Containerd>> {
        let mut containerd = self.tools.containerd.clone();
        let connected = containerd.wait_for(Option::is_some);
        tokio::time::timeout(PATIENCE, connected).await.ok()?.ok()?.clone()
    }

    /// Checks that the scanner answered what it was asked, and signs it.
    fn facts(&self, image: &str, done: Done) -> Ending {
        if done.inventory.as_ref().is_some_and(|inventory| inventory.len() > MAX_INVENTORY) {
            return back(format!(
                "the scanner answered with an inventory of more than {MAX_INVENTORY} bytes"
            ));
        }
        if done.attempts.len() > MAX_ENCODED {
            return back(format!(
                "the scanner answered with more than {MAX_ENCODED} bytes of attempts at passwords"
            ));
        }
        let mut facts = match done.facts.map(ImageFacts::try_from) {
            Some(Ok(facts)) if facts.image.as_str() == image => facts,
            Some(Ok(facts)) => {
                return back(format!("the scanner answered for {} instead of {image}", facts.image));
            }
            Some(Err(error)) => return back(error),
            None => return back("the scanner answered without facts"),
        };
        if let Some(counters) = &done.counters {
            self.tools.metrics.add(counters);
        }
        self.tools.metrics.layers_read.inc_by(done.layers_read);
        self.tools.metrics.layers_cached.inc_by(done.layers_cached);
        facts.scanned_by.clone_from(&self.tools.node_name);
        let outcome = match Verdict::of(&facts) {
            Verdict::Clean => Outcome::Clean,
            Verdict::Findings => Outcome::Findings,
            Verdict::Incomplete => Outcome::Incomplete,
            Verdict::Error => Outcome::Error,
        };
        Ending::Done { done: Box::new(Done { facts: Some(facts.into()), ..done }), outcome }
    }

    /// What is said of an image that the scanner itself does not survive. Its children die alone; this is for the
    /// container whose memory ends.
    fn crashed(&self, known: &Known, detectors: &[String], rules: &SealedRules, lost: &Lost) -> Ending {
        let digests =
            |texts: &[String]| texts.iter().filter_map(|text| text.parse().ok()).collect::<Vec<Digest>>();
        let Ok(image) = known.image.image.parse() else { return back(lost) };
        let selected = |id: &str| detectors.iter().any(|own| own == "*" || own == id);
        let ran = DETECTORS.iter().filter(|info| selected(info.id));
        let revisions = match rules.open() {
            Ok(files) => files.revisions(),
            Err(error) => return back(error),
        };
        let facts = ImageFacts {
            image,
            manifests: digests(&known.image.manifests),
            indexes: digests(&known.image.indexes),
            platform: Platform {
                os: known.image.platform_os.clone(),
                architecture: known.image.platform_architecture.clone(),
                variant: known.image.platform_variant.clone(),
            },
            created: None,
            user: String::new(),
            layers: Vec::new(),
            detectors: ran.map(|info| (info.id.to_owned(), rules_version(info, &revisions))).collect(),
            licenses: None,
            findings: Vec::new(),
            gaps: vec![Gap::of_image(
                GapKind::Crashed,
                format!("given up after {ATTEMPTS} attempts: {lost}"),
            )],
            suppressed: vec![],
            advisories: None,
            error: None,
            judged_at: Timestamp::now(),
            scanned_by: self.tools.node_name.clone(),
            trust: Trust::Folders,
        };
        // Of such an image no packages are known, which its gap says.
        let done = Done {
            facts: Some(facts.into()),
            inventory: Some(encode(&Inventory::default()).0.into()),
            ..Done::default()
        };
        Ending::Done { done: Box::new(done), outcome: Outcome::Incomplete }
    }
}

/// Whether something was not read, so that it matters that the runtime lacked something.
fn is_wanting(scanned: &Scanned) -> bool {
    match &scanned.result {
        Ok(done) => done.facts.as_ref().is_none_or(|facts| !facts.gaps.is_empty() || facts.error.is_some()),
        Err(_) => true,
    }
}

/// Whether the runtime still has the image. One that cannot be asked is not said to lack it.
async fn is_there(containerd: &Containerd, targets: &[Target]) -> bool {
    match containerd.images().await {
        Ok(images) => by_target(images).iter().any(|listed| targets.contains(&listed.target)),
        Err(_) => true,
    }
}

fn back(reason: impl ToString) -> Ending {
    Ending::Back { reason: reason.to_string(), gone: false }
}

fn gone() -> Ending {
    Ending::Back { reason: "the node no longer has the image".to_owned(), gone: true }
}

fn handed_back(claim: String, reason: String, image_gone: bool) -> FromAgent {
    FromAgent { message: Some(from_agent::Message::HandedBack(HandedBack { claim, reason, image_gone })) }
}

/// The result in chunks: first the facts, then the inventory.
fn chunks(claim: &str, done: Done) -> Batch {
    let Done { facts, inventory, layers_read, layers_cached, attempts, .. } = done;
    let facts = Bytes::from(facts.unwrap_or_default().encode_to_vec());
    let of_facts = pieces(facts).map(|part| ScanResult { part, ..ScanResult::default() });
    let of_inventory = inventory.into_iter().flat_map(pieces);
    let of_inventory = of_inventory.map(|part| ScanResult { inventory: Some(part), ..ScanResult::default() });
    let mut results: Vec<ScanResult> = of_facts.chain(of_inventory).collect();
    for (number, result) in (0..).zip(&mut results) {
        (result.claim, result.chunk) = (claim.to_owned(), number);
    }
    if let Some(last) = results.last_mut() {
        (last.last, last.layers_read, last.layers_cached) = (true, layers_read, layers_cached);
        last.attempts = attempts;
    }
    results
        .into_iter()
        .map(|result| FromAgent { message: Some(from_agent::Message::Result(result)) })
        .collect()
}

/// Bytes in pieces that a message takes; at least one, which may be empty.
fn pieces(bytes: Bytes) -> impl Iterator<Item = Bytes> {
    let count = bytes.len().div_ceil(CHUNK).max(1);
    (0..count).map(move |piece| bytes.slice(piece * CHUNK..bytes.len().min((piece + 1) * CHUNK)))
}

#[cfg(test)]
mod tests {
    use pratique_core::{RuleFile, RuleFiles, RuleKind};
    use pratique_wire::facts_proto;

    use super::*;

    fn scans(said: mpsc::Sender<Batch>) -> Scans {
        let metrics = Arc::new(Metrics::new().unwrap());
        let tools = Tools {
            containerd: watch::channel(None).1,
            scanner: Arc::new(Scanner::new("/nowhere".into(), metrics.clone())),
            node: Arc::new(watch::channel(Node::default()).0),
            state: StatePaths::new("/nowhere"),
            node_name: "node1".into(),
            metrics,
        };
        Scans::new(tools, 1, said)
    }

    fn assignment(claim: &str) -> Assignment {
        Assignment {
            claim: claim.to_owned(),
            image: "sha256:x".to_owned(),
            detectors: vec!["*".to_owned()],
            rules: String::new(),
            attempts: Bytes::new(),
        }
    }

    fn back_of(message: &FromAgent) -> &HandedBack {
        match message.message.as_ref().unwrap() {
            from_agent::Message::HandedBack(back) => back,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn an_image_that_is_not_there_is_handed_back_as_gone() {
        let (said, mut saying) = mpsc::channel(8);
        let scans = scans(said);
        assert_eq!(scans.assign(assignment("a")), None);
        assert!(matches!(saying.recv().await.unwrap()[0].message, Some(from_agent::Message::Claimed(_))));
        let batch = saying.recv().await.unwrap();
        let back = back_of(&batch[0]);
        assert!(back.image_gone && back.claim == "a", "{back:?}");
        assert!(scans.claims().is_empty());
    }

    #[tokio::test]
    async fn without_the_rules_it_is_to_go_by_nothing_is_scanned() {
        let (said, mut saying) = mpsc::channel(8);
        let scans = scans(said);
        let file = |content: &str| {
            let file = RuleFile { kind: RuleKind::Secrets, name: "a".to_owned(), content: content.into() };
            SealedRules::seal(&RuleFiles::new(vec![file]).unwrap())
        };
        let (old, new) = (file("rules: []"), file("allow: []"));
        old.messages().for_each(|message| scans.take_rules(&message));
        assert!(scans.0.rules(new.digest(), Duration::ZERO).await.unwrap_err().contains("not come within"));
        assert_eq!(scans.0.rules(old.digest(), Duration::ZERO).await, Ok(old.clone()));
        assert_eq!(scans.0.rules("", Duration::ZERO).await, Ok(SealedRules::default()));
        // The scan begins when they have come.
        assert_eq!(scans.assign(Assignment { rules: new.digest().to_owned(), ..assignment("a") }), None);
        assert!(matches!(saying.recv().await.unwrap()[0].message, Some(from_agent::Message::Claimed(_))));
        assert!(saying.try_recv().is_err());
        new.messages().for_each(|message| scans.take_rules(&message));
        assert!(back_of(&saying.recv().await.unwrap()[0]).image_gone);
        // What waited for rules that were replaced waits no longer, unless they come back.
        let replaced = scans.0.rules(old.digest(), Duration::from_secs(60)).await;
        assert!(replaced.unwrap_err().contains("replaced"));
        old.messages().for_each(|message| scans.take_rules(&message));
        assert_eq!(scans.0.rules(old.digest(), Duration::ZERO).await, Ok(old));
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_emptied_when_the_agent_stops() {
        // Nobody takes what is said, so that nothing is finished.
        let (said, _saying) = mpsc::channel(1);
        said.try_send(Vec::new()).unwrap();
        let scans = scans(said);
        for number in 0..QUEUE {
            assert_eq!(scans.assign(assignment(&format!("{number}"))), None);
        }
        let refused = scans.assign(assignment("one more")).unwrap();
        assert!(back_of(&refused).reason.contains("wait here already"));
        scans.withdraw("0");
        assert_eq!(scans.claims().len(), QUEUE - 1);
        assert_eq!(scans.hand_back_all("the agent stops").len(), QUEUE - 1);
        assert!(scans.claims().is_empty());
        assert!(back_of(&scans.assign(assignment("late")).unwrap()).reason.contains("stops"));
    }

    #[test]
    fn long_results_travel_in_chunks_that_add_up() {
        let user = "u".repeat(CHUNK * 2 + 5);
        let facts = facts_proto::ImageFacts { user, ..facts_proto::ImageFacts::default() };
        for (inventory, count) in [(None, 3), (Some(Vec::new()), 4), (Some(vec![7; CHUNK + 1]), 5)] {
            let done = Done {
                facts: Some(facts.clone()),
                inventory: inventory.clone().map(Bytes::from),
                layers_read: 3,
                attempts: Bytes::from_static(b"attempts"),
                ..Done::default()
            };
            let batch = chunks("c", done);
            assert_eq!(batch.len(), count);
            let (mut whole, mut packages) = (Vec::new(), None);
            for (place, message) in batch.into_iter().enumerate() {
                let Some(from_agent::Message::Result(result)) = message.message else { panic!("no result") };
                assert_eq!((result.chunk as usize, result.last), (place, place + 1 == count));
                let (read, attempts) = if result.last { (3, &b"attempts"[..]) } else { (0, &b""[..]) };
                assert_eq!((result.layers_read, result.attempts.as_ref()), (read, attempts));
                whole.extend(result.part);
                if let Some(part) = result.inventory {
                    packages.get_or_insert_with(Vec::new).extend(part);
                }
            }
            assert_eq!(facts_proto::ImageFacts::decode(whole.as_slice()).unwrap(), facts);
            assert_eq!(packages, inventory);
        }
    }
}
