//! WorkloadReports: which images a workload runs, and what the policies say of them after the fact. Whatever runs without
//! having been admitted (webhook down, tag moved, policy changed) is found here.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference, Time};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use pratique_core::policy::{self, ContainerKind, Decision, Detail, Effect, Policy, Violation, decide};
use pratique_core::{Digest, Verdict};
use pratique_crds::scan_report::summary_text;
use pratique_crds::workload_report::{Owner, WorkloadImage, WorkloadViolation};
use pratique_crds::{WorkloadReport, WorkloadReportSpec, WorkloadReportStatus};
use serde_json::json;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::sleep;
use tracing::warn;

use super::{Context, Owners, ReportNames};
use crate::admission::{Found, Part, candidates, parts, whole};
use crate::events::Notice;
use crate::index::{Index, Pod};
use crate::webhook_config::{FIELD_MANAGER, labels};

/// All workloads are judged anew at most this often.
const PACE: Duration = Duration::from_secs(5);

/// And at least this often: what depends on the date alone.
const REFRESH: Duration = Duration::from_secs(300);

/// Pause after a failed list.
const RETRY: Duration = Duration::from_secs(5);

/// Bounds of the schema.
const MAX_IMAGES: usize = 64;
const MAX_VIOLATIONS: usize = 32;

/// A workload's namespace and the UID of its topmost controller.
type Key = (String, String);

/// One rule on one image of a workload.
type ViolationKey = (String, String, Option<String>, Option<Digest>);

/// Namespace and name of a report.
type Id = (String, String);

/// What the reports said when this replica began to lead.
#[derive(Default)]
struct Before {
    written: HashMap<Id, u64>,
    /// By report, policy, rule and message.
    since: HashMap<(Id, String, String, String), Timestamp>,
}

/// A workload with what was judged of it.
struct Workload {
    owner: OwnerReference,
    images: BTreeMap<(String, String), WorkloadImage>,
    categories: BTreeMap<String, i64>,
    verdicts: Vec<Option<Verdict>>,
    violations: HashMap<ViolationKey, (Violation, Arc<Pod>)>,
}

