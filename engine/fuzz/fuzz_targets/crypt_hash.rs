//! Password hashes in the form of crypt(3), and in those of services.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_crypt::Stored;

fuzz_target!(|text: &str| {
    let _ = pratique_crypt::parse(text);
    let _ = Stored::scram(text);
    if let Ok(stored) = Stored::ldap(text) {
        let _ = stored.open();
    }
});
