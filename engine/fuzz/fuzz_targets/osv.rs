//! OSV records, and what they say of any version.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_core::version::Scheme;
use pratique_vulns::{matching, osv};

fuzz_target!(|bytes: &[u8]| {
    let Ok(record) = osv::read(bytes) else { return };
    for (ecosystem, _, affected) in &record.affected {
        if let Some(scheme) = Scheme::of_osv(ecosystem) {
            let _ = matching::judge(affected, scheme, "1.2.3", None);
        }
    }
});
