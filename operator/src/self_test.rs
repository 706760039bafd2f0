//! `helm test`: does a replica serve the webhook, by the name and the authority that the API server uses?

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use axum::body::Body;
use axum::http::Request;
use axum::http::header::{CONTENT_TYPE, HOST};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::args::NameArgs;

/// Longest wait for the whole exchange; the API server waits no longer either.
const PATIENCE: Duration = Duration::from_secs(30);

/// Largest answer read, in bytes.
const ANSWER: usize = 64 << 10;

/// Asks the webhook to judge a pod without containers, and prints what it said.
///
/// # Errors
/// With the step that failed: the authority, the name, the connection, the certificate, the answer.
pub async fn run(client: Client, names: &NameArgs) -> anyhow::Result<()> {
    let answer = timeout(PATIENCE, ask(client, names))
        .await
        .with_context(|| format!("the webhook did not answer within {PATIENCE:?}"))??;
    ensure!(
        answer["response"]["uid"] == "self-test",
        "the webhook's answer is none to our question: {answer}"
    );
    ensure!(answer["response"]["allowed"] == true, "the webhook refused a pod without containers: {answer}");
    println!("{} serves the webhook", names.object("webhook"));
    Ok(())
}

async fn ask(client: Client, names: &NameArgs) -> anyhow::Result<Value> {
    let map = names.object("ca");
    let bundle = Api::<ConfigMap>::namespaced(client, &names.namespace)
        .get(&map)
        .await
        .with_context(|| format!("config map {map} with the authority's certificate"))?
        .data
        .and_then(|mut data| data.remove("ca.crt"))
        .with_context(|| format!("config map {map} has no ca.crt"))?;

    let host = format!("{}.{}.svc", names.object("webhook"), names.namespace);
    let socket = TcpStream::connect((host.as_str(), 443))
        .await
        .with_context(|| format!("connecting to {host}:443"))?;
    let tls = TlsConnector::from(Arc::new(trusting(&bundle)?))
        .connect(ServerName::try_from(host.clone())?, socket)
        .await
        .with_context(|| format!("TLS with {host}"))?;

    let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await?;
    let driver = tokio::spawn(connection);
    let request = Request::post("/validate")
        .header(HOST, &host)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(question(&names.namespace).to_string()))?;
    let response = sender.send_request(request).await.context("asking the webhook")?;
    let status = response.status();
    let body =
        axum::body::to_bytes(Body::new(response.into_body()), ANSWER).await.context("reading its answer")?;
    driver.abort();
    if !status.is_success() {
        bail!("the webhook answered {status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body).context("the webhook's answer is no JSON")
}

fn trusting(bundle: &str) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.context("ca.crt")?)?;
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// A review as the API server would send it.
fn question(namespace: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "self-test",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "self-test",
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {},
            "dryRun": true,
            "object": {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "self-test", "namespace": namespace},
                "spec": {"containers": []},
            },
        },
    })
}
