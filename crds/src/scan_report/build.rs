//! A report's status from facts.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use pratique_core::facts::Trust as CoreTrust;
use pratique_core::package::PackageCounts;
use pratique_core::policy::{self, Explanation};
use pratique_core::{Digest, ImageFacts, Reference, Severity, lineage};

use super::{
    Base, Effect, Finding, Gap, Omitted, Origin, Packages, Phase, Platform, PolicyExplanation,
    ScanReportSpec, ScanReportStatus, Summary, Suppressed, Trust, Verdict, fit,
};

/// The name of a report's object, for people: the last part of the first reference seen and the first `digits` of the
/// image's digest (12 unless another image has that name).
pub fn object_name(first: Option<&Reference>, image: &Digest, digits: usize) -> String {
    let digits = digits.clamp(12, image.hex().len());
    format!("{}-{}", first.map_or_else(|| "image".to_owned(), Reference::short_name), &image.hex()[..digits])
}

impl ScanReportSpec {
    /// The spec of the report on the image with these facts.
    pub fn of(facts: &ImageFacts) -> Self {
        let platform = &facts.platform;
        Self {
            image: facts.image.to_string(),
            platform: Platform {
                os: platform.os.clone(),
                architecture: platform.architecture.clone(),
                variant: (!platform.variant.is_empty()).then(|| platform.variant.clone()),
            },
        }
    }
}

/// The status of the report on a scanned image, within its bounds ([`fit`]). Counts of nodes and workloads, and
/// conditions, are the caller's.
pub fn report_status(
    facts: &ImageFacts,
    packages: Option<&PackageCounts>,
    references: &[Reference],
    explanations: &[Explanation],
) -> ScanReportStatus {
    let mut findings: Vec<&pratique_core::Finding> = facts.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let mut suppressed: Vec<&pratique_core::Suppressed> = facts.suppressed.iter().collect();
    suppressed.sort_by_key(|suppressed| std::cmp::Reverse(suppressed.finding.severity));
    let mut policies: Vec<PolicyExplanation> = explanations.iter().map(PolicyExplanation::from).collect();
    policies.sort_by(|a, b| b.effect.cmp(&a.effect).then_with(|| a.name.cmp(&b.name)));
    let worst = policies.first().map(|policy| match policy.effect {
        Effect::Allow => "Allow".to_owned(),
        effect => format!("{effect:?} ({})", policy.name),
    });
    fit(ScanReportStatus {
        phase: Some(Phase::Scanned),
        verdict: Some(pratique_core::Verdict::of(facts).into()),
        error: facts.error.clone(),
        detectors: facts.detectors.clone(),
        summary: Some(summary(facts)),
        findings: findings.into_iter().map(Finding::from).collect(),
        suppressed: suppressed.into_iter().map(Suppressed::from).collect(),
        packages: packages.map(Packages::from),
        gaps: facts.gaps.iter().map(Gap::from).collect(),
        omitted: None::<Omitted>,
        references: references.iter().map(Reference::to_string).collect(),
        manifests: facts.manifests.iter().map(Digest::to_string).collect(),
        indexes: facts.indexes.iter().map(Digest::to_string).collect(),
        policy: worst,
        policies,
        base: None,
        layers: i64::try_from(facts.layers.len()).ok(),
        scanned_by: (!facts.scanned_by.is_empty()).then(|| facts.scanned_by.clone()),
        trust: Some(match facts.trust {
            CoreTrust::Blobs => Trust::Blobs,
            CoreTrust::Folders => Trust::Folders,
            CoreTrust::Unchecked => Trust::Unchecked,
        }),
        nodes: None,
        workloads: None,
        built_at: facts.created.map(Time),
        judged_at: Some(Time(facts.judged_at)),
        conditions: Vec::new(),
    })
}

