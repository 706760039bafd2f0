//! What comes out of a decision.

use jiff::Timestamp;

use super::{Action, ContainerKind, Enforcement};
use crate::{Digest, Finding};

/// How strongly a violation acts. The worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It is recorded.
    Audit,
    /// It is a warning to whoever made the pod.
    Warn,
    /// The pod is refused.
    Deny,
}

impl Effect {
    /// The name as it is written in objects, metrics and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "Audit",
            Self::Warn => "Warn",
            Self::Deny => "Deny",
        }
    }
}

impl From<Enforcement> for Effect {
    fn from(enforcement: Enforcement) -> Self {
        match enforcement {
            Enforcement::Audit => Self::Audit,
            Enforcement::Warn => Self::Warn,
            Enforcement::Enforce => Self::Deny,
        }
    }
}

impl Action {
    /// The effect this action wants, none for `Allow`.
    pub(super) fn effect(self) -> Option<Effect> {
        match self {
            Self::Allow => None,
            Self::Warn => Some(Effect::Warn),
            Self::Deny => Some(Effect::Deny),
        }
    }
}

/// What all policies say of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Violations, worst first.
    pub violations: Vec<Violation>,
    /// Findings that would have been violations but for an exception.
    pub suppressed: Vec<Suppressed>,
}

impl Decision {
    /// The worst effect; none where nothing is violated.
    pub fn effect(&self) -> Option<Effect> {
        self.violations.iter().map(|violation| violation.effect).max()
    }

    /// Whether the pod is refused.
    pub fn is_denied(&self) -> bool {
        self.effect() == Some(Effect::Deny)
    }

    /// The violations with one effect.
    pub fn with_effect(&self, effect: Effect) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(move |violation| violation.effect == effect)
    }
}

/// One rule of one policy that holds on one image, or on the pod as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Name of the policy.
    pub policy: String,
    /// Name of its rule, or `incomplete`, `error`, `unscanned` or `unsupported` for what the field of that name says.
    pub rule: String,
    /// What it does to the pod.
    pub effect: Effect,
    /// Which part of the pod; none for the pod as a whole.
    pub container: Option<ViolatingContainer>,
    /// Why, as a sentence without its end; empty where `findings` say it.
    pub reason: String,
    /// The worst of the findings that make the rule hold, at most [`Violation::QUOTED`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: usize,
    /// The end of the grace that keeps the violation from acting with full effect, because the image already ran in
    /// this namespace when the violation appeared; none where there is no such grace.
    pub grace_until: Option<Timestamp>,
}

impl Violation {
    /// The largest number of findings a violation quotes.
    pub const QUOTED: usize = 3;
}

/// The part of a pod that violates a rule, and its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViolatingContainer {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ContainerKind,
    /// The image reference, normalised where it could be read.
    pub reference: String,
    /// Which image it stands for, as far as known and as far as the violation is about one: the config digest.
    pub image: Option<Digest>,
    /// Name of the image's ScanReport.
    pub report: Option<String>,
}

/// Findings that a rule would refuse and an exception accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// Name of the policy.
    pub policy: String,
    /// Name of the rule.
    pub rule: String,
    /// Name of the exception.
    pub exception: String,
    /// The image reference, normalised.
    pub reference: String,
    /// The image.
    pub image: Digest,
    /// How many findings.
    pub findings: usize,
}
