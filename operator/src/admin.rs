//! The port for people and probes: /metrics, /healthz, /readyz.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Registry, TextEncoder};

/// What must be so before this replica may decide on pods. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Conditions>);

#[derive(Default)]
struct Conditions {
    conditions: std::sync::RwLock<Vec<(&'static str, Condition)>>,
    leaving: AtomicBool,
}

type Condition = Box<dyn Fn() -> bool + Send + Sync>;

impl Readiness {
    /// Adds a condition, named for people.
    pub fn require(&self, name: &'static str, holds: impl Fn() -> bool + Send + Sync + 'static) {
        self.conditions_mut().push((name, Box::new(holds)));
    }

    /// From now on this replica is not ready: it is about to end.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::Relaxed);
    }

    /// What is still missing, by name.
    pub fn missing(&self) -> Vec<&'static str> {
        if self.0.leaving.load(Ordering::Relaxed) {
            return vec!["not shutting down"];
        }
        let conditions = self.0.conditions.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        conditions.iter().filter(|(_, holds)| !holds()).map(|(name, _)| *name).collect()
    }

    /// Whether nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.missing().is_empty()
    }

    fn conditions_mut(&self) -> std::sync::RwLockWriteGuard<'_, Vec<(&'static str, Condition)>> {
        self.0.conditions.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The routes.
pub fn router(registry: Registry, readiness: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state((registry, readiness))
}

async fn metrics(State((registry, _)): State<(Registry, Readiness)>) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn ready(State((_, readiness)): State<(Registry, Readiness)>) -> (StatusCode, String) {
    match readiness.missing().as_slice() {
        [] => (StatusCode::OK, "ok\n".to_owned()),
        missing => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("not ready; still missing: {}\n", missing.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn get(readiness: &Readiness, path: &str) -> (StatusCode, String) {
        let registry = Registry::new();
        crate::metrics::Metrics::new(registry.clone()).unwrap();
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(registry, readiness.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_names_what_is_missing() {
        let readiness = Readiness::default();
        let synced = Arc::new(AtomicBool::new(false));
        readiness.require("facts", {
            let synced = synced.clone();
            move || synced.load(Ordering::Relaxed)
        });
        readiness.require("pods", || true);
        let (status, text) = get(&readiness, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("facts") && !text.contains("pods"), "{text}");
        synced.store(true, Ordering::Relaxed);
        assert_eq!(get(&readiness, "/readyz").await.0, StatusCode::OK);
        readiness.leave();
        assert_eq!(get(&readiness, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(get(&readiness, "/healthz").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_are_written_in_the_text_format() {
        let (status, text) = get(&Readiness::default(), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("# TYPE pratique_agents_connected gauge"), "{text}");
    }
}