impl ScanReportStatus {
    /// Adds what the image was built on, and which of its findings come from there: a few hundred bytes, for which
    /// [`fit`] leaves room.
    pub fn set_base(&mut self, facts: &ImageFacts, base: &lineage::Base) {
        let of_base: BTreeSet<String> =
            facts.layers.iter().take(base.layers).map(Digest::to_string).collect();
        for finding in &mut self.findings {
            finding.from = finding
                .layer
                .as_ref()
                .map(|layer| if of_base.contains(layer) { Origin::Base } else { Origin::Own });
        }
        self.base = Some(Base { name: base.name.clone(), layers: count(base.layers) });
    }
}

fn summary(facts: &ImageFacts) -> Summary {
    let count =
        |severity| count(facts.findings.iter().filter(|finding| finding.severity == severity).count());
    let mut by_category = BTreeMap::new();
    for finding in &facts.findings {
        *by_category.entry(finding.category.as_str().to_owned()).or_insert(0) += 1;
    }
    Summary {
        total: self::count(facts.findings.len()),
        critical: count(Severity::Critical),
        high: count(Severity::High),
        medium: count(Severity::Medium),
        low: count(Severity::Low),
        negligible: count(Severity::Negligible),
        unknown: count(Severity::Unknown),
        text: summary_text(&by_category),
        by_category,
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Counts by category in words, the most first, such as `2 WeakPassword, 1 Secret`.
pub fn summary_text(by_category: &BTreeMap<String, i64>) -> String {
    let mut counts: Vec<(&String, &i64)> = by_category.iter().collect();
    counts.sort_by_key(|(category, count)| (std::cmp::Reverse(**count), *category));
    let words: Vec<String> = counts.iter().map(|(category, count)| format!("{count} {category}")).collect();
    words.join(", ")
}

impl From<&PackageCounts> for Packages {
    fn from(counts: &PackageCounts) -> Self {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let by_ecosystem = counts.ecosystems.iter();
        let by_ecosystem =
            by_ecosystem.map(|(ecosystem, number)| (ecosystem.purl_type().to_owned(), count(*number)));
        Self { total: count(counts.total), by_ecosystem: by_ecosystem.collect() }
    }
}

impl From<pratique_core::Verdict> for Verdict {
    fn from(verdict: pratique_core::Verdict) -> Self {
        match verdict {
            pratique_core::Verdict::Clean => Self::Clean,
            pratique_core::Verdict::Findings => Self::Findings,
            pratique_core::Verdict::Incomplete => Self::Incomplete,
            pratique_core::Verdict::Error => Self::Error,
        }
    }
}

impl From<policy::Effect> for Effect {
    fn from(effect: policy::Effect) -> Self {
        match effect {
            policy::Effect::Audit => Self::Audit,
            policy::Effect::Warn => Self::Warn,
            policy::Effect::Deny => Self::Deny,
        }
    }
}

impl From<&Explanation> for PolicyExplanation {
    fn from(explanation: &Explanation) -> Self {
        Self {
            name: explanation.policy.clone(),
            effect: explanation.effect.map_or(Effect::Allow, Effect::from),
            reasons: explanation.reasons.clone(),
            exceptions: explanation.exceptions.clone(),
        }
    }
}

impl From<&pratique_core::Finding> for Finding {
    fn from(finding: &pratique_core::Finding) -> Self {
        Self {
            detector: finding.detector.clone(),
            rule: finding.rule.clone(),
            category: finding.category.to_string(),
            severity: finding.severity.to_string(),
            message: finding.message.clone(),
            path: finding.path.clone(),
            layer: finding.layer.as_ref().map(Digest::to_string),
            from: None,
            attributes: finding.attributes.clone(),
        }
    }
}

impl From<&pratique_core::Suppressed> for Suppressed {
    fn from(suppressed: &pratique_core::Suppressed) -> Self {
        let pratique_core::Suppressed { finding, by, reason } = suppressed;
        Self { message: finding.message.clone(), by: by.clone(), reason: reason.clone() }
    }
}

impl From<&pratique_core::Gap> for Gap {
    fn from(gap: &pratique_core::Gap) -> Self {
        Self {
            kind: gap.kind.to_string(),
            detector: gap.detector.clone(),
            path: gap.path.clone(),
            layer: gap.layer.as_ref().map(Digest::to_string),
            reason: gap.reason.clone(),
        }
    }
}
