//! ScanPolicy: which images and pods it speaks of, what is looked for, what is refused.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use pratique_core::{Category, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// What the policy says.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "pratique.dev",
    version = "v1alpha1",
    kind = "ScanPolicy",
    plural = "scanpolicies",
    shortname = "scp",
    category = "pratique",
    status = "ScanPolicyStatus",
    derive = "PartialEq",
    doc = "Says which images and pods it speaks of, what is looked for in the images, and what is refused. Policies add up: each is tested for itself, and a pod is refused if any policy that enforces refuses it.",
    printcolumn(name = "Enforcement", type_ = "string", json_path = ".spec.enforcement"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Matched", type_ = "integer", json_path = ".status.images.matched"),
    printcolumn(name = "Denied", type_ = "integer", json_path = ".status.images.denied"),
    printcolumn(name = "Unscanned", type_ = "integer", json_path = ".status.images.unscanned"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = "1",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ScanPolicySpec {
    /// Which images and pods the policy speaks of. Everything given must hold; without any of it, all.
    #[serde(rename = "match", default)]
    pub matching: Match,

    /// What happens to a pod that violates the policy. Enforce: it is refused. Warn: it is admitted with a warning to
    /// whoever made it. Audit: it is admitted and the violation is recorded.
    #[serde(default)]
    pub enforcement: Enforcement,

    /// What is looked for in the images that the policy speaks of.
    #[serde(default)]
    pub scan: Scan,

    /// What is done about an image that nobody has scanned, whose digest nobody knows, or whose scan is too old.
    #[serde(default)]
    pub unscanned: Unscanned,

    /// How old the last scan of an image may be, such as 720h. An older one counts as none.
    #[serde(default = "thirty_days")]
    #[schemars(schema_with = "schema::positive_duration")]
    pub max_scan_age: String,

    /// What is done about an image of which something could not be read or judged, if a detector is affected that the
    /// policy's rules use.
    #[serde(default = "warn")]
    pub incomplete: Action,

    /// What is done about an image whose scan gave nothing usable.
    #[serde(default = "warn")]
    pub error: Action,

    /// What is done about an image for a platform that nobody can scan, such as Windows.
    #[serde(default = "allow")]
    pub unsupported: Action,

    /// What is done about an image that already ran in the pod's namespace when the violation appeared.
    #[serde(default)]
    pub existing_workloads: ExistingWorkloads,

    /// The rules. A pod violates the policy if any of them holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub deny: Vec<DenyRule>,

    /// Findings that are accepted on some images for some time. They stay visible in reports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub exceptions: Vec<Exception>,
}

fn thirty_days() -> String {
    "720h".to_owned()
}

fn seven_days() -> String {
    "168h".to_owned()
}

fn warn() -> Action {
    Action::Warn
}

fn allow() -> Action {
    Action::Allow
}

/// Which images and pods a policy speaks of.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// Selects the pods' namespaces by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,

    /// Selects the pods by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<LabelSelector>,

    /// Patterns of the images, such as docker.io/library/nginx:* or registry.example.com/**, tested against the
    /// reference with registry. * stands for any text without a slash, ** for any number of parts. A pattern without a
    /// tag matches every tag and digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::image_patterns")]
    pub images: Vec<String>,

    /// Patterns of images the policy does not speak of, in the form of images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::image_patterns")]
    pub exclude_images: Vec<String>,
}

/// Selects things by their labels, as everywhere in Kubernetes: all requirements must hold.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels with the value each must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::short_texts")]
    pub match_labels: BTreeMap<String, String>,

    /// Requirements on labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Vec<LabelRequirement>,
}

/// A requirement on one label.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)")
    .message("values is needed with the operators In and NotIn, and with no other"))]
pub struct LabelRequirement {
    /// The label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,

    /// How the label's value relates to values.
    pub operator: LabelOperator,

    /// Values, for the operators In and NotIn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)), extend("x-kubernetes-list-type" = "atomic"))]
    pub values: Vec<String>,
}

/// How a label relates to values.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "words of Kubernetes; docs on variants would become part of the schema")]
pub enum LabelOperator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// What happens to a pod that violates a policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "described at the field; docs on variants would become part of the schema")]
pub enum Enforcement {
    #[default]
    Enforce,
    Warn,
    Audit,
}

/// What is done about a state of an image that is no finding.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it; docs on variants would become part of the schema")]
pub enum Action {
    Allow,
    Warn,
    Deny,
}

