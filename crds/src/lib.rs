//! The API types of `pratique.dev/v1alpha1`: one file per kind, the conversion into core's words, and the generator.

#![allow(clippy::duplicated_attributes, reason = "columns have their types in common")]
#![allow(
    unreachable_pub,
    reason = "the KubeSchema derive repeats each struct inside a function, where rustc sees no way to it"
)]

pub mod convert;
pub mod generate;
pub mod scan_policy;
pub mod scan_report;
mod schema;
pub mod workload_report;

pub use scan_policy::{ScanPolicy, ScanPolicySpec, ScanPolicyStatus};
pub use scan_report::{ScanReport, ScanReportSpec, ScanReportStatus};
pub use workload_report::{WorkloadReport, WorkloadReportSpec, WorkloadReportStatus};

/// Version of the schemas, raised with every change of them. Every CRD carries it as the annotation
/// [`SCHEMA_VERSION_ANNOTATION`]: an operator refuses to run against an older one than its own.
pub const SCHEMA_VERSION: u32 = 4;

/// The annotation that carries [`SCHEMA_VERSION`].
pub const SCHEMA_VERSION_ANNOTATION: &str = "pratique.dev/schema-version";
