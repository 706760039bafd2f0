//! The policies in force: every replica compiles them as soon as it sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use pratique_core::policy::{Policy, PolicySpec, contradictions};

/// One ScanPolicy object, compiled.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The object.
    pub reference: ObjectReference,
    /// Its generation, repeated in the status.
    pub generation: i64,
    /// What it says; or why it cannot be read, as a sentence.
    pub spec: Result<Arc<PolicySpec>, String>,
    /// Ready for decisions; or why it is not in force, as a sentence.
    pub policy: Result<Arc<Policy>, String>,
}

impl Compiled {
    /// Compiles what an object says.
    pub fn new(reference: ObjectReference, generation: i64, spec: Result<PolicySpec, String>) -> Self {
        let spec = spec.map(Arc::new);
        let policy = spec
            .clone()
            .and_then(|spec| Policy::compile(&spec).map(Arc::new).map_err(|error| error.to_string()));
        Self { reference, generation, spec, policy }
    }

    /// What keeps it from having the effect that is meant, one sentence each.
    pub fn problems(&self, now: Timestamp) -> Vec<String> {
        match (&self.policy, &self.spec) {
            (Err(problem), _) | (_, Err(problem)) => vec![problem.clone()],
            (Ok(_), Ok(spec)) => contradictions(spec, now),
        }
    }
}

/// All ScanPolicies by name. A value: a change makes another set.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    compiled: BTreeMap<String, Compiled>,
    in_force: Vec<Arc<Policy>>,
}

impl FromIterator<Compiled> for PolicySet {
    fn from_iter<I: IntoIterator<Item = Compiled>>(policies: I) -> Self {
        let compiled: BTreeMap<String, Compiled> = policies
            .into_iter()
            .filter_map(|policy| Some((policy.reference.name.clone()?, policy)))
            .collect();
        let in_force = compiled.values().filter_map(|policy| policy.policy.clone().ok()).collect();
        Self { compiled, in_force }
    }
}

impl PolicySet {
    /// Those that decisions are made by, sorted by name.
    pub fn in_force(&self) -> &[Arc<Policy>] {
        &self.in_force
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Compiled> {
        self.compiled.values()
    }

    /// The object of a policy, for Events.
    pub fn reference(&self, name: &str) -> Option<ObjectReference> {
        self.compiled.get(name).map(|policy| policy.reference.clone())
    }

    /// Ids of the detectors that are to run: the union over all policies.
    pub fn detectors(&self) -> BTreeSet<&'static str> {
        self.in_force.iter().flat_map(|policy| policy.scan_detectors().iter().copied()).collect()
    }

    /// Whether the same objects in the same state were compiled.
    pub fn is_same(&self, other: &Self) -> bool {
        let state = |set: &Self| -> Vec<_> {
            set.compiled.values().map(|policy| (policy.reference.uid.clone(), policy.generation)).collect()
        };
        state(self) == state(other)
    }
}
