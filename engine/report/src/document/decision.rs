//! What policies decided.

use pratique_core::policy::{Decision, Detail, Suppressed as Accepted, Violation};
use schemars::JsonSchema;
use serde::Serialize;

/// What policies decided.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Decision")]
pub(super) struct DecisionView<'a> {
    /// `Deny`: a pod would be refused; `Warn`, `Audit`: admitted with a warning or a record; absent: admitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'static str>,
    /// Rules that hold, worst first.
    violations: Vec<ViolationView<'a>>,
    /// Findings that exceptions accept.
    accepted: Vec<AcceptedView<'a>>,
}

/// A rule of a policy that holds.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Violation")]
struct ViolationView<'a> {
    policy: &'a str,
    rule: &'a str,
    /// `Deny`, `Warn` or `Audit`.
    effect: &'static str,
    /// The sentence that the webhook would answer.
    message: String,
}

/// Findings that a rule would refuse and an exception accepts.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Accepted")]
struct AcceptedView<'a> {
    policy: &'a str,
    rule: &'a str,
    /// The exception.
    exception: &'a str,
    /// How many findings.
    findings: usize,
}

impl<'a> DecisionView<'a> {
    pub(super) fn of(decision: &'a Decision) -> Self {
        let violation = |violation: &'a Violation| ViolationView {
            policy: &violation.policy,
            rule: &violation.rule,
            effect: violation.effect.as_str(),
            message: violation.display(Detail::Full).to_string(),
        };
        let accepted = |accepted: &'a Accepted| AcceptedView {
            policy: &accepted.policy,
            rule: &accepted.rule,
            exception: &accepted.exception,
            findings: accepted.findings,
        };
        Self {
            effect: decision.effect().map(|effect| effect.as_str()),
            violations: decision.violations.iter().map(violation).collect(),
            accepted: decision.suppressed.iter().map(accepted).collect(),
        }
    }
}
