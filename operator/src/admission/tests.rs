#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request as HttpRequest, StatusCode};
use jiff::Timestamp;
use k8s_openapi::api::core::v1 as k8s;
use pratique_core::facts::Trust;
use pratique_core::policy::{
    Action, Body as RuleBody, Detail, Enforcement, FindingSelector, PolicySpec, Rule, WorkloadRule,
};
use pratique_core::{Category, Digest, Finding, ImageFacts, Platform, Severity};
use prometheus::Registry;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tower::ServiceExt;

use super::*;
use crate::events::Notice;
use crate::index::{Freshness, NodeImage};
use crate::reconcile::Compiled;

const GOOD: u8 = 1;
const BAD: u8 = 2;
const NEW: u8 = 3;

fn digest(byte: u8) -> Digest {
    Digest::sha256([byte; 32])
}

fn facts(byte: u8, findings: Vec<Finding>) -> ImageFacts {
    ImageFacts {
        image: digest(byte),
        manifests: vec![digest(byte + 100)],
        indexes: vec![],
        platform: Platform { os: "linux".into(), architecture: "amd64".into(), variant: String::new() },
        created: None,
        user: "app".into(),
        layers: vec![digest(byte + 200)],
        licenses: None,
        detectors: [("weak-password".to_owned(), "1".to_owned())].into(),
        findings,
        gaps: vec![],
        suppressed: vec![],
        advisories: None,
        error: None,
        judged_at: Timestamp::now(),
        scanned_by: "node1".into(),
        trust: Trust::Blobs,
    }
}

fn planted() -> Finding {
    Finding {
        detector: "weak-password".into(),
        rule: "linux-account".into(),
        category: Category::WeakPassword,
        severity: Severity::High,
        message: "account root has a weak password (s****, scheme sha512)".into(),
        path: Some("/etc/shadow".into()),
        layer: Some(digest(BAD + 200)),
        attributes: Default::default(),
    }
}

fn node(name: &str, os: &str) -> k8s::Node {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/os": os, "kubernetes.io/arch": "amd64"}},
    }))
    .unwrap()
}

/// node1 has `shop/good:1`, `shop/bad:1` and, not yet scanned, `shop/new:1`.
fn index() -> SharedIndex {
    let index = SharedIndex::default();
    {
        let mut index = index.write();
        index.set_freshness(Freshness::Leading);
        index.apply_node(&node("node1", "linux"));
        for (name, team) in [("shop", "yes"), ("lab", "no")] {
            let labels = json!({"kubernetes.io/metadata.name": name, "guarded": team});
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
            index.apply_namespace(&serde_json::from_value(namespace).unwrap());
        }
        let image = |byte: u8, name: &str| NodeImage {
            image: digest(byte),
            manifests: vec![digest(byte + 100)],
            indexes: vec![],
            references: vec![format!("registry.test/shop/{name}:1")],
            platform: Platform { os: "linux".into(), architecture: "amd64".into(), variant: String::new() },
            detectors_done: vec![],
        };
        index.reset_node_images("node1", vec![image(GOOD, "good"), image(BAD, "bad"), image(NEW, "new")]);
        index.apply_facts(Arc::new(facts(GOOD, vec![])));
        index.apply_facts(Arc::new(facts(BAD, vec![planted()])));
    }
    index
}

fn policy(enforcement: Enforcement) -> PolicySpec {
    let mut spec = PolicySpec::new("baseline", Timestamp::now());
    spec.enforcement = enforcement;
    spec.matching.namespaces =
        pratique_core::policy::Selector::new(vec![pratique_core::policy::Requirement {
            key: "guarded".into(),
            operator: pratique_core::policy::Operator::In,
            values: vec!["yes".into()],
        }])
        .unwrap();
    spec.deny = vec![
        Rule {
            name: "planted".into(),
            body: RuleBody::Finding(FindingSelector {
                categories: vec![Category::WeakPassword],
                ..FindingSelector::default()
            }),
        },
        Rule {
            name: "no-escape".into(),
            body: RuleBody::Workload(WorkloadRule { privileged: true, ..WorkloadRule::default() }),
        },
    ];
    spec
}

struct Webhook {
    admission: Arc<Admission>,
    notices: mpsc::Receiver<Notice>,
    registry: Registry,
    _policies: watch::Sender<Arc<PolicySet>>,
}

