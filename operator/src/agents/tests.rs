//! Sessions over a real gRPC connection, with an authenticator that believes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pratique_core::attempts::{Attempt, AttemptKey, Attempts};
use pratique_core::package::PackageCounts;
use pratique_core::{Digest, ImageFacts, RuleFile, RuleFiles, RuleKind};
use pratique_wire::agents::agents_client::AgentsClient;
use pratique_wire::agents::*;
use pratique_wire::attempts;
use pratique_wire::facts_proto;
use pratique_wire::inventory::encode;
use pratique_wire::rules::{RulesAssembly, SealedRules};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};

use super::*;
use crate::index::SharedIndex;
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::store::ReportStore;
use crate::testing::{Believer, digest, facts, grpc, inventory, until};
use crate::vulnerabilities::Vulnerabilities;

struct Operator {
    index: SharedIndex,
    hub: Arc<Hub>,
    leadership: watch::Sender<Leadership>,
    settings: watch::Sender<ScanSettings>,
    store: ReportStore,
    channel: Channel,
    _folder: tempfile::TempDir,
    _running: tokio_util::sync::DropGuard,
}

impl Operator {
    async fn start() -> Self {
        let index = SharedIndex::default();
        let wanted = Wanted { detectors: [("weak-password".to_owned(), 1)].into(), ..Wanted::default() };
        let settings =
            watch::Sender::new(ScanSettings { wanted, rules: rules(RuleKind::Dictionary, "berth") });
        let leadership = watch::Sender::new(Leadership::Leading { epoch: 1 });
        let metrics = Metrics::new(prometheus::Registry::new()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = ReportStore::open(folder.path()).unwrap();
        let hub = Hub::new(
            index.clone(),
            store.clone(),
            Some(Vulnerabilities::new(index.clone(), store.clone())),
            settings.subscribe(),
            leadership.subscribe(),
            Limits::default(),
            metrics,
        );
        let shutdown = CancellationToken::new();
        hub.hand_out();
        tokio::spawn(hub.clone().run(shutdown.clone()));
        let account = AgentAccount { namespace: "pratique".into(), name: "pratique-agent".into() };
        let service = AgentsService::new(hub.clone(), Arc::new(Believer), account).into_server();
        let channel = grpc(tonic::service::Routes::new(service)).await;
        let _running = shutdown.drop_guard();
        Self { index, hub, leadership, settings, store, channel, _folder: folder, _running }
    }

    async fn connect(&self, token: &str) -> Result<Agent, Status> {
        let (say, messages) = mpsc::channel(16);
        let mut request = Request::new(ReceiverStream::new(messages));
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let heard = AgentsClient::new(self.channel.clone()).session(request).await?.into_inner();
        Ok(Agent { say, heard })
    }

    /// An agent that has said hello and was told the rules.
    async fn agent(&self, node: &str) -> Agent {
        let mut agent = self.connect(&format!("pratique-agent/{node}")).await.unwrap();
        agent
            .say(from_agent::Message::Hello(Hello { protocol: 1, rule_set: "1".into(), ..Hello::default() }))
            .await;
        let to_agent::Message::Rules(_) = agent.hear().await else { panic!("no rules") };
        agent
    }
}

struct Agent {
    say: mpsc::Sender<FromAgent>,
    heard: Streaming<ToAgent>,
}

impl Agent {
    async fn say(&self, message: from_agent::Message) {
        self.say.send(FromAgent { message: Some(message) }).await.unwrap();
    }

    async fn next(&mut self) -> Result<Option<ToAgent>, Status> {
        tokio::time::timeout(Duration::from_secs(10), self.heard.message())
            .await
            .expect("the operator says nothing")
    }

    async fn hear(&mut self) -> to_agent::Message {
        self.next().await.unwrap().expect("the operator ended the stream").message.unwrap()
    }

    async fn assignment(&mut self) -> Assignment {
        match self.hear().await {
            to_agent::Message::Assignment(assignment) => assignment,
            other => panic!("no assignment: {other:?}"),
        }
    }

