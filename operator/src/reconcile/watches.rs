//! What every replica watches for itself: policies, names of reports, and which controller stands behind a ReplicaSet or
//! a Job.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use futures::StreamExt;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use kube::{Api, Client, Resource, ResourceExt};
use pratique_crds::{ScanPolicy, ScanReport};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Compiled, IMAGE_ANNOTATION, PolicySet, ReportNames};
use crate::index::Pod;
use crate::watch::objects;

/// The watches' results. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Watches {
    /// The policies, in force from the moment they are seen.
    pub policies: watch::Receiver<Arc<PolicySet>>,
    /// Whether the policies were listed once: before, nothing may be decided.
    pub synced: watch::Receiver<bool>,
    /// Names of ScanReports.
    pub reports: ReportNames,
    /// Controllers of controllers.
    pub owners: Owners,
}

/// Starts the watches; they end with `shutdown`.
pub fn start(client: &Client, shutdown: &CancellationToken) -> Watches {
    let (policies_sender, policies) = watch::channel(Arc::default());
    let (synced_sender, synced) = watch::channel(false);
    let (reports, owners) = (ReportNames::default(), Owners::default());
    let task = shutdown.clone();
    tokio::spawn(task.run_until_cancelled_owned(watch_policies(
        client.clone(),
        policies_sender,
        synced_sender,
    )));
    let task = shutdown.clone();
    tokio::spawn(task.run_until_cancelled_owned(watch_report_names(client.clone(), reports.clone())));
    let task = shutdown.clone();
    tokio::spawn(task.run_until_cancelled_owned(watch_owners::<ReplicaSet>(client.clone(), owners.clone())));
    let task = shutdown.clone();
    tokio::spawn(task.run_until_cancelled_owned(watch_owners::<Job>(client.clone(), owners.clone())));
    Watches { policies, synced, reports, owners }
}

async fn watch_policies(client: Client, set: watch::Sender<Arc<PolicySet>>, synced: watch::Sender<bool>) {
    let mut policies: HashMap<String, Compiled> = HashMap::new();
    let mut stream = objects(Api::<ScanPolicy>::all(client));
    while let Some(event) = stream.next().await {
        let mut listing = false;
        match event {
            Ok(Event::Init) => {
                policies.clear();
                listing = true;
            }
            Ok(Event::InitApply(policy)) => {
                policies.insert(policy.name_any(), compile(&policy));
                listing = true;
            }
            Ok(Event::InitDone) => {}
            Ok(Event::Apply(policy)) => {
                policies.insert(policy.name_any(), compile(&policy));
            }
            Ok(Event::Delete(policy)) => {
                policies.remove(&policy.name_any());
            }
            Err(error) => {
                warn!(%error, "watching ScanPolicies");
                continue;
            }
        }
        if !listing {
            let new: PolicySet = policies.values().cloned().collect();
            // A status that was written is no change of a policy.
            set.send_if_modified(|known| {
                let changed = !known.is_same(&new);
                if changed {
                    *known = Arc::new(new);
                }
                changed
            });
            synced.send_if_modified(|synced| !std::mem::replace(synced, true));
        }
    }
}

fn compile(policy: &ScanPolicy) -> Compiled {
    let spec = policy.to_policy().map_err(|error| error.to_string());
    Compiled::new(policy.object_ref(&()), policy.metadata.generation.unwrap_or_default(), spec)
}

async fn watch_report_names(client: Client, names: ReportNames) {
    let mut listed: Vec<String> = Vec::new();
    let mut stream = objects(Api::<PartialObjectMeta<ScanReport>>::all(client));
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(report)) => {
                listed.push(report.name_any());
                apply_name(&names, &report);
            }
            Ok(Event::InitDone) => names.retain(&listed),
            Ok(Event::Apply(report)) => apply_name(&names, &report),
            Ok(Event::Delete(report)) => names.remove(&report.name_any()),
            Err(error) => warn!(%error, "watching ScanReports"),
        }
    }
}

fn apply_name(names: &ReportNames, report: &PartialObjectMeta<ScanReport>) {
    if let Some(image) = report.annotations().get(IMAGE_ANNOTATION).and_then(|image| image.parse().ok()) {
        names.apply(image, report.name_any());
    }
}

/// Which controller stands behind a ReplicaSet or a Job, by the UID of the latter. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Owners(Arc<RwLock<HashMap<String, OwnerReference>>>);

impl Owners {
    /// The topmost controller of a pod; the pod itself where it has none in its namespace (a static pod's controller is
    /// its node).
    pub fn top(&self, pod: &Pod) -> OwnerReference {
        match &pod.controller {
            Some(controller) if !pod.mirror => {
                let owners = self.0.read().unwrap_or_else(PoisonError::into_inner);
                owners.get(&controller.uid).unwrap_or(controller).clone()
            }
            _ => OwnerReference {
                api_version: "v1".to_owned(),
                kind: "Pod".to_owned(),
                name: pod.name.clone(),
                uid: pod.uid.clone(),
                ..OwnerReference::default()
            },
        }
    }

    fn apply(&self, metadata: &ObjectMeta) {
        let controller =
            metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true)).cloned();
        if let (Some(uid), Some(controller)) = (metadata.uid.clone(), controller) {
            self.0.write().unwrap_or_else(PoisonError::into_inner).insert(uid, controller);
        }
    }

    fn remove(&self, metadata: &ObjectMeta) {
        if let Some(uid) = &metadata.uid {
            self.0.write().unwrap_or_else(PoisonError::into_inner).remove(uid);
        }
    }
}

async fn watch_owners<K>(client: Client, owners: Owners)
where
    K: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let mut stream = objects(Api::<PartialObjectMeta<K>>::all(client));
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::InitApply(object) | Event::Apply(object)) => owners.apply(&object.metadata),
            Ok(Event::Delete(object)) => owners.remove(&object.metadata),
            Ok(Event::Init | Event::InitDone) => {}
            Err(error) => warn!(%error, kind = %K::kind(&()), "watching owners"),
        }
    }
}
