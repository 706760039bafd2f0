//! Admissions without a pause.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::Namespace;

/// Ends the load, however the work beside it ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks for a pod again and again while `work` is done; fails the test at the first answer that is no refusal by rule `planted`.
/// With failurePolicy Ignore a connection that is not taken would show as an admission. Gives the number of refusals.
pub fn refused_throughout(namespace: &Namespace, pod: &Value, work: impl FnOnce()) -> usize {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut refusals = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer = namespace.dry_run(pod);
                let refused = answer.as_ref().is_err_and(|refusal| refusal.contains("planted"));
                assert!(refused, "after {refusals} refusals: {answer:?}");
                refusals += 1;
            }
            refusals
        });
        let until_done = Stop(&stop);
        work();
        drop(until_done);
        load.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