fn webhook_with(specs: Vec<PolicySpec>, concurrency: usize) -> Webhook {
    let registry = Registry::new();
    let compiled = specs.into_iter().map(|spec| {
        let reference = ObjectReference { name: Some(spec.name.clone()), ..ObjectReference::default() };
        Compiled::new(reference, 1, Ok(spec))
    });
    let (sender, policies) = watch::channel(Arc::new(compiled.collect::<PolicySet>()));
    let reports = ReportNames::default();
    reports.apply(digest(BAD), "bad-020202020202".into());
    let settings = Settings { detail: Detail::Full, concurrency, timeout: Duration::from_millis(500) };
    let (queue, notices) = Notices::new();
    let metrics = Metrics::new(&registry).unwrap();
    let admission = Admission::new(index(), policies, reports, settings, metrics, queue);
    Webhook { admission, notices, registry, _policies: sender }
}

fn webhook(enforcement: Enforcement) -> Webhook {
    webhook_with(vec![policy(enforcement)], 8)
}

impl Webhook {
    async fn post(&self, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let request =
            HttpRequest::post(path).header("content-type", "application/json").body(body.into()).unwrap();
        let response = self.admission.router().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let value = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        (status, value)
    }

    async fn review(&self, request: Value) -> Value {
        let path = if request["resource"]["resource"] == "pods" { PODS_PATH } else { WORKLOADS_PATH };
        let body =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        let (status, answer) = self.post(path, body.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!(answer["response"]["uid"], request["uid"]);
        answer["response"].clone()
    }
}

fn image(name: &str) -> String {
    format!("registry.test/shop/{name}:1")
}

fn pod(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": spec})
}

fn containers(names: &[&str]) -> Value {
    json!({"containers": names.iter().map(|n| json!({"name": n, "image": image(n)})).collect::<Vec<_>>()})
}

fn request(resource: &str, operation: &str, object: Value, old: Value) -> Value {
    json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": resource},
        "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
        "name": "web", "namespace": "shop", "operation": operation,
        "userInfo": {"username": "somebody", "extra": {"a": ["b"]}},
        "object": object, "oldObject": old, "dryRun": false, "options": null,
        "somethingNew": {"from": "a later release"},
    })
}

fn create(spec: Value) -> Value {
    request("pods", "CREATE", pod(spec), Value::Null)
}

#[tokio::test]
async fn a_refusal_names_image_digest_policy_rule_finding_file_and_report() {
    let mut webhook = webhook(Enforcement::Enforce);
    let response = webhook.review(create(containers(&["good", "bad"]))).await;
    assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(403)));
    let message = response["status"]["message"].as_str().unwrap();
    for part in [
        "registry.test/shop/bad:1",
        "sha256:020202020202",
        "container bad",
        "ScanPolicy baseline",
        "rule planted",
        "account root",
        "/etc/shadow",
        "kubectl get scanreport bad-020202020202",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert!(!message.contains("shop/good"), "{message}");
    let notice = webhook.notices.try_recv().unwrap();
    assert_eq!((notice.reason, notice.regarding.name.as_deref()), ("PodRefused", Some("baseline")));
}

#[rstest]
#[case::container(json!({"containers": [{"name": "c", "image": image("bad")}]}), "container c")]
#[case::init(json!({"initContainers": [{"name": "i", "image": image("bad")}], "containers": [{"name": "c", "image": image("good")}]}), "init container i")]
#[case::volume(json!({"containers": [{"name": "c", "image": image("good")}], "volumes": [{"name": "v", "image": {"reference": image("bad")}}]}), "image volume v")]
#[case::by_manifest_digest(json!({"containers": [{"name": "c", "image": format!("registry.test/shop/bad@{}", digest(BAD + 100))}]}), "container c")]
#[case::privileged(json!({"containers": [{"name": "p", "image": image("good"), "securityContext": {"privileged": true}}]}), "no-escape")]
#[tokio::test]
async fn a_risky_part_of_a_new_pod_is_refused(#[case] spec: Value, #[case] named: &str) {
    let response = webhook(Enforcement::Enforce).review(create(spec)).await;
    assert_eq!(response["allowed"], false);
    assert!(response["status"]["message"].as_str().unwrap().contains(named), "{response}");
}

#[rstest]
#[case::clean(create(containers(&["good"])))]
#[case::another_namespace({ let mut r = create(containers(&["bad"])); r["namespace"] = json!("lab"); r })]
#[case::no_image_changes(request("pods", "UPDATE", pod(containers(&["bad"])), pod(containers(&["bad"]))))]
#[case::on_its_way_out({
    let mut r = request("pods", "UPDATE", pod(containers(&["bad"])), pod(containers(&["good"])));
    r["object"]["metadata"]["deletionTimestamp"] = json!("2026-11-24T00:00:00Z");
    r
})]
#[case::nothing_to_judge(request("pods", "UPDATE", Value::Null, Value::Null))]
#[tokio::test]
async fn what_is_no_risk_or_no_change_passes_in_silence(#[case] request: Value) {
    let response = webhook(Enforcement::Enforce).review(request).await;
    assert_eq!(response["allowed"], true, "{response}");
    assert_eq!(response["warnings"], Value::Null);
}

