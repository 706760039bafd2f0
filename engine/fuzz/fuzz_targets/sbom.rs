//! SBOMs that the command is given: CycloneDX and SPDX in all their forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_inventory::read_sbom;

fuzz_target!(|bytes: Vec<u8>| {
    if let Ok((inventory, _)) = read_sbom(&bytes, "sbom") {
        // Whatever was read can be asked after.
        let _ = pratique_vulns::fetch::ecosystems(&inventory);
    }
});
