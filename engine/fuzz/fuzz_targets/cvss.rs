//! CVSS vectors: whatever has a score has one from 0 to 10.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|vector: &str| {
    if let Some((version, score)) = pratique_vulns::cvss::score(vector) {
        assert!((0.0..=10.0).contains(&score), "{version} {score}");
    }
});
