//! The answer to one request, as a function of values: no socket, no clock, no lock.

use k8s_openapi::api::core::v1 as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pratique_core::policy::{Decision, Detail, Effect};
use serde::Deserialize;

use super::judge::{Knowledge, Now, Subject, judge};
use super::parts;
use super::review::{Request, Response};

/// On a pod that only mirrors a static pod of its node: the kubelet made it, and runs the static one anyway.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// What became of a request, as the metric says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No policy objects.
    Allowed,
    /// Nothing to be judged: nothing changed, or the object is on its way out.
    Skipped,
    /// A static pod's mirror: reported, never refused.
    Mirror,
    /// A violation was recorded.
    Audited,
    /// Let in with a warning.
    Warned,
    /// Refused.
    Denied,
}

impl Outcome {
    /// The label of the metric and of the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Skipped => "skipped",
            Self::Mirror => "mirror",
            Self::Audited => "audited",
            Self::Warned => "warned",
            Self::Denied => "denied",
        }
    }

    fn of(decision: &Decision) -> Self {
        match decision.effect() {
            None => Self::Allowed,
            Some(Effect::Audit) => Self::Audited,
            Some(Effect::Warn) => Self::Warned,
            Some(Effect::Deny) => Self::Denied,
        }
    }
}

/// The answer, with what else is to be told.
#[derive(Debug)]
pub struct Answer {
    /// For the API server.
    pub response: Response,
    /// For the metric.
    pub outcome: Outcome,
    /// What the policies said.
    pub decision: Decision,
}

impl Answer {
    fn skip(uid: &str) -> Self {
        Self { response: Response::allow(uid), outcome: Outcome::Skipped, decision: Decision::default() }
    }
}

/// Judges a pod that is created, or what changes of one that is there.
pub(super) fn pod(knowledge: Knowledge<'_>, request: &Request<k8s::Pod>, detail: Detail, now: Now) -> Answer {
    let uid = &request.uid;
    let Some(pod) = &request.object else { return Answer::skip(uid) };
    let Some(spec) = &pod.spec else { return Answer::skip(uid) };
    if pod.metadata.deletion_timestamp.is_some() {
        return Answer::skip(uid);
    }
    let before = request.old_object.as_ref().and_then(|old| old.spec.as_ref());
    let subject = Subject {
        namespace: &request.namespace,
        labels: pod.metadata.labels.as_ref(),
        spec,
        pod: before.map_or_else(|| parts::pod(spec), |_| Default::default()),
        parts: before.map_or_else(|| parts::parts(spec), |old| parts::changed(spec, old)),
    };
    if subject.parts.is_empty() {
        return Answer::skip(uid);
    }
    let decision = judge(knowledge, &subject, now);
    let mut outcome = Outcome::of(&decision);
    let response = if has_annotation(&pod.metadata, MIRROR) {
        outcome = Outcome::Mirror;
        Response::allow(uid)
    } else {
        match decision.message(Effect::Deny, detail) {
            Some(message) => Response::deny(uid, message),
            None => Response::allow(uid),
        }
        .warn(decision.with_effect(Effect::Warn).map(|violation| violation.display(detail).to_string()))
    };
    Answer { response: record(response, outcome, &decision), outcome, decision }
}

/// A controller of pods, reduced to the pods' template.
#[derive(Debug, Deserialize)]
pub struct Workload {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: WorkloadSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WorkloadSpec {
    #[serde(default)]
    template: Option<k8s::PodTemplateSpec>,
    #[serde(default)]
    job_template: Option<JobTemplate>,
}

#[derive(Debug, Deserialize)]
struct JobTemplate {
    #[serde(default)]
    spec: JobSpec,
}

#[derive(Debug, Default, Deserialize)]
struct JobSpec {
    #[serde(default)]
    template: Option<k8s::PodTemplateSpec>,
}

impl Workload {
    fn template(&self) -> Option<&k8s::PodTemplateSpec> {
        let of_job = || self.spec.job_template.as_ref().and_then(|job| job.spec.template.as_ref());
        self.spec.template.as_ref().or_else(of_job)
    }
}

/// Warns early: what a Deployment or its like would have its pods run. It is never refused, its pods may be.
pub(super) fn workload(
    knowledge: Knowledge<'_>,
    request: &Request<Workload>,
    detail: Detail,
    now: Now,
) -> Answer {
    let uid = &request.uid;
    let Some(object) = &request.object else { return Answer::skip(uid) };
    let Some(template) = object.template() else { return Answer::skip(uid) };
    let Some(spec) = &template.spec else { return Answer::skip(uid) };
    // A ReplicaSet of a Deployment says nothing that the Deployment did not.
    let is_controlled =
        object.metadata.owner_references.iter().flatten().any(|owner| owner.controller == Some(true));
    if is_controlled || object.metadata.deletion_timestamp.is_some() {
        return Answer::skip(uid);
    }
    let before =
        request.old_object.as_ref().and_then(Workload::template).and_then(|template| template.spec.as_ref());
    let subject = Subject {
        namespace: &request.namespace,
        labels: template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref()),
        spec,
        pod: before.map_or_else(|| parts::pod(spec), |_| Default::default()),
        parts: before.map_or_else(|| parts::parts(spec), |old| parts::changed(spec, old)),
    };
    if subject.parts.is_empty() {
        return Answer::skip(uid);
    }
    let decision = judge(knowledge, &subject, now);
    let outcome = match Outcome::of(&decision) {
        Outcome::Denied => Outcome::Warned,
        outcome => outcome,
    };
    let warnings = decision
        .violations
        .iter()
        .filter(|violation| violation.effect > Effect::Audit)
        .map(|violation| format!("in the pods of this object: {}", violation.display(detail)));
    let response = Response::allow(uid).warn(warnings);
    Answer { response: record(response, outcome, &decision), outcome, decision }
}

/// Puts the decision in the API server's audit log; also what is only to be recorded.
fn record(response: Response, outcome: Outcome, decision: &Decision) -> Response {
    let response = response.annotate("decision", outcome.as_str().to_owned());
    let Some(effect) = decision.effect() else { return response };
    match decision.message(effect, Detail::Full) {
        Some(message) => response.annotate("violations", message),
        None => response,
    }
}

fn has_annotation(metadata: &ObjectMeta, key: &str) -> bool {
    metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(key))
}
