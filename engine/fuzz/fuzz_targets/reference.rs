//! Image references as pods write them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_core::Reference;

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        // What was normalised stays as it is.
        let again: Reference = reference.to_string().parse().expect("a normalised reference parses");
        assert_eq!(again, reference);
    }
});
