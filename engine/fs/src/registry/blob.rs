//! A blob of a registry, read as a stream and taken up again where it broke.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pratique_core::Digest;

use super::client::{Client, Wanted};
use super::failure::{Failure, Kind};
use super::options::{Place, places};
use super::transport::Answer;
use crate::Blob;

/// Bytes that have to come within [`super::Patience::stall`].
const SLOWEST: u64 = 16 << 10;
/// Bytes after which earlier failures are forgotten: no server makes a client connect for every byte.
const PROGRESS: u64 = 1 << 20;

/// A blob in a registry. Nothing is asked for before it is read.
pub(super) struct RemoteBlob {
    pub(super) client: Arc<Client>,
    pub(super) registry: String,
    pub(super) repository: String,
    pub(super) digest: Digest,
    /// Its bytes by its descriptor. More or less of them is an error.
    pub(super) size: u64,
}

impl Blob for RemoteBlob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let places = places(&self.client.options.mirrors, &self.registry, &self.repository);
        let places = places.map_err(io::Error::other)?;
        Ok(Box::new(BlobReader {
            client: self.client.clone(),
            places,
            place: 0,
            digest: self.digest.clone(),
            size: self.size,
            at: 0,
            progress: 0,
            failed: 0,
            etag: None,
            stream: None,
        }))
    }
}

struct BlobReader {
    client: Arc<Client>,
    /// Where it may be found; the last is the registry itself.
    places: Vec<Place>,
    /// The place it is read from. One that failed is left for good, but for the last.
    place: usize,
    digest: Digest,
    size: u64,
    /// Bytes had.
    at: u64,
    /// Bytes since the last failure.
    progress: u64,
    failed: u32,
    /// What names the blob's content to the place.
    etag: Option<String>,
    stream: Option<Stream>,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.step(buffer) {
                Ok(read) => {
                    self.at += read as u64;
                    self.progress += read as u64;
                    return Ok(read);
                }
                Err(Trouble::Content(reason)) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
                }
                Err(Trouble::Failure(failure)) => self.recover(failure)?,
            }
        }
    }
}

/// Why a step brought no bytes.
#[derive(Debug)]
enum Trouble {
    /// What comes cannot be the blob.
    Content(String),
    /// The request failed.
    Failure(Failure),
}

impl<E: Into<Failure>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

impl BlobReader {
    fn step(&mut self, buffer: &mut [u8]) -> Result<usize, Trouble> {
        let left = self.size - self.at;
        if left == 0 {
            // The end of the answer is read too, so that its connection can be used again.
            return match self.stream.take().map(|mut stream| stream.read(&mut [0])) {
                Some(Ok(1..)) => Err(Trouble::Content(self.wrong_size("more bytes"))),
                _ => Ok(0),
            };
        }
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = self.connect()?;
                self.stream.insert(stream)
            }
        };
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match stream.read(&mut buffer[..most])? {
            0 => Err(Failure::new(
                Kind::Broken,
                format!("it broke off after {} of {} bytes", self.at, self.size),
            )
            .into()),
            read => Ok(read),
        }
    }

    /// Asks for what is left.
    fn connect(&mut self) -> Result<Stream, Trouble> {
        let range = format!("bytes={}-", self.at);
        let mut headers = Vec::new();
        if self.at > 0 {
            headers.push(("range", range.as_str()));
            headers.extend(self.etag.as_deref().map(|etag| ("if-range", etag)));
        }
        let answer = self.client.blob(&self.places[self.place], &self.digest, &headers)?;
        let length = answer.header("content-length").and_then(|length| length.parse::<u64>().ok());
        let (start, whole) = match answer.status {
            206 if self.at > 0 => {
                let range = answer.header("content-range").and_then(content_range);
                let range = range.filter(|range| range.start == self.at);
                let range = range.ok_or_else(|| {
                    Failure::new(Kind::Final, "it answered with another range than was asked for")
                })?;
                (range.start, range.whole)
            }
            206 => {
                return Err(
                    Failure::new(Kind::Final, "it answered with a range that was not asked for").into()
                );
            }
            _ => (0, length),
        };
        if whole.is_some_and(|whole| whole != self.size) {
            return Err(Trouble::Content(self.wrong_size(&format!("{} bytes", whole.unwrap_or_default()))));
        }
        if self.etag.is_none() {
            // Weak ones may not be used to ask for ranges.
            let strong = answer.header("etag").filter(|etag| etag.starts_with('"'));
            self.etag = strong.map(str::to_owned);
        }
        let mut stream = Stream::new(answer, self.client.options.patience.stall);
        // A registry that gives no ranges starts anew; what was had is passed over.
        let passed = io::copy(&mut (&mut stream).take(self.at - start), &mut io::sink())?;
        if passed < self.at - start {
            return Err(Failure::new(Kind::Broken, format!("it broke off after {passed} bytes")).into());
        }
        Ok(stream)
    }

    fn wrong_size(&self, found: &str) -> String {
        format!("its registry gives {found}, where the manifest says {}", self.size)
    }

    /// Gets ready for another try, at the next place or after a pause.
    fn recover(&mut self, failure: Failure) -> io::Result<()> {
        self.stream = None;
        self.etag = None;
        if self.place + 1 < self.places.len() {
            self.place += 1;
            return Ok(());
        }
        if self.progress >= PROGRESS {
            self.failed = 0;
        }
        (self.failed, self.progress) = (self.failed + 1, 0);
        if self.client.pause(&failure, self.failed).is_some() {
            return Ok(());
        }
        let Place { registry, repository } = &self.places[self.place];
        let error = self.client.error(failure, registry, repository, &Wanted::Blob(self.digest.clone()));
        // A kind that says the way there failed, not the content.
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, error))
    }
}

/// An answer's body that may not come too slowly.
struct Stream {
    body: Box<dyn Read + Send>,
    stall: Duration,
    /// Time spent waiting in the present window, and bytes that came in it. What the reader does between does not
    /// count.
    waited: Duration,
    came: u64,
}

impl Stream {
    fn new(answer: Answer, stall: Duration) -> Self {
        Self { body: Box::new(answer.body.into_reader()), stall, waited: Duration::ZERO, came: 0 }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let begun = Instant::now();
        let read = self.body.read(buffer)?;
        self.waited += begun.elapsed();
        self.came += read as u64;
        if self.waited >= self.stall {
            if self.came < SLOWEST && read > 0 {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            (self.waited, self.came) = (Duration::ZERO, 0);
        }
        Ok(read)
    }
}

/// Where an answer's bytes lie in the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// Place of the first.
    pub start: u64,
    /// Bytes of the whole; none if it is not said.
    pub whole: Option<u64>,
}

/// Reads a `Content-Range` header: `bytes 5-9/10` or `bytes 5-9/*`.
pub fn content_range(header: &str) -> Option<ContentRange> {
    let number =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let (range, whole) = header.trim().strip_prefix("bytes ")?.trim().split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (number(start)?, number(end)?);
    let whole = if whole == "*" { None } else { Some(number(whole)?) };
    (start <= end && whole.is_none_or(|whole| end < whole)).then_some(ContentRange { start, whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        let range = |start, whole| Some(ContentRange { start, whole });
        assert_eq!(content_range("bytes 5-9/10"), range(5, Some(10)));
        assert_eq!(content_range("bytes 0-0/*"), range(0, None));
        for wrong in [
            "",
            "bytes",
            "bytes 5-9",
            "bytes */10",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "items 5-9/10",
            "bytes -5-9/10",
            "bytes +5-9/10",
            "bytes 5-99999999999999999999/100000000000000000000",
        ] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }
}
