//! Going through folders on a thread of its own, ahead of whoever reads what lies in them.

use std::ops::ControlFlow;
use std::sync::mpsc;

use pratique_fs::{Result, Walk, WalkEntry};

/// Entries that are handed over together. Each may keep its folder open, so there are few.
const BATCH: usize = 64;

/// Batches that wait for the reader.
const WAITING: usize = 2;

/// Hands every entry of a walk to `reader`, in the walk's order, while another thread is looking for the next ones.
pub(crate) fn each_ahead(
    mut walk: Walk<'_>,
    mut reader: impl FnMut(Result<WalkEntry<'_>>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let (sender, receiver) = mpsc::sync_channel(WAITING);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let batch: Vec<_> = walk.by_ref().take(BATCH).collect();
                // A reader that has enough is no longer there.
                if batch.is_empty() || sender.send(batch).is_err() {
                    return;
                }
            }
        });
        // Moved in, so that breaking off ends the other thread too.
        receiver.into_iter().flatten().try_for_each(&mut reader)
    })
}
