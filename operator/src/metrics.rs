//! The operator's metrics. Admission and certificates add theirs to the same registry.

use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Metrics of index, agents, store and replicas. Cheap to clone; all clones count as one.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Agents with an open stream.
    pub agents_connected: IntGauge,
    /// Followers with an open stream.
    pub followers_connected: IntGauge,
    /// Images on any node.
    pub images: IntGauge,
    /// Images whose facts are known.
    pub facts: IntGauge,
    /// Ended scans by outcome.
    pub scans: IntCounterVec,
    /// Layers of scanned images by where their facts came from.
    pub layers: IntCounterVec,
    /// Scans under way.
    pub claims_open: IntGauge,
    /// Images that wait for a node with a free place.
    pub scan_queue: IntGauge,
    /// Failed reads and writes of the report store.
    pub store_errors: IntCounter,
    /// Objects waiting to be written to the report store.
    pub store_pending: IntGauge,
    /// Which generation of each policy this replica decides by.
    pub policies: IntGaugeVec,
    /// 1 on the replica that leads.
    pub leader: IntGauge,
    /// How far this replica is behind the leader.
    pub replica_lag: Gauge,
    registry: Registry,
}

/// A gauge that is registered.
///
/// # Errors
/// If the registry already has a metric of this name.
pub(crate) fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

impl Metrics {
    /// Registers all of them.
    ///
    /// # Errors
    /// If the registry already has a metric of one of the names.
    pub fn new(registry: Registry) -> prometheus::Result<Self> {
        let gauge = |name, help| gauge(&registry, name, help);
        let counters = |name: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            prometheus::Result::Ok(counters)
        };
        let store_errors =
            IntCounter::new("pratique_store_errors_total", "Failed reads and writes of the report store.")?;
        registry.register(Box::new(store_errors.clone()))?;
        let replica_lag = Gauge::new(
            "pratique_replica_lag_seconds",
            "How far this replica is behind the leader; above 30 it treats every image as unscanned.",
        )?;
        registry.register(Box::new(replica_lag.clone()))?;
        let policies = IntGaugeVec::new(
            Opts::new(
                "pratique_policy_generation",
                "The generation of each policy that this replica decides by.",
            ),
            &["policy"],
        )?;
        registry.register(Box::new(policies.clone()))?;
        let build =
            IntGaugeVec::new(Opts::new("pratique_build_info", "The release that runs."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(build))?;
        Ok(Self {
            agents_connected: gauge(
                "pratique_agents_connected",
                "Agents with an open stream to this replica.",
            )?,
            followers_connected: gauge("pratique_followers_connected", "Replicas that follow this one.")?,
            images: gauge("pratique_images", "Images on any node.")?,
            facts: gauge("pratique_facts", "Images whose facts are known to this replica.")?,
            scans: counters(
                "pratique_scans_total",
                "Assignments that ended, by outcome: complete, incomplete, error, invalid, handed_back, quiet.",
                "outcome",
            )?,
            layers: counters(
                "pratique_scanned_layers_total",
                "Layers of scanned images, by where the node had their facts from: read, cached.",
                "source",
            )?,
            claims_open: gauge("pratique_claims_open", "Scans that nodes are working on.")?,
            scan_queue: gauge(
                "pratique_scan_queue_length",
                "Images that wait for a node with a free place.",
            )?,
            store_errors,
            store_pending: gauge(
                "pratique_store_pending",
                "Objects waiting to be written to the report store.",
            )?,
            policies,
            leader: gauge("pratique_leader", "1 on the replica that leads, 0 on the others.")?,
            replica_lag,
            registry,
        })
    }

    /// The registry, for others to add theirs.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}
