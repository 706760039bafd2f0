//! Exceptions: findings that are accepted, visibly.

use jiff::Timestamp;

use super::rules::CompiledSelector;
use super::{Exception, InvalidPolicy};
use crate::Finding;
use crate::reference::{PatternSet, Reference};

/// [`Exception`], compiled.
#[derive(Debug, Clone)]
pub(super) struct CompiledException {
    pub(super) name: String,
    pub(super) expires: Timestamp,
    pub(super) reason: String,
    findings: CompiledSelector,
    images: PatternSet,
    namespaces: Vec<String>,
}

impl CompiledException {
    pub(super) fn new(exception: &Exception) -> Result<Self, InvalidPolicy> {
        let field = |rest: &str| format!("exceptions[{}].{rest}", exception.name);
        Ok(Self {
            name: exception.name.clone(),
            expires: exception.expires,
            reason: exception.reason.clone(),
            findings: CompiledSelector::new(&exception.findings, &field("findings"))?,
            images: PatternSet::new(&exception.images)
                .map_err(|error| InvalidPolicy::new(field("images"), error))?,
            namespaces: exception.namespaces.clone(),
        })
    }

    /// Whether it holds at `now` for this image. Without a namespace (an explanation of an image) only exceptions for
    /// all namespaces hold.
    pub(super) fn holds(&self, reference: &Reference, namespace: Option<&str>, now: Timestamp) -> bool {
        let covers_namespace = self.namespaces.is_empty()
            || namespace.is_some_and(|namespace| self.namespaces.iter().any(|own| own == namespace));
        now < self.expires && covers_namespace && self.images.matches(reference)
    }

    pub(super) fn accepts(&self, finding: &Finding) -> bool {
        self.findings.selects(finding)
    }
}
