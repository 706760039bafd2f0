//! The gRPC service `Agents`: lets agents in, and runs one session per node.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use pratique_wire::PROTOCOL;
use pratique_wire::agents::{FromAgent, Hello, Lacking, ToAgent, agents_server, from_agent, to_agent};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};
use tracing::warn;

use super::hub::{Hub, Place, ScanSettings, ToAgentSender};
use super::messages;
use crate::auth::{AuthError, Authenticator, bearer};
use crate::lease::Leadership;

/// Messages queued for one agent before it counts as stuck.
const QUEUE: usize = 256;

/// How long an agent may take for its hello, and to take a message in.
const PATIENCE: Duration = Duration::from_secs(10);

/// An agent pulses every ten seconds; after this long without a word its stream is ended.
const SILENCE: Duration = Duration::from_secs(60);

/// How often a token is checked again.
const REVIEW: Duration = Duration::from_secs(600);

/// Which service account agents run as.
#[derive(Debug, Clone)]
pub struct AgentAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct AgentsService {
    hub: Arc<Hub>,
    authenticator: Arc<dyn Authenticator>,
    account: AgentAccount,
}

impl AgentsService {
    /// A service that lets in agents of this service account.
    pub fn new(hub: Arc<Hub>, authenticator: Arc<dyn Authenticator>, account: AgentAccount) -> Self {
        Self { hub, authenticator, account }
    }

    /// The service for a tonic server, with the protocol's bound on messages.
    pub fn into_server(self) -> agents_server::AgentsServer<Self> {
        agents_server::AgentsServer::new(self)
            .max_decoding_message_size(pratique_wire::MAX_MESSAGE)
            .max_encoding_message_size(pratique_wire::MAX_MESSAGE)
    }

    /// The node whose agent presents the token.
    async fn node(&self, token: &str) -> Result<String, AuthError> {
        let caller = self.authenticator.caller(token).await?;
        if caller.namespace != self.account.namespace || caller.service_account != self.account.name {
            return Err(AuthError::Refused(format!(
                "it is of {}/{}, and agents run as {}/{}",
                caller.namespace, caller.service_account, self.account.namespace, self.account.name
            )));
        }
        caller.node.ok_or_else(|| AuthError::Refused("it is bound to no pod on a node".to_owned()))
    }

    async fn session_of(
        self,
        node: String,
        token: String,
        hello: Hello,
        inbound: impl Inbound,
        to_agent: ToAgentSender,
    ) {
        let place = self.hub.open(&node, &hello.rule_set, to_agent.clone());
        if let Err(status) = self.converse(&place, &token, inbound, &to_agent).await {
            // Whoever is no longer there needs no reason.
            let _ = timeout(PATIENCE, to_agent.send(Err(status))).await;
        }
        self.hub.close(&place);
    }

