//! The part of a CycloneDX bill of materials that tells of flaws in its components
//! (<https://cyclonedx.org/docs/1.6/json/#vulnerabilities>): one entry for each finding, suppressed ones with who says so.

use std::collections::HashMap;

use jiff::Timestamp;
use pratique_core::{Finding, Severity};
use serde::Serialize;

use crate::Report;
use crate::bom::{Property, property, some, text};

/// One flaw of one component.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Flaw {
    pub(crate) id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) references: Vec<Reference>,
    pub(crate) ratings: Vec<Rating>,
    pub(crate) description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recommendation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) published: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) analysis: Option<Analysis>,
    pub(crate) affects: Vec<Affects>,
    pub(crate) properties: Vec<Property>,
}

/// Another name of the same flaw.
#[derive(Serialize)]
pub(crate) struct Reference {
    pub(crate) id: String,
    pub(crate) source: Origin,
}

/// Whose word something is.
#[derive(Serialize)]
pub(crate) struct Origin {
    pub(crate) name: String,
}

/// How bad it is.
#[derive(Serialize)]
pub(crate) struct Rating {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) severity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vector: Option<String>,
}

/// What somebody says about it.
#[derive(Serialize)]
pub(crate) struct Analysis {
    pub(crate) detail: String,
}

/// The component that has it.
#[derive(Serialize)]
pub(crate) struct Affects {
    #[serde(rename = "ref")]
    pub(crate) of: String,
}

/// Attributes that have a field of their own.
const TOLD: &[&str] = &["id", "aliases", "cvssVector", "cvssScore", "severitySource", "published", "fixed"];

/// The flaws of a report, whose packages have these names; `root` is the name of the target.
pub(crate) fn flaws(report: &Report, names: &[String], root: &str) -> Vec<Flaw> {
    let places: HashMap<(&str, &str), &String> = report
        .inventory
        .packages
        .iter()
        .zip(names)
        .map(|(located, name)| ((located.purl.as_str(), located.path.as_str()), name))
        .collect();
    let found = report.worst_first().into_iter().map(|finding| (finding, None));
    let suppressed = report
        .suppressed_worst_first()
        .into_iter()
        .map(|one| (&one.finding, Some(format!("suppressed by {}: {}", one.by, one.reason))));
    found
        .chain(suppressed)
        .filter_map(|(finding, detail)| {
            let id = finding.attributes.get("id")?;
            let place = (finding.attributes.get("purl")?.as_str(), finding.path.as_deref()?);
            let of = places.get(&place).map_or(root, |name| name.as_str());
            Some(flaw(finding, id, of, detail))
        })
        .collect()
}

fn flaw(finding: &Finding, id: &str, of: &str, detail: Option<String>) -> Flaw {
    let attribute = |name: &str| finding.attributes.get(name).map_or("", String::as_str);
    let names = attribute("aliases").split(' ').filter(|name| !name.is_empty());
    let reference = |name: &str| Reference { id: text(name), source: Origin { name: publisher(name) } };
    let own = finding.attributes.iter().filter(|(name, _)| !TOLD.contains(&name.as_str()));
    Flaw {
        id: text(id),
        references: names.map(reference).collect(),
        ratings: ratings(finding),
        description: text(&finding.message),
        recommendation: some(attribute("fixed")).map(|fixed| format!("Upgrade to {fixed}")),
        published: attribute("published").parse::<Timestamp>().ok().map(|time| time.to_string()),
        analysis: detail.map(|detail| Analysis { detail: text(&detail) }),
        affects: vec![Affects { of: of.to_owned() }],
        properties: own.map(|(name, value)| property(name, value)).collect(),
    }
}

/// Who gave a name: its first part.
fn publisher(name: &str) -> String {
    let first = name.split('-').next().unwrap_or_default();
    some(first).unwrap_or_else(|| "unknown".to_owned())
}

/// The rating that counts, and the CVSS vector where that is another's word.
fn ratings(finding: &Finding) -> Vec<Rating> {
    let attribute = |name: &str| finding.attributes.get(name).and_then(|value| some(value));
    let source = attribute("severitySource").map(|name| Origin { name });
    let severity = Some(severity(finding.severity));
    let Some(vector) = attribute("cvssVector") else {
        return vec![Rating { source, score: None, severity, method: None, vector: None }];
    };
    let score = attribute("cvssScore").and_then(|score| score.parse().ok());
    let method = Some(method(&vector));
    if source.as_ref().is_none_or(|source| source.name.starts_with("CVSS")) {
        return vec![Rating { source, score, severity, method, vector: Some(vector) }];
    }
    vec![
        Rating { source, score: None, severity, method: None, vector: None },
        Rating { source: None, score, severity: None, method, vector: Some(vector) },
    ]
}

fn method(vector: &str) -> &'static str {
    match vector.split('/').next() {
        Some("CVSS:4.0") => "CVSSv4",
        Some("CVSS:3.1") => "CVSSv31",
        Some("CVSS:3.0") => "CVSSv3",
        _ => "CVSSv2",
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Unknown => "unknown",
        Severity::Negligible => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}
