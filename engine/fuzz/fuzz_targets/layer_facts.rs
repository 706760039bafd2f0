//! What the layer cache gives back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_scan::LayerFacts;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(facts) = LayerFacts::decode(bytes) {
        assert_eq!(LayerFacts::decode(&facts.encode()).ok(), Some(facts));
    }
});
