//! Whole reports, as people read them with `pratique report`.
//!
//! Callers come through the API server's service proxy, which takes away whatever says who they are, and anybody in the
//! cluster can come without it. So each request carries a token of its own: whoever may make tokens of the service account
//! `NAME-viewer` (which can do nothing else) may read reports. docs/security.md says why it is so.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use pratique_core::package::Inventory;
use pratique_core::stored::{PATH, StoredReport, TOKEN_HEADER};
use pratique_core::{Digest, ImageFacts, Reference};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tracing::{info, warn};

use crate::auth::{AuthError, Authenticator};
use crate::index::{Index, SharedIndex};
use crate::lease::Leadership;
use crate::reconcile::ReportNames;
use crate::replicas::{Trust, inventory_of_leader};
use crate::store::ReportStore;

/// Requests at a time: each may hold an inventory, and those without a good token cost a review by the API server.
const CONCURRENCY: usize = 4;

/// Longest name of an image that is looked up, in bytes.
const MAX_NAME: usize = 1024;

/// What reports are answered from.
pub struct Reports {
    /// Facts, and names of images.
    pub index: SharedIndex,
    /// Inventories of this replica.
    pub store: ReportStore,
    /// Names of ScanReports.
    pub names: ReportNames,
    /// Who leads, and so has the inventories that this replica lacks.
    pub leadership: watch::Receiver<Leadership>,
    /// The way to the leader.
    pub trust: Trust,
    /// Checks readers' tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// The service account whose tokens open reports: namespace and name.
    pub account: (String, String),
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{CONCURRENCY} reports are being read already; try again")]
    Busy,
    #[error("there is no token in the header `{TOKEN_HEADER}`")]
    NoToken,
    #[error("{0}")]
    Unauthenticated(AuthError),
    #[error("the token is of {0}, and reports are read with one of {1}")]
    Forbidden(String, String),
    #[error("`{0}` is longer than {MAX_NAME} bytes")]
    TooLong(&'static str),
    #[error(
        "no image is known as `{0}`: give a reference as nodes have it, a digest, or a ScanReport's name"
    )]
    Unknown(String),
    #[error("`{name}` stands for {} images, on different nodes or platforms: name one by its digest: {}", .images.len(), .images.join(", "))]
    Ambiguous { name: String, images: Vec<String> },
    #[error("{0}; try again")]
    Unavailable(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NoToken | Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(..) => StatusCode::FORBIDDEN,
            Self::TooLong(_) => StatusCode::BAD_REQUEST,
            Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Ambiguous { .. } => StatusCode::CONFLICT,
            Self::Busy | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

#[derive(Deserialize)]
struct Asked {
    image: String,
}

struct Served {
    reports: Reports,
    slots: Semaphore,
}

/// The endpoint.
pub fn router(reports: Reports) -> Router {
    let served = Arc::new(Served { reports, slots: Semaphore::new(CONCURRENCY) });
    Router::new().route(PATH, get(report)).with_state(served)
}

async fn report(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    Query(Asked { image }): Query<Asked>,
) -> Result<Json<StoredReport>, Refusal> {
    let _slot = served.slots.try_acquire().map_err(|_| Refusal::Busy)?;
    let reports = &served.reports;
    reports
        .admit(&headers)
        .await
        .inspect_err(|refusal| warn!(%refusal, "a reader of reports was refused"))?;
    if image.len() > MAX_NAME {
        return Err(Refusal::TooLong("image"));
    }
    let report = reports.read(&image).await?;
    info!(image = %report.facts.image, "a report was read");
    Ok(Json(report))
}

impl Reports {
    async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let token = headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if token.is_empty() {
            return Err(Refusal::NoToken);
        }
        let caller = self.authenticator.caller(token).await.map_err(|error| match error {
            AuthError::Unavailable(_) => Refusal::Unavailable(error.to_string()),
            error => Refusal::Unauthenticated(error),
        })?;
        let (namespace, name) = &self.account;
        if (&caller.namespace, &caller.service_account) == (namespace, name) {
            return Ok(());
        }
        let of = format!("{}/{}", caller.namespace, caller.service_account);
        Err(Refusal::Forbidden(of, format!("{namespace}/{name}")))
    }

    async fn read(&self, name: &str) -> Result<StoredReport, Refusal> {
        let (facts, references, base) = {
            let index = self.index.read();
            let facts = find(&index, &self.names, name)?;
            (facts.clone(), index.nodes().references(&facts.image), index.base(facts))
        };
        let inventory = self.inventory(&facts.image).await.map_err(Refusal::Unavailable)?;
        let name = self.names.get(&facts.image);
        Ok(StoredReport {
            schema: StoredReport::SCHEMA,
            name,
            references,
            facts: ImageFacts::clone(&facts),
            base,
            inventory,
        })
    }

    /// From this replica's store, else from the leader's.
    async fn inventory(&self, image: &Digest) -> Result<Option<Inventory>, String> {
        let (here, listed) = {
            let index = self.index.read();
            (index.has_inventory(image), index.packages(image).is_some())
        };
        if here {
            let stored = self.store.inventory(image).await.map_err(|error| error.to_string())?;
            if stored.is_some() {
                return Ok(stored);
            }
            self.index.write().lost_inventory(image);
        }
        let leadership = self.leadership.borrow().clone();
        match leadership {
            Leadership::Following { leader } if listed => {
                inventory_of_leader(&self.trust, &leader, image).await
            }
            _ => Ok(None),
        }
    }
}

