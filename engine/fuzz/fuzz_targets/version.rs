//! Two versions, in every scheme.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_core::version::Scheme;

fuzz_target!(|pair: (&str, &str)| {
    let (a, b) = pair;
    for scheme in Scheme::ALL {
        if let Ok(order) = scheme.compare(a, b) {
            assert_eq!(scheme.compare(b, a), Ok(order.reverse()), "{scheme}");
        }
    }
});
