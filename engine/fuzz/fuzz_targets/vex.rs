//! VEX documents of both forms, the lists of exploited flaws and NVD's feeds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_vulns::exploits::{self, Exploits};

fuzz_target!(|bytes: &[u8]| {
    let _ = pratique_vulns::vex::read(bytes);
    let _ = pratique_vulns::nvd::add(&mut std::collections::HashMap::new(), bytes);
    let mut exploits = Exploits::new();
    let _ = exploits::add_exploited(&mut exploits, bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = exploits::add_estimates(&mut exploits, text);
    }
});
