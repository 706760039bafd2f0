//! Facts as an agent sends them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_core::ImageFacts;
use pratique_wire::facts_proto;
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = facts_proto::ImageFacts::decode(bytes) else { return };
    if let Ok(facts) = ImageFacts::try_from(message) {
        let again = ImageFacts::try_from(facts_proto::ImageFacts::from(facts.clone()));
        assert_eq!(again.expect("what was accepted is accepted again"), facts);
    }
});
