//! An operator that takes every token it gave, asks for everything, and assigns what the test says.

use std::fs;
use std::pin::Pin;
use std::sync::Arc;

use pratique_core::attempts::Attempts;
use pratique_core::package::Inventory;
use pratique_core::{ImageFacts, RuleFile, RuleFiles, RuleKind};
use pratique_wire::agents::agents_server::{Agents, AgentsServer};
use pratique_wire::agents::{Assignment, FromAgent, Lacking, ToAgent, from_agent, to_agent};
use pratique_wire::attempts;
use pratique_wire::facts_proto;
use pratique_wire::rules::SealedRules;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use super::daemon::{Node, PATIENCE};

const TOKEN: &str = "token-of-the-test";

/// The way to the agent, once it came.
type ToTheAgent = Arc<Mutex<Option<mpsc::Sender<Result<ToAgent, Status>>>>>;

/// What the agent said, and the way to it.
pub(crate) struct Operator {
    pub(crate) address: String,
    heard: mpsc::Receiver<FromAgent>,
    agent: ToTheAgent,
    /// Digest of the user's rules that scans go by.
    rules: String,
    /// What the agent told of guesses at passwords, and is told with each assignment.
    attempts: Attempts,
    /// How many of these came with the last result.
    pub(crate) told: usize,
}

struct Service {
    heard: mpsc::Sender<FromAgent>,
    agent: ToTheAgent,
}

#[tonic::async_trait]
impl Agents for Service {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<ToAgent, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<FromAgent>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let bearer = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        if bearer != Some(&format!("Bearer {TOKEN}")) {
            return Err(Status::unauthenticated("another token"));
        }
        let (sender, receiver) = mpsc::channel(64);
        *self.agent.lock().await = Some(sender.clone());
        let (heard, mut incoming) = (self.heard.clone(), request.into_inner());
        tokio::spawn(async move {
            while let Ok(Some(message)) = incoming.message().await {
                if let Some(from_agent::Message::Roster(roster)) = &message.message {
                    let images = roster.entries.iter().map(|entry| entry.image.clone()).collect();
                    let lacking = to_agent::Message::Lacking(Lacking { images });
                    let _ = sender.send(Ok(ToAgent { message: Some(lacking) })).await;
                }
                let _ = heard.send(message).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

impl Operator {
    /// Starts one whose certificate the node trusts.
    pub(crate) async fn start(node: &Node) -> Self {
        // Both rustls providers may be compiled in; the agent's program has no such choice to make.
        let certified =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let pem = certified.cert.pem();
        fs::write(node.at("ca.crt"), &pem).expect("a certificate file");
        fs::write(node.at("token"), TOKEN).expect("a token");
        let identity = Identity::from_pem(pem, certified.signing_key.serialize_pem());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("localhost:{}", listener.local_addr().expect("an address").port());
        let (sender, heard) = mpsc::channel(256);
        let agent = Arc::new(Mutex::new(None));
        let service = Service { heard: sender, agent: agent.clone() };
        let server = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))
            .expect("TLS")
            .add_service(AgentsServer::new(service));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, heard, agent, rules: String::new(), attempts: Attempts::new(), told: 0 }
    }

    /// Waits until the agent says something that `wanted` makes something of.
    pub(crate) async fn hear<T>(
        &mut self,
        node: &Node,
        mut wanted: impl FnMut(from_agent::Message) -> Option<T>,
    ) -> T {
        let found = async {
            while let Some(message) = self.heard.recv().await {
                if let Some(found) = message.message.and_then(&mut wanted) {
                    return Some(found);
                }
            }
            None
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(Some(found)) => found,
            _ => panic!("the agent did not say it:\n{}", node.logs()),
        }
    }

    /// Waits until the agent tells of an image.
    pub(crate) async fn hear_of(&mut self, node: &Node, image: &str) -> pratique_wire::agents::NodeImage {
        self.hear(node, |message| match message {
            from_agent::Message::Images(images) => images.images.into_iter().find(|own| own.image == image),
            _ => None,
        })
        .await
    }

    /// Has an image scanned; its facts, layers read and layers taken from the cache.
    pub(crate) async fn scan(&mut self, node: &Node, claim: &str, image: &str) -> (ImageFacts, u64, u64) {
        let (facts, _, read, cached) = self.list(node, claim, image).await;
        (facts, read, cached)
    }

    /// The same with what the image is made of.
    pub(crate) async fn list(
        &mut self,
        node: &Node,
        claim: &str,
        image: &str,
    ) -> (ImageFacts, Inventory, u64, u64) {
        self.assign(claim, image).await;
        let (mut bytes, mut packages, mut told) = (Vec::new(), None, Attempts::new());
        let (read, cached) = self
            .hear(node, |message| match message {
                from_agent::Message::Result(result) if result.claim == claim => {
                    bytes.extend_from_slice(&result.part);
                    if let Some(part) = &result.inventory {
                        packages.get_or_insert_with(Vec::new).extend_from_slice(part);
                    }
                    told.extend(attempts::decode(&result.attempts).expect("attempts"));
                    result.last.then_some((result.layers_read, result.layers_cached))
                }
                from_agent::Message::HandedBack(back) => panic!("handed back: {back:?}"),
                _ => None,
            })
            .await;
        self.told = told.len();
        self.attempts.extend(told);
        let facts = facts_proto::ImageFacts::decode(bytes.as_slice()).expect("facts");
        let inventory = pratique_wire::inventory::decode(&packages.expect("an inventory"));
        (facts.try_into().expect("facts"), inventory.expect("an inventory"), read, cached)
    }

    /// Gives the agent an image to scan.
    pub(crate) async fn assign(&self, claim: &str, image: &str) {
        self.say(to_agent::Message::Assignment(Assignment {
            claim: claim.to_owned(),
            image: image.to_owned(),
            detectors: vec!["*".to_owned()],
            rules: self.rules.clone(),
            attempts: attempts::encode(&self.attempts).into(),
        }))
        .await;
    }

    /// From now on scans go by these files of a user's.
    pub(crate) async fn give(&mut self, files: &[(RuleKind, &str)]) {
        let file = |(kind, content): &(RuleKind, &str)| RuleFile {
            kind: *kind,
            name: "values/own".to_owned(),
            content: content.as_bytes().into(),
        };
        let rules = SealedRules::seal(&RuleFiles::new(files.iter().map(file).collect()).expect("files"));
        for message in rules.messages() {
            self.say(to_agent::Message::Rules(message)).await;
        }
        self.rules = rules.digest().to_owned();
    }

    async fn say(&self, message: to_agent::Message) {
        let agent = self.agent.lock().await;
        let sent = agent.as_ref().expect("an agent").send(Ok(ToAgent { message: Some(message) }));
        sent.await.expect("a stream");
    }
}
