//! The webhook configuration: made when this operator can serve, kept in step with its certificate authority, and
//! removed before the operator goes.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    RuleWithOperations, ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration,
    WebhookClientConfig,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, OwnerReference,
};
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt};
use prometheus::{IntCounter, IntGauge, Registry};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::tls::Certificates;

/// Field manager of everything the operator applies.
pub const FIELD_MANAGER: &str = "pratique-operator";

/// Path that judges pods.
pub const PODS_PATH: &str = "/validate";

/// Path that warns about the templates of pods' controllers.
pub const WORKLOADS_PATH: &str = "/validate-workload";

/// On the ConfigMap of the certificate authority: when an uninstallation began. An operator that started before it
/// makes no configuration any more.
const UNINSTALLING: &str = "pratique.dev/uninstalling-since";

/// How often the configuration is repaired, should somebody have changed it.
const INTERVAL: Duration = Duration::from_secs(30);

/// Pause before the next attempt while the operator is not ready or the API server refuses.
const RETRY: Duration = Duration::from_secs(1);

/// Namespaces without which no cluster starts.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// Labels of the objects that the operator makes for itself.
pub fn labels() -> BTreeMap<String, String> {
    [("app.kubernetes.io/name", "pratique"), ("app.kubernetes.io/managed-by", FIELD_MANAGER)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// What the API server does with a pod while no replica answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum FailurePolicy {
    /// Lets it in; it is judged afterwards.
    Ignore,
    /// Refuses it; its controller tries again.
    Fail,
}

impl FailurePolicy {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "Ignore",
            Self::Fail => "Fail",
        }
    }
}

/// What the configuration is made from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the configuration, such as `pratique`.
    pub name: String,
    /// Service before the webhook's port.
    pub service: String,
    /// Namespace of the operator; never guarded.
    pub namespace: String,
    /// Name of the ConfigMap of the certificate authority, which carries the mark of an uninstallation.
    pub authority: String,
    /// For pods; their controllers are only ever warned about.
    pub failure_policy: FailurePolicy,
    /// How long the API server waits; whole seconds from 1 to 30.
    pub timeout: Duration,
    /// More namespaces that are never guarded.
    pub exclude_namespaces: Vec<String>,
}

/// The configuration for the authorities in `bundle` (PEM).
pub fn configuration(settings: &Settings, bundle: &str) -> ValidatingWebhookConfiguration {
    let webhook = |name: &str, path: &str, failure_policy: FailurePolicy, rules| ValidatingWebhook {
        name: name.to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        client_config: WebhookClientConfig {
            ca_bundle: Some(ByteString(bundle.as_bytes().to_vec())),
            service: Some(ServiceReference {
                name: settings.service.clone(),
                namespace: settings.namespace.clone(),
                path: Some(path.to_owned()),
                port: Some(443),
            }),
            url: None,
        },
        failure_policy: Some(failure_policy.as_str().to_owned()),
        match_policy: Some("Equivalent".to_owned()),
        namespace_selector: Some(guarded(settings)),
        rules: Some(rules),
        // Requests that are not dry runs leave Events behind.
        side_effects: "NoneOnDryRun".to_owned(),
        timeout_seconds: Some(i32::try_from(settings.timeout.as_secs()).unwrap_or(30).clamp(1, 30)),
        ..ValidatingWebhook::default()
    };
    ValidatingWebhookConfiguration {
        metadata: ObjectMeta {
            name: Some(settings.name.clone()),
            labels: Some(labels()),
            ..ObjectMeta::default()
        },
        webhooks: Some(vec![
            webhook(
                "pods.pratique.dev",
                PODS_PATH,
                settings.failure_policy,
                vec![rule("", &["pods", "pods/ephemeralcontainers"])],
            ),
            webhook(
                "workloads.pratique.dev",
                WORKLOADS_PATH,
                FailurePolicy::Ignore,
                vec![
                    rule("apps", &["deployments", "statefulsets", "daemonsets", "replicasets"]),
                    rule("batch", &["jobs", "cronjobs"]),
                    rule("", &["replicationcontrollers"]),
                ],
            ),
        ]),
    }
}

fn rule(group: &str, resources: &[&str]) -> RuleWithOperations {
    let strings = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    RuleWithOperations {
        api_groups: strings(&[group]),
        api_versions: strings(&["v1"]),
        operations: strings(&["CREATE", "UPDATE"]),
        resources: strings(resources),
        scope: Some("Namespaced".to_owned()),
    }
}