#[tokio::test]
async fn an_update_is_judged_by_what_it_changes() {
    let webhook = webhook(Enforcement::Enforce);
    let swapped = json!({"containers": [{"name": "good", "image": image("bad")}]});
    let response = webhook.review(request("pods", "UPDATE", pod(swapped), pod(containers(&["good"])))).await;
    assert_eq!(response["allowed"], false);

    // The pod has run a risky image since before the policy; a clean debug container is not the moment to punish it.
    let mut debugged = containers(&["bad"]);
    debugged["ephemeralContainers"] = json!([{"name": "debug", "image": image("good")}]);
    let mut update = request("pods", "UPDATE", pod(debugged.clone()), pod(containers(&["bad"])));
    update["subResource"] = json!("ephemeralcontainers");
    assert_eq!(webhook.review(update.clone()).await["allowed"], true);
    update["object"]["spec"]["ephemeralContainers"][0]["image"] = json!(image("bad"));
    let response = webhook.review(update).await;
    assert!(
        response["status"]["message"].as_str().unwrap().contains("ephemeral container debug"),
        "{response}"
    );
}

#[tokio::test]
async fn enforcement_decides_how_loud_a_violation_is() {
    for (enforcement, allowed, warnings, decision) in [
        (Enforcement::Enforce, false, 0, "denied"),
        (Enforcement::Warn, true, 1, "warned"),
        (Enforcement::Audit, true, 0, "audited"),
    ] {
        let mut webhook = webhook(enforcement);
        let response = webhook.review(create(containers(&["bad"]))).await;
        assert_eq!(response["allowed"], allowed);
        assert_eq!(response["warnings"].as_array().map_or(0, Vec::len), warnings, "{response}");
        assert_eq!(response["auditAnnotations"]["decision"], decision);
        assert!(response["auditAnnotations"]["violations"].as_str().unwrap().contains("planted"));
        assert_eq!(webhook.notices.try_recv().is_ok(), !allowed, "an Event tells of refusals only");
    }
}

#[tokio::test]
async fn a_dry_run_has_the_same_answer_and_leaves_no_event() {
    let mut webhook = webhook(Enforcement::Enforce);
    let mut dry = create(containers(&["bad"]));
    dry["dryRun"] = json!(true);
    assert_eq!(webhook.review(dry).await["allowed"], false);
    assert!(webhook.notices.try_recv().is_err());
}

#[tokio::test]
async fn a_mirror_pod_passes_and_is_reported() {
    let mut webhook = webhook(Enforcement::Enforce);
    let mut mirror = create(containers(&["bad"]));
    mirror["object"]["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "hash"});
    let response = webhook.review(mirror).await;
    assert_eq!(response["allowed"], true);
    assert_eq!(response["auditAnnotations"]["decision"], "mirror");
    assert_eq!(webhook.notices.try_recv().unwrap().reason, "StaticPodViolates");
}

#[rstest]
#[case::not_scanned_yet(json!({"containers": [{"name": "c", "image": image("new")}]}))]
#[case::on_no_node(json!({"containers": [{"name": "c", "image": "registry.test/shop/elsewhere:1"}]}))]
#[case::the_registry_decides(json!({"containers": [{"name": "c", "image": image("good"), "imagePullPolicy": "Always"}]}))]
#[case::latest_by_default(json!({"containers": [{"name": "c", "image": "registry.test/shop/good"}]}))]
#[case::no_reference(json!({"containers": [{"name": "c", "image": "Not A Reference"}]}))]
#[case::no_such_node(json!({"nodeName": "node9", "containers": [{"name": "c", "image": image("good")}]}))]
#[tokio::test]
async fn unscanned_is_never_clean(#[case] spec: Value) {
    for (action, allowed, warned) in
        [(Action::Allow, true, false), (Action::Warn, true, true), (Action::Deny, false, false)]
    {
        let mut policy = policy(Enforcement::Enforce);
        policy.unscanned = action;
        let response = webhook_with(vec![policy], 8).review(create(spec.clone())).await;
        assert_eq!(response["allowed"], allowed, "{response}");
        assert_eq!(!response["warnings"].is_null(), warned, "{response}");
    }
}

#[tokio::test]
async fn a_windows_pod_is_unsupported_and_not_unscanned() {
    let mut strict = policy(Enforcement::Enforce);
    strict.unscanned = Action::Deny;
    let mut spec = containers(&["good"]);
    spec["os"] = json!({"name": "windows"});
    let response = webhook_with(vec![strict.clone()], 8).review(create(spec.clone())).await;
    assert_eq!(response["allowed"], true, "{response}");
    strict.unsupported = Action::Deny;
    let response = webhook_with(vec![strict], 8).review(create(spec)).await;
    assert!(response["status"]["message"].as_str().unwrap().contains("windows/amd64"), "{response}");
}

fn workload(resource: &str, template: Value) -> (Value, Value) {
    let spec = match resource {
        "cronjobs" => json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}),
        _ => json!({"replicas": 3, "selector": {}, "template": template}),
    };
    let object = json!({"metadata": {"name": "web"}, "spec": spec});
    (request(resource, "CREATE", object.clone(), Value::Null), object)
}

