//! What is known of a detector without running it.

use crate::Category;

/// The description of one detector: compiled into every part, so that a policy can be checked without the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectorInfo {
    /// Stable id, lower-case with dashes, such as `weak-password`.
    pub id: &'static str,
    /// Version of its rules: raised whenever the same bytes could give another result.
    pub version: u32,
    /// Category of all its findings.
    pub category: Category,
    /// The rules it can report, such as `linux-account`.
    pub rules: &'static [&'static str],
    /// What it looks for, in one sentence.
    pub summary: &'static str,
}

/// All detectors there are, by id. The engine's registry is checked against this list by a test.
pub const DETECTORS: &[DetectorInfo] = &[DetectorInfo {
    id: "weak-password",
    version: 1,
    category: Category::WeakPassword,
    rules: &["linux-account", "linux-group"],
    summary: "passwords of Linux accounts and groups that are empty or can be guessed",
}];
