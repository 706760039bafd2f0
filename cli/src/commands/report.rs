//! `pratique report`, also as `kubectl pratique report`: whole reports from a cluster.
//!
//! Everything goes through the API server, with whatever credentials the kubeconfig has: first a token is made, for ten
//! minutes and for this purpose alone, then the operator is asked through the service proxy. RBAC guards both.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::client::Body;
use kube::config::KubeConfigOptions;
use kube::{Api, Client, Config};
use pratique_core::package::Inventory;
use pratique_core::stored::{AUDIENCE, PATH, StoredReport, TOKEN_HEADER};
use pratique_core::{Gap, GapKind};
use pratique_http::encode;
use pratique_report::{Advisories, AdvisoryAge, Image, Report, Target, TargetKind, Vulnerabilities};
use pratique_vulns::fetch;
use pratique_vulns::matching::DETECTOR;

use crate::args;
use crate::exit::{Code, Fail, Failure};
use crate::output::Outputs;
use crate::target::empty;

/// Bytes of one report at most. An operator holds inventories of 8 MiB, which JSON makes some times larger.
const LIMIT: usize = 128 << 20;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Seconds that a token is good for: the fewest that Kubernetes grants.
const TOKEN_SECONDS: i64 = 600;

pub(super) fn run(options: args::Report) -> Result<Code, Failure> {
    let outputs = Outputs::of(&options.formats, "table").fail(Code::Usage)?;
    // The certificates' maths for all TLS of this process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().fail(Code::Source)?;
    let mut code = Code::Clean;
    let mut reports = Vec::new();
    let cluster = runtime.block_on(Cluster::connect(&options)).fail(Code::Source)?;
    for image in &options.images {
        match runtime.block_on(cluster.read(image)) {
            Ok(stored) => reports.push(report(image, stored)),
            Err(error) => {
                eprintln!("pratique: {image}: {error:#}");
                code = code.worse(Code::Source);
            }
        }
    }
    if !reports.is_empty() {
        outputs.write(&reports).fail(Code::Output)?;
    }
    Ok(code)
}

/// A cluster's Pratique, and the token that opens its reports.
struct Cluster {
    client: Client,
    endpoint: String,
    token: String,
}

impl Cluster {
    async fn connect(options: &args::Report) -> anyhow::Result<Self> {
        let chosen = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
        let config = match Config::from_kubeconfig(&chosen).await {
            Ok(config) => config,
            Err(error) if options.context.is_some() => return Err(error).context("the kubeconfig"),
            // In a pod there is none.
            Err(error) => Config::incluster().map_err(|_| error).context("no cluster: the kubeconfig")?,
        };
        let client = Client::try_from(config).context("no client for the API server")?;
        let args::Report { namespace, name, .. } = options;
        let account = format!("{name}-viewer");
        let token = token(&client, namespace, &account).await.with_context(|| {
            format!(
                "reports are read with a token of the service account {namespace}/{account}, which cannot be had; \
                 is Pratique installed there, and are you bound to the ClusterRole {account}?"
            )
        })?;
        let endpoint =
            format!("/api/v1/namespaces/{namespace}/services/https:{name}-reports:reports/proxy{PATH}");
        Ok(Self { client, endpoint, token })
    }

    async fn read(&self, image: &str) -> anyhow::Result<StoredReport> {
        let request = Request::get(format!("{}?image={}", self.endpoint, encode(image)))
            .header(TOKEN_HEADER, &self.token)
            .body(Body::empty())?;
        let ask = async {
            let answer = self.client.send(request).await.context("the API server")?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LIMIT).collect().await;
            let body = body.map_err(|error| anyhow!("the answer cannot be read: {error}"))?.to_bytes();
            if status != StatusCode::OK {
                bail!("{}", refusal(status, &body));
            }
            let stored: StoredReport = serde_json::from_slice(&body).context("the answer is no report")?;
            if stored.schema != StoredReport::SCHEMA {
                bail!(
                    "the operator writes reports in form {}, and this command reads form {}: use the operator's release",
                    stored.schema,
                    StoredReport::SCHEMA
                );
            }
            Ok(stored)
        };
        tokio::time::timeout(PATIENCE, ask).await.unwrap_or_else(|_| bail!("no answer within {PATIENCE:?}"))
    }
}

async fn token(client: &Client, namespace: &str, account: &str) -> anyhow::Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: vec![AUDIENCE.to_owned()],
            expiration_seconds: Some(TOKEN_SECONDS),
            bound_object_ref: None,
        },
        ..TokenRequest::default()
    };
    let made = accounts.create_token_request(account, &PostParams::default(), &request).await?;
    made.status.map(|status| status.token).context("the API server answered without a token")
}

/// What an answer that is no report says, by the operator's words or the API server's.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match body["error"].as_str().or_else(|| body["message"].as_str()) {
        Some(words) => words.to_owned(),
        None => format!("the cluster answered {status}"),
    }
}

