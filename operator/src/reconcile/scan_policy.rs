//! The status of ScanPolicies: whether each is in force as it is meant, and how many images it speaks of.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::Api;
use kube::api::{Patch, PatchParams};
use pratique_core::policy::{Action, Effect, Enforcement, Policy, PolicySpec, Scanned, explain};
use pratique_core::{Digest, ImageFacts, Platform, Reference};
use pratique_crds::scan_policy::ImageCounts;
use pratique_crds::{ScanPolicy, ScanPolicyStatus};
use serde_json::json;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::sleep;
use tracing::warn;

use super::{Compiled, Context, PolicySet};
use crate::events::Notice;
use crate::index::Index;
use crate::webhook_config::FIELD_MANAGER;

/// Counts are brought up to date at most this often.
const PACE: Duration = Duration::from_secs(10);

/// What depends on the date alone is looked at this often.
const REFRESH: Duration = Duration::from_secs(300);

/// An exception's end is announced this long before.
const ENDING: SignedDuration = SignedDuration::from_hours(7 * 24);

/// And again after this.
const ANNOUNCED_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Longest message of a condition.
const MAX_MESSAGE: usize = 1024;

/// Keeps the statuses until cancelled.
pub(super) async fn run(context: Context) {
    let mut policies = context.policies();
    let mut changes = context.index.read().subscribe();
    let mut written: HashMap<String, ScanPolicyStatus> = HashMap::new();
    let mut announced: HashMap<(String, String), Timestamp> = HashMap::new();
    loop {
        let set = policies.borrow_and_update().clone();
        let now = Timestamp::now();
        written.retain(|name, _| set.reference(name).is_some());
        for policy in set.iter() {
            let Some(name) = policy.reference.name.clone() else { continue };
            let images = counts(&context.index.read(), policy, now);
            if let Err(error) = update(&context, &name, policy, images, now, &mut written).await {
                context.metrics.failed("ScanPolicy");
                warn!(%error, policy = name, "the status of a ScanPolicy cannot be written");
            }
        }
        announce(&context, &set, now, &mut announced);

        // New policies at once, new facts in bundles.
        tokio::select! {
            Ok(()) = policies.changed() => {}
            () = async {
                tokio::select! {
                    change = changes.recv() => if matches!(change, Err(RecvError::Closed)) { sleep(REFRESH).await },
                    () = sleep(REFRESH) => {}
                }
                sleep(PACE).await;
            } => {}
        }
        while !matches!(changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
    }
}

async fn update(
    context: &Context,
    name: &str,
    policy: &Compiled,
    images: Option<ImageCounts>,
    now: Timestamp,
    written: &mut HashMap<String, ScanPolicyStatus>,
) -> kube::Result<()> {
    let api: Api<ScanPolicy> = Api::all(context.client.clone());
    let before = match written.get(name) {
        Some(status) => status.clone(),
        None => match api.get_opt(name).await? {
            Some(object) => object.status.unwrap_or_default(),
            None => return Ok(()),
        },
    };
    let ready = ready(&policy.problems(now), policy, before.conditions.first(), now);
    let status =
        ScanPolicyStatus { observed_generation: Some(policy.generation), conditions: vec![ready], images };
    if status != before {
        let object = json!({
            "apiVersion": "pratique.dev/v1alpha1",
            "kind": "ScanPolicy",
            "metadata": { "name": name },
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match api.patch_status(name, &params, &Patch::Apply(object)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            result => result.map(drop)?,
        }
    }
    written.insert(name.to_owned(), status);
    Ok(())
}

/// The Ready condition; its time moves only when its status does.
fn ready(problems: &[String], policy: &Compiled, before: Option<&Condition>, now: Timestamp) -> Condition {
    let (status, reason, message) = match (&policy.policy, problems) {
        (Err(_), _) => ("False", "Invalid", format!("the policy is not in force: {}", problems.join("; "))),
        (Ok(_), []) => ("True", "InForce", "the policy is in force".to_owned()),
        (Ok(_), _) => ("False", "NoEffect", format!("in force but for this: {}", problems.join("; "))),
    };
    let mut message = message;
    if message.len() > MAX_MESSAGE {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE - '…'.len_utf8()));
        message.push('…');
    }
    let since = before
        .filter(|before| before.type_ == "Ready" && before.status == status)
        .map_or(Time(now), |before| before.last_transition_time.clone());
    Condition {
        type_: "Ready".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: since,
        observed_generation: Some(policy.generation),
    }
}

/// How many images the policy speaks of; none while it is not in force.
fn counts(index: &Index, policy: &Compiled, now: Timestamp) -> Option<ImageCounts> {
    let strict = strict(policy.spec.as_deref().ok()?)?;
    let mut counts = ImageCounts::default();
    let mut add = |facts: &ImageFacts, since: Timestamp| {
        let references: Vec<Reference> =
            index.nodes().references(&facts.image).iter().filter_map(|text| text.parse().ok()).collect();
        let Some(explanation) = explain(&strict, Scanned { facts, since, report: None }, &references, now)
        else {
            return;
        };
        counts.matched += 1;
        counts.denied += i64::from(explanation.effect == Some(Effect::Deny));
        counts.unscanned +=
            i64::from(explanation.reasons.iter().any(|reason| reason.starts_with("unscanned:")));
    };
    for facts in index.facts().iter() {
        add(facts, index.facts().since(&facts.image).unwrap_or(facts.judged_at));
    }
    for (image, _) in index.nodes().images().filter(|(image, _)| index.facts().get(image).is_none()) {
        add(&unscanned(image), Timestamp::MIN);
    }
    Some(counts)
}

/// The policy as if it enforced, and with a word for every unscanned image: what it would say is counted, not what is
/// done about it.
fn strict(spec: &PolicySpec) -> Option<Policy> {
    let mut spec = spec.clone();
    spec.enforcement = Enforcement::Enforce;
    spec.unscanned = spec.unscanned.max(Action::Warn);
    Policy::compile(&spec).ok()
}

/// An image that nobody has looked at: judged at the beginning of time, by no detector.
fn unscanned(image: &Digest) -> ImageFacts {
    ImageFacts {
        image: image.clone(),
        manifests: Vec::new(),
        indexes: Vec::new(),
        platform: Platform::default(),
        created: None,
        user: String::new(),
        layers: Vec::new(),
        detectors: Default::default(),
        findings: Vec::new(),
        gaps: Vec::new(),
        error: None,
        judged_at: Timestamp::MIN,
        scanned_by: String::new(),
        trust: pratique_core::facts::Trust::Folders,
    }
}

/// An Event a day for every exception that is about to end.
fn announce(
    context: &Context,
    set: &PolicySet,
    now: Timestamp,
    announced: &mut HashMap<(String, String), Timestamp>,
) {
    announced.retain(|_, at| now.duration_since(*at) < ANNOUNCED_EVERY);
    for policy in set.in_force() {
        for (exception, ends) in policy.exceptions_ending(now, ENDING) {
            let key = (policy.name().to_owned(), exception.to_owned());
            let Some(regarding) = set.reference(policy.name()).filter(|_| !announced.contains_key(&key))
            else {
                continue;
            };
            // The field keeps the Events of two exceptions apart.
            let field = format!("spec.exceptions[{exception}]");
            context.notices.send(Notice {
                related: Some(ObjectReference { field_path: Some(field), ..regarding.clone() }),
                regarding,
                reason: "ExceptionEnds",
                action: "Review",
                note: format!(
                    "exception {exception} ends at {ends}: what it accepts is a violation from then on"
                ),
            });
            announced.insert(key, now);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pratique_core::policy::{Body, FindingSelector, Rule};
    use pratique_core::{Category, Finding, Severity};

    use super::*;
    use crate::index::{NodeImage, SharedIndex};

    fn now() -> Timestamp {
        "2026-11-24T03:00:00Z".parse().unwrap()
    }

    fn compiled(spec: Result<PolicySpec, String>) -> Compiled {
        let reference = ObjectReference { name: Some("baseline".into()), ..ObjectReference::default() };
        Compiled::new(reference, 7, spec)
    }

    fn spec() -> PolicySpec {
        let mut spec = PolicySpec::new("baseline", now());
        spec.enforcement = Enforcement::Audit;
        spec.unscanned = Action::Allow;
        spec.matching.images = vec!["registry.test/**".into()];
        let planted =
            FindingSelector { categories: vec![Category::WeakPassword], ..FindingSelector::default() };
        spec.deny = vec![Rule { name: "planted".into(), body: Body::Finding(planted) }];
        spec
    }

    #[test]
    fn images_are_counted_whatever_the_enforcement() {
        let shared = SharedIndex::default();
        let mut index = shared.write();
        let digest = |byte| Digest::sha256([byte; 32]);
        let image = |byte, reference: &str| NodeImage {
            image: digest(byte),
            manifests: vec![],
            indexes: vec![],
            references: vec![reference.to_owned()],
            platform: Platform::default(),
            detectors_done: vec![],
        };
        index.reset_node_images(
            "node1",
            vec![
                image(1, "registry.test/clean:1"),
                image(2, "registry.test/risky:1"),
                image(3, "registry.test/new:1"),
                image(4, "elsewhere.test/risky:1"),
            ],
        );
        let finding = Finding {
            detector: "weak-password".into(),
            rule: "linux-account".into(),
            category: Category::WeakPassword,
            severity: Severity::High,
            message: "account root".into(),
            path: None,
            layer: None,
            attributes: Default::default(),
        };
        for (byte, findings) in [(1, vec![]), (2, vec![finding.clone()]), (4, vec![finding])] {
            let detectors = [("weak-password".to_owned(), "1".to_owned())].into();
            let facts = ImageFacts { findings, detectors, judged_at: now(), ..unscanned(&digest(byte)) };
            index.apply_facts(std::sync::Arc::new(facts));
        }
        let counted = counts(&index, &compiled(Ok(spec())), now()).unwrap();
        assert_eq!(counted, ImageCounts { matched: 3, denied: 1, unscanned: 1 });
        assert_eq!(counts(&index, &compiled(Err("no".into())), now()), None);
    }

    #[test]
    fn the_condition_says_what_is_wrong_and_since_when() {
        let good = compiled(Ok(spec()));
        let first = ready(&good.problems(now()), &good, None, now());
        assert_eq!((first.status.as_str(), first.reason.as_str()), ("True", "InForce"));
        let later = now() + SignedDuration::from_hours(1);
        let again = ready(&good.problems(later), &good, Some(&first), later);
        assert_eq!(again.last_transition_time, first.last_transition_time);

        let mut empty = spec();
        empty.detectors = vec!["crystal-ball".into()];
        let empty = compiled(Ok(empty));
        let condition = ready(&empty.problems(later), &empty, Some(&again), later);
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "NoEffect"));
        assert!(condition.message.contains("crystal-ball"), "{}", condition.message);
        assert_eq!(condition.last_transition_time, Time(later));

        let broken = compiled(Err("field `maxScanAge`: `soon` is no duration".into()));
        let condition = ready(&broken.problems(later), &broken, None, later);
        assert_eq!(condition.reason, "Invalid");
        assert!(condition.message.contains("maxScanAge"), "{}", condition.message);
    }
}