fn guarded(settings: &Settings) -> LabelSelector {
    let mut excluded: Vec<String> = SYSTEM_NAMESPACES.map(str::to_owned).into();
    excluded.push(settings.namespace.clone());
    excluded.extend(settings.exclude_namespaces.iter().cloned());
    excluded.sort_unstable();
    excluded.dedup();
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: "kubernetes.io/metadata.name".to_owned(),
            operator: "NotIn".to_owned(),
            values: Some(excluded),
        }]),
        match_labels: None,
    }
}

/// Why the configuration could not be kept or removed.
#[derive(Debug, thiserror::Error)]
pub enum WebhookConfigError {
    /// The API server refused or did not answer.
    #[error("{what}: {source}")]
    Api {
        /// What was attempted.
        what: String,
        /// Its answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// Something makes the configuration again and again.
    #[error(
        "ValidatingWebhookConfiguration {0} comes back after it was deleted; stop the operator and delete it by hand"
    )]
    ComesBack(String),
}

fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> WebhookConfigError {
    let what = what.into();
    move |source| WebhookConfigError::Api { what, source: Box::new(source) }
}

/// State of the configuration, for Prometheus.
#[derive(Debug, Clone)]
pub struct Metrics {
    applied: IntGauge,
    errors: IntCounter,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// If they are registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let applied = IntGauge::new(
            "pratique_webhook_configuration_applied",
            "1 where this replica leads and the webhook configuration is in force as it wants it, else 0.",
        )?;
        let errors = IntCounter::new(
            "pratique_webhook_configuration_errors_total",
            "Failed attempts to apply the webhook configuration.",
        )?;
        registry.register(Box::new(applied.clone()))?;
        registry.register(Box::new(errors.clone()))?;
        Ok(Self { applied, errors })
    }
}

/// For the leader, until `shutdown`: applies the configuration as soon as `ready` says that this replica can serve, and
/// again when the authorities change or somebody else changed it. `started` is when this process began.
pub async fn keep(
    client: Client,
    settings: Settings,
    certificates: Certificates,
    ready: impl Fn() -> bool,
    started: Timestamp,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    let mut bundle = certificates.bundle();
    while !shutdown.is_cancelled() {
        let trusted = bundle.borrow_and_update().clone();
        let mut pause = RETRY;
        if let Some(trusted) = trusted.filter(|_| ready()) {
            match apply(&client, &settings, &trusted, started).await {
                Ok(applied) => {
                    metrics.applied.set(i64::from(applied));
                    pause = INTERVAL;
                }
                Err(error) => {
                    metrics.applied.set(0);
                    metrics.errors.inc();
                    warn!(%error, "webhook configuration");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Ok(()) = bundle.changed() => {}
            () = shutdown.cancelled() => {}
        }
    }
    metrics.applied.set(0);
}

/// Applies the configuration unless an uninstallation has begun since this process started; says whether it did.
async fn apply(
    client: &Client,
    settings: &Settings,
    bundle: &str,
    started: Timestamp,
) -> Result<bool, WebhookConfigError> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &settings.namespace);
    let map = maps
        .get_opt(&settings.authority)
        .await
        .map_err(api(format!("ConfigMap {} could not be read", settings.authority)))?;
    if map.is_some_and(|map| uninstalling(&map, started)) {
        info!("an uninstallation has begun: the webhook configuration stays away");
        return Ok(false);
    }
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let wanted = configuration(settings, bundle);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    configurations
        .patch(&settings.name, &params, &Patch::Apply(&wanted))
        .await
        .map_err(api(format!("ValidatingWebhookConfiguration {} could not be applied", settings.name)))?;
    Ok(true)
}

/// Whether an uninstallation began after `started`. An older mark was left by one that was given up.
fn uninstalling(map: &ConfigMap, started: Timestamp) -> bool {
    map.annotations()
        .get(UNINSTALLING)
        .and_then(|since| since.parse::<Timestamp>().ok())
        .is_some_and(|since| since >= started)
}

/// What an uninstallation takes away.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Name of the webhook configuration.
    pub configuration: String,
    /// Namespace of everything else.
    pub namespace: String,
    /// Name of Secret and ConfigMap of the certificate authority.
    pub authority: String,
    /// Name of the Lease.
    pub lease: String,
    /// Name of the operator's Deployment.
    pub deployment: String,
}

