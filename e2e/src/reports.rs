//! ScanReports as people read them.

use serde_json::Value;

use crate::{Cluster, eventually};

/// The finished report of an image (config digest), once there is one.
pub fn report(cluster: &Cluster, image: &str) -> Value {
    report_within(cluster, image, 120)
}

/// The same with another deadline, in seconds.
pub fn report_within(cluster: &Cluster, image: &str, seconds: u64) -> Value {
    eventually(seconds, &format!("a ScanReport of {image} with a verdict"), || {
        find(cluster, image).ok_or_else(|| {
            let known: Vec<String> = cluster
                .list(&["scanreports"])
                .iter()
                .map(|r| format!("{} {}", r["metadata"]["name"], r["status"]["verdict"]))
                .collect();
            format!("reports: {}", known.join(", "))
        })
    })
}

/// The report of an image that has a verdict already.
pub fn find(cluster: &Cluster, image: &str) -> Option<Value> {
    cluster
        .list(&["scanreports"])
        .into_iter()
        .find(|report| report["spec"]["image"] == image && report["status"]["verdict"].is_string())
}
