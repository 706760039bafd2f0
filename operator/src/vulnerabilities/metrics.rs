//! What is measured of advisories.

use std::collections::BTreeMap;

use jiff::Timestamp;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::metrics;

/// The metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Attempts to bring the advisories up to date, by result.
    pub(super) refreshes: IntCounterVec,
    /// Whether the last attempt failed.
    pub(super) failing: IntGauge,
    checked: IntGaugeVec,
    /// VEX documents that cannot be used.
    pub(super) unusable_documents: IntGauge,
    /// Workloads that run an image with a Critical flaw that has a fix.
    pub(super) critical_workloads: IntGauge,
    /// New ones that advisories brought to what runs.
    pub(super) new_criticals: prometheus::IntCounter,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// If they are registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name, help| metrics::gauge(registry, name, help);
        let refreshes = IntCounterVec::new(
            Opts::new(
                "pratique_advisories_refreshes_total",
                "Attempts of this replica to bring the advisories up to date, by result: changed, unchanged, failed.",
            ),
            &["result"],
        )?;
        let checked = IntGaugeVec::new(
            Opts::new(
                "pratique_advisories_checked_timestamp_seconds",
                "When the advisories of each ecosystem were last as their address had them; on the leader.",
            ),
            &["ecosystem"],
        )?;
        let new_criticals = prometheus::IntCounter::new(
            "pratique_new_critical_vulnerabilities_total",
            "Critical vulnerabilities with a fix that new advisories brought to images that run.",
        )?;
        registry.register(Box::new(refreshes.clone()))?;
        registry.register(Box::new(checked.clone()))?;
        registry.register(Box::new(new_criticals.clone()))?;
        Ok(Self {
            refreshes,
            failing: gauge(
                "pratique_advisories_failing",
                "1 while the last attempt to bring the advisories up to date failed; the older ones serve on.",
            )?,
            checked,
            unusable_documents: gauge(
                "pratique_vex_documents_unusable",
                "VEX documents that cannot be read; the log names them.",
            )?,
            critical_workloads: gauge(
                "pratique_workloads_with_fixable_criticals",
                "Workloads that run an image with a Critical vulnerability that has a fix; on the leader.",
            )?,
            new_criticals,
        })
    }

    pub(super) fn note_checked(&self, checked: &BTreeMap<String, Timestamp>) {
        self.checked.reset();
        for (ecosystem, at) in checked {
            self.checked.with_label_values(&[ecosystem]).set(at.as_second());
        }
    }

    /// What this replica knew while it led is no longer its to tell.
    pub(super) fn leave(&self) {
        self.checked.reset();
        self.failing.set(0);
        self.critical_workloads.set(0);
    }
}
