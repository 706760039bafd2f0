//! Programs in /run, which is empty after a start: what a job or unit runs there was put there to be run and forgotten.

use pratique_core::Severity;

use crate::shell::programs;
use crate::signs::{Excuse, Notes, word};

/// Notes programs in /run that a command of `who` runs.
pub(super) fn note(command: &str, line: u32, who: &str, notes: &mut Notes) {
    // NixOS has its programs by links there.
    const USUAL: [&str; 3] = ["current-system/", "booted-system/", "wrappers/"];
    for program in programs(command) {
        let below = program.strip_prefix("/var").unwrap_or(&program).strip_prefix("/run/");
        if below.is_some_and(|below| !USUAL.iter().any(|usual| below.starts_with(usual))) {
            let what = format!("{who} runs {}, where nothing outlives a start", word(&program));
            notes.sign(Severity::Medium, Excuse::Genuine, Some(line), what);
        }
    }
}