    async fn converse(
        &self,
        place: &Place,
        token: &str,
        mut inbound: impl Inbound,
        to_agent: &ToAgentSender,
    ) -> Result<(), Status> {
        let mut settings = self.hub.settings.clone();
        let mut leadership = self.hub.leadership.clone();
        let mut review = Instant::now() + REVIEW;
        let mut heard = Instant::now();
        let mut told = String::new();
        let first = news(&settings.borrow_and_update(), &mut told);
        say_all(to_agent, first).await?;
        loop {
            tokio::select! {
                () = place.stop.cancelled() => {
                    leading(&leadership.borrow())?;
                    return Err(Status::aborted("a newer stream of this node has taken over"));
                }
                Ok(()) = leadership.changed() => leading(&leadership.borrow_and_update())?,
                Ok(()) = settings.changed() => {
                    let messages = news(&settings.borrow_and_update(), &mut told);
                    say_all(to_agent, messages).await?;
                }
                () = tokio::time::sleep_until(review) => {
                    review = Instant::now() + REVIEW;
                    match self.node(token).await {
                        Ok(node) if node == place.node => {}
                        Ok(_) => return Err(Status::unauthenticated("the token is now of another node")),
                        // An API server that cannot be asked throws nobody out; it is asked again soon.
                        Err(AuthError::Unavailable(error)) => {
                            warn!(node = place.node, error, "token not checked again");
                            review = Instant::now() + REVIEW / 10;
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
                () = tokio::time::sleep_until(heard + SILENCE) => {
                    return Err(Status::deadline_exceeded("no pulse for a minute"));
                }
                message = inbound.next() => {
                    heard = Instant::now();
                    let Some(message) = message.transpose()? else { return Ok(()) };
                    if let Some(answer) = self.heard(place, message).await? {
                        say(to_agent, answer).await?;
                    }
                }
            }
        }
    }

    async fn heard(&self, place: &Place, message: FromAgent) -> Result<Option<to_agent::Message>, Status> {
        use from_agent::Message;
        match message.message {
            Some(Message::Roster(roster)) => {
                let lacking = self.hub.roster(place, &messages::roster(roster));
                let images = lacking.into_iter().map(String::from).collect();
                return Ok(Some(to_agent::Message::Lacking(Lacking { images })));
            }
            Some(Message::Images(images)) => {
                let (images, wrong) = messages::images(images);
                if let Some(error) = wrong {
                    warn!(node = place.node, %error, "an image of the node is left out");
                }
                self.hub.images(place, images, &[]);
            }
            Some(Message::Gone(gone)) => self.hub.images(place, Vec::new(), &messages::digests(&gone.images)),
            Some(Message::Claimed(claimed)) => self.hub.pulse(place, &[claimed.claim]),
            Some(Message::Result(result)) => {
                if let Some(end) = self.hub.chunk(place, &result) {
                    self.hub.keep(place, end).await;
                }
            }
            Some(Message::HandedBack(back)) => {
                self.hub.handed_back(place, &back.claim, &back.reason, back.image_gone)
            }
            Some(Message::Pulse(pulse)) => self.hub.pulse(place, &pulse.claims),
            Some(Message::Hello(_)) => return Err(Status::invalid_argument("hello is said once")),
            // A message that a newer agent may send and this release does not know.
            None => {}
        }
        Ok(None)
    }
}

/// The messages of one agent.
trait Inbound: Stream<Item = Result<FromAgent, Status>> + Unpin + Send {}
impl<S: Stream<Item = Result<FromAgent, Status>> + Unpin + Send> Inbound for S {}

#[tonic::async_trait]
impl agents_server::Agents for AgentsService {
    type SessionStream = ReceiverStream<Result<ToAgent, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<FromAgent>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        leading(&self.hub.leadership.borrow())?;
        let token = bearer(request.metadata())?;
        let node = self.node(&token).await.inspect_err(|error| warn!(%error, "agent refused"))?;
        let mut inbound = request.into_inner();
        let (to_agent, outbound) = mpsc::channel(QUEUE);
        let service = self.clone();
        // The answer's headers go out at once: a client may wait for them before it says hello.
        tokio::spawn(async move {
            match timeout(PATIENCE, hello(&mut inbound)).await {
                Ok(Ok(hello)) => service.session_of(node, token, hello, inbound, to_agent).await,
                Ok(Err(status)) => drop(to_agent.send(Err(status)).await),
                Err(_) => drop(to_agent.send(Err(Status::deadline_exceeded("no hello"))).await),
            }
        });
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

async fn hello(inbound: &mut impl Inbound) -> Result<Hello, Status> {
    match inbound.next().await.transpose()?.and_then(|message| message.message) {
        Some(from_agent::Message::Hello(hello)) if (1..=PROTOCOL).contains(&hello.protocol) => Ok(hello),
        Some(from_agent::Message::Hello(hello)) => Err(Status::failed_precondition(format!(
            "the agent (release {}) speaks protocol {}, this operator up to {PROTOCOL}: bring both to the same release",
            hello.version, hello.protocol
        ))),
        _ => Err(Status::invalid_argument("the first message must be a hello")),
    }
}

/// Refuses with the leader's address unless this replica leads.
fn leading(leadership: &Leadership) -> Result<(), Status> {
    match leadership {
        Leadership::Leading { .. } => Ok(()),
        Leadership::Following { leader } => {
            let mut metadata = MetadataMap::new();
            if let Ok(address) = leader.parse() {
                metadata.insert("pratique-leader", address);
            }
            let message = format!("this replica does not lead; ask {leader}");
            Err(Status::with_metadata(Code::FailedPrecondition, message, metadata))
        }
        Leadership::Unknown => Err(Status::unavailable("there is no leader yet")),
    }
}

/// The user's rules, unless they are those that were `told` last.
fn news(settings: &ScanSettings, told: &mut String) -> Vec<to_agent::Message> {
    if settings.rules.digest() == told {
        return Vec::new();
    }
    settings.rules.digest().clone_into(told);
    settings.rules.messages().map(to_agent::Message::Rules).collect()
}

async fn say_all(to_agent: &ToAgentSender, messages: Vec<to_agent::Message>) -> Result<(), Status> {
    for message in messages {
        say(to_agent, message).await?;
    }
    Ok(())
}

async fn say(to_agent: &ToAgentSender, message: to_agent::Message) -> Result<(), Status> {
    to_agent
        .send_timeout(Ok(ToAgent { message: Some(message) }), PATIENCE)
        .await
        .map_err(|_| Status::resource_exhausted("the agent takes no messages in"))
}
