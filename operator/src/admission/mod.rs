//! The admission webhook: pods are judged when they are created or get another image, their controllers warned about.
//!
//! ```text
//! API server ─► server (TLS) ─► router: limits, metrics ─► review: parse ─► handlers ─► judge ─► core::policy::decide
//!                                                                                         ▲ index, policies, report names
//! ```

mod handlers;
mod judge;
mod metrics;
mod parts;
mod review;
mod server;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request as HttpRequest, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::post;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use pratique_core::policy::{Detail, Effect};
use tokio::sync::{Semaphore, watch};
use tower_http::timeout::TimeoutLayer;
use tracing::{debug, warn};

pub use handlers::{Answer, Outcome, Workload};
pub(crate) use judge::{Found, candidates};
pub use judge::{Knowledge, Now, Subject, judge};
pub use metrics::Metrics;
pub use parts::Part;
pub(crate) use parts::{parts, pod as whole};
pub use review::{InvalidReview, Request, Resource, Response};
pub use server::serve;

use crate::events::{Notice, Notices};
use crate::index::SharedIndex;
use crate::reconcile::{PolicySet, ReportNames};
use crate::webhook_config::{PODS_PATH, WORKLOADS_PATH};

/// Largest body: an object of the 3 MiB that the API server takes, and the old one beside it.
const MAX_BODY: usize = 6 << 20;

/// What the webhook is told by flags.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How much a refusal tells.
    pub detail: Detail,
    /// Requests at a time; one more is answered at once that there is no room.
    pub concurrency: usize,
    /// Longest time for one request, its body included; shorter than the API server waits.
    pub timeout: Duration,
}

/// Everything the webhook decides from and writes to.
pub struct Admission {
    index: SharedIndex,
    policies: watch::Receiver<Arc<PolicySet>>,
    reports: ReportNames,
    settings: Settings,
    slots: Semaphore,
    metrics: Metrics,
    notices: Notices,
}

impl Admission {
    /// Puts it together.
    pub fn new(
        index: SharedIndex,
        policies: watch::Receiver<Arc<PolicySet>>,
        reports: ReportNames,
        settings: Settings,
        metrics: Metrics,
        notices: Notices,
    ) -> Arc<Self> {
        let slots = Semaphore::new(settings.concurrency);
        Arc::new(Self { index, policies, reports, settings, slots, metrics, notices })
    }

    /// The webhook's HTTP interface.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route(PODS_PATH, post(validate_pod))
            .route(WORKLOADS_PATH, post(validate_workload))
            .with_state(self.clone())
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, self.settings.timeout))
            .layer(from_fn_with_state(self.clone(), bounded))
    }

    fn with_knowledge<T>(&self, work: impl FnOnce(&PolicySet, Knowledge<'_>) -> T) -> T {
        let policies = self.policies.borrow().clone();
        let index = self.index.read();
        let knowledge = Knowledge { index: &index, reports: &self.reports, policies: policies.in_force() };
        work(&policies, knowledge)
    }

    /// Tells the policies' readers what was refused, and that a static pod violates them.
    fn notify(&self, policies: &PolicySet, request: &Request<Pod>, answer: &Answer) {
        if request.dry_run == Some(true) {
            return;
        }
        let reason = match answer.outcome {
            Outcome::Denied => "PodRefused",
            Outcome::Mirror => "StaticPodViolates",
            _ => return,
        };
        for violation in answer.decision.with_effect(Effect::Deny).take(5) {
            let Some(regarding) = policies.reference(&violation.policy) else { continue };
            self.notices.send(Notice {
                regarding,
                related: Some(ObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Namespace".to_owned()),
                    name: Some(request.namespace.clone()),
                    ..ObjectReference::default()
                }),
                reason,
                action: "Admission",
                note: format!(
                    "pod {}/{}: {}",
                    request.namespace,
                    shown_name(request),
                    violation.display(self.settings.detail)
                ),
                joins: true,
            });
        }
    }
}

/// The pod's name, or the beginning of the one it will get.
fn shown_name(request: &Request<Pod>) -> String {
    let generated =
        || request.object.as_ref()?.metadata.generate_name.as_ref().map(|name| format!("{name}…"));
    if request.name.is_empty() { generated().unwrap_or_default() } else { request.name.clone() }
}

/// Beyond the bound an answer comes at once: the API server does with it what the failure policy says.
async fn bounded(State(admission): State<Arc<Admission>>, request: HttpRequest, next: Next) -> HttpResponse {
    let Ok(_slot) = admission.slots.try_acquire() else {
        admission.metrics.shed();
        return (StatusCode::TOO_MANY_REQUESTS, "too many requests at a time").into_response();
    };
    let _in_flight = admission.metrics.in_flight();
    next.run(request).await
}

async fn validate_pod(State(admission): State<Arc<Admission>>, body: Bytes) -> HttpResponse {
    let timer = admission.metrics.timer("pod");
    let request = match Request::<Pod>::from_json(&body) {
        Ok(request) if request.resource.group.is_empty() && request.resource.resource == "pods" => request,
        Ok(request) => return timer.refuse(wrong_kind(&request.resource, "pods")),
        Err(error) => return timer.refuse(error.to_string()),
    };
    let answer = admission.with_knowledge(|policies, knowledge| {
        let answer = handlers::pod(knowledge, &request, admission.settings.detail, Now::read());
        admission.notify(policies, &request, &answer);
        answer
    });
    if answer.outcome == Outcome::Denied {
        warn!(namespace = request.namespace, pod = shown_name(&request), "pod refused");
    }
    timer.answer(answer)
}

async fn validate_workload(State(admission): State<Arc<Admission>>, body: Bytes) -> HttpResponse {
    const KINDS: [&str; 7] = [
        "deployments",
        "statefulsets",
        "daemonsets",
        "replicasets",
        "jobs",
        "cronjobs",
        "replicationcontrollers",
    ];
    let timer = admission.metrics.timer("workload");
    let request = match Request::<Workload>::from_json(&body) {
        Ok(request) if KINDS.contains(&request.resource.resource.as_str()) => request,
        Ok(request) => return timer.refuse(wrong_kind(&request.resource, "controllers of pods")),
        Err(error) => return timer.refuse(error.to_string()),
    };
    debug!(namespace = request.namespace, name = request.name, "workload");
    let answer = admission.with_knowledge(|_, knowledge| {
        handlers::workload(knowledge, &request, admission.settings.detail, Now::read())
    });
    timer.answer(answer)
}

fn wrong_kind(resource: &Resource, judged: &str) -> String {
    let Resource { group, version, resource } = resource;
    format!("this path judges {judged}, not `{resource}` of `{group}/{version}`")
}

#[cfg(test)]
mod tests;
