//! ScanReport: what was found in one image.

mod build;
mod fit;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;
pub use build::{object_name, report_status, summary_text};
pub use fit::{MAX_STATUS, fit};

/// Which image the report is about.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "pratique.dev",
    version = "v1alpha1",
    kind = "ScanReport",
    plural = "scanreports",
    shortname = "scr",
    category = "pratique",
    status = "ScanReportStatus",
    derive = "PartialEq",
    doc = "What was found in one image, in short: the worst findings, what was missed, and what policies would say. Written by the operator. The name is for people; the image's digest in spec is the key.",
    printcolumn(name = "Image", type_ = "string", json_path = ".status.references[0]"),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.verdict"),
    printcolumn(name = "Critical", type_ = "integer", json_path = ".status.summary.critical"),
    printcolumn(name = "High", type_ = "integer", json_path = ".status.summary.high"),
    printcolumn(name = "Findings", type_ = "string", json_path = ".status.summary.text"),
    printcolumn(name = "Policy", type_ = "string", priority = "1", json_path = ".status.policy"),
    printcolumn(name = "Packages", type_ = "integer", priority = "1", json_path = ".status.packages.total"),
    printcolumn(name = "Nodes", type_ = "integer", priority = "1", json_path = ".status.nodes"),
    printcolumn(name = "Scanned-By", type_ = "string", priority = "1", json_path = ".status.scannedBy"),
    printcolumn(name = "Digest", type_ = "string", priority = "1", json_path = ".spec.image"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec cannot change: a report is about one image for ever"))]
pub struct ScanReportSpec {
    /// The image's config digest (its ID), which commits to the content of every layer.
    #[schemars(length(max = 135), regex(pattern = "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$"))]
    pub image: String,

    /// The platform the image is made for.
    pub platform: Platform,
}

/// Operating system and processor.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Platform {
    /// Operating system, such as linux.
    #[schemars(length(max = 64))]
    pub os: String,
    /// Processor, such as amd64.
    #[schemars(length(max = 64))]
    pub architecture: String,
    /// Variant of the processor, such as v7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub variant: Option<String>,
}

/// What is known of the image.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ScanReportStatus {
    /// Pending: no node scans it yet. Scanning: a node does. Scanned: the rest of the status holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,

    /// The result in a word. Error: nothing usable. Incomplete: something was missed. Findings: all was read, and there
    /// are findings. Clean: all was read, and there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,

    /// Why nothing usable came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub error: Option<String>,

    /// Detectors that ran, with the version of their rules.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::short_texts")]
    pub detectors: BTreeMap<String, String>,

    /// Counts of findings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,

    /// The worst findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub findings: Vec<Finding>,

    /// The worst findings that a VEX document says do not matter: they do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub suppressed: Vec<Suppressed>,

    /// Counts of packages, once the operator has the image's inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Packages>,

    /// What could not be read or judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub gaps: Vec<Gap>,

    /// What this report leaves out of the whole one, which the operator keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<Omitted>,

    /// References that stand for the image on some node, the first seen first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 512)), extend("x-kubernetes-list-type" = "atomic"))]
    pub references: Vec<String>,

    /// Digests of manifests that lead to the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(max = 135)), extend("x-kubernetes-list-type" = "atomic"))]
    pub manifests: Vec<String>,

    /// Digests of indexes (multi-platform images) that lead to the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(max = 135)), extend("x-kubernetes-list-type" = "atomic"))]
    pub indexes: Vec<String>,

    /// The worst that policies would say, such as Deny (baseline).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 280))]
    pub policy: Option<String>,

    /// What each policy would say of the image, and why. An explanation: decisions also know namespace, pod and history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "atomic"))]
    pub policies: Vec<PolicyExplanation>,

    /// The scanned image that this one was built on, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,

    /// How many layers the image has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<i64>,

    /// The node that scanned the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub scanned_by: Option<String>,

    /// What the result rests on. Blobs: every layer's bytes were hashed and are those the image commits to. Folders: at
    /// least one layer was read as the runtime unpacked it, on the node's word. Unchecked: at least one was not hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,

    /// On how many nodes the image is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<i64>,

    /// How many workloads run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workloads: Option<i64>,

    /// When the image says it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_at: Option<Time>,

    /// When the image was last judged; maxScanAge of policies counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_at: Option<Time>,

    /// Scanned: there is a result. Complete: nothing was missed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// How far the scan of an image is.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "described at the field; docs on variants would become part of the schema")]