/// What is looked for.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Scan {
    /// Ids of detectors, such as weak-password; * stands for all. An image is scanned by the detectors of all policies
    /// that speak of it.
    #[serde(default = "all_detectors")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 64), regex(pattern = "^([*]|[a-z0-9]([a-z0-9-]*[a-z0-9])?)$")), extend("x-kubernetes-list-type" = "set"))]
    pub detectors: Vec<String>,
}

fn all_detectors() -> Vec<String> {
    vec!["*".to_owned()]
}

impl Default for Scan {
    fn default() -> Self {
        Self { detectors: all_detectors() }
    }
}

/// What is done about an unscanned image.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Unscanned {
    /// Allow: nothing. Warn: the pod is admitted with a warning. Deny: it is refused. Never more than the policy's
    /// enforcement.
    #[serde(default = "warn")]
    pub action: Action,
}

impl Default for Unscanned {
    fn default() -> Self {
        Self { action: warn() }
    }
}

/// The grace for images that already ran in the pod's namespace when a violation appeared: the later of the policy's
/// last change and the scan that first found its cause.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ExistingWorkloads {
    /// What is done in place of a refusal. Allow: the violation is recorded. Deny: there is no grace.
    #[serde(default = "warn")]
    pub action: Action,

    /// How long after the violation appeared, such as 168h.
    #[serde(default = "seven_days")]
    #[schemars(schema_with = "schema::duration")]
    pub grace_period: String,
}

impl Default for ExistingWorkloads {
    fn default() -> Self {
        Self { action: warn(), grace_period: seven_days() }
    }
}

/// A reason to refuse a pod: a name and exactly one of finding, vulnerability, license, image and workload.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.finding) ? 1 : 0) + (has(self.vulnerability) ? 1 : 0) + (has(self.license) ? 1 : 0) + (has(self.image) ? 1 : 0) + (has(self.workload) ? 1 : 0) == 1")
    .message("a rule has exactly one of finding, vulnerability, license, image and workload"))]
#[x_kube(validation = Rule::new("!(self.name in ['unscanned', 'incomplete', 'error', 'unsupported'])")
    .message("name must not be unscanned, incomplete, error or unsupported: messages use these words for the fields"))]
pub struct DenyRule {
    /// Unique within the policy; messages quote it.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,

    /// Holds if any finding satisfies every field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<FindingRule>,

    /// Holds if enough flaws of an image's packages satisfy every field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vulnerability: Option<VulnerabilityRule>,

    /// Holds if the licence of an image's package is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<LicenseRule>,

    /// Holds if an image satisfies any field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRule>,

    /// Holds if the pod satisfies any field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadRule>,
}

/// Selects findings that satisfy every field given; at least one must be.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.categories) || has(self.minSeverity) || has(self.rules) || has(self.paths) || has(self.vulnerabilities)")
    .message("at least one of categories, minSeverity, rules, paths and vulnerabilities is needed"))]
pub struct FindingRule {
    /// The finding is of one of these categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::categories")]
    pub categories: Vec<Category>,

    /// The finding is at least so severe. A finding of unknown severity satisfies no minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::min_severity")]
    pub min_severity: Option<Severity>,

    /// The finding is of one of these rules of detectors, written detector/rule, such as weak-password/linux-account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 128), regex(pattern = "^[a-z0-9-]+/[a-z0-9-]+$")), extend("x-kubernetes-list-type" = "set"))]
    pub rules: Vec<String>,

    /// The finding's file matches one of these globs, such as /etc/** or **/id_rsa. * stands for any text without a
    /// slash, ** for any number of parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::path_globs")]
    pub paths: Vec<String>,

    /// The finding is of a flaw that goes by one of these names, such as CVE-2024-3094, or has it as an alias.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    pub vulnerabilities: Vec<String>,
}

/// Flaws of packages that satisfy every field given; at least one must be.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.minSeverity) || has(self.fixAvailable) || has(self.minAge) || (has(self.knownExploited) && self.knownExploited) || has(self.minEpss) || has(self.minCount) || has(self.ids) || has(self.packages)")
    .message("at least one of minSeverity, fixAvailable, minAge, knownExploited: true, minEpss, minCount, ids and packages is needed"))]
pub struct VulnerabilityRule {
    /// The flaw is at least so severe. One of unknown severity satisfies no minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::min_severity")]
    pub min_severity: Option<Severity>,

