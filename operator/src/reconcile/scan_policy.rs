//! The status of ScanPolicies: whether each is in force as it is meant, and how many images it speaks of.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::Api;
use kube::api::{Patch, PatchParams};
use pratique_core::policy::{Action, Effect, Enforcement, Policy, PolicySpec, Scanned, explain};
use pratique_core::{ImageFacts, Reference};
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

/// Pause before a status that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(2);

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
    let api: Api<ScanPolicy> = Api::all(context.client.clone());
    let mut policies = context.policies();
    let mut changes = context.index.read().subscribe();
    // By UID: a policy that was deleted and made anew has no status, though its name be the same.
    let mut written: HashMap<String, ScanPolicyStatus> = HashMap::new();
    let mut announced: HashMap<(String, String), Timestamp> = HashMap::new();
    loop {
        let set = policies.borrow_and_update().clone();
        let now = Timestamp::now();
        let uids: HashSet<&str> = set.iter().filter_map(|policy| policy.reference.uid.as_deref()).collect();
        written.retain(|uid, _| uids.contains(uid.as_str()));
        let mut failed = false;
        for policy in set.iter() {
            let images = counts(&context.index.read(), policy, now);
            let done = update(&api, policy, images, now, &mut written).await;
            failed |= !matches!(done, Ok(true));
            if let Err(error) = done {
                context.metrics.failed("ScanPolicy");
                warn!(%error, policy = policy.reference.name, "the status of a ScanPolicy cannot be written");
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
            () = sleep(RETRY), if failed => {}
        }
        while !matches!(changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
    }
}

/// Writes a status that changed. False if the policy is not there, or not the one that was seen: the watch will tell, unless
/// the API server has only just started and does not know the kind yet.
async fn update(
    api: &Api<ScanPolicy>,
    policy: &Compiled,
    images: Option<ImageCounts>,
    now: Timestamp,
    written: &mut HashMap<String, ScanPolicyStatus>,
) -> kube::Result<bool> {
    let ObjectReference { name: Some(name), uid: Some(uid), .. } = &policy.reference else { return Ok(true) };
    let before = match written.get(uid) {
        Some(status) => status.clone(),
        None => match api.get_opt(name).await?.filter(|object| object.metadata.uid.as_ref() == Some(uid)) {
            Some(object) => object.status.unwrap_or_default(),
            None => return Ok(false),
        },
    };
    let ready = ready(&policy.problems(now), policy, before.conditions.first(), now);
    let status =
        ScanPolicyStatus { observed_generation: Some(policy.generation), conditions: vec![ready], images };
    if status != before {
        let object = json!({
            "apiVersion": "pratique.dev/v1alpha1",
            "kind": "ScanPolicy",
            "metadata": { "name": name, "uid": uid },
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match api.patch_status(name, &params, &Patch::Apply(object)).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(false),
            result => result.map(drop)?,
        }
    }
    written.insert(uid.clone(), status);
    Ok(true)
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
        add(&ImageFacts::unscanned(image.clone()), Timestamp::MIN);
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
                joins: true,
            });
            announced.insert(key, now);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::http::{Method, Request, Response};
    use kube::Client;
    use kube::client::Body;
    use pratique_core::policy::{self, FindingSelector, Rule};
    use pratique_core::{Category, Digest, Finding, Platform, Severity};

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
        spec.deny = vec![Rule { name: "planted".into(), body: policy::Body::Finding(planted) }];
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
            let facts =
                ImageFacts { findings, detectors, judged_at: now(), ..ImageFacts::unscanned(digest(byte)) };
            index.apply_facts(Arc::new(facts));
        }
        let counted = counts(&index, &compiled(Ok(spec())), now()).unwrap();
        assert_eq!(counted, ImageCounts { matched: 3, denied: 1, unscanned: 1 });
        assert_eq!(counts(&index, &compiled(Err("no".into())), now()), None);
    }

    /// An API server that has one policy, without a status, of this UID (none: that does not know it). Says how often a status was
    /// written.
    fn server(uid: Option<&'static str>) -> (Api<ScanPolicy>, Arc<AtomicUsize>) {
        let written = Arc::new(AtomicUsize::new(0));
        let count = written.clone();
        let answer = move |request: Request<Body>| {
            if request.method() == Method::PATCH {
                count.fetch_add(1, Ordering::Relaxed);
            }
            let (code, body) = match uid {
                Some(uid) => {
                    let metadata = json!({"name": "baseline", "uid": uid, "generation": 7});
                    (200, json!({"apiVersion": "pratique.dev/v1alpha1", "kind": "ScanPolicy", "metadata": metadata, "spec": {}}).to_string())
                }
                None => (404, "404 page not found".to_owned()),
            };
            let response = Response::builder().status(code).body(Body::from(body.into_bytes()));
            std::future::ready(response)
        };
        (Api::all(Client::new(tower::service_fn(answer), "default")), written)
    }

    #[tokio::test]
    async fn a_policy_that_was_made_anew_under_its_name_has_its_status_written_anew() {
        let policy = |uid: &str| {
            let mut policy = compiled(Ok(spec()));
            policy.reference.uid = Some(uid.to_owned());
            policy
        };
        let mut known = HashMap::new();
        let (api, written) = server(Some("first"));
        assert!(update(&api, &policy("first"), None, now(), &mut known).await.unwrap());
        assert!(update(&api, &policy("first"), None, now(), &mut known).await.unwrap());
        assert_eq!(written.load(Ordering::Relaxed), 1, "what was written is not written again");
        assert!(
            !update(&api, &policy("second"), None, now(), &mut known).await.unwrap(),
            "seen in the watch and not here: it is tried again"
        );
        let (api, written) = server(Some("second"));
        assert!(update(&api, &policy("second"), None, now(), &mut known).await.unwrap());
        assert_eq!(written.load(Ordering::Relaxed), 1, "the second has none yet");
    }

    #[tokio::test]
    async fn an_api_server_that_does_not_know_the_kind_yet_is_asked_again() {
        let (api, _) = server(None);
        let mut policy = compiled(Ok(spec()));
        policy.reference.uid = Some("first".to_owned());
        let done = update(&api, &policy, None, now(), &mut HashMap::new()).await;
        assert!(!matches!(done, Ok(true)), "{done:?}");
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
