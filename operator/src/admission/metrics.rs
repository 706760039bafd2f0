//! What the webhook counts.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

use super::Answer;

/// From 0.1 ms, where a decision from memory lies, to the longest an API server waits.
const BUCKETS: [f64; 13] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

/// Metrics of admission. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: IntCounterVec,
    duration: HistogramVec,
    in_flight: IntGauge,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// If they are registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let requests = IntCounterVec::new(
            Opts::new(
                "pratique_admission_requests_total",
                "Requests by what became of them (allowed, skipped, mirror, audited, warned, denied, invalid, shed) and \
                 what was judged (pod, workload).",
            ),
            &["decision", "mode"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "pratique_admission_duration_seconds",
                "Time from the whole body to the answer, by what was judged (pod, workload).",
            )
            .buckets(BUCKETS.to_vec()),
            &["mode"],
        )?;
        let in_flight = IntGauge::new("pratique_admission_in_flight", "Requests under way.")?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        Ok(Self { requests, duration, in_flight })
    }

    pub(super) fn shed(&self) {
        self.requests.with_label_values(&["shed", ""]).inc();
    }

    /// Counts a request as under way until dropped.
    pub(super) fn in_flight(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    pub(super) fn timer(&self, mode: &'static str) -> Timer {
        Timer {
            started: std::time::Instant::now(),
            duration: self.duration.with_label_values(&[mode]),
            requests: self.requests.clone(),
            mode,
        }
    }
}

pub(super) struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts and times one request whichever way it is answered.
pub(super) struct Timer {
    started: std::time::Instant,
    duration: Histogram,
    requests: IntCounterVec,
    mode: &'static str,
}

impl Timer {
    pub(super) fn answer(self, answer: Answer) -> Response {
        self.finish(answer.outcome.as_str());
        Json(answer.response.into_json()).into_response()
    }

    /// The request is none that can be judged.
    pub(super) fn refuse(self, reason: String) -> Response {
        self.finish("invalid");
        (StatusCode::BAD_REQUEST, reason).into_response()
    }

    fn finish(self, decision: &str) {
        self.requests.with_label_values(&[decision, self.mode]).inc();
        self.duration.observe(self.started.elapsed().as_secs_f64());
    }
}