/// Writes reports until cancelled.
pub(super) async fn run(context: Context) {
    let Before { mut written, since: mut known } = loop {
        match load(&context).await {
            Ok(before) => break before,
            Err(error) => {
                context.metrics.failed("WorkloadReport");
                warn!(%error, "WorkloadReports cannot be listed");
                sleep(RETRY).await;
            }
        }
    };
    let mut policies = context.policies();
    let mut changes = context.index.read().subscribe();
    let mut since: HashMap<(Key, ViolationKey), Timestamp> = HashMap::new();
    loop {
        let set = policies.borrow_and_update().clone();
        let now = Timestamp::now();
        let workloads = {
            let index = context.index.read();
            judge_all(&index, &context.watches.owners, &context.watches.reports, set.in_force(), now)
        };
        count(&context, &workloads);
        note_since(&context, &workloads, &mut since, &known, now);
        known.clear();
        write_all(&context, &workloads, &since, &mut written).await;
        tokio::select! {
            Ok(()) = policies.changed() => {}
            change = changes.recv() => if matches!(change, Err(RecvError::Closed)) { return },
            () = sleep(REFRESH) => {}
        }
        sleep(PACE).await;
        while !matches!(changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
    }
}

/// Reads what there is.
async fn load(context: &Context) -> kube::Result<Before> {
    let api: Api<WorkloadReport> = Api::all(context.client.clone());
    let mut before = Before::default();
    for report in api.list(&ListParams::default()).await?.items {
        let id = (report.namespace().unwrap_or_default(), report.name_any());
        let owner = report.owner_references().first().map(|owner| owner.uid.clone()).unwrap_or_default();
        let status = report.status.unwrap_or_default();
        before.written.insert(id.clone(), hash(&owner, &status));
        for violation in status.violations {
            let key = (id.clone(), violation.policy, violation.rule, violation.message);
            before.since.insert(key, violation.since.0);
        }
    }
    Ok(before)
}

/// Groups all pods by their topmost controller and judges them as if they wanted in now.
fn judge_all(
    index: &Index,
    owners: &Owners,
    reports: &ReportNames,
    policies: &[Arc<Policy>],
    now: Timestamp,
) -> HashMap<Key, Workload> {
    let mut workloads: HashMap<Key, Workload> = HashMap::new();
    for pod in index.cluster().pods() {
        let owner = owners.top(pod);
        let workload =
            workloads.entry((pod.namespace.clone(), owner.uid.clone())).or_insert_with(|| Workload {
                owner,
                images: BTreeMap::new(),
                categories: BTreeMap::new(),
                verdicts: Vec::new(),
                violations: HashMap::new(),
            });
        judge_pod(index, reports, policies, pod, workload, now);
    }
    workloads
}

fn judge_pod(
    index: &Index,
    reports: &ReportNames,
    policies: &[Arc<Policy>],
    pod: &Arc<Pod>,
    workload: &mut Workload,
    now: Timestamp,
) {
    let node = pod.node.as_deref().unwrap_or_default();
    let parts = parts(&pod.spec);
    let started: Vec<_> = parts
        .iter()
        .flat_map(|part| running(index, reports, pod, node, part).into_iter().map(move |found| (part, found)))
        .collect();
    for (part, found) in &started {
        workload.add_image(part.name, part.image, found);
    }
    let containers = started
        .iter()
        .map(|(part, found)| policy::Container {
            name: part.name,
            kind: part.kind,
            image: part.image,
            privileged: part.privileged,
            added_capabilities: part.added_capabilities.clone(),
            run_as: part.run_as,
            first_ran: found.image().and_then(|image| index.seen().get(&pod.namespace, image)),
            candidates: vec![found.as_candidate()],
        })
        .collect();
    let none = BTreeMap::new();
    let request = policy::Request {
        namespace: &pod.namespace,
        namespace_labels: index.cluster().namespace(&pod.namespace).unwrap_or(&none),
        pod_labels: &pod.labels,
        pod: whole(&pod.spec),
        containers,
    };
    let Decision { violations, .. } = decide(policies.iter().map(Arc::as_ref), &request, now);
    for violation in violations {
        workload.violations.entry(key(&violation)).or_insert_with(|| (violation, pod.clone()));
    }
}

/// What a part of a pod runs. A container that has not started runs nothing yet; an image volume has no status that would
/// say its digest, so it is what its reference means on the pod's node.
fn running(index: &Index, reports: &ReportNames, pod: &Pod, node: &str, part: &Part<'_>) -> Vec<Found> {
    if part.kind == ContainerKind::Volume {
        let nodes: Vec<_> = index.cluster().node(node).into_iter().collect();
        return candidates(index, reports, &pod.spec, part, &nodes, Instant::now());
    }
    let status = pod.containers.iter().find(|c| (c.kind, c.name.as_str()) == (part.kind, part.name));
    let Some(digest) = status.and_then(|status| status.running.as_ref()) else { return Vec::new() };
    let image = index.image_on_node(digest, node);
    vec![match image.as_ref().and_then(|image| index.facts().get(image)) {
        Some(facts) => Found::scanned(index, reports, facts.clone()),
        None => Found::Unscanned { image, reason: "its node has not reported a scan of it".to_owned() },
    }]
}

fn key(violation: &Violation) -> ViolationKey {
    let container = violation.container.as_ref();
    (
        violation.policy.clone(),
        violation.rule.clone(),
        container.map(|container| container.name.clone()),
        container.and_then(|container| container.image.clone()),
    )
}

impl Workload {
    fn add_image(&mut self, container: &str, reference: &str, found: &Found) {
        let image = found.image();
        let identity = image.map_or_else(|| reference.to_owned(), Digest::to_string);
        if self.images.contains_key(&(container.to_owned(), identity.clone())) {
            return;
        }
        let (verdict, summary, report) = match found {
            Found::Scanned { facts, report, .. } => {
                let mut categories = BTreeMap::new();
                for finding in &facts.findings {
                    *categories.entry(finding.category.to_string()).or_insert(0) += 1;
                    *self.categories.entry(finding.category.to_string()).or_insert(0) += 1;
                }
                (Some(Verdict::of(facts)), Some(summary_text(&categories)), report.clone())
            }
            Found::Unscanned { .. } | Found::Unsupported(_) => (None, None, None),
        };
        self.verdicts.push(verdict);
        let image = WorkloadImage {
            container: container.to_owned(),
            reference: reference.to_owned(),
            image: image.map(Digest::to_string),
            report,
            verdict: verdict.map(Into::into),
            summary: summary.filter(|summary| !summary.is_empty()),
        };
        self.images.insert((container.to_owned(), identity), image);
    }

    /// The worst verdict; none while an image is unscanned and the others are clean.
    fn verdict(&self) -> Option<Verdict> {
        let worst = self.verdicts.iter().flatten().max().copied();
        let is_partial = self.verdicts.iter().any(Option::is_none);
        worst.filter(|worst| !is_partial || *worst != Verdict::Clean)
    }

    fn status(&self, key: &Key, since: &HashMap<(Key, ViolationKey), Timestamp>) -> WorkloadReportStatus {
        let mut violations: Vec<WorkloadViolation> = self
            .violations
            .iter()
            .filter_map(|(violation_key, (violation, _))| {
                Some(WorkloadViolation {
                    policy: violation.policy.clone(),
                    rule: violation.rule.clone(),
                    effect: violation.effect.into(),
                    message: message(violation),
                    since: Time(*since.get(&(key.clone(), violation_key.clone()))?),
                })
            })
            .collect();
        violations.sort_by(|a, b| {
            b.effect
                .cmp(&a.effect)
                .then_with(|| (&a.policy, &a.rule, &a.message).cmp(&(&b.policy, &b.rule, &b.message)))
        });
        let compliant = violations.is_empty();
        let changed = violations.iter().map(|violation| violation.since.0).min();
        let images: Vec<WorkloadImage> = self.images.values().cloned().collect();
        let over = |length: usize, limit: usize| {
            Some(length.saturating_sub(limit))
                .filter(|over| *over > 0)
                .and_then(|over| i64::try_from(over).ok())
        };
        let summary = summary_text(&self.categories);
        WorkloadReportStatus {
            verdict: self.verdict().map(Into::into),
            summary: Some(summary).filter(|summary| !summary.is_empty()),
            images_omitted: over(images.len(), MAX_IMAGES),
            violations_omitted: over(violations.len(), MAX_VIOLATIONS),
            conditions: vec![Condition {
                type_: "Compliant".to_owned(),
                status: if compliant { "True" } else { "False" }.to_owned(),
                reason: if compliant { "NoViolation" } else { "Violations" }.to_owned(),
                message: if compliant {
                    String::new()
                } else {
                    format!("{} violations, see status.violations", violations.len())
                },
                // Without a violation there is no time to remember: it held since the beginning.
                last_transition_time: Time(changed.unwrap_or(Timestamp::UNIX_EPOCH)),
                observed_generation: None,
            }],
            images: images.into_iter().take(MAX_IMAGES).collect(),
            violations: violations.into_iter().take(MAX_VIOLATIONS).collect(),
        }
    }

    /// The report's name: the owner's kind and name.
    fn name(&self) -> String {
        let name = format!("{}-{}", self.owner.kind.to_ascii_lowercase(), self.owner.name);
        name.chars().take(253).collect::<String>().trim_end_matches(['-', '.']).to_owned()
    }
}

fn count(context: &Context, workloads: &HashMap<Key, Workload>) {
    let mut counts: HashMap<(&str, Effect), i64> = HashMap::new();
    for (violation, _) in workloads.values().flat_map(|workload| workload.violations.values()) {
        *counts.entry((&violation.policy, violation.effect)).or_default() += 1;
    }
    let gauge = &context.metrics.workload_violations;
    gauge.reset();
    for ((policy, effect), count) in counts {
        gauge.with_label_values(&[policy, effect.as_str()]).set(count);
    }
}

/// Remembers when each violation was first seen, and tells of new ones that a policy warns of or refuses. What the
/// reports already said is not new, whoever led then.
fn note_since(
    context: &Context,
    workloads: &HashMap<Key, Workload>,
    since: &mut HashMap<(Key, ViolationKey), Timestamp>,
    known: &HashMap<(Id, String, String, String), Timestamp>,
    now: Timestamp,
) {
    since.retain(|(key, violation), _| {
        workloads.get(key).is_some_and(|workload| workload.violations.contains_key(violation))
    });
    for (key, workload) in workloads {
        for (violation_key, (violation, pod)) in &workload.violations {
            let Entry::Vacant(vacant) = since.entry((key.clone(), violation_key.clone())) else { continue };
            let id = (key.0.clone(), workload.name());
            let said = (id, violation.policy.clone(), violation.rule.clone(), message(violation));
            match known.get(&said) {
                Some(then) => {
                    vacant.insert(*then);
                }
                None => {
                    vacant.insert(now);
                    if violation.effect > Effect::Audit {
                        context.notices.send(notice(&workload.owner, pod, violation));
                    }
                }
            }
        }
    }
}

/// Within the schema's bound.
fn message(violation: &Violation) -> String {
    violation.display(Detail::Full).to_string().chars().take(2000).collect()
}

fn notice(owner: &OwnerReference, pod: &Pod, violation: &Violation) -> Notice {
    let reference = |api_version: &str, kind: &str, name: &str, uid: &str| ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned()),
        namespace: Some(pod.namespace.clone()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    };
    let message = violation.display(Detail::Full);
    Notice {
        regarding: reference("v1", "Pod", &pod.name, &pod.uid),
        related: Some(reference(&owner.api_version, &owner.kind, &owner.name, &owner.uid)),
        reason: "RunningViolation",
        action: "Judged",
        note: format!("already running: {message}"),
        joins: true,
    }
}

