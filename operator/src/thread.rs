//! Work on threads that nobody waits for when the process ends.

use tokio::sync::oneshot;

/// Works on a thread of its own, which the process does not wait for when it ends: a download may take long, and one that
/// is cut off does no harm. None: it panicked.
pub(crate) async fn on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (send, receive) = oneshot::channel();
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody may be left who waits.
        let _ = send.send(work());
    });
    started.ok()?;
    receive.await.ok()
}
