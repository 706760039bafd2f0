//! The bodies of rules, one file each, and what they have in common.

mod finding;
mod image;
mod workload;

pub(super) use finding::CompiledSelector;
pub(super) use image::{Cause, CompiledImageRule};
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
            Body::Image(image) => CompiledBody::Image(CompiledImageRule::new(image, &field("image"))?),
            Body::Workload(workload) => {
                CompiledBody::Workload(CompiledWorkloadRule::new(workload, &field("workload"))?)
            }
        };
        Ok(Self { name: rule.name.clone(), body })
    }
}

/// Globs over absolute paths: `*` stops at `/`, `**` does not.
fn path_globs(globs: &[String], field: &str) -> Result<GlobSet, InvalidPolicy> {
    let mut set = GlobSetBuilder::new();
    for text in globs {
        if !text.starts_with(['/', '*']) {
            return Err(InvalidPolicy::new(
                field,
                format!("`{text}` matches no path: a path starts with `/`"),
            ));
        }
        let glob = GlobBuilder::new(text)
            .literal_separator(true)
            .build()
            .map_err(|error| InvalidPolicy::new(field, format!("`{text}` is no glob: {}", error.kind())))?;
        set.add(glob);
    }
    set.build().map_err(|error| InvalidPolicy::new(field, error))
}