    /// Reports images by roster, sends what the operator lacks, and returns that.
    async fn report(&mut self, images: &[NodeImage]) -> Vec<String> {
        let entries = images.iter().map(|image| RosterEntry {
            image: image.image.clone(),
            hash: Bytes::copy_from_slice(&Sha256::digest(image.encode_to_vec())),
        });
        self.say(from_agent::Message::Roster(Roster { entries: entries.collect() })).await;
        let to_agent::Message::Lacking(lacking) = self.hear().await else {
            panic!("no answer to the roster")
        };
        let images = images.iter().filter(|image| lacking.images.contains(&image.image)).cloned().collect();
        self.say(from_agent::Message::Images(Images { images })).await;
        lacking.images
    }

    /// Sends facts in chunks of `size`.
    async fn result(&self, claim: &str, facts: ImageFacts, size: usize) {
        let bytes = facts_proto::ImageFacts::from(facts).encode_to_vec();
        let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
        for (number, part) in (0..).zip(&chunks) {
            let result = ScanResult {
                claim: claim.into(),
                chunk: number,
                last: usize::try_from(number).unwrap() + 1 == chunks.len(),
                part: Bytes::copy_from_slice(part),
                ..ScanResult::default()
            };
            self.say(from_agent::Message::Result(result)).await;
        }
    }
}

impl Agent {
    /// Sends facts, and an inventory in two chunks.
    async fn listed(&self, claim: &str, facts: ImageFacts, inventory: &[u8]) {
        let bytes = facts_proto::ImageFacts::from(facts).encode_to_vec();
        let (first, second) = inventory.split_at(inventory.len() / 2);
        let part = |bytes: &[u8]| Some(Bytes::copy_from_slice(bytes));
        for result in [
            ScanResult { part: bytes.into(), ..ScanResult::default() },
            ScanResult { chunk: 1, inventory: part(first), ..ScanResult::default() },
            ScanResult { chunk: 2, inventory: part(second), last: true, ..ScanResult::default() },
        ] {
            self.say(from_agent::Message::Result(ScanResult { claim: claim.into(), ..result })).await;
        }
    }
}

/// A user's file of rules.
fn rules(kind: RuleKind, content: &str) -> SealedRules {
    let file = RuleFile { kind, name: "values/own".into(), content: content.into() };
    SealedRules::seal(&RuleFiles::new(vec![file]).unwrap())
}

fn image(byte: u8) -> NodeImage {
    NodeImage {
        image: digest(byte).to_string(),
        manifests: vec![digest(100 + byte).to_string()],
        references: vec![format!("docker.io/shop/web:{byte}")],
        platform_os: "linux".into(),
        platform_architecture: "amd64".into(),
        ..NodeImage::default()
    }
}

fn known(operator: &Operator, byte: u8) -> Option<Arc<ImageFacts>> {
    operator.index.read().facts().get(&digest(byte)).cloned()
}

#[tokio::test]
async fn a_node_reports_scans_and_answers_in_chunks() {
    let operator = Operator::start().await;
    let mut agent = operator.agent("n1").await;
    assert_eq!(agent.report(&[image(1)]).await, [digest(1).to_string()]);
    let assignment = agent.assignment().await;
    assert_eq!(assignment.image, digest(1).to_string());
    assert_eq!(assignment.detectors, ["weak-password"]);
    // Who scanned it is the operator's word, not the agent's.
    let boasting = ImageFacts { scanned_by: "another".into(), ..facts(1, "amd64", false) };
    agent.result(&assignment.claim, boasting, 50).await;
    until("the facts arrive", || known(&operator, 1).is_some()).await;
    let facts = known(&operator, 1).unwrap();
    assert_eq!(facts.scanned_by, "n1");
    assert!(facts.judged_at.as_second() > 1_000, "and when, too");
    assert!(operator.hub.synced_nodes().contains("n1"));
    let index = operator.index.read();
    assert_eq!(index.nodes().get("n1").unwrap().by_reference("docker.io/shop/web:1"), Some(&digest(1)));
}

#[tokio::test]
async fn only_what_changed_is_asked_for_again() {
    let operator = Operator::start().await;
    let mut agent = operator.agent("n1").await;
    agent.report(&[image(1), image(2)]).await;
    until("both are known", || operator.index.read().nodes().images().len() == 2).await;
    // A new stream of the same node, with one image changed and one gone.
    let mut agent = operator.agent("n1").await;
    let changed = NodeImage { references: vec!["docker.io/shop/web:new".into()], ..image(1) };
    assert_eq!(agent.report(&[changed]).await, [digest(1).to_string()]);
    until("the other is gone", || operator.index.read().nodes().images().len() == 1).await;
}

#[tokio::test]
async fn a_new_stream_of_a_node_ends_the_old_one() {
    let operator = Operator::start().await;
    let mut old = operator.agent("n1").await;
    let mut new = operator.agent("n1").await;
    assert_eq!(old.next().await.unwrap_err().code(), Code::Aborted);
    new.report(&[image(1)]).await;
    new.assignment().await;
}

#[tokio::test]
async fn facts_about_another_image_are_thrown_away() {
    let operator = Operator::start().await;
    let mut agent = operator.agent("n1").await;
    agent.report(&[image(1), image(2)]).await;
    let first = agent.assignment().await;
    let other = if first.image == digest(1).to_string() { 2 } else { 1 };
    agent.result(&first.claim, facts(other, "amd64", false), 1 << 20).await;
    // The other image's own result, said afterwards, arrives: so the wrong one was seen and refused.
    let second = agent.assignment().await;
    assert_eq!(second.image, digest(other).to_string());
    agent.result(&second.claim, facts(other, "amd64", false), 1 << 20).await;
    until("the right one arrives", || known(&operator, other).is_some()).await;
    assert!(known(&operator, 3 - other).is_none());
}

#[tokio::test]
async fn an_inventory_is_stored_before_its_image_counts_as_listed() {
    let operator = Operator::start().await;
    operator.settings.send_modify(|settings| settings.wanted.inventory = true);
    let mut agent = operator.connect("pratique-agent/n1").await.unwrap();
    agent.say(from_agent::Message::Hello(Hello { protocol: 1, ..Hello::default() })).await;
    agent.hear().await;
    // What was known was said by an agent of before inventories.
    operator.index.write().apply_facts(facts(1, "amd64", false).into());
    agent.report(&[image(1)]).await;
    let assignment = agent.assignment().await;
    agent.listed(&assignment.claim, facts(1, "amd64", false), &encode(&inventory("zlib1g")).0).await;
    until("it counts as listed", || operator.index.read().has_inventory(&digest(1))).await;
    assert_eq!(operator.index.read().packages(&digest(1)), Some(&PackageCounts::of(&inventory("zlib1g"))));
    assert_eq!(operator.store.inventory(&digest(1)).await.unwrap(), Some(inventory("zlib1g")));

    let gaps = known(&operator, 1).unwrap().gaps.clone();
    assert!(gaps[0].reason.contains("vulnerabilities were not covered"), "there are no advisories: {gaps:?}");

    // One that was lost is asked for again, and one that is none is not taken for one.
    operator.index.write().lost_inventory(&digest(1));
    let assignment = agent.assignment().await;
    agent.listed(&assignment.claim, facts(1, "amd64", false), b"nonsense").await;
    agent.say(from_agent::Message::Gone(Gone { images: vec![digest(1).to_string()] })).await;
    until("the agent was heard", || operator.index.read().nodes().images().len() == 0).await;
    assert!(!operator.index.read().has_inventory(&digest(1)));
}

#[tokio::test]
async fn an_agent_that_lists_no_packages_is_asked_once() {
    let operator = Operator::start().await;
    operator.settings.send_modify(|settings| settings.wanted.inventory = true);
    let mut agent = operator.connect("pratique-agent/n1").await.unwrap();
    agent.say(from_agent::Message::Hello(Hello { protocol: 1, ..Hello::default() })).await;
    agent.hear().await;
    agent.report(&[image(1)]).await;
    let assignment = agent.assignment().await;
    agent.result(&assignment.claim, facts(1, "amd64", false), 1 << 20).await;
    until("its facts are taken", || known(&operator, 1).is_some()).await;
    assert_eq!(operator.index.read().packages(&digest(1)), None);
    // The next assignment is the next image's, not this one's again.
    agent.say(from_agent::Message::Images(Images { images: vec![image(2)] })).await;
    assert_eq!(agent.assignment().await.image, digest(2).to_string());
}

#[tokio::test]
async fn a_claim_of_another_node_cannot_be_answered() {
    let operator = Operator::start().await;
    let mut agent = operator.agent("n1").await;
    let mut thief = operator.agent("n2").await;
    agent.report(&[image(1)]).await;
    let assignment = agent.assignment().await;
    let forged = ImageFacts { user: "forged".into(), ..facts(1, "amd64", false) };
    thief.result(&assignment.claim, forged, 1 << 20).await;
    thief.report(&[]).await;
    assert!(known(&operator, 1).is_none());
    agent.result(&assignment.claim, facts(1, "amd64", false), 1 << 20).await;
    until("the owner's facts arrive", || known(&operator, 1).is_some_and(|facts| facts.user == "app")).await;
}

#[tokio::test]
async fn an_error_never_replaces_facts() {
    let operator = Operator::start().await;
    let mut agent = operator.agent("n1").await;
    let mut older = facts(1, "amd64", false);
    older.detectors.insert("weak-password".into(), "0".into());
    operator.index.write().apply_facts(older.into());
    agent.report(&[image(1), image(2)]).await;
    for _ in 0..2 {
        let assignment = agent.assignment().await;
        let image: Digest = assignment.image.parse().unwrap();
        let byte = if image == digest(1) { 1 } else { 2 };
        let failed = ImageFacts { error: Some("the disk is gone".into()), ..facts(byte, "amd64", false) };
        agent.result(&assignment.claim, failed, 1 << 20).await;
    }
    until("the error of the other is known", || {
        known(&operator, 2).is_some_and(|facts| facts.error.is_some())
    })
    .await;
    assert!(known(&operator, 1).unwrap().error.is_none());
}

#[tokio::test]
async fn what_one_node_hands_back_another_scans() {
    let operator = Operator::start().await;
    let (mut one, mut two) = (operator.agent("n1").await, operator.agent("n2").await);
    one.report(&[image(1)]).await;
    let assignment = one.assignment().await;
    two.report(&[image(1)]).await;
    let back = HandedBack { claim: assignment.claim, reason: "stopping".into(), image_gone: true };
    one.say(from_agent::Message::HandedBack(back)).await;
    assert_eq!(two.assignment().await.image, digest(1).to_string());
    assert_eq!(operator.index.read().nodes().holders(&digest(1)).collect::<Vec<_>>(), ["n2"]);
}

#[tokio::test]
async fn new_rules_reach_the_agents() {
    let operator = Operator::start().await;
    let mut agent = operator.agent("n1").await;
    for rules in [rules(RuleKind::Dictionary, "quay"), rules(RuleKind::Hashes, &"#".repeat(2 << 20))] {
        operator.settings.send_modify(|settings| settings.rules = rules.clone());
        let mut assembly = RulesAssembly::default();
        let came = loop {
            let to_agent::Message::Rules(message) = agent.hear().await else { panic!("no rules") };
            if let Some(rules) = assembly.push(&message).unwrap() {
                break rules;
            }
        };
        assert_eq!(came, rules);
        // They are not sent again when something else changes, and scans name them.
        operator.settings.send_modify(|settings| settings.wanted.inventory = !settings.wanted.inventory);
    }
    let digest = operator.settings.borrow().rules.digest().to_owned();
    agent.report(&[image(1)]).await;
    assert_eq!(agent.assignment().await.rules, digest);
}

#[tokio::test]
async fn what_one_agent_tried_the_next_is_told_and_a_restart_does_not_forget() {
    let operator = Operator::start().await;
    let mut one = operator.agent("n1").await;
    one.report(&[image(1)]).await;
    let assignment = one.assignment().await;
    assert_eq!(attempts::decode(&assignment.attempts), Ok(Attempts::new()));
    let tried: Attempts = [(AttemptKey([7; 16]), Attempt { tried: 9, hit: true })].into();
    let result = ScanResult {
        claim: assignment.claim,
        last: true,
        part: facts_proto::ImageFacts::from(facts(1, "amd64", false)).encode_to_vec().into(),
        attempts: attempts::encode(&tried).into(),
        ..ScanResult::default()
    };
    one.say(from_agent::Message::Result(result)).await;
    until("the facts arrive", || known(&operator, 1).is_some()).await;
    let mut two = operator.agent("n2").await;
    two.report(&[image(2)]).await;
    let assignment = two.assignment().await;
    assert_eq!(attempts::decode(&assignment.attempts), Ok(tried.clone()));

    // Nonsense makes a result invalid: it is asked for again, and nothing is learned.
    let nonsense = ScanResult {
        claim: assignment.claim,
        last: true,
        part: facts_proto::ImageFacts::from(facts(2, "amd64", false)).encode_to_vec().into(),
        attempts: Bytes::from_static(b"nonsense"),
        ..ScanResult::default()
    };
    two.say(from_agent::Message::Result(nonsense)).await;
    two.say(from_agent::Message::Images(Images { images: vec![image(3)] })).await;
    assert_eq!(attempts::decode(&two.assignment().await.attempts), Ok(tried.clone()));
    assert!(known(&operator, 2).is_none());

    let again = Operator::start().await;
    again.hub.recall(operator.store.load().await.unwrap().attempts);
    let mut agent = again.agent("n1").await;
    agent.report(&[image(1)]).await;
    assert_eq!(attempts::decode(&agent.assignment().await.attempts), Ok(tried));
}

#[tokio::test]
async fn who_does_not_lead_says_who_does() {
    let operator = Operator::start().await;
    let mut agent = operator.agent("n1").await;
    operator.leadership.send_replace(Leadership::Following { leader: "10.0.0.2:9444".into() });
    let ended = agent.next().await.unwrap_err();
    assert_eq!(ended.code(), Code::FailedPrecondition);
    assert_eq!(ended.metadata().get("pratique-leader").unwrap(), "10.0.0.2:9444");
    let refused = operator.connect("pratique-agent/n1").await.err().unwrap();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.metadata().get("pratique-leader").unwrap(), "10.0.0.2:9444");
    operator.leadership.send_replace(Leadership::Unknown);
    assert_eq!(operator.connect("pratique-agent/n1").await.err().unwrap().code(), Code::Unavailable);
}

#[tokio::test]
async fn only_agents_are_let_in() {
    let operator = Operator::start().await;
    for token in ["nonsense", "default/n1", "pratique-operator/n1", "pratique-agent/"] {
        let refused = operator.connect(token).await.err().unwrap_or_else(|| panic!("{token} was let in"));
        assert_eq!(refused.code(), Code::Unauthenticated, "{token}");
    }
}

#[tokio::test]
async fn the_first_word_is_a_hello_in_a_known_protocol() {
    let operator = Operator::start().await;
    let mut rude = operator.connect("pratique-agent/n1").await.unwrap();
    rude.say(from_agent::Message::Pulse(Pulse::default())).await;
    assert_eq!(rude.next().await.unwrap_err().code(), Code::InvalidArgument);
    let mut newer = operator.connect("pratique-agent/n1").await.unwrap();
    newer.say(from_agent::Message::Hello(Hello { protocol: 99, ..Hello::default() })).await;
    let refused = newer.next().await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("same release"), "{refused}");
}