#[rstest]
#[case("deployments")]
#[case("statefulsets")]
#[case("daemonsets")]
#[case("replicasets")]
#[case("jobs")]
#[case("cronjobs")]
#[case("replicationcontrollers")]
#[tokio::test]
async fn a_controller_is_warned_about_and_never_refused(#[case] resource: &str) {
    let mut webhook = webhook(Enforcement::Enforce);
    let (create, object) =
        workload(resource, json!({"metadata": {"labels": {"app": "web"}}, "spec": containers(&["bad"])}));
    let response = webhook.review(create).await;
    assert_eq!(response["allowed"], true);
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(warning.contains("rule planted") && warning.contains("pods of this object"), "{warning}");
    assert!(webhook.notices.try_recv().is_err());

    let scaled = request(resource, "UPDATE", object.clone(), object);
    assert_eq!(webhook.review(scaled).await["warnings"], Value::Null, "no image changes");
}

#[tokio::test]
async fn what_a_controller_made_is_not_warned_about_twice() {
    let (mut create, _) = workload("replicasets", json!({"spec": containers(&["bad"])}));
    create["object"]["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1", "controller": true}]);
    assert_eq!(webhook(Enforcement::Enforce).review(create).await["warnings"], Value::Null);
}

#[rstest]
#[case::no_json("{", PODS_PATH, "no AdmissionReview")]
#[case::another_kind(r#"{"apiVersion": "v1", "kind": "Pod"}"#, PODS_PATH, "`Pod` of `v1`")]
#[case::another_version(
    r#"{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview"}"#,
    PODS_PATH,
    "v1beta1"
)]
#[case::no_request(
    r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}"#,
    PODS_PATH,
    "no request"
)]
#[tokio::test]
async fn a_body_that_cannot_be_judged_is_a_bad_request_with_the_reason(
    #[case] body: &'static str,
    #[case] path: &str,
    #[case] reason: &str,
) {
    let (status, answer) = webhook(Enforcement::Enforce).post(path, body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer.as_str().unwrap().contains(reason), "{answer}");
}

#[tokio::test]
async fn each_path_judges_its_own_kinds() {
    let webhook = webhook(Enforcement::Enforce);
    let body = |request: Value| {
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
            .to_string()
    };
    let (status, _) = webhook.post(WORKLOADS_PATH, body(create(containers(&["bad"])))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let services = request("services", "CREATE", Value::Null, Value::Null);
    let (status, answer) = webhook.post(PODS_PATH, body(services)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer.as_str().unwrap().contains("services"));
}

#[tokio::test]
async fn too_much_is_refused_at_once() {
    let (status, _) = webhook(Enforcement::Enforce).post(PODS_PATH, vec![b' '; MAX_BODY + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);

    let full = webhook_with(vec![policy(Enforcement::Enforce)], 0);
    let (status, _) = full.post(PODS_PATH, "{}").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let counted = full.registry.gather();
    let requests =
        counted.iter().find(|family| family.name() == "pratique_admission_requests_total").unwrap();
    assert_eq!(requests.get_metric()[0].get_counter().get_value(), 1.0);
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let endless = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    let (status, _) = webhook(Enforcement::Enforce).post(PODS_PATH, endless).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn many_warnings_stay_whole_and_are_counted() {
    let many: Vec<Value> = (0..60).map(|i| json!({"name": format!("c{i}"), "image": image("bad")})).collect();
    let response = webhook(Enforcement::Warn).review(create(json!({"containers": many}))).await;
    let warnings: Vec<&str> =
        response["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    let sum: usize = warnings.iter().map(|warning| warning.chars().count()).sum();
    assert!(sum < 4096, "the API server would cut them: {sum}");
    let last = warnings.last().unwrap();
    assert_eq!(*last, format!("and {} more violations", 60 - (warnings.len() - 1)));
}
