//! The files of a tar that is no layer: one that lies within another file.

use std::io::{self, Read};

use super::reader::{Skip, TarKind, TarReader};
use crate::{Limits, Result};

/// Reads the regular files of an uncompressed tar, one after the other. As a [`Read`] it gives the current one's content.
pub struct TarMembers<R>(TarReader<Plain<R>>);

impl<R: Read> TarMembers<R> {
    /// The files of `stream`, which `what` names in errors.
    pub fn new(stream: R, what: String, limits: Limits) -> Self {
        Self(TarReader::new(Plain(stream), what, limits))
    }

    /// Name and size in bytes of the next regular file, past what is left of the current one; none at the end.
    ///
    /// # Errors
    /// The stream fails, is no tar, or goes beyond a limit.
    pub fn next_file(&mut self) -> Result<Option<(Vec<u8>, u64)>> {
        while let Some(entry) = self.0.next()? {
            if entry.kind == TarKind::File {
                return Ok(Some((entry.name, entry.size)));
            }
        }
        Ok(None)
    }
}

impl<R: Read> Read for TarMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_data(buffer)
    }
}

/// A stream that is passed over by reading it.
struct Plain<R>(R);

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Skip for Plain<R> {
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        io::copy(&mut (&mut self.0).take(bytes), &mut io::sink())
    }
}
