//! What is fetched beside OSV's records: the first byte says which list the others are.
#![no_main]

use std::collections::HashMap;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use pratique_vulns::exploits::{self, Exploits};
use pratique_vulns::{fetch, nvd};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let mut exploits = Exploits::new();
    match kind % 4 {
        0 => drop(nvd::add(&mut HashMap::new(), rest)),
        1 => drop(exploits::add_exploited(&mut exploits, rest)),
        2 => drop(std::str::from_utf8(rest).map(|csv| exploits::add_estimates(&mut exploits, csv))),
        _ => {
            let Ok(text) = std::str::from_utf8(rest) else { return };
            if let Ok(Some(changes)) = fetch::parse_changes(text, Timestamp::UNIX_EPOCH, 200) {
                assert!(changes.len() <= 200);
                for change in changes {
                    // It becomes a file's name.
                    assert!(!change.id.contains('/') && !change.id.starts_with('.'), "{}", change.id);
                }
            }
        }
    }
});
