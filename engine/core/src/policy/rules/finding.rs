//! Rules on what detectors found.

use globset::GlobSet;

use super::path_globs;
use super::vulnerability::goes_by;
use crate::policy::{FindingSelector, InvalidPolicy};
use crate::{Category, DetectorInfo, Finding, Severity};

impl FindingSelector {
    /// Whether findings of `detector` can satisfy categories and rules.
    pub(in crate::policy) fn may_select(&self, detector: &DetectorInfo) -> bool {
        (self.categories.is_empty() || self.categories.contains(&detector.category))
            && (self.rules.is_empty()
                || self.rules.iter().any(|id| {
                    id.split_once('/')
                        .is_some_and(|(own, rule)| own == detector.id && detector.rules.contains(&rule))
                }))
    }
}

/// [`FindingSelector`], compiled.
#[derive(Debug, Clone)]
pub(in crate::policy) struct CompiledSelector {
    categories: Vec<Category>,
    min_severity: Option<Severity>,
    rules: Vec<(String, String)>,
    paths: Option<GlobSet>,
    vulnerabilities: Vec<String>,
}

impl CompiledSelector {
    pub(in crate::policy) fn new(selector: &FindingSelector, field: &str) -> Result<Self, InvalidPolicy> {
        let split = |id: &String| match id.split_once('/') {
            Some((detector, rule)) => Ok((detector.to_owned(), rule.to_owned())),
            None => Err(InvalidPolicy::new(
                format!("{field}.rules"),
                format!("`{id}` is no rule; write detector/rule, as in weak-password/linux-account"),
            )),
        };
        let is_empty = selector.categories.is_empty()
            && selector.min_severity.is_none()
            && selector.rules.is_empty()
            && selector.paths.is_empty()
            && selector.vulnerabilities.is_empty();
        if is_empty {
            return Err(InvalidPolicy::new(
                field,
                "set at least one of categories, minSeverity, rules, paths and vulnerabilities",
            ));
        }
        Ok(Self {
            categories: selector.categories.clone(),
            min_severity: selector.min_severity,
            rules: selector.rules.iter().map(split).collect::<Result<_, _>>()?,
            paths: path_globs(&selector.paths, &format!("{field}.paths"))?,
            vulnerabilities: selector.vulnerabilities.clone(),
        })
    }

    /// Whether `finding` satisfies every field.
    pub(in crate::policy) fn selects(&self, finding: &Finding) -> bool {
        (self.categories.is_empty() || self.categories.contains(&finding.category))
            && self.min_severity.is_none_or(|minimum| finding.severity.reaches(minimum))
            && (self.rules.is_empty()
                || self
                    .rules
                    .iter()
                    .any(|(detector, rule)| *detector == finding.detector && *rule == finding.rule))
            && self
                .paths
                .as_ref()
                .is_none_or(|paths| finding.path.as_ref().is_some_and(|path| paths.is_match(path)))
            && (self.vulnerabilities.is_empty() || goes_by(finding, &self.vulnerabilities))
    }
}
