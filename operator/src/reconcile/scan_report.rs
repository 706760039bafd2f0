//! ScanReports: one object per image that has facts, written only when its content changed.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use pratique_core::lineage::Base;
use pratique_core::package::PackageCounts;
use pratique_core::policy::{Scanned, explain};
use pratique_core::{Digest, ImageFacts, Reference};
use pratique_crds::scan_report::report_status;
use pratique_crds::{ScanReport, ScanReportSpec, ScanReportStatus};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, interval, sleep};
use tracing::{info, warn};

use super::{Context, IMAGE_ANNOTATION, PolicySet, ReportNames};
use crate::index::{Change, Index};
use crate::webhook_config::{FIELD_MANAGER, labels};

/// Numbers of nodes and workloads are brought up to date this often, and no oftener.
const REFRESH: Duration = Duration::from_secs(600);

/// Writes under way at a time: 10,000 reports within a minute at 100 ms each.
const CONCURRENCY: usize = 16;

/// Pause after failed writes.
const RETRY: Duration = Duration::from_secs(5);

/// Reports of one page of a list.
const PAGE: u32 = 500;

/// On how many nodes an image is, and how many workloads run it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Usage {
    nodes: i64,
    workloads: i64,
}

/// What was written last.
#[derive(Debug, Clone)]
struct Written {
    content: u64,
    references: Vec<Reference>,
}

struct Reports {
    context: Context,
    written: HashMap<Digest, Written>,
    usage: HashMap<Digest, Usage>,
    pending: HashSet<Digest>,
}

/// Writes reports until cancelled.
pub(super) async fn run(context: Context) {
    let written = loop {
        match load(&context).await {
            Ok(written) => break written,
            Err(error) => {
                context.metrics.failed("ScanReport");
                warn!(%error, "ScanReports cannot be listed");
                sleep(RETRY).await;
            }
        }
    };
    let mut reports = Reports { context, written, usage: HashMap::new(), pending: HashSet::new() };
    let mut policies = reports.context.policies();
    let mut changes = reports.context.index.read().subscribe();
    let mut refresh = interval(REFRESH);
    refresh.tick().await;
    reports.refresh_usage();
    reports.want_all();
    loop {
        reports.flush().await;
        let retry = if reports.pending.is_empty() { REFRESH } else { RETRY };
        tokio::select! {
            change = changes.recv() => {
                let mut next = Some(change);
                while let Some(change) = next {
                    match change {
                        Ok(change) => reports.note(change),
                        Err(RecvError::Lagged(_)) => reports.want_all(),
                        Err(RecvError::Closed) => return,
                    }
                    next = changes.try_recv().ok().map(Ok);
                }
            }
            Ok(()) = policies.changed() => reports.want_all(),
            _ = refresh.tick() => {
                reports.refresh_usage();
                reports.want_all();
                reports.sweep();
            }
            () = sleep(retry) => {}
        }
    }
}

/// Reads which reports there are and what they say.
async fn load(context: &Context) -> kube::Result<HashMap<Digest, Written>> {
    let api: Api<ScanReport> = Api::all(context.client.clone());
    let mut written = HashMap::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await?;
        for report in page.items {
            let Ok(image) = report.spec.image.parse::<Digest>() else { continue };
            let Some(name) = report.metadata.name else { continue };
            context.watches.reports.apply(image.clone(), name);
            if let Some(status) = report.status {
                let references = status.references.iter().filter_map(|text| text.parse().ok()).collect();
                written.insert(image, Written { content: hash(&status), references });
            }
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = ListParams::default().limit(PAGE).continue_token(&token),
            None => return Ok(written),
        }
    }
}

impl Reports {
    fn want_all(&mut self) {
        self.pending.extend(self.context.index.read().facts().iter().map(|facts| facts.image.clone()));
    }

