//! CVSS vectors of NVD's feeds and API (<https://nvd.nist.gov/developers/vulnerabilities>, version 2.0), for flaws whose
//! advisories carry none.

use std::collections::HashMap;

use serde::Deserialize;

use crate::cvss;

/// The folder that the feeds' files lie in, beside the folders of OSV's ecosystems.
pub const FOLDER: &str = "NVD";

#[derive(Deserialize)]
struct Feed {
    vulnerabilities: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    cve: Cve,
}

#[derive(Deserialize)]
struct Cve {
    id: String,
    #[serde(default)]
    metrics: Metrics,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Metrics {
    cvss_metric_v40: Vec<Metric>,
    cvss_metric_v31: Vec<Metric>,
    cvss_metric_v30: Vec<Metric>,
    cvss_metric_v2: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    r#type: String,
    cvss_data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    vector_string: String,
}

/// Adds the vectors of one file by CVE: of each the newest version's, NVD's own before others'.
///
/// # Errors
/// If it is not of the form; nothing is added then.
pub fn add(vectors: &mut HashMap<String, String>, json: &[u8]) -> Result<(), serde_json::Error> {
    let feed: Feed = serde_json::from_slice(json)?;
    for Entry { cve } in feed.vulnerabilities {
        let Metrics { cvss_metric_v40, cvss_metric_v31, cvss_metric_v30, cvss_metric_v2 } = cve.metrics;
        let versions = [cvss_metric_v40, cvss_metric_v31, cvss_metric_v30, cvss_metric_v2];
        let best = versions.into_iter().find_map(|metrics| {
            let readable = |metric: &Metric| cvss::score(&metric.cvss_data.vector_string).is_some();
            let readable = metrics.into_iter().filter(readable);
            readable.min_by_key(|metric| metric.r#type != "Primary")
        });
        if let Some(best) = best {
            vectors.insert(cve.id, best.cvss_data.vector_string);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_and_nvds_own_word_count() {
        let metric = |kind: &str, vector: &str| {
            format!(
                r#"[{{"source":"s","type":"{kind}","cvssData":{{"version":"v","vectorString":"{vector}"}}}}]"#
            )
        };
        let old = metric("Primary", "AV:N/AC:L/Au:N/C:C/I:C/A:C");
        let theirs = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H";
        let own = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        let both = format!(
            "{},{}",
            metric("Secondary", theirs).trim_end_matches(']'),
            metric("Primary", own).trim_start_matches('[')
        );
        let broken = metric("Primary", "CVSS:4.0/AV:N");
        let feed = format!(
            r#"{{"format":"NVD_CVE","vulnerabilities":[
            {{"cve":{{"id":"CVE-2024-1","metrics":{{"cvssMetricV2":{old},"cvssMetricV31":{both},"cvssMetricV40":{broken}}}}}}},
            {{"cve":{{"id":"CVE-2024-2","metrics":{{"cvssMetricV2":{old}}}}}}},
            {{"cve":{{"id":"CVE-2024-3","metrics":{{}}}}}},{{"cve":{{"id":"CVE-2024-4"}}}}]}}"#
        );
        let mut vectors = HashMap::new();
        add(&mut vectors, feed.as_bytes()).unwrap();
        let expected = [("CVE-2024-1", own), ("CVE-2024-2", "AV:N/AC:L/Au:N/C:C/I:C/A:C")];
        assert_eq!(vectors, expected.map(|(cve, vector)| (cve.to_owned(), vector.to_owned())).into());
        assert!(add(&mut vectors, &feed.as_bytes()[..200]).is_err());
        assert_eq!(vectors.len(), 2);
    }
}
