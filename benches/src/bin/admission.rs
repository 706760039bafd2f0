//! Latency of the admission handler at a steady 1,000 requests a second, with 10,000 reports and 50 policies.
//!
//! Requests are due at fixed times and their latency counts from then (a slow answer does not make the next one later), so that
//! queueing shows. No network and no TLS: what is measured is the handler, from the body's bytes to the answer's.

use std::time::{Duration, Instant};

use anyhow::Context;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Node, ObjectReference};
use pratique_core::facts::Trust;
use pratique_core::policy::Detail;
use pratique_core::{Category, Digest, Finding, ImageFacts, Platform, Severity};
use pratique_crds::ScanPolicy;
use pratique_operator::admission::{Admission, Metrics, Settings};
use pratique_operator::events::Notices;
use pratique_operator::index::{Freshness, NodeImage, SharedIndex};
use pratique_operator::reconcile::{Compiled, PolicySet, ReportNames};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::watch;
use tower::ServiceExt;

const REPORTS: usize = 10_000;
const POLICIES: usize = 50;
const RATE: u32 = 1_000;
const SECONDS: u32 = 20;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let index = index()?;
    let (_policies_tx, policies) = watch::channel(Arc::new(policies()?));
    let (notices, _dropped) = Notices::new();
    let settings = Settings { detail: Detail::Full, concurrency: 512, timeout: Duration::from_secs(4) };
    let metrics = Metrics::new(&prometheus::Registry::new())?;
    let router = Admission::new(index, policies, ReportNames::default(), settings, metrics, notices).router();

    let start = Instant::now() + Duration::from_millis(100);
    let interval = Duration::from_secs(1) / RATE;
    let mut running = Vec::new();
    for n in 0..RATE * SECONDS {
        let due = start + interval * n;
        tokio::time::sleep_until(due.into()).await;
        let router = router.clone();
        running.push(tokio::spawn(async move {
            let request = Request::post("/validate")
                .header("content-type", "application/json")
                .body(Body::from(review(n as usize)))?;
            // What the timer overslept is the load generator's fault, what the task waits is the handler's.
            let began = Instant::now();
            let response = router.oneshot(request).await?;
            let status = response.status();
            let body = to_bytes(response.into_body(), 1 << 20).await?;
            anyhow::ensure!(status.is_success(), "{status}");
            anyhow::Ok((
                began.elapsed(),
                began.saturating_duration_since(due),
                body.windows(15).any(|w| w == b"\"allowed\":false"),
            ))
        }));
    }
    let mut latencies = Vec::new();
    let mut late = Vec::new();
    let mut refused = 0;
    for task in running {
        let (latency, behind, denied) = task.await??;
        latencies.push(latency);
        late.push(behind + latency);
        refused += usize::from(denied);
    }
    latencies.sort();
    late.sort();
    let at = |all: &[Duration], share: f64| all[((all.len() - 1) as f64 * share) as usize];
    println!(
        "admission: {} requests at {RATE}/s, {REPORTS} reports, {POLICIES} policies, {refused} refused",
        latencies.len()
    );
    println!(
        "  in the handler   p50 {:?}  p99 {:?}  p99.9 {:?}  max {:?}",
        at(&latencies, 0.5),
        at(&latencies, 0.99),
        at(&latencies, 0.999),
        at(&latencies, 1.0)
    );
    println!("  from the due time p50 {:?}  p99 {:?}", at(&late, 0.5), at(&late, 0.99));
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).context("VmHWM")?;
    println!("  peak memory {}", peak.trim_start_matches("VmHWM:").trim());
    Ok(())
}

fn digest(n: usize) -> Digest {
    let mut sum = [0; 32];
    sum[..8].copy_from_slice(&n.to_be_bytes());
    Digest::sha256(sum)
}

fn reference(n: usize) -> String {
    format!("registry.example.com/team{}/app{n}:1.{}", n % 40, n % 7)
}

