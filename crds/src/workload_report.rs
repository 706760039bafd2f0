//! WorkloadReport: which images a workload runs, and what was judged of it after the fact.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scan_report::{Effect, Verdict};
use crate::schema;

/// Whose images the report is about.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "pratique.dev",
    version = "v1alpha1",
    kind = "WorkloadReport",
    plural = "workloadreports",
    shortname = "wlr",
    category = "pratique",
    namespaced,
    status = "WorkloadReportStatus",
    derive = "PartialEq",
    doc = "Sums up the images that a workload runs and what policies say of them, for the team whose namespace it is. Written by the operator and owned by the workload.",
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.owner.kind"),
    printcolumn(name = "Workload", type_ = "string", json_path = ".spec.owner.name"),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.verdict"),
    printcolumn(name = "Findings", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadReportSpec {
    /// The workload: the topmost controller of the pods, or a pod without one.
    pub owner: Owner,
}

/// A workload in the report's namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Its API group and version, such as apps/v1.
    #[schemars(length(min = 1, max = 317))]
    pub api_version: String,
    /// Its kind, such as Deployment.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What the workload runs.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadReportStatus {
    /// The worst verdict of its images; absent while one is unscanned and the others are clean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,

    /// What was found in all its images, such as 2 WeakPassword.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub summary: Option<String>,

    /// Its images, one for each container and image that it stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub images: Vec<WorkloadImage>,

    /// How many more images there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images_omitted: Option<i64>,

    /// Violations that were judged while it already ran: admitted before the policy or the finding, or unseen by the
    /// webhook.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub violations: Vec<WorkloadViolation>,

    /// How many more violations there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violations_omitted: Option<i64>,

    /// Compliant: no policy is violated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// An image of a workload.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadImage {
    /// The container's name.
    #[schemars(length(max = 63))]
    pub container: String,
    /// The reference the workload names it by.
    #[schemars(length(max = 512))]
    pub reference: String,
    /// The image's config digest, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 135))]
    pub image: Option<String>,
    /// Name of its ScanReport, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub report: Option<String>,
    /// Its verdict; absent while it is unscanned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What was found, such as 2 WeakPassword.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub summary: Option<String>,
}

/// A violation of a workload that already runs.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadViolation {
    /// The policy's name.
    #[schemars(length(max = 253))]
    pub policy: String,
    /// Its rule, or the field unscanned, incomplete, error or unsupported.
    #[schemars(length(max = 63))]
    pub rule: String,
    /// What the policy would do to a new pod.
    pub effect: Effect,
    /// Why, as a sentence.
    #[schemars(length(max = 2048))]
    pub message: String,
    /// When the violation was first seen.
    pub since: Time,
}
