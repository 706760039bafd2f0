//! A blob of a registry, read as a stream and taken up again where it broke.

use std::io::{self, Read};
use std::sync::Arc;

use pratique_core::Digest;
use pratique_core::digest::Hasher;
use pratique_http::{Failure, Kind, Stream, content_range};

use crate::client::{Client, Wanted};
use crate::options::{Place, places};
use crate::{Error, Result};

/// Bytes after which earlier failures are forgotten: no server makes a client connect for every byte.
const PROGRESS: u64 = 1 << 20;

/// A blob in a registry. Nothing is asked for before it is read.
#[derive(Clone)]
pub struct RemoteBlob {
    /// Who asks.
    pub client: Arc<Client>,
    /// Where it is.
    pub registry: String,
    /// Of which repository.
    pub repository: String,
    /// What names it. It is not checked here.
    pub digest: Digest,
    /// Its bytes by its descriptor. More or less of them is an error.
    pub size: u64,
}

impl RemoteBlob {
    /// Starts reading after the first `at` bytes, which were had before; at most all of them.
    ///
    /// # Errors
    /// If a mirror's name is none.
    pub fn open_at(&self, at: u64) -> Result<BlobReader> {
        Ok(BlobReader {
            client: self.client.clone(),
            places: places(&self.client.options.mirrors, &self.registry, &self.repository)?,
            place: 0,
            digest: self.digest.clone(),
            size: self.size,
            at: at.min(self.size),
            progress: 0,
            failed: 0,
            etag: None,
            stream: None,
        })
    }

    /// Reads all of it, and checks it: its size is what this takes of memory.
    ///
    /// # Errors
    /// If it cannot be had, or has another digest or size.
    pub fn read(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_at(0)?.read_to_end(&mut bytes).map_err(|error| self.explain(error))?;
        let mut hasher = Hasher::like(&self.digest);
        hasher.update(&bytes);
        self.check(&hasher)?;
        Ok(bytes)
    }

    /// Whether what was hashed is this.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self, hasher: &Hasher) -> Result<()> {
        let got = hasher.digest();
        if got == self.digest {
            return Ok(());
        }
        let (wanted, got) = (self.digest.to_string(), got.to_string());
        Err(Error::DigestMismatch { what: self.describe(), wanted, got })
    }

    /// What stopped the reading of it.
    pub fn explain(&self, error: io::Error) -> Error {
        let reason = error.to_string();
        match error.into_inner().and_then(|inner| inner.downcast::<Error>().ok()) {
            Some(inner) => *inner,
            None => Error::Malformed { what: self.describe(), reason },
        }
    }

    fn describe(&self) -> String {
        Wanted::Blob(self.digest.clone()).describe(&format!("{}/{}", self.registry, self.repository))
    }
}

/// Reads a blob, and takes it up again where it broke. Errors of the way there are of the kind
/// [`io::ErrorKind::ConnectionAborted`] and hold a [`crate::Error`]; what cannot be the blob is [`io::ErrorKind::InvalidData`].
pub struct BlobReader {
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
