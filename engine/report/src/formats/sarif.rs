//! `sarif`: findings and gaps as SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>), one run
//! for each target. Gaps are notifications of the tool, so that a log without results is not taken for a clean one.

use std::collections::BTreeMap;
use std::io::Write;

use pratique_core::detector::DETECTORS;
use pratique_core::{Category, Digest, Finding, Gap, GapKind, Severity};
use serde::Serialize;

use crate::id::fingerprint;
use crate::json_output::write_json;
use crate::place::target_digest;
use crate::text::percent;
use crate::{Error, Format, Options, Origin, Report, Vulnerabilities};

pub(crate) static FORMAT: Format = Format {
    name: "sarif",
    summary: "SARIF 2.1.0: findings and gaps, for code scanning services and editors",
    extension: "sarif",
    many: true,
    write,
};

const DOCS: &str = "https://github.com/pratique-dev/pratique/blob/main/docs";

fn write(reports: &[Report], _: &Options, out: &mut dyn Write) -> Result<(), Error> {
    let log = Log {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: reports.iter().map(Run::of).collect(),
    };
    write_json(&log, out)
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: Vec<Run<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    automation_details: AutomationDetails,
    invocations: [Invocation<'a>; 1],
    results: Vec<Outcome<'a>>,
    column_kind: &'static str,
    properties: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'a str,
    version: &'a str,
    information_uri: &'static str,
    rules: Vec<Rule>,
    notifications: Vec<Descriptor>,
}

#[derive(Serialize)]
struct AutomationDetails {
    /// Tells apart what was scanned; ends in a slash because it names a category and not a single run.
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    short_description: Text<String>,
    help_uri: String,
    properties: RuleProperties,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleProperties {
    tags: [&'static str; 2],
    /// A number from 0 to 10 as a string: what code scanning services sort by.
    #[serde(rename = "security-severity", skip_serializing_if = "Option::is_none")]
    security_severity: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: String,
    short_description: Text<&'static str>,
}

#[derive(Serialize)]
struct Text<T> {
    text: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    execution_successful: bool,
    end_time_utc: String,
    tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification<'a> {
    descriptor: Reference,
    level: &'static str,
    message: Text<&'a str>,
    locations: Vec<Location<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    properties: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
struct Reference {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: String,
    rule_index: usize,
    level: &'static str,
    message: Text<&'a str>,
    locations: [Location<'a>; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressions: Option<[Suppression; 1]>,
    properties: OutcomeProperties<'a>,
}

/// Who says that a result does not matter, and why.
#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    justification: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutcomeProperties<'a> {
    severity: &'static str,
    category: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<&'a Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'static str>,
    attributes: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    physical_location: PhysicalLocation,
    logical_locations: [LogicalLocation<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation<'a> {
    fully_qualified_name: &'a str,
    kind: &'static str,
}

impl<'a> Run<'a> {
    fn of(report: &'a Report) -> Self {
        let rules = rules(report);
        let places: BTreeMap<&str, usize> =
            rules.iter().enumerate().map(|(place, rule)| (rule.id.as_str(), place)).collect();
        let suppressed = report.suppressed_worst_first().into_iter().map(|one| {
            let justification = format!("suppressed by {}: {}", one.by, one.reason);
            (&one.finding, Some([Suppression { kind: "external", justification }]))
        });
        let found = report.worst_first().into_iter().map(|finding| (finding, None));
        let results = found.chain(suppressed).map(|(finding, suppressions)| {
            let id = rule_id(finding);
            let index = places.get(id.as_str()).copied().unwrap_or_default();
            Outcome { suppressions, ..outcome(report, finding, id, index) }
        });
        let results = results.collect();
        let mut properties = BTreeMap::from([
            ("target", report.target.reference.clone()),
            ("source", report.target.source.clone()),
            ("kind", report.target.kind.as_str().to_owned()),
            ("verdict", report.verdict().to_string()),
        ]);
        if report.vulnerabilities != Vulnerabilities::NotAsked {
            properties.insert("vulnerabilities", report.vulnerabilities.as_str().to_owned());
        }
        if let Vulnerabilities::Matched(advisories) = &report.vulnerabilities {
            properties.insert("advisoriesAsOf", advisories.as_of().to_string());
        }
        let base = report.image.as_ref().and_then(|image| image.base.as_ref());
        properties.extend(base.and_then(|base| base.name.clone()).map(|name| ("base", name)));
        properties.extend(target_digest(report).map(|digest| ("imageId", digest.to_string())));
        Self {
            tool: Tool {
                driver: Driver {
                    name: &report.tool.name,
                    version: &report.tool.version,
                    information_uri: "https://github.com/pratique-dev/pratique",
                    rules,
                    notifications: notifications(),
                },
            },
            automation_details: AutomationDetails {
                id: format!("pratique/{}/", percent(&report.target.reference, "/:@")),
            },
            invocations: [Invocation {
                execution_successful: report.error.is_none(),
                end_time_utc: report.scanned_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                tool_execution_notifications: missing(report),
            }],
            results,
            column_kind: "unicodeCodePoints",
            properties,
        }
    }
}

/// A flaw is a rule of its own: services show and mute by rule.
fn rule_id(finding: &Finding) -> String {
    format!("{}/{}", finding.detector, flaw(finding).unwrap_or(&finding.rule))
}

/// The flaw that a finding is about, if it is about one.
fn flaw(finding: &Finding) -> Option<&str> {
    let id = finding.attributes.get("id").filter(|_| finding.category == Category::Vulnerability)?;
    Some(id)
}

/// The rules of the detectors that ran, and those of findings that no compiled-in detector made.
fn rules(report: &Report) -> Vec<Rule> {
    let mut worst: BTreeMap<String, Severity> = BTreeMap::new();
    let mut described: BTreeMap<String, (Category, String, String)> = BTreeMap::new();
    for detector in DETECTORS.iter().filter(|detector| report.detectors.contains_key(detector.id)) {
        for rule in detector.rules {
            let page = format!("{DOCS}/detectors/{}.md", detector.id);
            let description = (detector.category, detector.summary.to_owned(), page);
            described.insert(format!("{}/{rule}", detector.id), description);
        }
    }
    let suppressed = report.suppressed.iter().map(|one| &one.finding);
    for finding in report.findings.iter().chain(suppressed) {
        let id = rule_id(finding);
        let severity = worst.entry(id.clone()).or_default();
        *severity = finding.severity.max(*severity);
        described.entry(id).or_insert_with_key(|id| match flaw(finding) {
            Some(flaw) => {
                let page = format!("https://osv.dev/vulnerability/{}", percent(flaw, ""));
                (finding.category, flaw.to_owned(), page)
            }
            None => (finding.category, id.clone(), format!("{DOCS}/reports.md")),
        });
    }
    let rule = |(id, (category, summary, help_uri)): (String, (Category, String, String))| {
        let security_severity = worst.get(&id).copied().and_then(score);
        let properties = RuleProperties { tags: ["security", category.as_str()], security_severity };
        Rule { id, short_description: Text { text: summary }, help_uri, properties }
    };
    described.into_iter().map(rule).collect()
}

/// The middle of the band that CVSS 3 gives a severity (<https://www.first.org/cvss/v3-1/specification-document>).
fn score(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Unknown => None,
        Severity::Negligible => Some("0.1"),
        Severity::Low => Some("2.0"),
        Severity::Medium => Some("5.5"),
        Severity::High => Some("8.0"),
        Severity::Critical => Some("9.5"),
    }
}

/// What nobody has rated may be bad: it is no mere note.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium | Severity::Unknown => "warning",
        Severity::Low | Severity::Negligible => "note",
    }
}

fn outcome<'a>(report: &'a Report, finding: &'a Finding, rule_id: String, rule_index: usize) -> Outcome<'a> {
    let line = finding.attributes.get("line").and_then(|line| line.parse().ok()).filter(|line| *line > 0);
    Outcome {
        rule_id,
        rule_index,
        level: level(finding.severity),
        message: Text { text: &finding.message },
        locations: [location(report, finding.path.as_deref(), line)],
        partial_fingerprints: BTreeMap::from([("pratique/v1", same_finding(finding))]),
        suppressions: None,
        properties: OutcomeProperties {
            severity: finding.severity.as_str(),
            category: finding.category.as_str(),
            layer: finding.layer.as_ref(),
            from: report.origin(finding.layer.as_ref()).map(Origin::as_str),
            attributes: &finding.attributes,
        },
    }
}

/// What stays the same when the image is built anew: neither the layer nor the line, nor how bad somebody thinks it is.
fn same_finding(finding: &Finding) -> String {
    let mut parts =
        vec![finding.detector.as_str(), finding.rule.as_str(), finding.path.as_deref().unwrap_or_default()];
    // What advisories say of a flaw changes; the flaw is the same.
    let stays = |key: &str| match flaw(finding) {
        Some(_) => matches!(key, "id" | "package" | "installed"),
        None => key != "line",
    };
    for (key, value) in finding.attributes.iter().filter(|(key, _)| stays(key)) {
        parts.extend([key.as_str(), value.as_str()]);
    }
    fingerprint(parts)
}

/// A file by its path relative to the target's root; what concerns the target as a whole by the target's name.
fn location<'a>(report: &'a Report, path: Option<&str>, line: Option<u32>) -> Location<'a> {
    let uri = match path.map(|path| path.trim_start_matches('/')).filter(|path| !path.is_empty()) {
        Some(path) => percent(path, "/"),
        None => percent(&report.target.reference, "/"),
    };
    Location {
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri },
            region: line.map(|start_line| Region { start_line }),
        },
        logical_locations: [LogicalLocation {
            fully_qualified_name: &report.target.reference,
            kind: report.target.kind.as_str(),
        }],
    }
}