    fn note(&mut self, change: Change) {
        match change {
            Change::Facts(image) | Change::FactsRemoved(image) => {
                self.pending.insert(image);
            }
            Change::NodeImages(node) => {
                let index = self.context.index.read();
                let images = index.nodes().get(&node).into_iter().flat_map(|images| images.iter());
                self.pending.extend(images.map(|image| image.image.clone()));
            }
            _ => {}
        }
    }

    fn refresh_usage(&mut self) {
        let index = self.context.index.read();
        let mut workloads: HashMap<Digest, HashSet<String>> = HashMap::new();
        for (pod, image) in index.running_images() {
            workloads.entry(image).or_default().insert(self.context.watches.owners.top(pod).uid);
        }
        self.usage = index
            .facts()
            .iter()
            .map(|facts| {
                let workloads = workloads.get(&facts.image).map_or(0, HashSet::len);
                (
                    facts.image.clone(),
                    Usage { nodes: nodes(&index, &facts.image), workloads: count(workloads) },
                )
            })
            .collect();
    }

    /// Reports of images that nobody has and nobody knows, left by a leader that ended too soon.
    fn sweep(&mut self) {
        let index = self.context.index.read();
        let orphans = self
            .context
            .watches
            .reports
            .images()
            .into_iter()
            .filter(|image| index.facts().get(image).is_none() && !index.nodes().holds(image));
        self.pending.extend(orphans);
    }

    /// Writes what is pending; what failed stays pending.
    async fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let policies = self.context.policies().borrow().clone();
        let now = Timestamp::now();
        let pending = std::mem::take(&mut self.pending);
        let started = Instant::now();
        let (mut writes, mut deletions) = (Vec::new(), Vec::new());
        for image in pending {
            match self.compose(&policies, &image, now) {
                Some(report) => {
                    let content = hash(&report.status);
                    let is_there = self.context.watches.reports.get(&image).is_some();
                    if !is_there || self.written.get(&image).is_none_or(|written| written.content != content)
                    {
                        writes.push((report, content));
                    }
                }
                None => deletions.extend(self.context.watches.reports.get(&image).map(|name| (image, name))),
            }
        }
        let total = writes.len() + deletions.len();
        let context = &self.context;
        let mut done = futures::stream::iter(writes)
            .map(|(report, content)| async move {
                let result = write(context, &report).await;
                (report, content, result)
            })
            .buffer_unordered(CONCURRENCY);
        while let Some((report, content, result)) = done.next().await {
            match result {
                Ok(()) => {
                    context.metrics.reports_written.inc();
                    self.written.insert(report.image, Written { content, references: report.references });
                }
                Err(error) => {
                    context.metrics.failed("ScanReport");
                    warn!(%error, report = report.name, "ScanReport cannot be written");
                    self.pending.insert(report.image);
                }
            }
        }
        drop(done);
        for (image, name) in deletions {
            match delete(&self.context, &name).await {
                Ok(()) => {
                    self.context.watches.reports.remove(&name);
                    self.written.remove(&image);
                }
                Err(error) => {
                    self.context.metrics.failed("ScanReport");
                    warn!(%error, report = name, "ScanReport cannot be deleted");
                    self.pending.insert(image);
                }
            }
        }
        if total > 100 {
            info!(reports = total, seconds = started.elapsed().as_secs(), "ScanReports written");
        }
    }

    fn compose(&self, policies: &PolicySet, image: &Digest, now: Timestamp) -> Option<Report> {
        let index = self.context.index.read();
        let facts = index.facts().get(image)?.clone();
        let packages = index.packages(image).cloned();
        let base = index.base(&facts);
        let mut references: Vec<Reference> =
            index.nodes().references(image).iter().filter_map(|text| text.parse().ok()).collect();
        if references.is_empty() {
            // No node has it any more: it keeps the names it was known by.
            references =
                self.written.get(image).map(|written| written.references.clone()).unwrap_or_default();
        }
        let since = index.facts().since(image).unwrap_or(facts.judged_at);
        let usage = self
            .usage
            .get(image)
            .copied()
            .unwrap_or_else(|| Usage { nodes: nodes(&index, image), workloads: 0 });
        drop(index);
        let known = Known { facts: &facts, packages: packages.as_ref(), base: base.as_ref(), since };
        Some(Report::compose(&self.context.watches.reports, policies, known, references, usage, now))
    }
}

