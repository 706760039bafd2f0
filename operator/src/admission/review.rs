//! AdmissionReview v1 as the API server sends and expects it
//! (<https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request>).

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version spoken here; the webhook configuration names no other.
const API_VERSION: &str = "admission.k8s.io/v1";

/// Longest sum of a response's warnings, in characters. Beyond 4,096 the API server cuts each to 256.
const MAX_WARNINGS: usize = 4000;

/// Why a body is no review that can be answered.
#[derive(Debug, thiserror::Error)]
pub enum InvalidReview {
    /// The bytes do not fit the types.
    #[error("the body is no AdmissionReview of the kind this path judges: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another version or kind.
    #[error(
        "the body is a `{kind}` of `{api_version}`; this webhook answers an AdmissionReview of {API_VERSION}"
    )]
    Kind {
        /// What it says it is.
        kind: String,
        /// Of which version.
        api_version: String,
    },
    /// The request is absent.
    #[error("the AdmissionReview has no request")]
    NoRequest,
}

/// What to do with an object. Fields that are not needed are left out, and unknown ones ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<T> {
    /// Identifies the request; repeated in the answer.
    pub uid: String,
    /// What is created or changed.
    pub resource: Resource,
    /// Part of it, such as `ephemeralcontainers`.
    #[serde(default)]
    pub sub_resource: Option<String>,
    /// Namespace of the object.
    #[serde(default)]
    pub namespace: String,
    /// Name of the object; empty where the API server is to make one.
    #[serde(default)]
    pub name: String,
    /// `CREATE`, `UPDATE`…
    pub operation: String,
    /// As it will be.
    #[serde(default = "Option::default")]
    pub object: Option<T>,
    /// As it was.
    #[serde(default = "Option::default")]
    pub old_object: Option<T>,
    /// Whether nothing will be stored.
    #[serde(default)]
    pub dry_run: Option<bool>,
}

/// A resource of the API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Resource {
    /// Such as `apps`; empty for the core.
    #[serde(default)]
    pub group: String,
    /// Such as `v1`.
    pub version: String,
    /// Plural, such as `pods`.
    pub resource: String,
}

impl<T: DeserializeOwned> Request<T> {
    /// Reads the body of a webhook call.
    ///
    /// # Errors
    /// If it is no AdmissionReview v1 with a request about an object of this type.
    pub fn from_json(body: &[u8]) -> Result<Self, InvalidReview> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", bound(deserialize = "T: DeserializeOwned"))]
        struct Review<T> {
            #[serde(default)]
            api_version: String,
            #[serde(default)]
            kind: String,
            #[serde(default = "Option::default")]
            request: Option<Request<T>>,
        }
        let review: Review<T> = serde_json::from_slice(body)?;
        if review.api_version != API_VERSION || review.kind != "AdmissionReview" {
            return Err(InvalidReview::Kind { kind: review.kind, api_version: review.api_version });
        }
        review.request.ok_or(InvalidReview::NoRequest)
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The request's.
    pub uid: String,
    /// Whether the object may be stored.
    pub allowed: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Shown to whoever made the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Written to the API server's audit log, under the webhook's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub audit_annotations: BTreeMap<String, String>,
}

/// The status of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// For people.
    pub message: String,
    /// HTTP status code that the client gets.
    pub code: u16,
    /// For programs.
    pub reason: &'static str,
}

impl Response {
    /// Lets the object pass.
    pub fn allow(uid: impl Into<String>) -> Self {
        Self {
            uid: uid.into(),
            allowed: true,
            status: None,
            warnings: Vec::new(),
            audit_annotations: BTreeMap::new(),
        }
    }

    /// Refuses it.
    pub fn deny(uid: impl Into<String>, message: String) -> Self {
        let status = Status { message, code: 403, reason: "Forbidden" };
        Self { allowed: false, status: Some(status), ..Self::allow(uid) }
    }

    /// Adds warnings, as many as the API server hands on uncut; the last says how many are left out.
    pub fn warn(mut self, warnings: impl IntoIterator<Item = String>) -> Self {
        let (mut sum, mut left_out) = (0, 0);
        for warning in warnings {
            sum += warning.chars().count();
            // Room for the warning that counts the rest.
            if sum > MAX_WARNINGS - 64 { left_out += 1 } else { self.warnings.push(warning) }
        }
        if left_out > 0 {
            self.warnings.push(format!("and {left_out} more violations"));
        }
        self
    }

    /// Adds an entry to the audit log.
    pub fn annotate(mut self, key: &str, value: String) -> Self {
        self.audit_annotations.insert(key.to_owned(), value);
        self
    }

    /// The body of the answer.
    pub fn into_json(self) -> serde_json::Value {
        serde_json::json!({ "apiVersion": API_VERSION, "kind": "AdmissionReview", "response": self })
    }
}