/// What was missed, and why nothing usable came out.
fn missing(report: &Report) -> Vec<Notification<'_>> {
    let error = report.error.as_deref().map(|error| Notification {
        descriptor: Reference { id: "error".to_owned() },
        level: "error",
        message: Text { text: error },
        locations: vec![location(report, None, None)],
        properties: BTreeMap::new(),
    });
    error.into_iter().chain(report.gaps.iter().map(|gap| notification(report, gap))).collect()
}

fn notification<'a>(report: &'a Report, gap: &'a Gap) -> Notification<'a> {
    let mut properties = BTreeMap::new();
    properties.extend(gap.detector.as_deref().map(|detector| ("detector", detector)));
    properties.extend(gap.layer.as_ref().map(|layer| ("layer", layer.as_str())));
    Notification {
        descriptor: Reference { id: format!("gap/{}", gap.kind) },
        level: "warning",
        message: Text { text: &gap.reason },
        locations: vec![location(report, gap.path.as_deref(), None)],
        properties,
    }
}

fn notifications() -> Vec<Descriptor> {
    let gap = |kind: GapKind| {
        let text = match kind {
            GapKind::Unreadable => "not looked at: the source did not give it",
            GapKind::Limit => "not looked at: larger, deeper or more than a limit allows",
            GapKind::Timeout => "not looked at: it took longer than its budget",
            GapKind::Malformed => "not understood: its bytes are not what its format demands",
            GapKind::Unsupported => "not judged: a form that cannot be judged",
            GapKind::Crashed => "not looked at: the process that scanned it died",
        };
        Descriptor { id: format!("gap/{kind}"), short_description: Text { text } }
    };
    let error =
        Descriptor { id: "error".to_owned(), short_description: Text { text: "nothing usable came out" } };
    std::iter::once(error).chain(GapKind::ALL.into_iter().map(gap)).collect()
}
