//! Advisories as OSV publishes them, for a [`WebServer`](crate::WebServer) or a folder to give.

use serde_json::{Value, json};

use crate::zip_archive;

/// A CVSS vector of a Critical flaw.
pub const CVSS_CRITICAL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
/// A CVSS vector of a Low flaw.
pub const CVSS_LOW: &str = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N";

/// An advisory on every version of a package before `fixed`, or on all. Published on 2026-01-01, last changed the day after.
pub fn osv_record(
    id: &str,
    upstream: &str,
    ecosystem: &str,
    package: &str,
    fixed: Option<&str>,
    vector: &str,
) -> Value {
    let mut events = vec![json!({"introduced": "0"})];
    events.extend(fixed.map(|fixed| json!({"fixed": fixed})));
    json!({
        "schema_version": "1.6.0", "id": id, "modified": "2026-01-02T00:00:00Z", "published": "2026-01-01T00:00:00Z",
        "summary": format!("{package} forgets"), "upstream": [upstream],
        "severity": [{"type": "CVSS_V3", "score": vector}],
        "affected": [{
            "package": {"ecosystem": ecosystem, "name": package},
            "ranges": [{"type": "ECOSYSTEM", "events": events}],
        }],
    })
}

/// The archive `all.zip` of these records.
///
/// # Panics
/// If one has no identifier.
pub fn osv_archive(records: &[Value]) -> Vec<u8> {
    let files: Vec<(String, String)> = records
        .iter()
        .map(|record| (format!("{}.json", record["id"].as_str().expect("an identifier")), record.to_string()))
        .collect();
    let files: Vec<(&str, &String)> = files.iter().map(|(name, content)| (name.as_str(), content)).collect();
    zip_archive(&files)
}
