//! Two versions, in every scheme, and a version in what may be a range.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_core::version::Scheme;
use pratique_core::version::requirement::{Dialect, Requirement};

fuzz_target!(|pair: (&str, &str)| {
    let (a, b) = pair;
    for scheme in Scheme::ALL {
        if let Ok(order) = scheme.compare(a, b) {
            assert_eq!(scheme.compare(b, a), Ok(order.reverse()), "{scheme}");
        }
    }
    for dialect in Dialect::ALL {
        let _ = Requirement::parse(dialect, a).map(|range| range.takes(b));
    }
});
