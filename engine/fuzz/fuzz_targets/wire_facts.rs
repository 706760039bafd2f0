//! Facts and attempts at passwords as an agent sends them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_core::ImageFacts;
use pratique_wire::{attempts, facts_proto};
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(tried) = attempts::decode(bytes) {
        let again = attempts::decode(&attempts::encode(&tried));
        assert_eq!(again.expect("what was accepted is accepted again"), tried);
    }
    let Ok(message) = facts_proto::ImageFacts::decode(bytes) else { return };
    if let Ok(facts) = ImageFacts::try_from(message) {
        let again = ImageFacts::try_from(facts_proto::ImageFacts::from(facts.clone()));
        assert_eq!(again.expect("what was accepted is accepted again"), facts);
    }
});
