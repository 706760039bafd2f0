//! What each detector cost, as a table for people.

use std::fmt::Write as _;
use std::time::Duration;

use pratique_scan::Cost;

/// The costs, the dearest first.
pub(crate) fn table(costs: &[Cost]) -> String {
    let total = |cost: &Cost| cost.files_time + cost.judging_time;
    let mut costs: Vec<&Cost> = costs.iter().collect();
    costs.sort_by_key(|cost| std::cmp::Reverse(total(cost)));
    let mut text = format!(
        "{:<16} {:>12} {:>12} {:>10} {:>16}\n",
        "COST OF", "FILES ms", "JUDGING ms", "FILES", "BYTES"
    );
    for cost in costs {
        let (files, judging) = (millis(cost.files_time), millis(cost.judging_time));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<16} {files:>12.1} {judging:>12.1} {:>10} {:>16}",
            cost.id, cost.files, cost.bytes
        );
    }
    text
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
