//! The policy decision: what policies say of a pod, as a pure function of values.
//!
//! [`PolicySpec`] is what somebody wrote, [`Policy`] the same compiled. [`decide`] judges a [`Request`]; [`explain`]
//! says of one image what a policy would say, for people who read its report. The order of the tests is always the
//! same: rules on the findings first, then gaps (`incomplete`), then `error`, then `unscanned` and `unsupported`.

mod check;
mod compiled;
mod decide;
mod decision;
mod exceptions;
mod explain;
mod judge;
mod matching;
mod message;
mod request;
mod rules;
mod spec;

pub use check::contradictions;
pub use compiled::{InvalidPolicy, Policy};
pub use decide::decide;
pub use decision::{Decision, Effect, Suppressed, ViolatingContainer, Violation};
pub use explain::{Explanation, explain};
pub use matching::{InvalidSelector, Operator, Requirement, Selector};
pub use message::Detail;
pub use request::{Candidate, Container, ContainerKind, HostPath, Pod, Request, RunAs, Scanned, known_since};
pub use spec::{
    Action, Body, Enforcement, Exception, ExistingWorkloads, FindingSelector, ImageRule, LicenseRule,
    MatchSpec, PolicySpec, Rule, VulnerabilityRule, WorkloadRule,
};

#[cfg(test)]
mod tests;
