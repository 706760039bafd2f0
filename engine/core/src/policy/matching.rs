//! Label selectors, with the semantics of Kubernetes.

use std::collections::BTreeMap;

use super::{InvalidPolicy, MatchSpec};
use crate::reference::{PatternSet, Reference};

/// A label selector: all requirements hold. Without any it selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

/// One requirement on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// How its value relates to `values`.
    pub operator: Operator,
    /// Values; at least one for `In` and `NotIn`, none for the others.
    pub values: Vec<String>,
}

/// How a label relates to the values of a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The label is there with one of the values.
    In,
    /// The label is absent, or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// Why a list of requirements is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the requirement on label `{key}` is wrong: {reason}")]
pub struct InvalidSelector {
    key: String,
    reason: &'static str,
}

impl Selector {
    /// A selector of these requirements.
    pub fn new(requirements: Vec<Requirement>) -> Result<Self, InvalidSelector> {
        for requirement in &requirements {
            let wants_values = matches!(requirement.operator, Operator::In | Operator::NotIn);
            if wants_values == requirement.values.is_empty() {
                let reason = if wants_values {
                    "In and NotIn need at least one value"
                } else {
                    "Exists and DoesNotExist take no values"
                };
                return Err(InvalidSelector { key: requirement.key.clone(), reason });
            }
        }
        Ok(Self(requirements))
    }

    /// Whether something with these labels is selected.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            let is_listed = || value.is_some_and(|value| requirement.values.contains(value));
            match requirement.operator {
                Operator::In => is_listed(),
                Operator::NotIn => !is_listed(),
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
            }
        })
    }
}

/// [`MatchSpec`], compiled.
#[derive(Debug, Clone)]
pub(super) struct Matcher {
    namespaces: Selector,
    objects: Selector,
    images: Option<PatternSet>,
    excluded: PatternSet,
}

impl Matcher {
    pub(super) fn new(spec: &MatchSpec) -> Result<Self, InvalidPolicy> {
        let images =
            PatternSet::new(&spec.images).map_err(|error| InvalidPolicy::new("match.images", error))?;
        Ok(Self {
            namespaces: spec.namespaces.clone(),
            objects: spec.objects.clone(),
            images: (!images.is_empty()).then_some(images),
            excluded: PatternSet::new(&spec.exclude_images)
                .map_err(|error| InvalidPolicy::new("match.excludeImages", error))?,
        })
    }

    pub(super) fn selects_pod(
        &self,
        namespace_labels: &BTreeMap<String, String>,
        pod_labels: &BTreeMap<String, String>,
    ) -> bool {
        self.namespaces.selects(namespace_labels) && self.objects.selects(pod_labels)
    }

    /// Whether it speaks of this image. `None` is a reference that could not be read: nothing says that the policy
    /// does not speak of it.
    pub(super) fn selects_image(&self, reference: Option<&Reference>) -> bool {
        reference.is_none_or(|reference| {
            self.images.as_ref().is_none_or(|images| images.matches(reference))
                && !self.excluded.matches(reference)
        })
    }
}
