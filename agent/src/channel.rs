//! The unix socket between broker and scanner: length-prefixed messages with descriptors beside them.
//!
//! A message is a 32-bit big-endian length and so many bytes; its descriptors travel with the length ([SCM_RIGHTS]).
//! The same frames without descriptors run over the pipes between the scanner and its children.
//!
//! [SCM_RIGHTS]: https://man7.org/linux/man-pages/man7/unix.7.html

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use prost::Message;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// Largest message between broker and scanner, in bytes.
pub const MAX_FRAME: usize = 16 << 20;

/// Most descriptors beside one message: the kernel's own limit (`SCM_MAX_FD`).
pub const MAX_DESCRIPTORS: usize = 253;

/// Why a message could not be sent or received. After any of them the connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The other side is gone, or the system refused.
    #[error("the connection between broker and scanner broke: {0}")]
    Io(#[from] io::Error),
    /// Longer than allowed.
    #[error("a message of {length} bytes is longer than the {limit} that are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// Most bytes.
        limit: usize,
    },
    /// More than [`MAX_DESCRIPTORS`], or the kernel dropped some (the limit of open files is reached).
    #[error(
        "descriptors beside a message were lost: more than {MAX_DESCRIPTORS}, or the limit of open files is reached"
    )]
    Descriptors,
    /// The bytes are no message of the protocol.
    #[error("what arrived is no message of the protocol: {0}")]
    Decode(#[from] prost::DecodeError),
}

/// Writes one frame of at most `limit` bytes.
pub fn write_frame(writer: &mut impl Write, bytes: &[u8], limit: usize) -> Result<(), Error> {
    writer.write_all(&length_of(bytes, limit)?)?;
    writer.write_all(bytes)?;
    writer.flush()?;
    Ok(())
}

