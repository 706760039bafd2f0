//! Our own JSON: the published form of a report, `docs/schema/report-v1.json`. The same types make the schema, and are
//! what templates see. Fields may be added to version 1; renaming or removing one makes version 2.

mod decision;
mod packages;
mod words;

use std::collections::BTreeMap;

use pratique_core::package::Ecosystem;
use pratique_core::{Finding, Gap, Severity, Suppressed};
use schemars::JsonSchema;
use serde::Serialize;

use self::decision::DecisionView;
pub(crate) use self::packages::PackageView;
use self::packages::ReleaseView;
use crate::report::{Advisories, Image, NewerBase, Origin, Report, Upgrade, Vulnerabilities};

/// Version of the schema.
const SCHEMA_VERSION: u32 = 1;

/// Results of one run of Pratique.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Pratique report")]
pub(crate) struct Document<'a> {
    /// Version of this schema. Fields may be added within a version.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    schema_version: u32,
    tool: ToolView<'a>,
    /// One result for each target.
    reports: Vec<ReportView<'a>>,
}

/// The program that made the report.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Tool")]
struct ToolView<'a> {
    name: &'a str,
    version: &'a str,
}

/// The result of scanning one target.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Report")]
struct ReportView<'a> {
    target: TargetView<'a>,
    /// The summary, worst last: `Clean` (neither findings nor gaps), `Findings`, `Incomplete` (gaps), `Error` (nothing
    /// usable came out).
    #[schemars(schema_with = "words::verdict")]
    verdict: &'static str,
    /// Why nothing usable came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// When the target was scanned (RFC 3339, UTC).
    #[schemars(extend("format" = "date-time"))]
    scanned_at: String,
    summary: Summary,
    /// The image, or the one that the container runs; absent for folders and files.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<ImageView<'a>>,
    /// Detectors that ran, with the version of their rules.
    detectors: &'a BTreeMap<String, String>,
    /// Whether packages were matched with advisories, and with how old ones.
    vulnerabilities: VulnerabilitiesView<'a>,
    /// What policies decided; absent if none were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<DecisionView<'a>>,
    /// What was found, worst first.
    findings: Vec<FindingView<'a>>,
    /// What was found and does not count, because somebody says that it does not matter; worst first.
    suppressed: Vec<SuppressedView<'a>>,
    /// The smallest upgrade of each package that clears all of its findings that have a fix.
    upgrades: Vec<UpgradeView<'a>>,
    /// What a newer base image would do; absent if none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    newer_base: Option<NewerBaseView<'a>>,
    /// What was not read or not judged. A result with gaps is never clean.
    gaps: Vec<GapView<'a>>,
    /// The operating system's release; absent if there is no system in the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseView<'a>>,
    /// Packages, each once per place.
    packages: Vec<PackageView<'a>>,
    /// Packages of lower layers that an upper one removed: whoever pulls the image still has them.
    removed_packages: Vec<PackageView<'a>>,
}

/// What was asked for, and what was taken for it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Target")]
struct TargetView<'a> {
    /// The reference or path as it was asked for.
    reference: &'a str,
    /// The source it was taken from, such as `containerd`, `docker-archive` or `dir`.
    source: &'a str,
    #[schemars(schema_with = "words::target_kind")]
    kind: &'static str,
}

/// Counts.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Summary {
    /// Findings by severity; without those that have none.
    severities: BTreeMap<&'static str, usize>,
    /// Findings by category; without those that have none.
    categories: BTreeMap<&'static str, usize>,
    /// Findings that do not count.
    suppressed: usize,
    /// Gaps.
    gaps: usize,
    /// Packages by ecosystem (the type of their package URLs); without those that have none.
    packages: BTreeMap<&'static str, usize>,
}

/// An image.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Image")]
struct ImageView<'a> {
    /// The config digest (image ID).
    id: &'a str,
    /// Manifest digests that led to it.
    manifests: Vec<&'a str>,
    /// Index digests that led to it.
    indexes: Vec<&'a str>,
    /// Platform, such as `linux/amd64`.
    platform: String,
    /// When its config says it was built (RFC 3339, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// `config.User` as written.
    user: &'a str,
    /// Layers (diff IDs), base first.
    layers: Vec<&'a str>,
    /// `Blobs`: every layer was verified against its digest; `Folders`: at least one was read from unpacked folders;
    /// `Unchecked`: at least one lies in a file and was not hashed.
    #[schemars(schema_with = "words::trust")]
    trust: &'static str,
    /// What it was built on; absent if nothing tells that.
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<BaseView<'a>>,
}

/// What an image was built on.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Base")]
struct BaseView<'a> {
    /// Its name; absent if nothing tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// How many of the image's layers are the base's, from the first on.
    layers: usize,
    /// `Layers`: its layers are the first of the image; `History`: a guess from the build history.
    #[schemars(schema_with = "words::evidence_of_base")]
    evidence: &'static str,
}