pub enum Phase {
    Pending,
    Scanning,
    Scanned,
}

/// The result in a word.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "described at the field; docs on variants would become part of the schema")]
pub enum Verdict {
    Clean,
    Findings,
    Incomplete,
    Error,
}

/// What a policy would do.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the words say it; docs on variants would become part of the schema")]
pub enum Effect {
    Allow,
    Audit,
    Warn,
    Deny,
}

/// What the result rests on.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "described at the field; docs on variants would become part of the schema")]
pub enum Trust {
    Blobs,
    Folders,
    Unchecked,
}

/// Counts of findings.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// All findings.
    pub total: i64,
    /// Findings of severity Critical.
    pub critical: i64,
    /// Findings of severity High.
    pub high: i64,
    /// Findings of severity Medium.
    pub medium: i64,
    /// Findings of severity Low.
    pub low: i64,
    /// Findings of severity Negligible.
    pub negligible: i64,
    /// Findings that nobody has rated.
    pub unknown: i64,
    /// Findings by category.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub by_category: BTreeMap<String, i64>,
    /// The same in words, such as 2 WeakPassword, 1 Secret.
    #[schemars(length(max = 256))]
    pub text: String,
}

/// Counts of packages.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Packages {
    /// All packages.
    pub total: i64,
    /// Packages by ecosystem, named as in package URLs: deb, npm, golang.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub by_ecosystem: BTreeMap<String, i64>,
}

/// The image that another was built on.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// A reference that stands for it on some node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub name: Option<String>,
    /// How many of the image's layers are the base's, from the first on.
    pub layers: i64,
}

/// Where in an image something comes from.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "described at the field; docs on variants would become part of the schema")]
pub enum Origin {
    Base,
    Own,
}

/// A finding.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The detector that found it, such as weak-password.
    #[schemars(length(max = 64))]
    pub detector: String,
    /// The detector's rule, such as linux-account.
    #[schemars(length(max = 64))]
    pub rule: String,
    /// What kind of risk it is, such as WeakPassword.
    #[schemars(length(max = 32))]
    pub category: String,
    /// How bad it is: Unknown, Negligible, Low, Medium, High or Critical.
    #[schemars(length(max = 16))]
    pub severity: String,
    /// What was found. Passwords and secrets are masked.
    #[schemars(length(max = 512))]
    pub message: String,
    /// The file inside the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub path: Option<String>,
    /// The layer (diff ID) that brought the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 135))]
    pub layer: Option<String>,
    /// Whether that layer is one of the base's or the image's own. Absent if no base is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Origin>,
    /// Details, such as user and scheme.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::short_texts")]
    pub attributes: BTreeMap<String, String>,
}

/// A finding that somebody says does not matter.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Suppressed {
    /// What was found.
    #[schemars(length(max = 512))]
    pub message: String,
    /// Who says so.
    #[schemars(length(max = 256))]
    pub by: String,
    /// Why.
    #[schemars(length(max = 512))]
    pub reason: String,
}

/// Something that could not be read or judged.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// Why, in a word: Unreadable, Limit, Timeout, Malformed, Unsupported or Crashed.
    #[schemars(length(max = 32))]
    pub kind: String,
    /// The detector that lacks it; without one, all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub detector: Option<String>,
    /// The file inside the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub path: Option<String>,
    /// The layer (diff ID).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 135))]
    pub layer: Option<String>,
    /// Why.
    #[schemars(length(max = 512))]
    pub reason: String,
}

/// How much was left out.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Omitted {
    /// Findings.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub findings: i64,
    /// Findings that do not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub suppressed: i64,
    /// Gaps.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gaps: i64,
    /// References.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub references: i64,
    /// Digests of manifests and indexes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub digests: i64,
    /// Policies.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub policies: i64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// What a policy would say.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PolicyExplanation {
    /// The policy's name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// What it would do.
    pub effect: Effect,
    /// Why, each beginning with the rule's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(max = 512)), extend("x-kubernetes-list-type" = "atomic"))]
    pub reasons: Vec<String>,
    /// Exceptions that accept findings of the image: name, last day, reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(max = 512)), extend("x-kubernetes-list-type" = "atomic"))]
    pub exceptions: Vec<String>,
}
