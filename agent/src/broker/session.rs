//! The stream to the operator's leader: tells what the node has, takes assignments, sends results.

use std::sync::Arc;
use std::time::Duration;

use pratique_wire::agents::agents_client::AgentsClient;
use pratique_wire::agents::{FromAgent, Hello, Pulse, ToAgent, from_agent, to_agent};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};

use super::credentials::Credentials;
use super::node::Node;
use super::roster::Told;
use super::scans::{Batch, Scans};
use crate::backoff::{Backoff, jittered};
use crate::metrics::Metrics;

/// How often the agent says that it lives and what it works on.
const PULSE: Duration = Duration::from_secs(10);
/// How long a stream is used. The operator reviews the token every ten minutes: a new stream brings a new one before.
const RENEWAL: Duration = Duration::from_secs(540);
/// How long a connection and an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the operator may take to read the last messages of an agent that stops.
const FAREWELL: Duration = Duration::from_secs(3);
/// Redirects that are followed in a row before waiting: replicas that point at each other.
const MAX_REDIRECTS: u32 = 3;
/// Metadata entry with the leader's address.
const LEADER: &str = "pratique-leader";

/// What a session needs beside what it talks about.
pub struct SessionConfig {
    /// `host:port` of the Service.
    pub operator: String,
    /// Name in the operator's certificate.
    pub name: String,
    /// Token and certificates.
    pub credentials: Credentials,
    /// Time between rosters.
    pub resync: Duration,
    /// Version of all detectors' rules.
    pub rule_set: String,
}

/// One node's side of the conversation.
pub struct Session {
    config: SessionConfig,
    node: watch::Receiver<Node>,
    scans: Scans,
    /// What the scans want said.
    outgoing: mpsc::Receiver<Batch>,
    /// What of it did not go out on a stream that broke.
    unsaid: Option<Batch>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
}

/// Why a stream ended.
enum End {
    /// Time for a new token.
    Renew,
    /// The agent stops.
    Stop,
    /// Another replica leads, at this address.
    Leader(String),
    /// Anything else.
    Failed(String),
}

impl Session {
    /// Prepares a session; `outgoing` are the messages that `scans` makes.
    pub fn new(
        config: SessionConfig,
        node: watch::Receiver<Node>,
        scans: Scans,
        outgoing: mpsc::Receiver<Batch>,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
    ) -> Self {
        Self { config, node, scans, outgoing, unsaid: None, metrics, stop }
    }