/// One risk, at one place.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Finding")]
pub(crate) struct FindingView<'a> {
    /// Id of the detector.
    detector: &'a str,
    /// Id of the rule within the detector.
    rule: &'a str,
    #[schemars(schema_with = "words::category")]
    category: &'static str,
    #[schemars(schema_with = "words::severity")]
    severity: &'static str,
    /// One sentence for people; secrets in it are masked.
    message: &'a str,
    /// Absolute path within the target; bytes that are no UTF-8 are written as `\xNN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    /// The layer (diff ID) that brought the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<&'a str>,
    /// Whether that layer is of the image's `base` or its `own`; absent if no base is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words::origin")]
    from: Option<&'static str>,
    /// Details by name, masked like the message.
    attributes: &'a BTreeMap<String, String>,
}

/// Whether packages were matched with advisories, and with how old ones.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Vulnerabilities")]
struct VulnerabilitiesView<'a> {
    /// `Matched`; `NotCovered`: there were no advisories, and a gap says why; `Off`: they were switched off; `NoPackages`:
    /// there is nothing to match; `NotAsked`: a list of packages alone was asked for.
    #[schemars(schema_with = "words::vulnerabilities")]
    state: &'static str,
    /// The advisories; with `Matched` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    advisories: Option<AdvisoriesView<'a>>,
}

/// The advisories that packages were matched with.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Advisories")]
struct AdvisoriesView<'a> {
    /// When the database was built (RFC 3339, UTC).
    #[schemars(extend("format" = "date-time"))]
    built: String,
    /// As of when they are: the time of the ecosystem that was compared with its source longest ago (RFC 3339, UTC).
    #[schemars(extend("format" = "date-time"))]
    as_of: String,
    /// How old they were when the target was scanned, in seconds; 0 where clocks disagree.
    age_seconds: u64,
    /// By OSV ecosystem, those that occur in the target and in the database.
    ecosystems: BTreeMap<&'a str, AdvisoryAgeView>,
    /// Why they could not be brought up to date.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

/// How old the advisories of one ecosystem are.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AdvisoryAge")]
struct AdvisoryAgeView {
    /// The last change of any of them (RFC 3339, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<String>,
    /// When they were last compared with those at their source (RFC 3339, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<String>,
}

/// A finding that does not count.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Suppressed")]
struct SuppressedView<'a> {
    finding: FindingView<'a>,
    /// Who says that it does not matter: the author of a VEX document, a file, an option, an exception of a policy.
    by: &'a str,
    /// Why.
    reason: &'a str,
}

/// What to do about a package.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Upgrade")]
struct UpgradeView<'a> {
    /// Its package URL.
    purl: &'a str,
    name: &'a str,
    /// The version that is there.
    installed: &'a str,
    /// The smallest version at which none of its flaws that have a fix remains.
    version: &'a str,
    /// How many findings that clears.
    clears: usize,
}

/// What becomes of the flaws with a newer base image, each by its name.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NewerBase")]
struct NewerBaseView<'a> {
    /// The newer base, as it was asked for.
    reference: &'a str,
    /// Flaws of the base's packages that are gone.
    clears: &'a [String],
    /// Flaws that stay.
    keeps: &'a [String],
    /// Flaws that come with it.
    brings: &'a [String],
}

/// Something that was not read or not judged.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Gap")]
struct GapView<'a> {
    #[schemars(schema_with = "words::gap_kind")]
    kind: &'static str,
    /// Id of the detector that lacks it; absent: everything does.
    #[serde(skip_serializing_if = "Option::is_none")]
    detector: Option<&'a str>,
    /// Absolute path within the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    /// The layer (diff ID).
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<&'a str>,
    /// Why, as a sentence for people.
    reason: &'a str,
}

impl<'a> Document<'a> {
    /// The document over results of one run; there is at least one.
    pub(crate) fn of(reports: &'a [Report]) -> Self {
        let (name, version) =
            reports.first().map_or(("", ""), |report| (&report.tool.name, &report.tool.version));
        Self {
            schema_version: SCHEMA_VERSION,
            tool: ToolView { name, version },
            reports: reports.iter().map(ReportView::of).collect(),
        }
    }
}

impl<'a> ReportView<'a> {
    fn of(report: &'a Report) -> Self {
        Self {
            target: TargetView {
                reference: &report.target.reference,
                source: &report.target.source,
                kind: report.target.kind.as_str(),
            },
            verdict: report.verdict().as_str(),
            error: report.error.as_deref(),
            scanned_at: report.scanned_at.to_string(),
            summary: Summary::of(report),
            image: report.image.as_ref().map(ImageView::of),
            detectors: &report.detectors,
            vulnerabilities: VulnerabilitiesView::of(report),
            decision: report.decision.as_ref().map(DecisionView::of),
            findings: report.worst_first().into_iter().map(|one| FindingView::of(report, one)).collect(),
            suppressed: report
                .suppressed_worst_first()
                .into_iter()
                .map(|one| SuppressedView::of(report, one))
                .collect(),
            upgrades: report.upgrades.iter().map(UpgradeView::of).collect(),
            newer_base: report.newer_base.as_ref().map(NewerBaseView::of),
            gaps: report.gaps.iter().map(GapView::of).collect(),
            release: report.inventory.release.as_ref().map(ReleaseView::of),
            packages: report.inventory.packages.iter().map(PackageView::of).collect(),
            removed_packages: report.inventory.removed.iter().map(PackageView::of_removed).collect(),
        }
    }
}

