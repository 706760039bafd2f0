//! The agent's metrics. The scanner has no network: what it counts arrives over its socket and is added here.

use pratique_wire::scanner::Counters;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
    core::Collector,
};

/// How a scan ended, as the label `outcome` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Neither findings nor gaps.
    Clean,
    /// Findings, no gaps.
    Findings,
    /// Gaps.
    Incomplete,
    /// Nothing usable.
    Error,
    /// Handed back to the operator.
    HandedBack,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Findings => "findings",
            Self::Incomplete => "incomplete",
            Self::Error => "error",
            Self::HandedBack => "handed_back",
        }
    }
}

/// All metrics of one agent.
pub struct Metrics {
    registry: Registry,
    /// Layers read.
    pub layers_read: IntCounter,
    /// Layers answered from the cache.
    pub layers_cached: IntCounter,
    /// How long scans took.
    pub scan_seconds: Histogram,
    /// Images the node has.
    pub images: IntGauge,
    /// Images of the runtime that could not be identified.
    pub unidentified: IntGauge,
    /// Running containers.
    pub containers: IntGauge,
    /// 1 while the operator's leader answers.
    pub session: IntGauge,
    /// 1 while the runtime answers.
    pub runtime: IntGauge,
    /// 1 while the scanner answers.
    pub scanner: IntGauge,
    scans: IntCounterVec,
    bytes_read: IntCounter,
    password_guesses: IntCounter,
    child_deaths: IntCounter,
    cache_rebuilds: IntCounter,
    cache_bytes: IntGauge,
}

impl Metrics {
    /// Metrics at zero.
    ///
    /// # Errors
    /// Two metrics have the same name, an error in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name, help| register(&registry, IntCounter::new(name, help)?);
        let gauge = |name, help| register(&registry, IntGauge::new(name, help)?);
        Ok(Self {
            layers_read: counter("pratique_agent_layers_read_total", "Image layers read.")?,
            layers_cached: counter(
                "pratique_agent_layers_cached_total",
                "Image layers whose facts were taken from the node's cache.",
            )?,
            bytes_read: counter("pratique_agent_layer_bytes_read_total", "Bytes of files read from layers.")?,
            password_guesses: counter(
                "pratique_agent_password_guesses_total",
                "Guesses made at hashes of passwords.",
            )?,
            child_deaths: counter("pratique_agent_scan_deaths_total", "Scanning processes that died.")?,
            cache_rebuilds: counter(
                "pratique_agent_cache_rebuilds_total",
                "Times the layer cache was damaged and begun anew.",
            )?,
            cache_bytes: gauge("pratique_agent_cache_bytes", "Bytes of facts in the layer cache.")?,
            images: gauge("pratique_agent_images", "Images on this node.")?,
            unidentified: gauge(
                "pratique_agent_unidentified_images",
                "Images of the runtime whose config could not be read, so that they cannot be reported.",
            )?,
            containers: gauge("pratique_agent_containers", "Containers the runtime has on this node.")?,
            session: gauge("pratique_agent_session_up", "1 while the operator's leader answers.")?,
            runtime: gauge("pratique_agent_runtime_up", "1 while the container runtime answers.")?,
            scanner: gauge("pratique_agent_scanner_up", "1 while the scanner answers.")?,
            scans: register(
                &registry,
                IntCounterVec::new(
                    Opts::new("pratique_agent_scans_total", "Image scans by outcome."),
                    &["outcome"],
                )?,
            )?,
            scan_seconds: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new("pratique_agent_scan_duration_seconds", "Duration of image scans.")
                        .buckets(vec![0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0]),
                )?,
            )?,
            registry,
        })
    }

    /// Counts a scan.
    pub fn scanned(&self, outcome: Outcome) {
        self.scans.with_label_values(&[outcome.as_str()]).inc();
    }

    /// Adds what the scanner counted since it last told.
    pub fn add(&self, counters: &Counters) {
        self.bytes_read.inc_by(counters.bytes_read);
        self.password_guesses.inc_by(counters.password_guesses);
        self.child_deaths.inc_by(counters.child_deaths);
        self.cache_rebuilds.inc_by(counters.cache_rebuilds);
        self.cache_bytes.set(i64::try_from(counters.cache_bytes).unwrap_or(i64::MAX));
    }

    /// All of them in Prometheus' text format.
    ///
    /// # Errors
    /// A metric cannot be written, an error in this file.
    pub fn encode(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_scanner_counted_is_added_and_what_it_measured_is_set() {
        let metrics = Metrics::new().unwrap();
        let counters = Counters {
            bytes_read: 5,
            child_deaths: 1,
            cache_rebuilds: 0,
            cache_bytes: 9,
            password_guesses: 7,
        };
        metrics.add(&counters);
        metrics.add(&counters);
        metrics.scanned(Outcome::Incomplete);
        let text = metrics.encode().unwrap();
        for line in [
            "pratique_agent_layer_bytes_read_total 10",
            "pratique_agent_scan_deaths_total 2",
            "pratique_agent_password_guesses_total 14",
            "pratique_agent_cache_bytes 9",
            "pratique_agent_scans_total{outcome=\"incomplete\"} 1",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} is not in {text}");
        }
    }
}
