//! VEX documents of both forms.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = pratique_vulns::vex::read(bytes);
});