/// What is known of an image.
#[derive(Clone, Copy)]
struct Known<'k> {
    facts: &'k ImageFacts,
    packages: Option<&'k PackageCounts>,
    /// What it was built on.
    base: Option<&'k Base>,
    /// Since when the same was known.
    since: Timestamp,
}

/// A report as it is to be.
#[derive(Debug)]
struct Report {
    image: Digest,
    name: String,
    spec: ScanReportSpec,
    status: ScanReportStatus,
    references: Vec<Reference>,
}

impl Report {
    fn compose(
        names: &ReportNames,
        policies: &PolicySet,
        known: Known<'_>,
        references: Vec<Reference>,
        usage: Usage,
        now: Timestamp,
    ) -> Self {
        let Known { facts, packages, base, since } = known;
        let short_name = references.first().map_or_else(|| "image".to_owned(), Reference::short_name);
        let name = names.choose(&facts.image, &short_name);
        let scanned = Scanned { facts, since, report: Some(&name) };
        let explanations: Vec<_> = policies
            .in_force()
            .iter()
            .filter_map(|policy| explain(policy, scanned, &references, now))
            .collect();
        let mut status = report_status(facts, packages, &references, &explanations);
        if let Some(base) = base {
            status.set_base(facts, base);
        }
        status.nodes = Some(usage.nodes);
        status.workloads = Some(usage.workloads);
        status.conditions = conditions(facts, status.error.as_deref());
        Self { image: facts.image.clone(), spec: ScanReportSpec::of(facts), status, references, name }
    }
}

