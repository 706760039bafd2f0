use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pratique_core::ImageFacts;
use pratique_core::package::{Ecosystem, Inventory, LocatedPackage, Package, PackageCounts};
use pratique_wire::replicas::replicas_client::ReplicasClient;
use pratique_wire::replicas::*;
use tokio::sync::watch;
use tonic::{Code, Request, Status, Streaming};

use super::follower::{Follower, receive};
use super::*;
use crate::index::{Freshness, SharedIndex};
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::store::ReportStore;
use crate::testing::{Believer, at, digest, facts, grpc, node_image, until};

struct Leader {
    index: SharedIndex,
    store: ReportStore,
    _folder: tempfile::TempDir,
    leadership: watch::Sender<Leadership>,
    synced: Arc<AtomicBool>,
    channel: tonic::transport::Channel,
}

impl Leader {
    /// A leader that knows image 1, which runs on n1.
    async fn start() -> Self {
        let index = SharedIndex::default();
        index.write().apply_known_facts(facts(1, "amd64", false).into(), at(77));
        index.write().reset_node_images("n1", vec![node_image(1, &["docker.io/shop/web:1"])]);
        index.write().apply_first_seen("shop", &digest(1), at(5), at(9));
        let leadership = watch::Sender::new(Leadership::Leading { epoch: 1 });
        let account = ("pratique".to_owned(), "pratique-operator".to_owned());
        let metrics = Metrics::new(prometheus::Registry::new()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = ReportStore::open(folder.path()).unwrap();
        let synced = Arc::new(AtomicBool::new(true));
        let service = ReplicasService::new(
            index.clone(),
            store.clone(),
            leadership.subscribe(),
            synced.clone(),
            Arc::new(Believer),
            account,
            metrics,
        );
        let channel = grpc(tonic::service::Routes::new(service.into_server())).await;
        Self { index, store, _folder: folder, leadership, synced, channel }
    }

    async fn inventory(&self, token: &str, image: u8) -> Result<Option<Inventory>, Status> {
        let mut request = Request::new(InventoryRequest { image: digest(image).to_string() });
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let parts = ReplicasClient::new(self.channel.clone()).inventory(request).await?.into_inner();
        Ok(super::dial::receive(parts).await.unwrap())
    }

    async fn follow(&self, token: &str) -> Result<Streaming<Update>, Status> {
        let mut request = Request::new(FollowRequest { protocol: 1, replica: "b".into() });
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        Ok(ReplicasClient::new(self.channel.clone()).follow(request).await?.into_inner())
    }
}

#[tokio::test]
async fn a_follower_asks_the_leader_for_the_inventory_that_it_lacks() {
    let leader = Leader::start().await;
    // More than one part.
    let path = "p".repeat(200_000);
    let packages = (0..20).map(|number| LocatedPackage {
        package: Package::new(Ecosystem::Npm, format!("n{number}"), "1"),
        purl: format!("pkg:npm/n{number}@1"),
        path: path.clone(),
        layer: None,
        owned_by: None,
        files: 0,
    });
    let inventory = Inventory { packages: packages.collect(), ..Inventory::default() };
    leader.store.put_inventory(&digest(1), &inventory).await.unwrap();
    leader.store.put_inventory(&digest(2), &Inventory::default()).await.unwrap();
    assert_eq!(leader.inventory("pratique-operator/n2", 1).await.unwrap(), Some(inventory));
    assert_eq!(leader.inventory("pratique-operator/n2", 2).await.unwrap(), Some(Inventory::default()));
    assert_eq!(leader.inventory("pratique-operator/n2", 3).await.unwrap(), None);
    assert_eq!(leader.inventory("pratique-agent/n2", 1).await.unwrap_err().code(), Code::Unauthenticated);
    leader.leadership.send_replace(Leadership::Unknown);
    let refused = leader.inventory("pratique-operator/n2", 1).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_follower_knows_the_leaders_counts_and_that_it_lacks_the_inventory() {
    let leader = Leader::start().await;
    let counts = |total| PackageCounts { total, ecosystems: [(Ecosystem::Deb, total)].into() };
    leader.index.write().apply_packages(&digest(1), counts(3));
    let own = SharedIndex::default();
    own.write().apply_packages(&digest(1), counts(2));
    let updates = leader.follow("pratique-operator/n2").await.unwrap();
    tokio::spawn({
        let own = own.clone();
        async move { receive(&own, updates).await }
    });
    until("the follower is in step", || own.read().packages(&digest(1)) == Some(&counts(3))).await;
    assert!(!own.read().has_inventory(&digest(1)));
    leader.index.write().apply_packages(&digest(1), counts(4));
    until("a change arrives", || own.read().packages(&digest(1)) == Some(&counts(4))).await;
}

#[tokio::test]
async fn a_leader_that_has_not_heard_from_its_agents_is_not_followed_yet() {
    let leader = Leader::start().await;
    leader.synced.store(false, Ordering::Relaxed);
    let refused = leader.follow("pratique-operator/n2").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    leader.synced.store(true, Ordering::Relaxed);
    assert!(leader.follow("pratique-operator/n2").await.is_ok());
}

fn is_following(index: &SharedIndex) -> bool {
    matches!(index.read().freshness(), Freshness::Following { .. })
}

#[tokio::test]
async fn a_follower_catches_up_keeps_up_and_forgets_what_the_leader_lacks() {
    let leader = Leader::start().await;
    let own = SharedIndex::default();
    own.write().apply_facts(facts(9, "amd64", false).into());
    own.write().reset_node_images("old", vec![node_image(9, &[])]);
    own.write().apply_first_seen("shop", &digest(1), at(8), at(9));
    let updates = leader.follow("pratique-operator/n2").await.unwrap();
    tokio::spawn({
        let own = own.clone();
        async move { receive(&own, updates).await }
    });
    until("the follower is in step", || is_following(&own)).await;
    {
        let index = own.read();
        assert_eq!(index.facts().iter().map(|facts| facts.image.clone()).collect::<Vec<_>>(), [digest(1)]);
        assert_eq!(index.facts().since(&digest(1)), Some(at(77)));
        assert_eq!(index.nodes().names().collect::<Vec<_>>(), ["n1"]);
        assert_eq!(index.nodes().get("n1").unwrap().by_reference("docker.io/shop/web:1"), Some(&digest(1)));
        assert_eq!(index.seen().get("shop", &digest(1)), Some(at(5)));
    }
    {
        let mut index = leader.index.write();
        index.apply_facts(facts(2, "amd64", false).into());
        index.apply_facts(ImageFacts { user: "0".into(), ..facts(1, "amd64", false) }.into());
        index.remove_node_images("n1");
        index.apply_node_images("n2", vec![node_image(2, &[])], &[]);
    }
    until("changes arrive", || own.read().nodes().names().eq(["n2"]) && own.read().facts().len() == 2).await;
    assert!(own.read().facts().get(&digest(1)).unwrap().runs_as_root());
    leader.index.write().remove_facts(&digest(2));
    until("so do removals", || own.read().facts().get(&digest(2)).is_none()).await;
}

#[tokio::test]
async fn who_does_not_lead_is_not_followed_and_strangers_follow_nobody() {
    let leader = Leader::start().await;
    for token in ["pratique-agent/n1", "nonsense"] {
        assert_eq!(leader.follow(token).await.err().unwrap().code(), Code::Unauthenticated, "{token}");
    }
    let mut updates = leader.follow("pratique-operator/n2").await.unwrap();
    leader.leadership.send_replace(Leadership::Unknown);
    let ended = loop {
        match updates.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::FailedPrecondition);
    assert_eq!(leader.follow("pratique-operator/n2").await.err().unwrap().code(), Code::FailedPrecondition);
}

fn update(revision: u64, update: update::Update) -> Update {
    Update { revision, sent_at_ms: 1_000, update: Some(update), facts_since: 1, packages: None }
}

#[test]
fn nothing_is_taken_over_before_all_of_it_is_there() {
    let index = SharedIndex::default();
    index.write().apply_facts(facts(9, "amd64", false).into());
    let mut follower = Follower::default();
    let now = Instant::now();
    let mut apply = |update| follower.apply(&index, update, Timestamp::now(), now);
    apply(update(1, update::Update::Facts(facts(1, "amd64", false).into()))).unwrap();
    apply(update(2, update::Update::Heartbeat(Heartbeat {}))).unwrap();
    assert!(index.read().facts().get(&digest(1)).is_none());
    assert!(index.read().facts().get(&digest(9)).is_some());
    assert_eq!(index.read().freshness(), Freshness::Never);
    apply(update(3, update::Update::Synced(Synced {}))).unwrap();
    assert!(index.read().facts().get(&digest(1)).is_some());
    assert!(index.read().facts().get(&digest(9)).is_none());
}

#[test]
fn a_missing_or_malformed_update_ends_the_stream() {
    let index = SharedIndex::default();
    let now = Instant::now();
    let heartbeat = || update::Update::Heartbeat(Heartbeat {});
    let mut follower = Follower::default();
    follower.apply(&index, update(1, heartbeat()), at(0), now).unwrap();
    assert!(follower.apply(&index, update(3, heartbeat()), at(0), now).unwrap_err().contains("missing"));
    let nonsense = update(2, update::Update::FactsRemoved("nonsense".into()));
    assert!(follower.apply(&index, nonsense, at(0), now).unwrap_err().contains("malformed"));
}

#[test]
fn a_backlog_counts_as_lag_and_a_wrong_clock_does_not() {
    let index = SharedIndex::default();
    let mut follower = Follower::default();
    let start = Instant::now();
    // The follower's clock is an hour ahead. The third update was 40 seconds on its way.
    let hour = 3_600_000;
    for (revision, sent, arrived) in [(1, 0, 5), (2, 5_000, 5_005), (3, 10_000, 50_005)] {
        let update = match revision {
            1 => Update {
                revision,
                sent_at_ms: sent,
                update: Some(update::Update::Synced(Synced {})),
                facts_since: 0,
                packages: None,
            },
            _ => Update {
                revision,
                sent_at_ms: sent,
                update: Some(update::Update::Heartbeat(Heartbeat {})),
                facts_since: 0,
                packages: None,
            },
        };
        let now = Timestamp::from_millisecond(hour + arrived).unwrap();
        follower.apply(&index, update, now, start).unwrap();
        let fresh = index.read().freshness().is_fresh(start);
        assert_eq!(fresh, revision < 3, "after update {revision}");
    }
    assert_eq!(index.read().freshness().age(start), Some(Duration::from_secs(40)));
}