/// Removes the webhook configuration while the operator still serves it, and makes sure that it stays away. Secret,
/// ConfigMap and Lease are given to the Deployment, so that they go with it and running replicas need not miss them.
///
/// # Errors
/// If the API server refuses, or the configuration comes back.
pub async fn uninstall(client: Client, installation: &Installation) -> Result<(), WebhookConfigError> {
    let namespace = &installation.namespace;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let owner = deployments
        .get_opt(&installation.deployment)
        .await
        .map_err(api(format!("Deployment {} could not be read", installation.deployment)))?
        .and_then(|deployment| deployment.owner_ref(&()));
    let mark = BTreeMap::from([(UNINSTALLING.to_owned(), Timestamp::now().to_string())]);
    give::<ConfigMap>(&client, namespace, &installation.authority, owner.as_ref(), mark).await?;
    give::<Secret>(&client, namespace, &installation.authority, owner.as_ref(), BTreeMap::new()).await?;
    give::<Lease>(&client, namespace, &installation.lease, owner.as_ref(), BTreeMap::new()).await?;

    // A leader that read the ConfigMap before the mark may still be applying: look again a while.
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client);
    let name = &installation.configuration;
    let mut quiet = 0;
    for _ in 0..30 {
        match configurations.delete(name, &DeleteParams::default()).await {
            Ok(_) => {
                info!(name, "webhook configuration deleted");
                quiet = 0;
            }
            Err(kube::Error::Api(status)) if status.code == 404 => quiet += 1,
            Err(error) => {
                return Err(api(format!("ValidatingWebhookConfiguration {name} could not be deleted"))(
                    error,
                ));
            }
        }
        if quiet == 3 {
            return Ok(());
        }
        tokio::time::sleep(RETRY).await;
    }
    Err(WebhookConfigError::ComesBack(name.clone()))
}

/// Lets an object go with `owner`, and annotates it. One that does not exist is left at that.
async fn give<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    owner: Option<&OwnerReference>,
    annotations: BTreeMap<String, String>,
) -> Result<(), WebhookConfigError>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let objects: Api<K> = Api::namespaced(client.clone(), namespace);
    let metadata = serde_json::json!({
        "annotations": annotations,
        "ownerReferences": owner.map(|owner| [owner]),
    });
    let patch = Patch::Merge(serde_json::json!({ "metadata": metadata }));
    match objects.patch_metadata(name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(api(format!("{} {name} could not be changed", K::kind(&())))(error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings(failure_policy: FailurePolicy) -> Settings {
        Settings {
            name: "pratique".into(),
            service: "pratique-webhook".into(),
            namespace: "guards".into(),
            authority: "pratique-ca".into(),
            failure_policy,
            timeout: Duration::from_secs(5),
            exclude_namespaces: vec!["monitoring".into(), "kube-system".into()],
        }
    }

    #[test]
    fn system_namespaces_are_never_guarded_whatever_the_failure_policy() {
        for failure_policy in [FailurePolicy::Ignore, FailurePolicy::Fail] {
            let webhooks = configuration(&settings(failure_policy), "PEM").webhooks.unwrap();
            for webhook in &webhooks {
                let selector = webhook.namespace_selector.as_ref().unwrap();
                let requirement = &selector.match_expressions.as_ref().unwrap()[0];
                assert_eq!(requirement.operator, "NotIn");
                assert_eq!(
                    requirement.values.as_ref().unwrap(),
                    &["guards", "kube-node-lease", "kube-public", "kube-system", "monitoring"]
                );
                assert_eq!(webhook.client_config.ca_bundle.as_ref().unwrap().0, b"PEM");
            }
            let policies: Vec<_> = webhooks.iter().map(|webhook| webhook.failure_policy.as_deref()).collect();
            assert_eq!(
                policies,
                [Some(failure_policy.as_str()), Some("Ignore")],
                "controllers are only warned about"
            );
        }
    }

    #[test]
    fn only_a_mark_younger_than_the_process_stops_it() {
        let started: Timestamp = "2026-11-24T02:00:00Z".parse().unwrap();
        let marked = |since: &str| {
            let mut map = ConfigMap::default();
            map.annotations_mut().insert(UNINSTALLING.to_owned(), since.to_owned());
            map
        };
        assert!(uninstalling(&marked("2026-11-24T02:30:00Z"), started));
        assert!(!uninstalling(&marked("2026-11-24T01:30:00Z"), started), "left by one that was given up");
        assert!(!uninstalling(&marked("soon"), started));
        assert!(!uninstalling(&ConfigMap::default(), started));
    }
}