/// What the formats write. An inventory that is not there is a gap: nobody may take it for an image without packages.
fn report(asked: &str, stored: StoredReport) -> Report {
    let StoredReport { facts, base, inventory, .. } = stored;
    let image = Image { base, ..Image::of(&facts) };
    let mut gaps = facts.gaps;
    if inventory.is_none() && facts.error.is_none() {
        gaps.push(Gap {
            detector: Some(pratique_scan::INVENTORY.to_owned()),
            ..Gap::of_image(GapKind::Unreadable, "the cluster has no list of the image's packages yet")
        });
    }
    let vulnerabilities = vulnerabilities(facts.advisories, &facts.detectors, &gaps, inventory.as_ref());
    let target =
        Target { reference: asked.to_owned(), source: "cluster".to_owned(), kind: TargetKind::Image };
    Report {
        image: Some(image),
        inventory: inventory.unwrap_or_default(),
        findings: facts.findings,
        suppressed: facts.suppressed,
        gaps,
        vulnerabilities,
        detectors: facts.detectors,
        error: facts.error,
        scanned_at: facts.judged_at,
        ..empty(target)
    }
}

/// Whether the cluster matched the packages with advisories.
fn vulnerabilities(
    advisories: Option<Timestamp>,
    detectors: &BTreeMap<String, String>,
    gaps: &[Gap],
    inventory: Option<&Inventory>,
) -> Vulnerabilities {
    let is_missed = || gaps.iter().any(|gap| gap.detector.as_deref() == Some(DETECTOR));
    match advisories {
        Some(as_of) => {
            let occurring = inventory.map(fetch::ecosystems).unwrap_or_default().into_keys();
            let age = |name| (name, AdvisoryAge { newest: None, checked: Some(as_of) });
            let ecosystems = occurring.map(age).collect();
            Vulnerabilities::Matched(Advisories { built: as_of, ecosystems, problem: None })
        }
        None if detectors.contains_key(DETECTOR) => Vulnerabilities::NoPackages,
        None if is_missed() => Vulnerabilities::NotCovered,
        None => Vulnerabilities::Off,
    }
}

#[cfg(test)]
mod tests {
    use pratique_core::facts::Trust;
    use pratique_core::{ImageFacts, Verdict};

    use super::*;

    #[test]
    fn a_reference_stays_one_value_of_the_query() {
        assert_eq!(encode("r.test:5000/a b@sha256:0&x=%"), "r.test%3A5000%2Fa%20b%40sha256%3A0%26x%3D%25");
    }

    #[test]
    fn an_inventory_that_is_not_there_is_a_gap_and_no_image_without_packages() {
        let digest = pratique_core::Digest::sha256([1; 32]);
        let facts = ImageFacts {
            judged_at: jiff::Timestamp::UNIX_EPOCH,
            scanned_by: "node1".into(),
            trust: Trust::Blobs,
            ..ImageFacts::unscanned(digest)
        };
        let stored = |inventory| StoredReport {
            schema: StoredReport::SCHEMA,
            name: None,
            references: Vec::new(),
            facts: facts.clone(),
            base: None,
            inventory,
        };
        let whole = report("shop/web:1", stored(Some(Default::default())));
        assert_eq!((whole.verdict(), whole.scanned_at), (Verdict::Clean, facts.judged_at));
        assert_eq!(report("shop/web:1", stored(None)).verdict(), Verdict::Incomplete);
        assert_eq!(whole.vulnerabilities, Vulnerabilities::Off);
    }

    #[test]
    fn what_the_cluster_matched_is_told_from_what_it_could_not() {
        let digest = pratique_core::Digest::sha256([1; 32]);
        let with = |advisories, detector: bool, missed: bool| {
            let mut facts = ImageFacts { advisories, ..ImageFacts::unscanned(digest.clone()) };
            facts.judged_at = jiff::Timestamp::UNIX_EPOCH;
            facts.detectors.extend(detector.then(|| (DETECTOR.to_owned(), "x".to_owned())));
            let gap = Gap::of_image(GapKind::Unsupported, "not covered");
            facts.gaps.extend(missed.then(|| Gap { detector: Some(DETECTOR.to_owned()), ..gap }));
            let inventory = Some(Inventory::default());
            let stored = StoredReport {
                schema: StoredReport::SCHEMA,
                name: None,
                references: Vec::new(),
                facts,
                inventory,
                base: None,
            };
            report("shop/web:1", stored).vulnerabilities
        };
        let day = jiff::Timestamp::UNIX_EPOCH;
        // Some packages may not be covered by what there is.
        assert_eq!(with(Some(day), true, true).as_of(), Some(day));
        assert_eq!(with(None, true, false), Vulnerabilities::NoPackages);
        assert_eq!(with(None, false, true), Vulnerabilities::NotCovered);
        assert_eq!(with(None, false, false), Vulnerabilities::Off);
    }

    #[test]
    fn a_refusal_says_why_in_its_own_words() {
        assert_eq!(refusal(StatusCode::NOT_FOUND, br#"{"error":"no image"}"#), "no image");
        let forbidden = br#"{"kind":"Status","message":"services is forbidden"}"#;
        assert_eq!(refusal(StatusCode::FORBIDDEN, forbidden), "services is forbidden");
        assert!(refusal(StatusCode::BAD_GATEWAY, b"<html>").contains("502"));
    }
}
