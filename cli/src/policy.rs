//! ScanPolicies in the command: the same objects and the same decision as the webhook's.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use jiff::Timestamp;
use pratique_core::ImageFacts;
use pratique_core::license::Licenses;
use pratique_core::policy::{
    Candidate, Container, ContainerKind, Decision, Pod, Policy, Request, RunAs, Scanned, Selector,
    contradictions, decide,
};
use pratique_crds::ScanPolicy;
use pratique_fs::{SourceKind, SourceRef};
use pratique_report::Report;
use serde::Deserialize;

use crate::args::Options;
use crate::files;

/// Bytes of a policy file at most.
const LIMIT: u64 = 1 << 20;

/// The policies that decide, and what the image is to them.
pub(crate) struct Policies {
    policies: Vec<Policy>,
    namespace: String,
    /// The reference under which pods will ask for the image.
    reference: Option<String>,
}

impl Policies {
    /// Reads the policies that the options name, if they name any.
    ///
    /// # Errors
    /// The file cannot be read, or holds what is no ScanPolicy; the field is named.
    pub(crate) fn of(options: &Options, now: Timestamp) -> anyhow::Result<Option<Self>> {
        let Some(path) = &options.policy else { return Ok(None) };
        let policies = read(path, options.common.quiet, now)?;
        let namespace = options.namespace.clone().unwrap_or_default();
        Ok(Some(Self { policies, namespace, reference: options.reference.clone() }))
    }

    /// What the webhook would say of a pod whose one container runs this image and asks for nothing else.
    ///
    /// # Errors
    /// It is no image, or nobody knows by which reference pods will ask for it.
    pub(crate) fn decide(&self, report: &Report, now: Timestamp) -> anyhow::Result<Decision> {
        let reference = &report.target.reference;
        let Some(image) = &report.image else {
            bail!("{reference}: policies decide on images, and this is none");
        };
        let name = match (&self.reference, SourceRef::parse(reference)?) {
            (Some(name), _) => name.clone(),
            (None, SourceRef { target, .. }) if is_reference(&report.target.source) => target,
            (None, _) => bail!(
                "{reference}: policies know images by reference; say with --reference how pods will call it"
            ),
        };
        let facts = ImageFacts {
            image: image.id.clone(),
            manifests: image.manifests.clone(),
            indexes: image.indexes.clone(),
            platform: image.platform.clone(),
            created: image.created,
            user: image.user.clone(),
            layers: image.layers.clone(),
            detectors: report.detectors.clone(),
            licenses: Some(Licenses::of(&report.inventory)),
            findings: report.findings.clone(),
            gaps: report.gaps.clone(),
            suppressed: report.suppressed.clone(),
            advisories: report.vulnerabilities.as_of(),
            error: report.error.clone(),
            judged_at: report.scanned_at,
            scanned_by: String::new(),
            trust: image.trust,
        };
        let container = Container {
            name: "image",
            kind: ContainerKind::Container,
            image: &name,
            privileged: false,
            added_capabilities: Vec::new(),
            run_as: RunAs::default(),
            candidates: vec![Candidate::Scanned(Scanned::new(&facts))],
            first_ran: None,
        };
        let none = BTreeMap::new();
        let request = Request {
            namespace: &self.namespace,
            namespace_labels: &none,
            pod_labels: &none,
            pod: Pod::default(),
            containers: vec![container],
        };
        Ok(decide(&self.policies, &request, now))
    }
}

/// Whether targets of this source are named as pods name them.
fn is_reference(source: &str) -> bool {
    let kinds =
        [SourceKind::Registry, SourceKind::Containerd, SourceKind::Docker, SourceKind::ContainersStorage];
    kinds.iter().any(|kind| kind.prefix() == source)
}

/// The policies of a file, one document each. Namespaces and pods are taken to be those that each speaks of.
fn read(path: &Path, quiet: bool, now: Timestamp) -> anyhow::Result<Vec<Policy>> {
    let named = format!("policy {}", path.display());
    let text = files::read_text(path, &named, LIMIT)?;
    let mut policies = Vec::new();
    for document in serde_yaml::Deserializer::from_str(&text) {
        let object = Option::<ScanPolicy>::deserialize(document).with_context(|| named.clone())?;
        let Some(object) = object else { continue };
        let mut spec = object.to_policy().with_context(|| named.clone())?;
        if !quiet {
            for sentence in contradictions(&spec, now) {
                eprintln!("pratique: {named}: {}: {sentence}", spec.name);
            }
        }
        (spec.matching.namespaces, spec.matching.objects) = (Selector::default(), Selector::default());
        policies.push(Policy::compile(&spec).with_context(|| format!("{named}: {}", spec.name))?);
    }
    if policies.is_empty() {
        bail!("{named} holds no ScanPolicy");
    }
    Ok(policies)
}
