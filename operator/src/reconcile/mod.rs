//! From the index to objects that people read: reports, statuses, Events.
//!
//! Every replica runs the [`watches`]; the leader also [`lead`]s: it writes ScanReports, statuses of ScanPolicies and
//! WorkloadReports.

mod policies;
mod report_names;
mod scan_policy;
mod scan_report;
pub mod watches;
mod workload_report;

use std::sync::Arc;

use kube::Client;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use policies::{Compiled, PolicySet};
pub use report_names::{IMAGE_ANNOTATION, ReportNames};
pub use watches::{Owners, Watches};

use crate::events::Notices;
use crate::index::SharedIndex;

/// What the leader's reconcilers count.
#[derive(Debug, Clone)]
pub struct Metrics {
    errors: IntCounterVec,
    reports_written: IntCounter,
    workload_violations: IntGaugeVec,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// If they are registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let errors = IntCounterVec::new(
            Opts::new(
                "pratique_reconcile_errors_total",
                "Failed reads and writes of objects, by their kind.",
            ),
            &["kind"],
        )?;
        let reports_written = IntCounter::new(
            "pratique_scan_reports_written_total",
            "ScanReports that were created or changed.",
        )?;
        let workload_violations = IntGaugeVec::new(
            Opts::new(
                "pratique_workload_violations",
                "Violations in running workloads, by policy and by what would happen to a new pod (Audit, Warn, Deny).",
            ),
            &["policy", "effect"],
        )?;
        registry.register(Box::new(errors.clone()))?;
        registry.register(Box::new(reports_written.clone()))?;
        registry.register(Box::new(workload_violations.clone()))?;
        Ok(Self { errors, reports_written, workload_violations })
    }

    fn failed(&self, kind: &str) {
        self.errors.with_label_values(&[kind]).inc();
    }
}

/// What the leader's reconcilers work with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// Of the API server.
    pub client: Client,
    /// Facts, nodes, pods.
    pub index: SharedIndex,
    /// What every replica watches.
    pub watches: Watches,
    /// For Events.
    pub notices: Notices,
    /// What is counted.
    pub metrics: Metrics,
}

impl Context {
    fn policies(&self) -> watch::Receiver<Arc<PolicySet>> {
        self.watches.policies.clone()
    }
}

/// Works for as long as this replica leads. To be started once pods and policies are synced: a workload without pods has
/// no report.
pub async fn lead(context: Context, shutdown: CancellationToken) {
    let work = async {
        tokio::join!(
            scan_report::run(context.clone()),
            scan_policy::run(context.clone()),
            workload_report::run(context.clone()),
        )
    };
    shutdown.run_until_cancelled(work).await;
    // What this replica saw while it led is no longer its to tell.
    context.metrics.workload_violations.reset();
}
