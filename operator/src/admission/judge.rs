//! From a pod to a decision: its images are looked up in the index, and the policies judge what is known of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as k8s;
use pratique_core::policy::{self, Decision, Policy, Scanned};
use pratique_core::{Digest, ImageFacts, Platform, Reference};

use super::parts::Part;
use crate::index::{Candidate, Index, Node, PullPolicy};
use crate::reconcile::ReportNames;

/// The two clocks of a decision: one for people's dates, one for how far a replica is behind.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Of the calendar.
    pub date: Timestamp,
    /// Of this process.
    pub instant: Instant,
}

impl Now {
    /// Both clocks now.
    pub fn read() -> Self {
        Self { date: Timestamp::now(), instant: Instant::now() }
    }
}

/// The pod to be judged, or the template of one.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its labels.
    pub labels: Option<&'a BTreeMap<String, String>>,
    /// Its spec, which says on which nodes it may run.
    pub spec: &'a k8s::PodSpec,
    /// What it asks for as a whole; the default where that did not change.
    pub pod: policy::Pod<'a>,
    /// What brings an image; on an update only what changed.
    pub parts: Vec<Part<'a>>,
}

/// What every decision is made from.
#[derive(Clone, Copy)]
pub struct Knowledge<'a> {
    /// Facts, tags, nodes, namespaces.
    pub index: &'a Index,
    /// Names of ScanReports, for the message.
    pub reports: &'a ReportNames,
    /// The compiled policies.
    pub policies: &'a [Arc<Policy>],
}

/// What the policies say of `subject`.
pub fn judge(knowledge: Knowledge<'_>, subject: &Subject<'_>, now: Now) -> Decision {
    let Knowledge { index, reports, policies } = knowledge;
    if policies.is_empty() {
        return Decision::default();
    }
    let nodes = index.eligible_nodes(subject.spec);
    let found: Vec<Vec<Found>> = subject
        .parts
        .iter()
        .map(|part| candidates(index, reports, subject.spec, part, &nodes, now.instant))
        .collect();
    let containers = subject
        .parts
        .iter()
        .zip(&found)
        .map(|(part, found)| policy::Container {
            name: part.name,
            kind: part.kind,
            image: part.image,
            privileged: part.privileged,
            added_capabilities: part.added_capabilities.clone(),
            run_as: part.run_as,
            candidates: found.iter().map(Found::as_candidate).collect(),
            first_ran: found
                .iter()
                .filter_map(Found::image)
                .filter_map(|image| index.seen().get(subject.namespace, image))
                .min(),
        })
        .collect();
    let none = BTreeMap::new();
    let request = policy::Request {
        namespace: subject.namespace,
        namespace_labels: index.cluster().namespace(subject.namespace).unwrap_or(&none),
        pod_labels: subject.labels.unwrap_or(&none),
        pod: subject.pod.clone(),
        containers,
    };
    policy::decide(policies.iter().map(Arc::as_ref), &request, now.date)
}

/// An image that a part may run, with what the decision borrows.
pub(crate) enum Found {
    /// Its facts, and the name of its report.
    Scanned { facts: Arc<ImageFacts>, since: Timestamp, report: Option<String> },
    /// Nobody has scanned it.
    Unscanned { image: Option<Digest>, reason: String },
    /// Nobody can scan it.
    Unsupported(Platform),
}

impl Found {
    /// What is known of an image, whoever asked for it.
    pub(crate) fn scanned(index: &Index, reports: &ReportNames, facts: Arc<ImageFacts>) -> Self {
        let since = index.facts().since(&facts.image).unwrap_or(facts.judged_at);
        Self::Scanned { since, report: reports.get(&facts.image), facts }
    }

    pub(crate) fn as_candidate(&self) -> policy::Candidate<'_> {
        match self {
            Self::Scanned { facts, since, report } => {
                policy::Candidate::Scanned(Scanned { facts, since: *since, report: report.as_deref() })
            }
            Self::Unscanned { image, reason } => {
                policy::Candidate::Unscanned { digest: image.clone(), reason: reason.clone() }
            }
            Self::Unsupported(platform) => policy::Candidate::Unsupported { platform: platform.clone() },
        }
    }

    pub(crate) fn image(&self) -> Option<&Digest> {
        match self {
            Self::Scanned { facts, .. } => Some(&facts.image),
            Self::Unscanned { image, .. } => image.as_ref(),
            Self::Unsupported(_) => None,
        }
    }
}

/// The images that a part may run on one of `nodes`.
pub(crate) fn candidates(
    index: &Index,
    reports: &ReportNames,
    spec: &k8s::PodSpec,
    part: &Part<'_>,
    nodes: &[&Node],
    now: Instant,
) -> Vec<Found> {
    let foreign = nodes.iter().map(|node| &node.platform).find(|platform| platform.os != "linux");
    if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        let assumed =
            || Platform { os: "windows".into(), architecture: "amd64".into(), variant: String::new() };
        return vec![Found::Unsupported(foreign.cloned().unwrap_or_else(assumed))];
    }
    // A reference that cannot be read is unscanned; the decision says so itself.
    let Ok(reference) = part.image.parse::<Reference>() else { return Vec::new() };
    let pull = PullPolicy::of(part.pull, &reference);
    index
        .resolve(&reference, pull, nodes, now)
        .into_iter()
        .map(|candidate| match candidate {
            Candidate::Scanned(facts) => Found::scanned(index, reports, facts),
            Candidate::Unscanned { image, reason } => Found::Unscanned { image, reason },
            Candidate::Unsupported { .. } => Found::Unsupported(foreign.cloned().unwrap_or_default()),
        })
        .collect()
}