/// Both depend on the facts alone, their times too: the same facts give the same report.
fn conditions(facts: &ImageFacts, error: Option<&str>) -> Vec<Condition> {
    let condition = |type_: &str, holds: bool, reason: &str, message: String| Condition {
        type_: type_.to_owned(),
        status: if holds { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: Time(facts.judged_at),
        observed_generation: None,
    };
    let scanned = match error {
        None => condition("Scanned", true, "Scanned", format!("by node {}", facts.scanned_by)),
        Some(error) => condition("Scanned", false, "Error", error.to_owned()),
    };
    let complete = match (error.is_none(), facts.gaps.len()) {
        (true, 0) => condition("Complete", true, "Complete", String::new()),
        (true, gaps) => condition("Complete", false, "Gaps", format!("{gaps} gaps, see status.gaps")),
        (false, _) => condition("Complete", false, "Error", "nothing usable came out of the scan".to_owned()),
    };
    vec![scanned, complete]
}

async fn write(context: &Context, report: &Report) -> kube::Result<()> {
    let api: Api<ScanReport> = Api::all(context.client.clone());
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let names = &context.watches.reports;
    if names.get(&report.image).as_ref() != Some(&report.name) {
        create(&api, &params, report).await?;
        names.apply(report.image.clone(), report.name.clone());
    }
    match write_status(&api, &params, report).await {
        // Somebody deleted it.
        Err(kube::Error::Api(status)) if status.code == 404 => {
            create(&api, &params, report).await?;
            write_status(&api, &params, report).await
        }
        result => result,
    }
}

async fn create(api: &Api<ScanReport>, params: &PatchParams, report: &Report) -> kube::Result<()> {
    let object = json!({
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "ScanReport",
        "metadata": {
            "name": report.name,
            "labels": labels(),
            "annotations": { IMAGE_ANNOTATION: report.image },
        },
        "spec": report.spec,
    });
    api.patch(&report.name, params, &Patch::Apply(object)).await.map(drop)
}

async fn write_status(api: &Api<ScanReport>, params: &PatchParams, report: &Report) -> kube::Result<()> {
    let object = json!({
        "apiVersion": "pratique.dev/v1alpha1",
        "kind": "ScanReport",
        "metadata": { "name": report.name },
        "status": report.status,
    });
    api.patch_status(&report.name, params, &Patch::Apply(object)).await.map(drop)
}

async fn delete(context: &Context, name: &str) -> kube::Result<()> {
    let api: Api<ScanReport> = Api::all(context.client.clone());
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}

fn nodes(index: &Index, image: &Digest) -> i64 {
    count(index.nodes().holders(image).count())
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Of the content as it is stored; only compared within one process.
fn hash(status: &ScanReportStatus) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(status).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pratique_core::facts::Trust;
    use pratique_core::policy::{Body, ImageRule, PolicySpec, Rule};
    use pratique_core::{Category, Finding, Platform, Severity};

    use super::*;
    use crate::reconcile::Compiled;

    fn facts(findings: usize) -> ImageFacts {
        let finding = |i| Finding {
            detector: "weak-password".into(),
            rule: "linux-account".into(),
            category: Category::WeakPassword,
            severity: Severity::High,
            message: format!("account user{i} has a weak password {}", "x".repeat(300)),
            path: Some(format!("/srv/{i}/{}/etc/shadow", "y".repeat(200))),
            layer: Some(Digest::sha256([9; 32])),
            attributes: Default::default(),
        };
        ImageFacts {
            image: Digest::sha256([1; 32]),
            manifests: vec![],
            indexes: vec![],
            platform: Platform::default(),
            created: None,
            user: String::new(),
            layers: vec![],
            licenses: None,
            detectors: [("weak-password".to_owned(), "1".to_owned())].into(),
            findings: (0..findings).map(finding).collect(),
            gaps: vec![],
            suppressed: vec![],
            advisories: None,
            error: None,
            judged_at: "2026-11-24T02:00:00Z".parse().unwrap(),
            scanned_by: "node1".into(),
            trust: Trust::Blobs,
        }
    }

    fn report(facts: &ImageFacts, policies: &PolicySet, now: &str) -> Report {
        let references = vec!["registry.test/shop/web:1".parse().unwrap()];
        let usage = Usage { nodes: 2, workloads: 1 };
        let now = now.parse().unwrap();
        let known = Known { facts, packages: None, base: None, since: facts.judged_at };
        Report::compose(&ReportNames::default(), policies, known, references, usage, now)
    }

    #[test]
    fn the_same_knowledge_gives_the_same_content_and_a_policy_another() {
        let none = PolicySet::default();
        let first = report(&facts(1), &none, "2026-11-24T03:00:00Z");
        assert_eq!(first.name, "web-010101010101");
        let later = report(&facts(1), &none, "2026-11-25T03:00:00Z");
        assert_eq!(hash(&first.status), hash(&later.status), "time alone rewrites nothing");

        let mut spec = PolicySpec::new("no-root", Timestamp::UNIX_EPOCH);
        let rule = ImageRule { runs_as_root: true, ..ImageRule::default() };
        spec.deny = vec![Rule { name: "root".into(), body: Body::Image(rule) }];
        let reference = k8s_openapi::api::core::v1::ObjectReference {
            name: Some("no-root".into()),
            ..Default::default()
        };
        let set: PolicySet = [Compiled::new(reference, 1, Ok(spec))].into_iter().collect();
        let judged = report(&facts(1), &set, "2026-11-24T03:00:00Z");
        assert_ne!(hash(&first.status), hash(&judged.status));
        assert_eq!(judged.status.policy.as_deref(), Some("Deny (no-root)"));
    }

    #[test]
    fn a_report_stays_small_and_says_what_it_leaves_out() {
        let report = report(&facts(500), &PolicySet::default(), "2026-11-24T03:00:00Z");
        let size = serde_json::to_vec(&report.status).unwrap().len();
        assert!(size < 14 << 10, "{size} bytes of status");
        let omitted = report.status.omitted.unwrap().findings;
        assert_eq!(i64::try_from(report.status.findings.len()).unwrap() + omitted, 500);
    }
}
