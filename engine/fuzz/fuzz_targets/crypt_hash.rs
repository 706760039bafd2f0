//! Password hashes in the form of crypt(3).
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = pratique_detect::crypt::parse(text);
});