    /// A version with a fix is known (true), or is not (false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix_available: Option<bool>,

    /// The flaw was published at least so long ago, such as 168h. One whose day is not known counts as old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::positive_duration")]
    pub min_age: Option<String>,

    /// CISA lists the flaw as exploited.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub known_exploited: bool,

    /// The likelihood that the flaw is used within 30 days, as FIRST estimates it, is at least so high: 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_epss: Option<f64>,

    /// The image has at least so many different flaws that satisfy the other fields; 1 if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100000))]
    pub min_count: Option<i64>,

    /// The flaw goes by one of these names, such as CVE-2024-3094, or has it as an alias.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    pub ids: Vec<String>,

    /// The package has one of these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub packages: Vec<String>,
}

/// Licences that packages may not have; at least one field must be given. A package's licence is an SPDX expression: of
/// alternatives (OR) one that is accepted is enough, of what is joined (AND) all must be.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.deny) || has(self.allow) || (has(self.unknown) && self.unknown)")
    .message("at least one of deny, allow and unknown: true is needed"))]
pub struct LicenseRule {
    /// Licences that are refused: SPDX identifiers such as AGPL-3.0-only, with * for any text. Without WITH they are refused
    /// with any exception.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    pub deny: Vec<String>,

    /// The only licences that are accepted, in the same form. One that is named WITH its exception is accepted even where deny
    /// names it without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    pub allow: Vec<String>,

    /// Packages whose licence is not known, or is no SPDX expression, are refused, unless allow names its words.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}

/// Properties of an image. Any of them makes the rule hold; at least one must be given.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.repositoriesNotIn) || (has(self.runsAsRoot) && self.runsAsRoot) || has(self.maxAge)")
    .message("at least one of repositoriesNotIn, runsAsRoot: true and maxAge is needed"))]
pub struct ImageRule {
    /// The image is in none of these repositories: patterns in the form of match.images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::image_patterns")]
    pub repositories_not_in: Vec<String>,

    /// The container would run as user 0: by the image, unless the pod's security context says otherwise. What a user's name
    /// stands for the detector image-config finds in the image's /etc/passwd, whether or not scan.detectors names it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub runs_as_root: bool,

    /// The image was built longer ago, such as 8760h, or does not say when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::positive_duration")]
    pub max_age: Option<String>,
}

/// Properties of a pod. Any of them makes the rule hold; at least one must be given.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.privileged) && self.privileged) || (has(self.hostNamespaces) && self.hostNamespaces) || has(self.hostPaths) || has(self.addedCapabilities)")
    .message("at least one of privileged: true, hostNamespaces: true, hostPaths and addedCapabilities is needed"))]
pub struct WorkloadRule {
    /// A container is privileged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub privileged: bool,

    /// The pod shares the node's PID, IPC or network namespace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub host_namespaces: bool,

    /// The pod mounts a path of the node that matches one of these globs, such as /, /etc/** or /var/run/*.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::path_globs")]
    pub host_paths: Vec<String>,

    /// A container adds one of these capabilities, such as SYS_ADMIN. ALL stands for any; a container that adds ALL
    /// adds each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 64), regex(pattern = "^[A-Z][A-Z0-9_]*$")), extend("x-kubernetes-list-type" = "set"))]
    pub added_capabilities: Vec<String>,
}

/// Findings that are accepted on some images for some time.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Exception {
    /// Unique within the policy; reports quote it.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,

    /// Which findings.
    pub findings: FindingRule,

    /// On which images: patterns in the form of match.images.
    #[schemars(schema_with = "schema::image_patterns")]
    pub images: Vec<String>,

    /// In which namespaces; without any, in all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub namespaces: Vec<String>,

    /// From when on the exception no longer holds, such as 2027-01-31T00:00:00Z.
    pub expires: Time,

    /// Why the findings are accepted, for whoever reads the policy later.
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.matches('[^ \\\\t\\\\n]')").message("reason must say why"))]
    pub reason: String,
}

/// What the operator says of the policy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ScanPolicyStatus {
    /// The generation that the status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready: the policy is in force and all of it can hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// How many images the policy speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageCounts>,
}

/// Numbers of images.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ImageCounts {
    /// Images that its patterns match.
    pub matched: i64,
    /// Of these, images that a rule or a field set to Deny refuses, whatever the enforcement.
    pub denied: i64,
    /// Of these, images that count as unscanned.
    pub unscanned: i64,
}
