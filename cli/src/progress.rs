//! How far a scan is, on a terminal; nothing in a pipe.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pratique_scan::Progress;
use pratique_vulns::fetch;

/// A line on standard error while one target is scanned.
pub(crate) struct Line(ProgressBar);

impl Line {
    /// A line for a target with so many layers; hidden if standard error is no terminal, or `quiet`.
    pub(crate) fn new(target: &str, layers: usize, quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(layers as u64);
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {prefix}: {pos}/{len} layers, {elapsed} {msg}")
        {
            bar.set_style(style);
        }
        bar.set_prefix(
            target.chars().filter(|character| !character.is_control()).take(80).collect::<String>(),
        );
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Notes what happened to a layer.
    pub(crate) fn note(&self, progress: Progress<'_>) {
        match progress {
            Progress::Reading(layer) => self.0.set_message(format!("reading {}", layer.short())),
            Progress::Cached(_) | Progress::Read(_) => self.0.inc(1),
        }
    }
}

/// A line on standard error while advisories are fetched.
pub(crate) struct Fetching(ProgressBar);

impl Fetching {
    /// A line; hidden if standard error is no terminal, or `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} advisories: {msg} {bytes}/{total_bytes}, {elapsed}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Notes how far it is.
    pub(crate) fn note(&self, progress: fetch::Progress<'_>) {
        match progress {
            fetch::Progress::Fetching { address, had, whole } => {
                self.0.set_message(address.chars().filter(|c| !c.is_control()).take(80).collect::<String>());
                self.0.set_length(whole.unwrap_or(had));
                self.0.set_position(had);
            }
            fetch::Progress::Building => self.0.set_message("building the database,"),
        }
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