/// The facts of the image that a digest, a reference or a ScanReport's name means.
fn find<'i>(index: &'i Index, names: &ReportNames, name: &str) -> Result<&'i Arc<ImageFacts>, Refusal> {
    let mut images: Vec<Digest> = Vec::new();
    if let Ok(digest) = name.parse::<Digest>() {
        images.extend(by_digest(index, &digest));
    } else {
        images.extend(names.image(name));
        if let Ok(reference) = name.parse::<Reference>() {
            let text = reference.to_string();
            let nodes = index.nodes().names().filter_map(|node| index.nodes().get(node));
            images.extend(nodes.filter_map(|images| images.by_reference(&text)).cloned());
            images.extend(reference.digest().iter().flat_map(|digest| by_digest(index, digest)));
        }
    }
    images.sort();
    images.dedup();
    let mut known = images.iter().filter_map(|image| index.facts().get(image));
    match (known.next(), known.next()) {
        (Some(facts), None) => Ok(facts),
        (None, _) => Err(Refusal::Unknown(name.to_owned())),
        (Some(_), Some(_)) => {
            let images = images.iter().map(Digest::to_string).collect();
            Err(Refusal::Ambiguous { name: name.to_owned(), images })
        }
    }
}

/// The images that an image's, a manifest's or an index's digest means.
fn by_digest(index: &Index, digest: &Digest) -> Vec<Digest> {
    let mut images = index.facts().by_alias(digest).to_vec();
    images.extend(index.nodes().by_alias(digest).cloned());
    if index.facts().get(digest).is_some() {
        images.push(digest.clone());
    }
    images
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use pratique_core::package::PackageCounts;
    use tower::ServiceExt;

    use super::*;
    use crate::testing::{Believer, digest, facts, node_image};

    const GOOD: &str = "pratique-viewer/";

    struct Endpoint {
        router: Router,
        index: SharedIndex,
        store: ReportStore,
        _folder: tempfile::TempDir,
    }

    impl Endpoint {
        /// One that knows images 1 and 2, of an index for two platforms.
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = ReportStore::open(folder.path()).unwrap();
            let index = SharedIndex::default();
            for (image, architecture) in [(1, "amd64"), (2, "arm64")] {
                index.write().apply_facts(facts(image, architecture, true).into());
            }
            let on_node = |image, name: &str| vec![node_image(image, &[name, "docker.io/shop/moved:1"])];
            index.write().reset_node_images("n1", on_node(1, "docker.io/shop/web:1"));
            index.write().reset_node_images("n2", on_node(2, "docker.io/shop/arm:1"));
            let names = ReportNames::default();
            names.apply(digest(2), "arm-020202020202".to_owned());
            let (_, leadership) = watch::channel(Leadership::Leading { epoch: 1 });
            let (_, bundle) = watch::channel(None);
            let trust = Trust {
                bundle,
                server_name: String::new(),
                token: "/nowhere".into(),
                replica: String::new(),
            };
            let reports = Reports {
                index: index.clone(),
                store: store.clone(),
                names,
                leadership,
                trust,
                authenticator: Arc::new(Believer),
                account: ("pratique".into(), "pratique-viewer".into()),
            };
            Self { router: router(reports), index, store, _folder: folder }
        }

        async fn ask(&self, token: Option<&str>, image: &str) -> (u16, Vec<u8>) {
            let mut request = Request::get(format!("{PATH}?image={image}"));
            if let Some(token) = token {
                request = request.header(TOKEN_HEADER, token);
            }
            let answer = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let status = answer.status().as_u16();
            (status, axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec())
        }

        async fn read(&self, image: &str) -> StoredReport {
            let (status, body) = self.ask(Some(GOOD), image).await;
            assert_eq!(status, 200, "{image}: {}", String::from_utf8_lossy(&body));
            serde_json::from_slice(&body).unwrap()
        }
    }

    #[tokio::test]
    async fn only_tokens_of_the_viewers_account_open_reports() {
        let endpoint = Endpoint::new();
        for (token, status) in [
            (None, 401),
            (Some(""), 401),
            (Some("nonsense"), 401),
            (Some("pratique-agent/n1"), 403),
            (Some("pratique-operator/n1"), 403),
            (Some(GOOD), 200),
        ] {
            let (got, body) = endpoint.ask(token, "shop/web:1").await;
            let body = String::from_utf8_lossy(&body).into_owned();
            assert_eq!(got, status, "{token:?}: {body}");
            assert_eq!(body.contains("sha256:"), status == 200, "{token:?}: {body}");
        }
    }

    #[tokio::test]
    async fn a_report_is_found_by_each_of_its_names() {
        let endpoint = Endpoint::new();
        let (one, manifest) = (digest(1).to_string(), digest(101).to_string());
        for name in ["shop/web:1", "docker.io/shop/web:1", one.as_str(), manifest.as_str()] {
            assert_eq!(endpoint.read(name).await.facts.image, digest(1), "{name}");
        }
        let report = endpoint.read("arm-020202020202").await;
        assert_eq!((report.facts.image, report.name.as_deref()), (digest(2), Some("arm-020202020202")));
        assert_eq!(report.references, ["docker.io/shop/arm:1", "docker.io/shop/moved:1"]);
        let index = digest(200).to_string();
        for name in ["shop/moved:1", index.as_str()] {
            let (status, body) = endpoint.ask(Some(GOOD), name).await;
            let body = String::from_utf8(body).unwrap();
            assert_eq!(status, 409, "{name}: {body}");
            assert!(body.contains(&one) && body.contains(&digest(2).to_string()), "{body}");
        }
        for name in ["shop/none:1", "web-0", &"x".repeat(MAX_NAME + 1)] {
            assert!([400, 404].contains(&endpoint.ask(Some(GOOD), name).await.0), "{name}");
        }
    }

    #[tokio::test]
    async fn the_inventory_comes_with_the_report_once_it_is_there() {
        let endpoint = Endpoint::new();
        assert_eq!(endpoint.read("shop/web:1").await.inventory, None);
        let inventory = Inventory::default();
        endpoint.store.put_inventory(&digest(1), &inventory).await.unwrap();
        endpoint.index.write().apply_packages(&digest(1), PackageCounts::of(&inventory));
        assert_eq!(endpoint.read("shop/web:1").await.inventory, Some(inventory));
        // One that was lost is no empty one, and is asked for again.
        endpoint.store.delete(&digest(1)).await.unwrap();
        assert_eq!(endpoint.read("shop/web:1").await.inventory, None);
        assert!(!endpoint.index.read().has_inventory(&digest(1)));
    }
}
