//! Reading a stream on a thread of its own, ahead of whoever consumes it.
//!
//! A compressed layer takes most of its time to be decompressed. The rest (hashing what comes out, looking through it) is
//! done meanwhile; and the decoder is faster for writing large pieces.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// Bytes of a piece.
const PIECE: usize = 256 << 10;

/// Pieces that wait to be consumed.
const WAITING: usize = 2;

/// A stream in pieces. A panic of the stream ends it as an error, never as if it were whole.
pub(super) enum Ahead {
    /// Read by another thread.
    Thread {
        pieces: Receiver<io::Result<Vec<u8>>>,
        /// Takes pieces back that were consumed, to be filled again.
        empty: Sender<Vec<u8>>,
    },
    /// Read when it is asked for, where there can be no more threads.
    Here(Pieces),
}

impl Ahead {
    pub(super) fn new(stream: Box<dyn Read + Send>) -> Self {
        let (sender, pieces) = sync_channel(WAITING);
        let (empty, emptied) = channel();
        let stream = Pieces { stream, failed: None };
        // Handed over when the thread is there, as one that cannot be made would take it along.
        let (give, take) = channel::<Pieces>();
        let reader = move || {
            if let Ok(stream) = take.recv() {
                stream.send(&sender, &emptied);
            }
        };
        match thread::Builder::new().name("layer".to_owned()).spawn(reader) {
            Err(_) => Self::Here(stream),
            Ok(_) => match give.send(stream) {
                Ok(()) => Self::Thread { pieces, empty },
                Err(unsent) => Self::Here(unsent.0),
            },
        }
    }

    /// The next piece, an empty one at the end, for one that was consumed. After either there is nothing more: asking
    /// again is an error.
    pub(super) fn next(&mut self, consumed: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::Here(stream) => stream.next(consumed),
            Self::Thread { pieces, empty } => {
                // The reader may have come to the end and be gone.
                let _ = empty.send(consumed);
                pieces.recv().unwrap_or_else(|_| Err(io::Error::other("its reader failed")))
            }
        }
    }
}

/// A stream, read in pieces.
pub(super) struct Pieces {
    stream: Box<dyn Read + Send>,
    /// Why it broke off, until that is told.
    failed: Option<io::Error>,
}

impl Pieces {
    /// Hands over all pieces and what ends them, as long as somebody listens.
    fn send(mut self, pieces: &SyncSender<io::Result<Vec<u8>>>, emptied: &Receiver<Vec<u8>>) {
        loop {
            let piece = self.next(emptied.try_recv().unwrap_or_default());
            let last = piece.as_ref().map_or(true, Vec::is_empty);
            if pieces.send(piece).is_err() || last {
                return;
            }
        }
    }

    /// Reads a piece; an empty one at the end. An error comes after what was read before it.
    fn next(&mut self, mut piece: Vec<u8>) -> io::Result<Vec<u8>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        piece.resize(PIECE, 0);
        let mut filled = 0;
        while filled < PIECE {
            match self.stream.read(&mut piece[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if filled == 0 => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        piece.truncate(filled);
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// All pieces put together, and the error that ended them.
    fn read(mut ahead: Ahead) -> (Vec<u8>, Option<String>) {
        let (mut all, mut consumed) = (Vec::new(), Vec::new());
        loop {
            match ahead.next(consumed) {
                Ok(piece) if piece.is_empty() => return (all, None),
                Ok(piece) => {
                    all.extend_from_slice(&piece);
                    consumed = piece;
                }
                Err(error) => return (all, Some(error.to_string())),
            }
        }
    }

    /// Fails, or panics, when it is read.
    struct Broken(bool);

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            assert!(!self.0, "as the test asked");
            Err(io::Error::other("the disk is gone"))
        }
    }

    fn both(stream: impl Fn() -> Box<dyn Read + Send>) -> [Ahead; 2] {
        [Ahead::new(stream()), Ahead::Here(Pieces { stream: stream(), failed: None })]
    }

    #[test]
    fn the_pieces_are_the_stream() {
        for length in [0, 1, PIECE, 5 * PIECE + 7] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            for ahead in both(|| Box::new(Cursor::new(bytes.clone()))) {
                assert_eq!(read(ahead), (bytes.clone(), None), "{length}");
            }
        }
    }

    #[test]
    fn an_error_comes_after_what_was_read_before_it() {
        for ahead in both(|| Box::new(Cursor::new(b"before").chain(Broken(false)))) {
            assert_eq!(read(ahead), (b"before".to_vec(), Some("the disk is gone".to_owned())));
        }
    }

    #[test]
    fn a_reader_that_panics_gives_no_whole_stream() {
        let (_, error) = read(Ahead::new(Box::new(Cursor::new(b"before").chain(Broken(true)))));
        assert_eq!(error.as_deref(), Some("its reader failed"));
    }
}
