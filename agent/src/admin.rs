//! The broker's port for people and probes: /metrics, /healthz, /readyz.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::metrics::Metrics;

/// The routes. `/healthz` answers while the process does; `/readyz` while the runtime and the scanner answer. The
/// operator is not asked for: an agent without one has nothing wrong with it.
pub fn router(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/metrics", get(write_metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(metrics)
}

async fn write_metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn ready(State(metrics): State<Arc<Metrics>>) -> (StatusCode, &'static str) {
    match (metrics.runtime.get(), metrics.scanner.get()) {
        (1, 1) => (StatusCode::OK, "ok\n"),
        (1, _) => (StatusCode::SERVICE_UNAVAILABLE, "the scanner does not answer on its socket\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the container runtime does not answer on its socket\n"),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn status(metrics: &Arc<Metrics>, path: &str) -> StatusCode {
        let request = Request::get(path).body(Body::empty()).unwrap();
        router(metrics.clone()).oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn ready_means_that_runtime_and_scanner_answer() {
        let metrics = Arc::new(Metrics::new().unwrap());
        metrics.runtime.set(1);
        assert_eq!(status(&metrics, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
        metrics.scanner.set(1);
        assert_eq!(status(&metrics, "/readyz").await, StatusCode::OK);
        metrics.runtime.set(0);
        assert_eq!(status(&metrics, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(&metrics, "/healthz").await, StatusCode::OK);
        assert_eq!(status(&metrics, "/metrics").await, StatusCode::OK);
    }
}
