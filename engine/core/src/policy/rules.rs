//! The bodies of rules, one file each, and what they have in common.

mod finding;
mod image;
mod license;
mod vulnerability;
mod workload;

pub(super) use finding::CompiledSelector;
pub(super) use image::{Cause, CompiledImageRule};
pub(super) use license::CompiledLicenseRule;
pub(super) use vulnerability::CompiledVulnerabilityRule;
pub(super) use workload::CompiledWorkloadRule;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{Body, InvalidPolicy, Rule};

/// A rule with its globs compiled.
#[derive(Debug, Clone)]
pub(super) struct CompiledRule {
    pub(super) name: String,
    pub(super) body: CompiledBody,
}

#[derive(Debug, Clone)]
pub(super) enum CompiledBody {
    Finding(CompiledSelector),
    Vulnerability(CompiledVulnerabilityRule),
    License(CompiledLicenseRule),
    Image(CompiledImageRule),
    Workload(CompiledWorkloadRule),
}

impl CompiledRule {
    pub(super) fn new(rule: &Rule) -> Result<Self, InvalidPolicy> {
        let field = |rest: &str| format!("deny[{}].{rest}", rule.name);
        let body = match &rule.body {
            Body::Finding(selector) => {
                CompiledBody::Finding(CompiledSelector::new(selector, &field("finding"))?)
            }
            Body::Vulnerability(rule) => {
                CompiledBody::Vulnerability(CompiledVulnerabilityRule::new(rule, &field("vulnerability"))?)
            }
            Body::License(rule) => CompiledBody::License(CompiledLicenseRule::new(rule, &field("license"))?),
            Body::Image(image) => CompiledBody::Image(CompiledImageRule::new(image, &field("image"))?),
            Body::Workload(workload) => {
                CompiledBody::Workload(CompiledWorkloadRule::new(workload, &field("workload"))?)
            }
        };
        Ok(Self { name: rule.name.clone(), body })
    }
}

/// Globs over absolute paths: `*` stands for any text without `/`, `?` for one character that is not `/`, and `**`,
/// which stands alone between slashes, for any number of parts. None at all: nothing is asked.
fn path_globs(globs: &[String], field: &str) -> Result<Option<GlobSet>, InvalidPolicy> {
    if globs.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for text in globs {
        let invalid = |reason: &str| InvalidPolicy::new(field, format!("`{text}`: {reason}"));
        if !text.starts_with(['/', '*']) {
            return Err(invalid("a path glob starts with / or *"));
        }
        if text.contains(['[', ']', '{', '}', '\\']) {
            return Err(invalid("the wildcards of a path glob are *, ** and ?"));
        }
        if text.split('/').any(|part| part.contains("**") && part != "**") {
            return Err(invalid("in a path glob ** stands alone between slashes"));
        }
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        set.add(glob.map_err(|error| invalid(&error.kind().to_string()))?);
    }
    set.build().map(Some).map_err(|error| InvalidPolicy::new(field, error))
}