/// Two nodes that have every image; every third image has a finding.
fn index() -> anyhow::Result<SharedIndex> {
    let index = SharedIndex::default();
    let mut writer = index.write();
    writer.set_freshness(Freshness::Leading);
    let platform = Platform { os: "linux".into(), architecture: "amd64".into(), variant: String::new() };
    let images: Vec<NodeImage> = (0..REPORTS)
        .map(|n| NodeImage {
            image: digest(n),
            manifests: vec![digest(REPORTS + n)],
            indexes: vec![],
            references: vec![reference(n)],
            platform: platform.clone(),
            detectors_done: vec![],
        })
        .collect();
    for name in ["n1", "n2"] {
        let node: Node = serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "status": {
                "nodeInfo": {"operatingSystem": "linux", "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "",
                    "kernelVersion": "", "kubeProxyVersion": "", "kubeletVersion": "", "machineID": "", "osImage": "", "systemUUID": ""},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }))?;
        writer.apply_node(&node);
        writer.reset_node_images(name, images.clone());
    }
    for n in 0..10 {
        let namespace: Namespace = serde_json::from_value(
            json!({"metadata": {"name": format!("team{n}"), "labels": {"team": format!("t{n}")}}}),
        )?;
        writer.apply_namespace(&namespace);
    }
    let now = Timestamp::now();
    for n in 0..REPORTS {
        let findings = (0..if n % 3 == 0 { 3 } else { 0 })
            .map(|k| Finding {
                detector: "weak-password".into(),
                rule: "linux-account".into(),
                category: Category::WeakPassword,
                severity: Severity::High,
                message: format!("account user{k} has a weak password (us****, scheme sha512)"),
                path: Some("/etc/shadow".into()),
                layer: Some(digest(2 * REPORTS + n)),
                attributes: [("user".to_owned(), format!("user{k}"))].into(),
            })
            .collect();
        writer.apply_facts(Arc::new(ImageFacts {
            image: digest(n),
            manifests: vec![digest(REPORTS + n)],
            indexes: vec![],
            platform: platform.clone(),
            created: Some(now),
            user: "app".into(),
            layers: (0..8).map(|layer| digest(2 * REPORTS + n + layer)).collect(),
            licenses: None,
            detectors: [("weak-password".to_owned(), "1".to_owned())].into(),
            findings,
            gaps: vec![],
            suppressed: vec![],
            advisories: None,
            error: None,
            judged_at: now,
            scanned_by: "n1".into(),
            trust: Trust::Folders,
        }));
    }
    drop(writer);
    Ok(index)
}

/// Policies of the kinds people write: some speak of one team, some of all, some enforce.
fn policies() -> anyhow::Result<PolicySet> {
    (0..POLICIES)
        .map(|n| {
            let selector = if n % 2 == 0 { json!({}) } else { json!({"matchLabels": {"team": format!("t{}", n % 10)}}) };
            let mut policy: ScanPolicy = serde_json::from_value(json!({
                "apiVersion": "pratique.dev/v1alpha1", "kind": "ScanPolicy",
                "metadata": {"name": format!("policy-{n}"), "uid": format!("{n}"), "generation": 1},
                "spec": {
                    "match": {"namespaceSelector": selector, "images": ["registry.example.com/**"], "excludeImages": [format!("registry.example.com/none{n}/*")]},
                    "enforcement": if n % 5 == 0 { "Enforce" } else { "Warn" },
                    "deny": [
                        {"name": "planted", "finding": {"categories": ["WeakPassword"], "minSeverity": "Medium", "paths": ["/etc/**"]}},
                        {"name": "where-from", "image": {"repositoriesNotIn": ["registry.example.com/**"], "runsAsRoot": true}},
                        {"name": "no-escape", "workload": {"privileged": true, "hostNamespaces": true, "hostPaths": ["/", "/var/run/*"]}},
                    ],
                    "exceptions": [{"name": "old", "findings": {"rules": ["weak-password/linux-group"]}, "images": ["registry.example.com/old/*"], "reason": "read-only",
                        "expires": "2099-01-01T00:00:00Z"}],
                },
            }))?;
            policy.metadata.creation_timestamp = None;
            let reference = ObjectReference { name: Some(format!("policy-{n}")), uid: Some(format!("{n}")), ..Default::default() };
            let compiled = Compiled::new(reference, 1, policy.to_policy().map_err(|error| error.to_string()));
            compiled.policy.as_ref().map_err(|error| anyhow::anyhow!("policy {n}: {error}"))?;
            Ok(compiled)
        })
        .collect()
}

/// A pod of three containers, as the API server sends it.
fn review(n: usize) -> Vec<u8> {
    let container = |name: &str, image: usize| {
        json!({"name": name, "image": reference(image % REPORTS), "imagePullPolicy": "IfNotPresent",
            "env": [{"name": "A", "value": "b"}], "resources": {}, "terminationMessagePath": "/dev/termination-log"})
    };
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": format!("{n}"),
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": format!("team{}", n % 10), "name": "x", "operation": "CREATE", "userInfo": {}, "dryRun": true,
            "object": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": format!("team{}", n % 10), "labels": {"app": "x"}},
                "spec": {"containers": [container("a", n), container("b", n * 7 + 1)], "initContainers": [container("c", n * 13 + 2)]}},
        },
    })
    .to_string()
    .into_bytes()
}