impl Summary {
    fn of(report: &Report) -> Self {
        let mut categories = BTreeMap::new();
        for finding in &report.findings {
            *categories.entry(finding.category.as_str()).or_default() += 1;
        }
        let severity = |(severity, count): (Severity, usize)| (severity.as_str(), count);
        let ecosystem = |(ecosystem, count): (Ecosystem, usize)| (ecosystem.purl_type(), count);
        Self {
            severities: report.severities().into_iter().map(severity).collect(),
            categories,
            suppressed: report.suppressed.len(),
            gaps: report.gaps.len(),
            packages: report.ecosystems().into_iter().map(ecosystem).collect(),
        }
    }
}

impl<'a> ImageView<'a> {
    fn of(image: &'a Image) -> Self {
        Self {
            id: image.id.as_str(),
            manifests: image.manifests.iter().map(|digest| digest.as_str()).collect(),
            indexes: image.indexes.iter().map(|digest| digest.as_str()).collect(),
            platform: image.platform.to_string(),
            created: image.created.map(|time| time.to_string()),
            user: &image.user,
            layers: image.layers.iter().map(|digest| digest.as_str()).collect(),
            trust: image.trust.as_str(),
            base: image.base.as_ref().map(|base| BaseView {
                name: base.name.as_deref(),
                layers: base.layers,
                evidence: base.evidence.as_str(),
            }),
        }
    }
}

impl<'a> FindingView<'a> {
    /// A finding of a report.
    pub(crate) fn of(report: &Report, finding: &'a Finding) -> Self {
        Self {
            detector: &finding.detector,
            rule: &finding.rule,
            category: finding.category.as_str(),
            severity: finding.severity.as_str(),
            message: &finding.message,
            path: finding.path.as_deref(),
            layer: finding.layer.as_ref().map(|digest| digest.as_str()),
            from: report.origin(finding.layer.as_ref()).map(Origin::as_str),
            attributes: &finding.attributes,
        }
    }
}

impl<'a> VulnerabilitiesView<'a> {
    fn of(report: &'a Report) -> Self {
        let advisories = match &report.vulnerabilities {
            Vulnerabilities::Matched(advisories) => Some(AdvisoriesView::of(advisories, report)),
            _ => None,
        };
        Self { state: report.vulnerabilities.as_str(), advisories }
    }
}

impl<'a> AdvisoriesView<'a> {
    fn of(advisories: &'a Advisories, report: &Report) -> Self {
        let age = report.scanned_at.duration_since(advisories.as_of()).as_secs();
        let text = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
        let ecosystems = advisories.ecosystems.iter().map(|(name, age)| {
            let age = AdvisoryAgeView { newest: text(age.newest), checked: text(age.checked) };
            (name.as_str(), age)
        });
        Self {
            built: advisories.built.to_string(),
            as_of: advisories.as_of().to_string(),
            age_seconds: u64::try_from(age).unwrap_or(0),
            ecosystems: ecosystems.collect(),
            problem: advisories.problem.as_deref(),
        }
    }
}

impl<'a> SuppressedView<'a> {
    fn of(report: &Report, suppressed: &'a Suppressed) -> Self {
        let finding = FindingView::of(report, &suppressed.finding);
        Self { finding, by: &suppressed.by, reason: &suppressed.reason }
    }
}

impl<'a> UpgradeView<'a> {
    fn of(upgrade: &'a Upgrade) -> Self {
        let Upgrade { purl, name, installed, version, clears } = upgrade;
        Self { purl, name, installed, version, clears: *clears }
    }
}

impl<'a> NewerBaseView<'a> {
    fn of(newer: &'a NewerBase) -> Self {
        let NewerBase { reference, clears, keeps, brings } = newer;
        Self { reference, clears, keeps, brings }
    }
}

impl<'a> GapView<'a> {
    fn of(gap: &'a Gap) -> Self {
        Self {
            kind: gap.kind.as_str(),
            detector: gap.detector.as_deref(),
            path: gap.path.as_deref(),
            layer: gap.layer.as_ref().map(|digest| digest.as_str()),
            reason: &gap.reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let mut schema = schemars::schema_for!(Document);
        schema.insert("$id".to_owned(), "https://pratique.dev/schema/report-v1.json".into());
        let text = serde_json::to_string_pretty(&schema).unwrap();
        crate::samples::assert_golden("../../docs/schema/report-v1.json", &text);
    }
}
