//! Small regular work: what runs is noted, gauges are set, and settings follow the policies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::agents::{Hub, ScanSettings, Wanted};
use crate::index::{Freshness, SharedIndex};
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::reconcile::PolicySet;
use crate::rules::Rules;

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_secs(5);

/// How often it is noted which images run where.
const SEEN_INTERVAL: Duration = Duration::from_secs(15);

/// A new leader serves after this long even if not every agent has reported.
const AGENTS_PATIENCE: Duration = Duration::from_secs(20);

/// Sets gauges, and notes what runs, until `shutdown`.
pub(crate) async fn run(
    index: SharedIndex,
    leadership: watch::Receiver<Leadership>,
    metrics: Metrics,
    unused_after: Duration,
    shutdown: CancellationToken,
) {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let mut tick = tokio::time::interval(INTERVAL);
    let mut noted = None;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = Instant::now();
        if noted.is_none_or(|noted| now.saturating_duration_since(noted) >= SEEN_INTERVAL) {
            noted = Some(now);
            let date = Timestamp::now();
            // Looked through while others read, too; the lock that keeps them out is held only for what was found.
            let running = index.read().running_since(date);
            index.write().refresh_seen(running, date, unused_after);
        }
        let index = index.read();
        metrics.images.set(count(index.nodes().images().len()));
        metrics.facts.set(count(index.facts().len()));
        metrics.leader.set(i64::from(leadership.borrow().epoch().is_some()));
        metrics.replica_lag.set(index.freshness().age(now).map_or(f64::INFINITY, |age| age.as_secs_f64()));
    }
}

/// Lets the scans that are wanted follow the policies and the user's rules, and says which policies are in force, until
/// `shutdown`.
pub(crate) async fn follow_policies(
    mut policies: watch::Receiver<Arc<PolicySet>>,
    mut rules: watch::Receiver<Arc<Rules>>,
    settings: watch::Sender<ScanSettings>,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    loop {
        let set = policies.borrow_and_update().clone();
        let own = rules.borrow_and_update().clone();
        let now =
            ScanSettings { wanted: Wanted::of(set.in_force(), &own.revisions), rules: own.sealed.clone() };
        metrics.policies.reset();
        for (name, policy) in
            set.iter().filter_map(|policy| Some((policy.reference.name.as_deref()?, policy)))
        {
            if policy.policy.is_ok() {
                metrics.policies.with_label_values(&[name]).set(policy.generation);
            }
        }
        settings.send_if_modified(|known| {
            let changed = *known != now;
            *known = now;
            changed
        });
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = policies.changed() => if changed.is_err() { return },
            changed = rules.changed() => if changed.is_err() { return },
        }
    }
}

/// Returns once decisions can rest on this replica's facts: as a follower when it has all of the leader's, as leader
/// when every node with an agent's pod has reported, or enough time has passed. `agents`: namespace and name of the
/// agents' DaemonSet.
pub(crate) async fn facts_synced(index: SharedIndex, hub: Arc<Hub>, agents: (String, String)) {
    let mut leading_since = None;
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    loop {
        tick.tick().await;
        match index.read().freshness() {
            Freshness::Never => {}
            Freshness::Following { .. } => return,
            Freshness::Leading => {
                let since = *leading_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= AGENTS_PATIENCE {
                    return;
                }
            }
        }
        if leading_since.is_some() && has_heard_all(&index, &hub, &agents) {
            return;
        }
    }
}

/// Whether every node with an agent's pod has reported all its images. Before the pods are known nobody has.
fn has_heard_all(index: &SharedIndex, hub: &Hub, (namespace, name): &(String, String)) -> bool {
    let heard = hub.synced_nodes();
    let index = index.read();
    let is_agent = |owner: &k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference| {
        owner.kind == "DaemonSet" && owner.name == *name
    };
    let mut agents = index
        .cluster()
        .pods()
        .filter(|pod| pod.namespace == *namespace && pod.controller.as_ref().is_some_and(is_agent))
        .filter_map(|pod| pod.node.as_deref())
        .peekable();
    agents.peek().is_some() && agents.all(|node| heard.contains(node))
}