/// Reads one frame of at most `limit` bytes; none at the end of the stream.
pub fn read_frame(reader: &mut impl Read, limit: usize) -> Result<Option<Vec<u8>>, Error> {
    let mut header = [0; 4];
    let mut filled = 0;
    while filled < header.len() {
        match reader.read(&mut header[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    read_body(reader, header, limit).map(Some)
}

fn length_of(bytes: &[u8], limit: usize) -> Result<[u8; 4], Error> {
    let length = bytes.len();
    let too_long = Error::TooLong { length, limit };
    if length > limit {
        return Err(too_long);
    }
    u32::try_from(length).map(u32::to_be_bytes).map_err(|_| too_long)
}

/// The memory grows with what arrives, so that a length alone costs nothing.
fn read_body(reader: &mut impl Read, header: [u8; 4], limit: usize) -> Result<Vec<u8>, Error> {
    let length = u32::from_be_bytes(header) as usize;
    if length > limit {
        return Err(Error::TooLong { length, limit });
    }
    let mut body = Vec::new();
    reader.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(body)
}

/// The sending half. Clones send over the same connection, one message at a time.
#[derive(Clone)]
pub struct Sender {
    stream: Arc<Mutex<UnixStream>>,
}

/// The receiving half.
pub struct Receiver {
    stream: UnixStream,
}

/// Both halves of a connected socket.
pub fn split(stream: UnixStream) -> io::Result<(Sender, Receiver)> {
    let receiving = stream.try_clone()?;
    Ok((Sender { stream: Arc::new(Mutex::new(stream)) }, Receiver { stream: receiving }))
}

impl Sender {
    /// Sends a message and the descriptors it speaks of, in its order.
    pub fn send(&self, message: &impl Message, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
        if descriptors.len() > MAX_DESCRIPTORS {
            return Err(Error::Descriptors);
        }
        let body = message.encode_to_vec();
        let header = length_of(&body, MAX_FRAME)?;
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Error::Descriptors);
        }
        let sent = retry(|| {
            rustix::net::sendmsg(&*stream, &[IoSlice::new(&header)], &mut control, SendFlags::NOSIGNAL)
        })?;
        stream.write_all(&header[sent..])?;
        stream.write_all(&body)?;
        Ok(())
    }

    /// Ends the connection for both halves, so that a blocked [`Receiver::receive`] returns.
    pub fn close(&self) {
        // Already closed is as good.
        let _ = self.stream.lock().unwrap_or_else(PoisonError::into_inner).shutdown(Shutdown::Both);
    }
}

impl Receiver {
    /// Waits for the next message and its descriptors; none at the end of the connection.
    pub fn receive<M: Message + Default>(&mut self) -> Result<Option<(M, Vec<OwnedFd>)>, Error> {
        let mut header = [0; 4];
        let mut filled = 0;
        let mut descriptors = Vec::new();
        while filled < header.len() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let received = retry(|| {
                rustix::net::recvmsg(
                    &self.stream,
                    &mut [IoSliceMut::new(&mut header[filled..])],
                    &mut control,
                    RecvFlags::CMSG_CLOEXEC,
                )
            })?;
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = message {
                    descriptors.extend(rights);
                }
            }
            if received.flags.contains(ReturnFlags::CTRUNC) {
                return Err(Error::Descriptors);
            }
            match received.bytes {
                0 if filled == 0 => return Ok(None),
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                count => filled += count,
            }
        }
        let body = read_body(&mut self.stream, header, MAX_FRAME)?;
        Ok(Some((M::decode(body.as_slice())?, descriptors)))
    }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map_err(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use pratique_wire::scanner::{Document, ToScanner, to_scanner};

    use super::*;

    fn document(content: Vec<u8>) -> ToScanner {
        let document =
            Document { digest: "sha256:x".into(), content: Some(content.into()), reason: String::new() };
        ToScanner { scan: 7, message: Some(to_scanner::Message::Document(document)) }
    }

    #[test]
    fn descriptors_arrive_with_their_own_message() {
        let (left, right) = UnixStream::pair().unwrap();
        let (sender, _keep) = split(left).unwrap();
        let (_keep2, mut receiver) = split(right).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("first"), "one").unwrap();
        std::fs::write(folder.path().join("second"), "two").unwrap();
        let open = |name| std::fs::File::open(folder.path().join(name)).unwrap();
        let (first, second) = (open("first"), open("second"));

        sender.send(&document(b"bare".to_vec()), &[]).unwrap();
        sender.send(&document(b"with".to_vec()), &[first.as_fd(), second.as_fd()]).unwrap();
        drop(sender);
        drop(_keep);

        let (message, descriptors) = receiver.receive::<ToScanner>().unwrap().unwrap();
        assert_eq!((message, descriptors.len()), (document(b"bare".to_vec()), 0));
        let (message, descriptors) = receiver.receive::<ToScanner>().unwrap().unwrap();
        assert_eq!(message, document(b"with".to_vec()));
        let contents: Vec<String> =
            descriptors.into_iter().map(|fd| io::read_to_string(std::fs::File::from(fd)).unwrap()).collect();
        assert_eq!(contents, ["one", "two"]);
        assert!(receiver.receive::<ToScanner>().unwrap().is_none());
    }

    #[test]
    fn a_long_message_arrives_whole_and_a_longer_one_is_refused() {
        let (left, right) = UnixStream::pair().unwrap();
        let (sender, _) = split(left).unwrap();
        let (_, mut receiver) = split(right).unwrap();
        let long = document(vec![5; 3 << 20]);
        let sent = long.clone();
        let writer = std::thread::spawn(move || {
            sender.send(&sent, &[]).unwrap();
            sender.send(&document(vec![0; MAX_FRAME]), &[])
        });
        assert_eq!(receiver.receive::<ToScanner>().unwrap().unwrap().0, long);
        assert!(matches!(writer.join().unwrap(), Err(Error::TooLong { .. })));
    }

    #[test]
    fn foreign_bytes_are_errors() {
        let frame = |bytes: &[u8]| read_frame(&mut io::Cursor::new(bytes.to_vec()), 1000);
        assert!(matches!(frame(&[]), Ok(None)));
        assert!(matches!(frame(&[0, 0]), Err(Error::Io(_))));
        assert!(matches!(frame(&[0, 0, 0, 9, 1]), Err(Error::Io(_))));
        assert!(matches!(frame(&[255, 255, 255, 255]), Err(Error::TooLong { .. })));
        let mut buffer = Vec::new();
        write_frame(&mut buffer, b"words", 1000).unwrap();
        assert_eq!(frame(&buffer).unwrap().unwrap(), b"words");
    }
}