async fn write_all(
    context: &Context,
    workloads: &HashMap<Key, Workload>,
    since: &HashMap<(Key, ViolationKey), Timestamp>,
    written: &mut HashMap<Id, u64>,
) {
    let mut current = HashSet::new();
    for (key, workload) in workloads.iter().filter(|(_, workload)| !workload.images.is_empty()) {
        let id = (key.0.clone(), workload.name());
        let status = workload.status(key, since);
        let content = hash(&workload.owner.uid, &status);
        current.insert(id.clone());
        if written.get(&id) == Some(&content) {
            continue;
        }
        match write(context, &id, workload, &status).await {
            Ok(()) => {
                written.insert(id, content);
            }
            Err(error) => failed(context, &id, &error),
        }
    }
    let gone: Vec<_> = written.keys().filter(|id| !current.contains(*id)).cloned().collect();
    for id in gone {
        let api: Api<WorkloadReport> = Api::namespaced(context.client.clone(), &id.0);
        match api.delete(&id.1, &DeleteParams::default()).await {
            Ok(_) => {
                written.remove(&id);
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                written.remove(&id);
            }
            Err(error) => failed(context, &id, &error),
        }
    }
}

async fn write(
    context: &Context,
    (namespace, name): &Id,
    workload: &Workload,
    status: &WorkloadReportStatus,
) -> kube::Result<()> {
    let api: Api<WorkloadReport> = Api::namespaced(context.client.clone(), namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let owner = &workload.owner;
    let spec = WorkloadReportSpec {
        owner: Owner {
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
            name: owner.name.clone(),
        },
    };
    // The workload's end is the report's; nobody has to wait for it (blockOwnerDeletion would need more rights).
    let reference = OwnerReference { block_owner_deletion: None, controller: None, ..owner.clone() };
    let object = |more: serde_json::Value| {
        let mut object = json!({ "apiVersion": "pratique.dev/v1alpha1", "kind": "WorkloadReport" });
        if let (Some(object), serde_json::Value::Object(more)) = (object.as_object_mut(), more) {
            object.extend(more);
        }
        Patch::Apply(object)
    };
    let metadata = json!({ "name": name, "labels": labels(), "ownerReferences": [reference] });
    api.patch(name, &params, &object(json!({ "metadata": metadata, "spec": spec }))).await?;
    let status = json!({ "metadata": { "name": name }, "status": status });
    api.patch_status(name, &params, &object(status)).await.map(drop)
}

fn failed(context: &Context, (namespace, name): &Id, error: &kube::Error) {
    // A namespace on its way out takes its reports with it.
    if matches!(error, kube::Error::Api(status) if status.code == 403 && status.message.contains("being terminated"))
    {
        return;
    }
    context.metrics.failed("WorkloadReport");
    warn!(%error, namespace, name, "WorkloadReport cannot be written");
}

/// Of whose it is and what it says: the report of a workload that was made anew goes with the old one.
fn hash(owner: &str, status: &WorkloadReportStatus) -> u64 {
    let mut hasher = DefaultHasher::new();
    owner.hash(&mut hasher);
    serde_json::to_vec(status).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use k8s_openapi::api::core::v1 as k8s;
    use pratique_core::policy::{Action, PolicySpec};

    use super::*;
    use crate::index::{NodeImage, SharedIndex};

    fn pod(name: &str, controller: serde_json::Value, image: Digest) -> k8s::Pod {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop", "uid": name, "ownerReferences": controller},
            "spec": {"nodeName": "node1", "containers": [{"name": "web", "image": "registry.test/web:1"}]},
            "status": {"phase": "Running", "containerStatuses": [{
                "name": "web", "image": "registry.test/web:1", "imageID": format!("registry.test/web@{image}"),
                "ready": true, "restartCount": 0,
            }]},
        }))
        .unwrap()
    }

    #[test]
    fn pods_are_summed_up_by_their_topmost_controller_and_judged_by_what_they_run() {
        let shared = SharedIndex::default();
        let mut index = shared.write();
        let image = Digest::sha256([1; 32]);
        index.reset_node_images(
            "node1",
            vec![NodeImage {
                image: image.clone(),
                manifests: vec![],
                indexes: vec![],
                references: vec!["registry.test/web:1".into()],
                platform: Default::default(),
                detectors_done: vec![],
            }],
        );
        let owned = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "rs", "controller": true}]);
        index.apply_pod(&pod("web-1-a", owned.clone(), image.clone()));
        index.apply_pod(&pod("web-1-b", owned, image.clone()));
        index.apply_pod(&pod("alone", json!([]), image.clone()));

        let mut spec = PolicySpec::new("strict", Timestamp::UNIX_EPOCH);
        spec.unscanned = Action::Deny;
        let policies = [Arc::new(Policy::compile(&spec).unwrap())];
        let now = "2026-11-24T03:00:00Z".parse().unwrap();
        let workloads = judge_all(&index, &Owners::default(), &ReportNames::default(), &policies, now);
        assert_eq!(workloads.len(), 2);
        let set = &workloads[&("shop".to_owned(), "rs".to_owned())];
        assert_eq!(set.name(), "replicaset-web-1");
        assert_eq!(workloads[&("shop".to_owned(), "alone".to_owned())].name(), "pod-alone");
        assert_eq!(set.images.len(), 1, "both pods run the same");
        assert_eq!(set.violations.len(), 1);
        let (violation, _) = set.violations.values().next().unwrap();
        assert_eq!((violation.rule.as_str(), violation.effect), ("unscanned", Effect::Deny));
        assert_eq!(violation.container.as_ref().unwrap().image.as_ref(), Some(&image));
        assert_eq!(set.verdict(), None, "unscanned is no verdict");

        let key = ("shop".to_owned(), "rs".to_owned());
        let since = HashMap::from([((key.clone(), set.violations.keys().next().unwrap().clone()), now)]);
        let status = set.status(&key, &since);
        assert_eq!((status.violations.len(), status.violations[0].since.0), (1, now));
        assert_eq!(status.conditions[0].status, "False");
        assert_eq!(hash("rs", &status), hash("rs", &set.status(&key, &since)), "the same content twice");
        assert_ne!(hash("rs", &status), hash("rs-2", &status), "another workload of the same name");
    }
}
