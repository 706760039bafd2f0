//! What a decision is about.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{Digest, Finding, ImageFacts, Platform};

/// A pod that wants in, and what is known of its images.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Name of the pod's namespace.
    pub namespace: &'a str,
    /// The namespace's labels.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// The pod's labels.
    pub pod_labels: &'a BTreeMap<String, String>,
    /// What the pod as a whole asks for. On an update that leaves it as it is: the default, which asks for nothing.
    pub pod: Pod<'a>,
    /// Everything of the pod that brings an image. On an update only what changed.
    pub containers: Vec<Container<'a>>,
}

/// What a pod as a whole asks for.
#[derive(Debug, Clone, Default)]
pub struct Pod<'a> {
    /// `hostPID`.
    pub host_pid: bool,
    /// `hostIPC`.
    pub host_ipc: bool,
    /// `hostNetwork`.
    pub host_network: bool,
    /// Its hostPath volumes.
    pub host_paths: Vec<HostPath<'a>>,
}

/// A hostPath volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostPath<'a> {
    /// The volume's name.
    pub volume: &'a str,
    /// The path on the node.
    pub path: &'a str,
}

/// Something of a pod that brings an image.
#[derive(Debug, Clone)]
pub struct Container<'a> {
    /// Name of the container or of the image volume.
    pub name: &'a str,
    /// What it is.
    pub kind: ContainerKind,
    /// The image reference as the pod writes it.
    pub image: &'a str,
    /// `securityContext.privileged`, or a Windows HostProcess container.
    pub privileged: bool,
    /// `securityContext.capabilities.add`.
    pub added_capabilities: Vec<&'a str>,
    /// The user it runs as, the pod's setting merged in.
    pub run_as: RunAs,
    /// The images its reference may stand for on the nodes where the pod may run. Each is judged. None at all counts
    /// as unscanned.
    pub candidates: Vec<Candidate<'a>>,
    /// When any of the candidates was first seen running in this namespace, if ever.
    pub first_ran: Option<Timestamp>,
}

/// What brings an image into a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainerKind {
    /// `spec.containers`.
    Container,
    /// `spec.initContainers`.
    Init,
    /// `spec.ephemeralContainers`.
    Ephemeral,
    /// A volume of type `image`.
    Volume,
}

impl ContainerKind {
    /// In words, before its name: `init container`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Init => "init container",
            Self::Ephemeral => "ephemeral container",
            Self::Volume => "image volume",
        }
    }
}

/// The user that a security context sets, container over pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunAs {
    /// `runAsUser`.
    pub user: Option<i64>,
    /// `runAsNonRoot`: the kubelet refuses to start uid 0.
    pub non_root: bool,
}

/// An image that a reference may stand for.
#[derive(Debug, Clone)]
pub enum Candidate<'a> {
    /// It was scanned.
    Scanned(Scanned<'a>),
    /// Nobody has scanned it, or nobody knows which image it would be.
    Unscanned {
        /// Its digest, where known.
        digest: Option<Digest>,
        /// Why there is no scan, as part of a sentence: `the registry decides, and its digest is not known`.
        reason: String,
    },
    /// It is for a platform nobody can scan.
    Unsupported {
        /// Which.
        platform: Platform,
    },
}

/// The facts of a scanned image.
#[derive(Debug, Clone, Copy)]
pub struct Scanned<'a> {
    /// What is known.
    pub facts: &'a ImageFacts,
    /// Since when the same was known ([`known_since`]): a later scan that finds the same does not move it, as it moves
    /// [`ImageFacts::judged_at`]. Otherwise every scan would start the grace of existing workloads anew.
    pub since: Timestamp,
    /// Name of the image's ScanReport.
    pub report: Option<&'a str>,
}

impl<'a> Scanned<'a> {
    /// Facts of which no earlier ones are known, without a report.
    pub fn new(facts: &'a ImageFacts) -> Self {
        Self { facts, since: facts.judged_at, report: None }
    }
}

/// Since when what `facts` say has been known: as of `previous` (the facts before, and since when they were known)
/// where those said the same of findings, gaps and error, else from `found_at` on.
pub fn known_since(
    previous: Option<(&ImageFacts, Timestamp)>,
    facts: &ImageFacts,
    found_at: Timestamp,
) -> Timestamp {
    match previous {
        Some((before, since))
            if say_the_same(&before.findings, &facts.findings)
                && before.gaps == facts.gaps
                && before.error == facts.error
                && before.detectors.keys().eq(facts.detectors.keys()) =>
        {
            since
        }
        _ => found_at,
    }
}

/// Whether findings are the same but for estimates of flaws' use, which move every day.
fn say_the_same(before: &[Finding], after: &[Finding]) -> bool {
    let lasting = |finding: &Finding| {
        let mut finding = finding.clone();
        finding.attributes.remove("epss");
        finding
    };
    let same = |(a, b): (&Finding, &Finding)| a == b || lasting(a) == lasting(b);
    before.len() == after.len() && before.iter().zip(after).all(same)
}