    /// Keeps a stream to the leader until the agent is stopped; then hands back what is not finished.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        let mut address = self.config.operator.clone();
        let mut redirects = 0;
        loop {
            let end = match self.connect(&address).await {
                Ok((sender, incoming)) => {
                    tracing::info!(%address, "connected to the operator");
                    backoff.reset();
                    redirects = 0;
                    self.metrics.session.set(1);
                    let end = self.converse(sender, incoming).await;
                    self.metrics.session.set(0);
                    end
                }
                Err(end) => end,
            };
            let wait = match end {
                End::Renew => continue,
                End::Stop => return,
                End::Leader(leader) => {
                    redirects += 1;
                    address = leader;
                    if redirects <= MAX_REDIRECTS { Duration::ZERO } else { backoff.pause() }
                }
                End::Failed(reason) => {
                    let wait = backoff.pause();
                    tracing::warn!(%address, reason, ?wait, "no session with the operator; trying again");
                    address.clone_from(&self.config.operator);
                    wait
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    async fn connect(&self, address: &str) -> Result<(mpsc::Sender<FromAgent>, Streaming<ToAgent>), End> {
        let attempt = async {
            let failed = |error: &dyn std::error::Error| End::Failed(with_causes(error));
            let tls = self.config.credentials.tls(&self.config.name).map_err(|error| failed(&error))?;
            let channel: Channel = Endpoint::from_shared(format!("https://{address}"))
                .and_then(|endpoint| endpoint.tls_config(tls))
                .map_err(|error| failed(&error))?
                .connect_timeout(PATIENCE)
                .http2_keep_alive_interval(PULSE)
                .keep_alive_timeout(PATIENCE)
                .connect()
                .await
                .map_err(|error| failed(&error))?;
            let (sender, messages) = mpsc::channel(64);
            let hello = from_agent::Message::Hello(Hello {
                protocol: pratique_wire::PROTOCOL,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                platform_os: std::env::consts::OS.to_owned(),
                platform_architecture: super::node::architecture().to_owned(),
                rule_set: self.config.rule_set.clone(),
            });
            // A channel of 64 that was just made has room.
            let _ = sender.try_send(FromAgent { message: Some(hello) });
            let mut request = Request::new(ReceiverStream::new(messages));
            let authorization = self.config.credentials.authorization().map_err(|error| failed(&error))?;
            request.metadata_mut().insert("authorization", authorization);
            let mut client = AgentsClient::new(channel)
                .max_decoding_message_size(pratique_wire::MAX_MESSAGE)
                .max_encoding_message_size(pratique_wire::MAX_MESSAGE);
            let incoming = client.session(request).await.map_err(end_of)?.into_inner();
            Ok((sender, incoming))
        };
        tokio::select! {
            result = tokio::time::timeout(PATIENCE * 2, attempt) => {
                result.unwrap_or_else(|_| Err(End::Failed(format!("no answer within {:?}", PATIENCE * 2))))
            }
            () = self.stop.cancelled() => Err(End::Stop),
        }
    }

    /// Talks until the stream ends.
    async fn converse(&mut self, sender: mpsc::Sender<FromAgent>, mut incoming: Streaming<ToAgent>) -> End {
        let mut told = None;
        let mut pulse = tokio::time::interval(PULSE);
        let mut roster_due = Instant::now();
        let renewal = Instant::now() + jittered(RENEWAL);
        loop {
            if let Some(batch) = self.unsaid.take()
                && let Err(batch) = say_all(&sender, batch).await
            {
                self.unsaid = Some(batch);
                return last_words(&mut incoming).await;
            }
            let mut messages = Vec::new();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                message = incoming.message() => match message {
                    Ok(Some(message)) => messages = self.hear(message, told.as_ref()).await,
                    Ok(None) => return End::Failed("the operator closed the stream".to_owned()),
                    Err(status) => return end_of(status),
                },
                () = tokio::time::sleep_until(renewal) => return End::Renew,
                _ = pulse.tick() => {
                    messages.push(wrap(from_agent::Message::Pulse(Pulse { claims: self.scans.claims() })));
                }
                // Nothing is said of a node before it was listed: images it has would look gone.
                () = tokio::time::sleep_until(roster_due), if self.node.borrow().is_listed() => {
                    let new = told.insert(Told::default());
                    messages.push(new.roster(&self.node.borrow_and_update().images()));
                    roster_due = Instant::now() + jittered(self.config.resync);
                }
                Ok(()) = self.node.changed() => {
                    if let Some(told) = told.as_mut() {
                        messages = told.changes(&self.node.borrow_and_update().images());
                    }
                }
                Some(batch) = self.outgoing.recv() => self.unsaid = Some(batch),
            }
            if say_all(&sender, messages).await.is_err() {
                return last_words(&mut incoming).await;
            }
        }
        self.farewell(sender, incoming).await;
        End::Stop
    }

    /// Takes a message and answers it.
    async fn hear(&self, message: ToAgent, told: Option<&Told>) -> Vec<FromAgent> {
        match message.message {
            Some(to_agent::Message::Lacking(lacking)) => told
                .map(|told| told.answer(&lacking.images, &self.node.borrow().images()))
                .unwrap_or_default(),
            Some(to_agent::Message::Rules(rules)) => {
                self.scans.take_rules(&rules);
                Vec::new()
            }
            Some(to_agent::Message::Assignment(assignment)) => {
                self.scans.assign(assignment).into_iter().collect()
            }
            Some(to_agent::Message::Withdrawn(withdrawn)) => {
                self.scans.withdraw(&withdrawn.claim);
                Vec::new()
            }
            // Another release's message.
            None => Vec::new(),
        }
    }

    /// Hands back what is not finished, and waits until the operator has read it.
    async fn farewell(&mut self, sender: mpsc::Sender<FromAgent>, mut incoming: Streaming<ToAgent>) {
        let unfinished = self.scans.hand_back_all("the agent stops");
        let said = async {
            let mut finished = self.unsaid.take().unwrap_or_default();
            while let Ok(batch) = self.outgoing.try_recv() {
                finished.extend(batch);
            }
            finished.extend(unfinished);
            // An operator that is gone notices so by itself.
            let _ = say_all(&sender, finished).await;
            drop(sender);
            while let Ok(Some(_)) = incoming.message().await {}
        };
        if tokio::time::timeout(FAREWELL, said).await.is_err() {
            tracing::warn!(
                "the operator did not take the last messages in time; it gives the work to another node"
            );
        }
    }
}

/// Sends a batch; gives it back whole if the stream is closed.
async fn say_all(sender: &mpsc::Sender<FromAgent>, batch: Batch) -> Result<(), Batch> {
    for message in &batch {
        if sender.send(message.clone()).await.is_err() {
            return Err(batch);
        }
    }
    Ok(())
}

/// Why the operator reads no more.
async fn last_words(incoming: &mut Streaming<ToAgent>) -> End {
    match incoming.message().await {
        Err(status) => end_of(status),
        Ok(_) => End::Failed("the operator reads no more".to_owned()),
    }
}

fn wrap(message: from_agent::Message) -> FromAgent {
    FromAgent { message: Some(message) }
}

fn end_of(status: Status) -> End {
    let leader = status.metadata().get(LEADER).and_then(|value| value.to_str().ok());
    match leader {
        Some(leader) if status.code() == Code::FailedPrecondition => End::Leader(leader.to_owned()),
        _ => End::Failed(format!("{}: {}", status.code(), status.message())),
    }
}

/// An error with what caused it: the transport's own says only that it is one.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
