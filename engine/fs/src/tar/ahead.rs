//! Reading a stream on a thread of its own, ahead of whoever consumes it.
//!
//! Reading a layer, decompressing it, hashing what comes out and looking through it are each done while the others are;
//! and a decoder is faster for writing large pieces.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// Bytes of a piece.
const PIECE: usize = 256 << 10;

/// Pieces that wait to be consumed.
const WAITING: usize = 2;

/// A stream in pieces. A panic of the stream ends it as an error, never as if it were whole.
pub(super) struct Ahead {
    reader: Reader,
    /// The piece that is being consumed, and how much of it was.
    piece: Vec<u8>,
    consumed: usize,
    ended: bool,
}

enum Reader {
    /// Another thread.
    Thread {
        pieces: Receiver<io::Result<Vec<u8>>>,
        /// Takes pieces back that were consumed, to be filled again.
        empty: Sender<Vec<u8>>,
    },
    /// Whoever consumes, where there can be no more threads.
    Here(Box<dyn Pieces>),
}

/// A stream, read in pieces.
trait Pieces: Send {
    /// The next piece, an empty one at the end, for one that was consumed. After either an error or the end there is
    /// nothing more: asking again is an error.
    fn next(&mut self, consumed: Vec<u8>) -> io::Result<Vec<u8>>;
}

impl Ahead {
    /// Starts reading a stream.
    pub(super) fn new(stream: impl Read + Send + 'static) -> Self {
        Self::start(Box::new(Cut { stream, failed: None }))
    }

    /// Lets `look` see all that is read from now on, each piece before it is given here.
    pub(super) fn seen_by(self, look: impl FnMut(&[u8]) + Send + 'static) -> Self {
        Self::start(Box::new(Seen { pieces: self.reader, look }))
    }

    fn start(pieces: Box<dyn Pieces>) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let (empty, emptied) = channel();
        // Handed over when the thread is there, as one that cannot be made would take it along.
        let (give, take) = channel::<Box<dyn Pieces>>();
        let reader = move || {
            if let Ok(mut pieces) = take.recv() {
                send(pieces.as_mut(), &sender, &emptied);
            }
        };
        Self::by(match thread::Builder::new().name("layer".to_owned()).spawn(reader) {
            Err(_) => Reader::Here(pieces),
            Ok(_) => match give.send(pieces) {
                Ok(()) => Reader::Thread { pieces: receiver, empty },
                Err(unsent) => Reader::Here(unsent.0),
            },
        })
    }

    fn by(reader: Reader) -> Self {
        Self { reader, piece: Vec::new(), consumed: 0, ended: false }
    }

    /// What is left of the piece that is being consumed.
    pub(super) fn rest(&self) -> &[u8] {
        &self.piece[self.consumed..]
    }
}

impl BufRead for Ahead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest().is_empty() && !self.ended {
            let consumed = std::mem::take(&mut self.piece);
            (self.consumed, self.piece) = (0, self.reader.next(consumed)?);
            self.ended = self.piece.is_empty();
        }
        Ok(self.rest())
    }

    fn consume(&mut self, bytes: usize) {
        self.consumed += bytes;
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

/// Hands over all pieces and what ends them, as long as somebody listens.
fn send(pieces: &mut dyn Pieces, to: &SyncSender<io::Result<Vec<u8>>>, emptied: &Receiver<Vec<u8>>) {
    loop {
        let piece = pieces.next(emptied.try_recv().unwrap_or_default());
        let last = piece.as_ref().map_or(true, Vec::is_empty);
        if to.send(piece).is_err() || last {
            return;
        }
    }
}

impl Pieces for Reader {
    fn next(&mut self, consumed: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::Here(pieces) => pieces.next(consumed),
            Self::Thread { pieces, empty } => {
                // The reader may have come to the end and be gone.
                let _ = empty.send(consumed);
                pieces.recv().unwrap_or_else(|_| Err(io::Error::other("its reader failed")))
            }
        }
    }
}

/// Pieces that somebody looks at.
struct Seen<F> {
    pieces: Reader,
    look: F,
}

impl<F: FnMut(&[u8]) + Send> Pieces for Seen<F> {
    fn next(&mut self, consumed: Vec<u8>) -> io::Result<Vec<u8>> {
        let piece = self.pieces.next(consumed)?;
        (self.look)(&piece);
        Ok(piece)
    }
}

/// A stream, cut into pieces.
struct Cut<R> {
    stream: R,
    /// Why it broke off, until that is told.
    failed: Option<io::Error>,
}

impl<R: Read + Send> Pieces for Cut<R> {
    /// An error comes after what was read before it.
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

    /// All of it, and the error that ended it.
    fn read(mut ahead: Ahead) -> (Vec<u8>, Option<String>) {
        let mut all = Vec::new();
        let ended = ahead.read_to_end(&mut all);
        (all, ended.err().map(|error| error.to_string()))
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
        [Ahead::new(stream()), Ahead::by(Reader::Here(Box::new(Cut { stream: stream(), failed: None })))]
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
    fn all_that_is_given_was_seen_before() {
        for ahead in both(|| Box::new(Cursor::new(vec![7; 2 * PIECE + 1]).chain(Broken(false)))) {
            let (tell, told) = channel();
            let mut ahead = ahead.seen_by(move |piece| tell.send(piece.len()).expect("somebody listens"));
            let mut given = 0;
            let error = loop {
                match ahead.fill_buf() {
                    Ok(piece) => {
                        let length = piece.len();
                        assert_eq!(told.try_recv(), Ok(length));
                        given += length;
                        ahead.consume(length);
                    }
                    Err(error) => break error,
                }
            };
            assert_eq!((given, error.to_string().as_str()), (2 * PIECE + 1, "the disk is gone"));
        }
    }

    #[test]
    fn a_reader_that_panics_gives_no_whole_stream() {
        let (_, error) = read(Ahead::new(Cursor::new(b"before").chain(Broken(true))));
        assert_eq!(error.as_deref(), Some("its reader failed"));
    }
}
