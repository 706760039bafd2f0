//! The scanner: parses what is hostile and holds no power.
//!
//! Its main process binds the socket, gives up all it can, and talks with the broker; it parses an image's documents
//! and nothing else. What is in layers is read by children, each for one layer, confined to it and then gone.

mod allocator;
mod cache;
mod check;
pub mod child;
mod job;
mod link;
mod listen;
mod process;
pub mod sandbox;
mod scan;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use pratique_fs::containerd::StatePaths;

use crate::args::ScannerArgs;
use cache::Cache;
use process::Program;
use scan::Workshop;

/// Serves the broker for good.
///
/// # Errors
/// The socket cannot be bound or listened on.
pub fn run(args: ScannerArgs) -> anyhow::Result<()> {
    let ScannerArgs { common, cache, cache_size, child_memory, scan_time } = args;
    let socket = common.scanner_socket;
    let listener = listen::bind(&socket).with_context(|| {
        format!("the socket {} cannot be bound; is its folder mounted?", socket.display())
    })?;
    for lack in sandbox::enter_scanner() {
        tracing::warn!(
            what = lack.what,
            reason = lack.reason,
            "a protection is missing; the scanner goes on without"
        );
    }
    let workshop = Workshop {
        scratch: cache.parent().unwrap_or(Path::new(".")).to_owned(),
        cache: Cache::open(cache, cache_size),
        state: StatePaths::new(&common.runtime_root),
        root: common.runtime_root,
        program: Program::own(child_memory),
        time: scan_time,
    };
    for item in check::items(&workshop).into_iter().filter(|item| !item.ok) {
        tracing::warn!(
            item = item.name,
            detail = item.detail,
            "not as it should be; the scanner does the rest"
        );
    }
    tracing::info!(socket = %socket.display(), "ready for the broker");
    listen::serve(&listener, &Arc::new(workshop)).context("the socket can no longer be listened on")
}
