//! An inventory as an agent sends it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_wire::inventory::{decode, encode};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(inventory) = decode(bytes) {
        let (again, left_out) = encode(&inventory);
        assert_eq!(left_out, 0);
        assert_eq!(decode(&again).expect("what was accepted is accepted again"), inventory);
    }
});
