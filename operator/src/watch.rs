//! Watches of the API server, and those that feed the index.

use std::collections::HashSet;
use std::fmt::Debug;

use std::ops::Range;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::index::{Index, SharedIndex};

/// Milliseconds before a watch that broke is taken up again. Not the usual half minute: what is watched here is what decisions
/// are made by, and a few requests a second trouble no API server that comes back.
const PAUSE: Range<u64> = 500..2500;

/// All objects of a kind and what becomes of them, taken up again for ever.
pub fn objects<K>(api: Api<K>) -> BoxStream<'static, watcher::Result<Event<K>>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watcher(api, watcher::Config::default()).backoff(Pauses).boxed()
}

struct Pauses;

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::from_millis(fastrand::u64(PAUSE)))
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {}
}

/// Namespace (empty for cluster-scoped kinds) and name.
pub type Key = (String, String);

/// A kind that the index holds something of.
pub trait Indexed: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static {
    /// Takes in an object.
    fn apply(index: &mut Index, object: &Self);
    /// Forgets an object.
    fn delete(index: &mut Index, key: &Key);
    /// All objects the index knows of this kind.
    fn known(index: &Index) -> Vec<Key>;
}

fn cluster_scoped(name: &str) -> Key {
    (String::new(), name.to_owned())
}

impl Indexed for Namespace {
    fn apply(index: &mut Index, object: &Self) {
        index.apply_namespace(object);
    }
    fn delete(index: &mut Index, key: &Key) {
        index.remove_namespace(&key.1);
    }
    fn known(index: &Index) -> Vec<Key> {
        index.cluster().namespaces().map(cluster_scoped).collect()
    }
}

impl Indexed for Node {
    fn apply(index: &mut Index, object: &Self) {
        index.apply_node(object);
    }
    fn delete(index: &mut Index, key: &Key) {
        index.remove_node(&key.1);
    }
    fn known(index: &Index) -> Vec<Key> {
        // A node whose object went while nobody watched may still be known by what its agent said.
        let objects = index.cluster().nodes().map(|node| node.name.as_str());
        objects.chain(index.nodes().names()).map(cluster_scoped).collect()
    }
}

impl Indexed for Pod {
    fn apply(index: &mut Index, object: &Self) {
        index.apply_pod(object);
    }
    fn delete(index: &mut Index, key: &Key) {
        index.remove_pod(&key.0, &key.1);
    }
    fn known(index: &Index) -> Vec<Key> {
        index.cluster().pods().map(|pod| (pod.namespace.clone(), pod.name.clone())).collect()
    }
}

/// Feeds one kind into the index until `shutdown`; sets `synced` once the first list is in.
pub async fn feed<K: Indexed>(
    client: Client,
    index: SharedIndex,
    synced: watch::Sender<bool>,
    shutdown: CancellationToken,
) {
    let kind = K::kind(&()).into_owned();
    let mut events = objects(Api::<K>::all(client));
    let mut relist = Relist::default();
    loop {
        let event = tokio::select! {
            () = shutdown.cancelled() => return,
            event = events.next() => event,
        };
        match event {
            Some(Ok(event)) => {
                if relist.handle(&index, event) && !synced.send_replace(true) {
                    info!(kind, "watching");
                }
            }
            Some(Err(error)) => warn!(kind, %error, "watch broke; it is taken up again"),
            None => return,
        }
    }
}

/// What a list under way has brought so far.
#[derive(Debug, Default)]
struct Relist(HashSet<Key>);

impl Relist {
    /// Takes in an event; true if a list is complete with it. What a list no longer has is deleted then.
    fn handle<K: Indexed>(&mut self, index: &SharedIndex, event: Event<K>) -> bool {
        match event {
            Event::Init => self.0.clear(),
            Event::InitApply(object) => {
                self.0.insert(key(&object));
                K::apply(&mut index.write(), &object);
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.0);
                let mut index = index.write();
                for key in K::known(&index).iter().filter(|key| !listed.contains(key)) {
                    K::delete(&mut index, key);
                }
                return true;
            }
            Event::Apply(object) => K::apply(&mut index.write(), &object),
            Event::Delete(object) => K::delete(&mut index.write(), &key(&object)),
        }
        false
    }
}

fn key<K: Indexed>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(name: &str) -> Namespace {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        namespace
    }

    #[test]
    fn a_new_list_deletes_what_it_no_longer_has() {
        let index = SharedIndex::default();
        let mut relist = Relist::default();
        for event in [Event::Init, Event::InitApply(namespace("a")), Event::InitApply(namespace("b"))] {
            assert!(!relist.handle(&index, event));
        }
        assert!(relist.handle::<Namespace>(&index, Event::InitDone));
        relist.handle(&index, Event::Apply(namespace("c")));
        relist.handle(&index, Event::Delete(namespace("a")));
        let known = |index: &SharedIndex| {
            index.read().cluster().namespaces().map(str::to_owned).collect::<HashSet<_>>()
        };
        assert_eq!(known(&index), ["b", "c"].map(str::to_owned).into());

        for event in [Event::Init, Event::InitApply(namespace("c"))] {
            relist.handle(&index, event);
        }
        assert_eq!(known(&index).len(), 2, "nothing is forgotten before the list is complete");
        relist.handle::<Namespace>(&index, Event::InitDone);
        assert_eq!(known(&index), ["c"].map(str::to_owned).into());
    }
}
