//! Events of events.k8s.io, sent beside the work: a notice never delays a decision, and a flood of them is cut off.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Notices that wait while the API server is slow; more are dropped.
const QUEUE: usize = 256;

/// Pause after each Event: 20 a second at most.
const PACE: Duration = Duration::from_millis(50);

/// Longest note the API server takes.
const MAX_NOTE: usize = 1024;

/// Something worth telling about an object. Repeated ones become one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// What it is about.
    pub regarding: ObjectReference,
    /// Another object that has to do with it.
    pub related: Option<ObjectReference>,
    /// Why, in one word such as `PodRefused`.
    pub reason: &'static str,
    /// What was done, in one word such as `Admission`.
    pub action: &'static str,
    /// For people.
    pub note: String,
    /// Whether it joins those before it with the same reason, action and objects, whatever they say: refusals come by the
    /// hundred. Another joins only what says the same.
    pub joins: bool,
}

/// Where notices go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notices(mpsc::Sender<Notice>);

impl Notices {
    /// A queue and its reading end, for [`publish`].
    pub fn new() -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Queues a notice; dropped if the queue is full.
    pub fn send(&self, notice: Notice) {
        if self.0.try_send(notice).is_err() {
            debug!("an Event was dropped: the queue is full");
        }
    }
}

/// The operator's own Deployment, which Events are about that concern no image: namespace and name. Without its UID, if that
/// cannot be had, `kubectl get events` alone shows them.
pub async fn deployment(client: Client, (namespace, name): (String, String)) -> ObjectReference {
    let found = Api::<Deployment>::namespaced(client, &namespace).get_opt(&name).await;
    ObjectReference {
        api_version: Some("apps/v1".to_owned()),
        kind: Some("Deployment".to_owned()),
        name: Some(name),
        namespace: Some(namespace),
        uid: found.ok().flatten().and_then(|deployment| deployment.metadata.uid),
        ..ObjectReference::default()
    }
}

/// Publishes notices as Warning Events of `pod` (this replica) until `shutdown`.
pub async fn publish(
    client: Client,
    pod: String,
    mut notices: mpsc::Receiver<Notice>,
    shutdown: CancellationToken,
) {
    let reporter = Reporter { controller: "pratique-operator".to_owned(), instance: Some(pod) };
    let recorder = || Recorder::new(client.clone(), reporter.clone());
    let joining = recorder();
    // A recorder gives no new Event to what says something else than the last one: a fresh one does.
    let (mut single, mut said) = (recorder(), String::new());
    loop {
        let notice = tokio::select! {
            () = shutdown.cancelled() => return,
            notice = notices.recv() => match notice {
                Some(notice) => notice,
                None => return,
            },
        };
        let event = Event {
            type_: EventType::Warning,
            reason: notice.reason.to_owned(),
            note: Some(cut(notice.note)),
            action: notice.action.to_owned(),
            secondary: notice.related,
        };
        let recorder = if notice.joins {
            &joining
        } else {
            if event.note.as_ref() != Some(&said) {
                (single, said) = (recorder(), event.note.clone().unwrap_or_default());
            }
            &single
        };
        if let Err(error) = recorder.publish(&event, &notice.regarding).await {
            debug!(%error, reason = event.reason, "an Event could not be written");
        }
        tokio::time::sleep(PACE).await;
    }
}

fn cut(mut note: String) -> String {
    if note.len() > MAX_NOTE {
        let end = note.floor_char_boundary(MAX_NOTE - '…'.len_utf8());
        note.truncate(end);
        note.push('…');
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_to_what_the_api_server_takes() {
        let note = cut("ä".repeat(700));
        assert!(note.len() <= MAX_NOTE && note.ends_with('…'), "{}", note.len());
        assert_eq!(cut("short".to_owned()), "short");
    }
}
