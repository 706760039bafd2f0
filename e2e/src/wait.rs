//! Waiting for conditions, never for time.

use std::thread;
use std::time::{Duration, Instant};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(200);

/// Looks until `look` gives something, and fails after `seconds` with `what` and the last reason it gave.
pub fn eventually<T>(seconds: u64, what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        match look() {
            Ok(value) => return value,
            Err(reason) if Instant::now() >= deadline => {
                panic!("after {seconds} s still not: {what}; last seen: {reason}")
            }
            Err(_) => thread::park_timeout(INTERVAL),
        }
    }
}
