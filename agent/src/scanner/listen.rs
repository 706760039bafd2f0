//! The socket the broker comes to, and the threads that answer it.

use std::collections::HashMap;
use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use pratique_wire::scanner::{CheckReport, Failed, FromScanner, ToScanner, from_scanner, to_scanner};

use super::check;
use super::link::{Link, Received, Stop};
use super::scan::Workshop;
use crate::channel;

/// Connections at a time: the broker, and people who run `pratique-agent check`.
const CONNECTIONS: usize = 4;
/// Exchanges of one connection at a time.
const EXCHANGES: usize = 32;
/// Answers of the broker that may wait for one exchange, which asks for one at a time.
const WAITING: usize = 2;

/// Binds the socket, for root alone. A socket that an earlier scanner left is replaced.
///
/// # Errors
/// The folder is not there or not writable.
pub(super) fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

/// Serves whoever connects, for good.
pub(super) fn serve(listener: &UnixListener, workshop: &Arc<Workshop>) -> io::Result<()> {
    let connected = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, _) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if let Err(reason) = admit(&stream) {
            tracing::warn!(reason, "a connection was refused");
            continue;
        }
        if connected.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS {
            connected.fetch_sub(1, Ordering::SeqCst);
            tracing::warn!("a connection was refused: there are {CONNECTIONS} already");
            continue;
        }
        let (workshop, connected) = (workshop.clone(), connected.clone());
        std::thread::Builder::new().name("broker".to_owned()).spawn(move || {
            if let Err(error) = converse(stream, &workshop) {
                tracing::warn!(%error, "a connection ended");
            }
            connected.fetch_sub(1, Ordering::SeqCst);
        })?;
    }
}

/// Only root, which the broker is, may ask for scans.
fn admit(stream: &UnixStream) -> Result<(), String> {
    let peer = rustix::net::sockopt::socket_peercred(stream).map_err(|error| error.to_string())?;
    if peer.uid.is_root() { Ok(()) } else { Err(format!("it is of user {}, not of root", peer.uid.as_raw())) }
}

/// The exchanges of one connection. Taking one out cancels it.
type Exchanges = Mutex<HashMap<u64, (mpsc::SyncSender<Received>, PipeWriter)>>;

fn lock(exchanges: &Exchanges) -> MutexGuard<'_, HashMap<u64, (mpsc::SyncSender<Received>, PipeWriter)>> {
    exchanges.lock().unwrap_or_else(PoisonError::into_inner)
}

fn converse(stream: UnixStream, workshop: &Arc<Workshop>) -> Result<(), channel::Error> {
    let (sender, mut receiver) = channel::split(stream)?;
    let exchanges = Arc::new(Exchanges::default());
    let ended = loop {
        match receiver.receive::<ToScanner>() {
            Ok(Some((message, descriptors))) => {
                if let Err(error) = hear(message, descriptors, &sender, &exchanges, workshop) {
                    break Err(error);
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    // A thread that is just writing ends, too.
    sender.close();
    lock(&exchanges).clear();
    ended
}

fn hear(
    message: ToScanner,
    descriptors: Vec<OwnedFd>,
    sender: &channel::Sender,
    exchanges: &Arc<Exchanges>,
    workshop: &Arc<Workshop>,
) -> Result<(), channel::Error> {
    let scan = message.scan;
    let fail = |reason: String| {
        let failed = from_scanner::Message::Failed(Failed { reason });
        sender.send(&FromScanner { scan, message: Some(failed) }, &[])
    };
    match message.message {
        Some(to_scanner::Message::Check(_)) => {
            let report = CheckReport { items: check::items(workshop) };
            sender.send(&FromScanner { scan, message: Some(from_scanner::Message::Check(report)) }, &[])
        }
        Some(first @ (to_scanner::Message::Open(_) | to_scanner::Message::Identify(_))) => {
            if lock(exchanges).len() >= EXCHANGES {
                return fail(format!("{EXCHANGES} exchanges are under way already"));
            }
            begin(scan, first, sender, exchanges, workshop)
        }
        Some(to_scanner::Message::Cancel(_)) => {
            lock(exchanges).remove(&scan);
            Ok(())
        }
        Some(answer @ (to_scanner::Message::Document(_) | to_scanner::Message::Layers(_))) => {
            let mut exchanges = lock(exchanges);
            if let Some((inbox, _)) = exchanges.get(&scan)
                && inbox.try_send((answer, descriptors)).is_err()
            {
                exchanges.remove(&scan);
            }
            Ok(())
        }
        Some(to_scanner::Message::Container(_)) | None => {
            fail("this scanner does not know the request; are both containers of one release?".to_owned())
        }
    }
}

/// Starts an exchange in a thread of its own.
fn begin(
    scan: u64,
    first: to_scanner::Message,
    sender: &channel::Sender,
    exchanges: &Arc<Exchanges>,
    workshop: &Arc<Workshop>,
) -> Result<(), channel::Error> {
    let (inbox, receiving) = mpsc::sync_channel(WAITING);
    let (cancelled, cancelling) = io::pipe()?;
    let link = Link { scan, sender: sender.clone(), inbox: receiving, cancelled };
    lock(exchanges).insert(scan, (inbox, cancelling));
    let (exchanges, workshop) = (exchanges.clone(), workshop.clone());
    std::thread::Builder::new().name("exchange".to_owned()).spawn(move || {
        let ended = match first {
            to_scanner::Message::Identify(identify) => workshop.identify(&link, &identify),
            to_scanner::Message::Open(open) => workshop.scan(&link, open),
            _ => Ok(()),
        };
        if let Err(Stop::Failed(reason)) = ended {
            // A broker that is gone wants no reason.
            let _ = link.say(from_scanner::Message::Failed(Failed { reason }));
        }
        lock(&exchanges).remove(&scan);
    })?;
    Ok(())
}
