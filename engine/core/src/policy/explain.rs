//! What a policy would say of an image, for people.

use jiff::Timestamp;

use super::exceptions::CompiledException;
use super::judge::{Hold, Question};
use super::{ContainerKind, Detail, Effect, Policy, RunAs, Scanned};
use crate::reference::Reference;

/// What a policy would say of an image in a pod that it speaks of: an explanation, not the source of decisions, which
/// know the namespace, the pod, and whether the image already ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Name of the policy.
    pub policy: String,
    /// What it would do; none where it would let the image pass.
    pub effect: Option<Effect>,
    /// Why, worst first, each a sentence with the rule's name.
    pub reasons: Vec<String>,
    /// Exceptions that accept findings of it, each a sentence: its name, the day on which it ends, why.
    pub exceptions: Vec<String>,
}

/// What `policy` would say of an image known by `references`; none where its patterns match none of them. Where it
/// has more to say of one reference than of another, the worst counts. An image without any reference is everybody's.
pub fn explain(
    policy: &Policy,
    scanned: Scanned<'_>,
    references: &[Reference],
    now: Timestamp,
) -> Option<Explanation> {
    let mut names: Vec<Option<&Reference>> = references.iter().map(Some).collect();
    if names.is_empty() {
        names.push(None);
    }
    names
        .into_iter()
        .filter(|reference| policy.matcher.selects_image(*reference))
        .map(|reference| explain_reference(policy, scanned, reference, now))
        .max_by_key(|explanation| (explanation.effect, explanation.reasons.len()))
}

fn explain_reference(
    policy: &Policy,
    scanned: Scanned<'_>,
    reference: Option<&Reference>,
    now: Timestamp,
) -> Explanation {
    let question = Question {
        reference,
        namespace: None,
        kind: ContainerKind::Container,
        run_as: RunAs::default(),
        now,
    };
    let (holds, accepted) = policy.judge_facts(scanned, question);
    let mut held: Vec<(Effect, String)> = policy
        .judge_reference(question)
        .chain(holds)
        .filter_map(|hold| {
            let effect = hold.action.effect()?.min(policy.enforcement.into());
            Some((effect, sentence(&hold)))
        })
        .collect();
    held.sort_by_key(|(effect, _)| std::cmp::Reverse(*effect));
    let exceptions = policy
        .exceptions
        .iter()
        .filter(|exception| accepted.iter().any(|accepted| accepted.exception == exception.name))
        .map(|exception| {
            let CompiledException { name, expires, reason, .. } = exception;
            format!("{name}, until {}: {reason}", expires.strftime("%F"))
        })
        .collect();
    Explanation {
        policy: policy.name.clone(),
        effect: held.first().map(|(effect, _)| *effect),
        reasons: held.into_iter().map(|(_, reason)| reason).collect(),
        exceptions,
    }
}

fn sentence(hold: &Hold<'_>) -> String {
    match hold.findings.split_first() {
        None => format!("{}: {}", hold.rule, hold.reason),
        Some((worst, rest)) => {
            let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
            format!("{}: {}{more}", hold.rule, super::message::finding(worst, Detail::Full))
        }
    }
}
