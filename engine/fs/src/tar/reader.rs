//! The entries of a tar stream, one after the other, with bounded memory.

use std::io::{self, Read};

use super::blob::{FileReader, stream_error};
use super::header::{self, BLOCK, Block, Pax, Pieces, RawHeader};
use crate::limits::Limits;
use crate::{Error, Result};

/// What the header says an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TarKind {
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
    Unknown(u8),
}

/// An entry with everything merged that long-name and PAX headers say of it.
#[derive(Debug, Clone)]
pub(crate) struct TarEntry {
    /// Its number in the tar, from 0.
    pub(crate) position: u64,
    pub(crate) kind: TarKind,
    pub(crate) name: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) mode: u64,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Bytes of content, holes of a sparse file included.
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) device: (u64, u64),
    /// The name of an attribute that an overlay takes for its own, if the entry has one.
    pub(crate) overlay: Option<Vec<u8>>,
    /// The attribute `security.capability`.
    pub(crate) capability: Option<Box<[u8]>>,
}

/// Reads entries from an uncompressed stream.
pub(crate) struct TarReader<R> {
    stream: R,
    what: String,
    limits: Limits,
    count: u64,
    /// Stored bytes of the current entry that were not read, and what fills up its last block.
    stored: u64,
    padding: u64,
    sparse: Option<Sparse>,
}

/// Where the reader is in a sparse file.
struct Sparse {
    pieces: std::vec::IntoIter<(u64, u64)>,
    current: Option<(u64, u64)>,
    offset: u64,
    size: u64,
}

/// A stream that can be passed over.
pub(crate) trait Skip: Read {
    /// Passes over up to `bytes`; how many there were.
    fn skip(&mut self, bytes: u64) -> io::Result<u64>;
}

impl TarReader<FileReader> {
    /// Where the current entry's data is: offset and length. It is passed over without being read; none if the entry's
    /// bytes are not stored as they are (a sparse file).
    pub(crate) fn pass_over(&mut self) -> Option<(u64, u64)> {
        let place = (self.stream.offset, self.stored);
        self.stream.offset = self.stream.offset.saturating_add(self.stored);
        self.stored = 0;
        self.sparse.is_none().then_some(place)
    }
}

impl<R: Skip> TarReader<R> {
    /// A reader at a stream's start; `what` names it in errors.
    pub(crate) fn new(stream: R, what: String, limits: Limits) -> Self {
        Self { stream, what, limits, count: 0, stored: 0, padding: 0, sparse: None }
    }

    /// The stream, wherever it stands.
    pub(crate) fn into_inner(self) -> R {
        self.stream
    }

    /// The stream, and how many bytes of the current entry's content lie in it from where it stands; none for a sparse
    /// file, whose content is not there in one piece.
    pub(crate) fn rest(&self) -> Option<(&R, u64)> {
        self.sparse.is_none().then_some((&self.stream, self.stored))
    }

    /// The next entry, past what is left of the current one; none at the end of the archive.
    pub(crate) fn next(&mut self) -> Result<Option<TarEntry>> {
        let mut pax = Pax::default();
        let (mut long_name, mut long_link) = (None, None);
        loop {
            self.finish_entry()?;
            let Some(block) = self.header()? else { return Ok(None) };
            let raw = header::parse(&block).map_err(|reason| self.malformed(reason))?;
            self.expect(raw.size)?;
            match raw.kind {
                b'x' => pax = header::pax(&self.body()?).map_err(|reason| self.malformed(reason))?,
                // Go gives a global header to its caller as an entry and forgets what came before it.
                b'g' => (pax, long_name, long_link) = (Pax::default(), None, None),
                b'L' => long_name = Some(until_zero(self.body()?)),
                b'K' => long_link = Some(until_zero(self.body()?)),
                _ => return self.entry(raw, &block, pax, long_name, long_link).map(Some),
            }
            // Headers about headers are bounded by the entries they could have been.
            self.counted()?;
        }
    }

    /// Reads the current entry's content; holes of a sparse file are zero bytes.
    pub(crate) fn read_data(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(sparse) = &mut self.sparse else {
            return read_stored(&mut self.stream, &mut self.stored, buffer);
        };
        let left = sparse.size - sparse.offset;
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        while sparse.current.is_some_and(|(start, length)| start + length <= sparse.offset) {
            sparse.current = sparse.pieces.next();
        }
        let most = left.min(buffer.len() as u64);
        let read = match sparse.current {
            Some((start, length)) if start <= sparse.offset => {
                let most = most.min(start + length - sparse.offset);
                read_stored(&mut self.stream, &mut self.stored, &mut buffer[..most as usize])?
            }
            next => {
                let hole = next.map_or(left, |(start, _)| start - sparse.offset);
                let most = most.min(hole) as usize;
                buffer[..most].fill(0);
                most
            }
        };
        sparse.offset += read as u64;
        Ok(read)
    }

    fn entry(
        &mut self,
        raw: RawHeader,
        block: &Block,
        pax: Pax,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<TarEntry> {
        let position = self.count;
        self.counted()?;
        let mut kind = match raw.kind {
            0 | b'0' | b'7' | b'S' => TarKind::File,
            b'1' => TarKind::HardLink,
            b'2' => TarKind::Symlink,
            b'3' => TarKind::CharDevice,
            b'4' => TarKind::BlockDevice,
            b'5' => TarKind::Directory,
            b'6' => TarKind::Fifo,
            other => TarKind::Unknown(other),
        };
        let name = pax.sparse.name.clone().or(long_name).or(pax.path).unwrap_or(raw.name);
        if raw.kind == 0 && name.ends_with(b"/") {
            kind = TarKind::Directory;
        }
        let mut size = pax.size.unwrap_or(raw.size);
        // Whatever size they claim, only files have data.
        self.expect(if matches!(kind, TarKind::File | TarKind::Unknown(_)) { size } else { 0 })?;
        let pieces = match (kind, raw.kind) {
            (TarKind::File, b'S') => {
                size = header::number(&block[483..495])
                    .and_then(|size| u64::try_from(size).ok())
                    .ok_or_else(|| self.malformed("its real size is no number"))?;
                Some(self.old_sparse_map(block)?)
            }
            (TarKind::File, _) if pax.sparse.major == 1 && pax.sparse.minor == 0 => {
                size = pax.sparse.size.ok_or_else(|| self.malformed("a sparse file lacks its real size"))?;
                Some(self.new_sparse_map()?)
            }
            (TarKind::File, _) if pax.sparse.pieces.is_some() => {
                size = pax.sparse.size.ok_or_else(|| self.malformed("a sparse file lacks its real size"))?;
                pax.sparse.pieces
            }
            _ => None,
        };
        if let Some(pieces) = pieces {
            if header::check_pieces(&pieces, size) != Some(self.stored) {
                return Err(self.malformed("the map of a sparse file does not fit its data"));
            }
            let mut pieces = pieces.into_iter();
            let current = pieces.next();
            self.sparse = Some(Sparse { pieces, current, offset: 0, size });
        }
        if kind != TarKind::File {
            size = 0;
        }
        Ok(TarEntry {
            position,
            kind,
            name,
            link: long_link.or(pax.link).unwrap_or(raw.link),
            mode: raw.mode,
            uid: pax.uid.unwrap_or(raw.uid),
            gid: pax.gid.unwrap_or(raw.gid),
            size,
            mtime: pax.mtime.unwrap_or(raw.mtime),
            device: raw.device,
            overlay: pax.overlay,
            capability: pax.capability,
        })
    }

    /// The map of GNU's old sparse format: four pieces in the header, more in blocks after it.
    fn old_sparse_map(&mut self, block: &Block) -> Result<Pieces> {
        let mut pieces = Pieces::new();
        header::old_pieces(&block[386..482], &mut pieces).map_err(|reason| self.malformed(reason))?;
        let mut more = block[482] != 0;
        while more {
            let Some(block) = self.block()? else {
                return Err(self.malformed("it breaks off in a sparse map"));
            };
            header::old_pieces(&block[..504], &mut pieces).map_err(|reason| self.malformed(reason))?;
            self.check_header_bytes(pieces.len() as u64 * 24)?;
            more = block[504] != 0;
        }
        Ok(pieces)
    }

    /// The map of GNU's sparse format 1.0: decimal numbers on lines of their own, in blocks before the data.
    fn new_sparse_map(&mut self) -> Result<Pieces> {
        let mut numbers: Vec<u64> = Vec::new();
        let mut line = Vec::new();
        loop {
            let mut block = [0; BLOCK];
            let mut filled = 0;
            while filled < BLOCK {
                match read_stored(&mut self.stream, &mut self.stored, &mut block[filled..]) {
                    Ok(0) => return Err(self.malformed("it breaks off in a sparse map")),
                    Ok(read) => filled += read,
                    Err(error) => return Err(stream_error(&self.what, error)),
                }
            }
            for byte in block {
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                let number = header::decimal(&line)
                    .ok_or_else(|| self.malformed("a sparse map is no list of numbers"))?;
                line.clear();
                numbers.push(number);
                self.check_header_bytes(numbers[0].saturating_mul(16))?;
                if numbers.len() as u64 == numbers[0] * 2 + 1 {
                    return Ok(numbers[1..].chunks_exact(2).map(|pair| (pair[0], pair[1])).collect());
                }
            }
            self.check_header_bytes(line.len() as u64)?;
        }
    }

    /// The next header block; none after two empty ones or at the end of the stream.
    fn header(&mut self) -> Result<Option<Block>> {
        let Some(block) = self.block()? else { return Ok(None) };
        if block != [0; BLOCK] {
            return Ok(Some(block));
        }
        match self.block()? {
            Some(second) if second != [0; BLOCK] => {
                Err(self.malformed("an empty header is followed by another"))
            }
            _ => Ok(None),
        }
    }

    /// One block, none at the end of the stream.
    fn block(&mut self) -> Result<Option<Block>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.stream.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(stream_error(&self.what, io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(stream_error(&self.what, error)),
            }
        }
        Ok(Some(block))
    }

    /// The whole data of a header about the next entry.
    fn body(&mut self) -> Result<Vec<u8>> {
        self.check_header_bytes(self.stored)?;
        let mut body = Vec::with_capacity(self.stored as usize);
        let mut buffer = [0; 4096];
        loop {
            match read_stored(&mut self.stream, &mut self.stored, &mut buffer) {
                Ok(0) => return Ok(body),
                Ok(read) => body.extend_from_slice(&buffer[..read]),
                Err(error) => return Err(stream_error(&self.what, error)),
            }
        }
    }

    /// Passes over what is left of the current entry.
    fn finish_entry(&mut self) -> Result<()> {
        if self.discard(self.stored)? < self.stored {
            return Err(stream_error(&self.what, io::ErrorKind::UnexpectedEof.into()));
        }
        // Some tools leave out the padding of the last entry and the end marker behind it (umoci does). Runtimes unpack
        // such a layer, so it is read; whether the stream is whole is for its digest to say.
        self.discard(self.padding)?;
        (self.stored, self.padding, self.sparse) = (0, 0, None);
        Ok(())
    }

    /// Passes over up to `bytes`; how many there were.
    fn discard(&mut self, bytes: u64) -> Result<u64> {
        self.stream.skip(bytes).map_err(|error| stream_error(&self.what, error))
    }

    /// Notes how much data follows a header.
    fn expect(&mut self, size: u64) -> Result<()> {
        let whole = size
            .checked_next_multiple_of(BLOCK as u64)
            .ok_or_else(|| self.malformed("its size is too large"))?;
        (self.stored, self.padding) = (size, whole - size);
        Ok(())
    }

    fn counted(&mut self) -> Result<()> {
        self.count += 1;
        if self.count > self.limits.entries {
            return Err(self.limit(format!("more than {} entries", self.limits.entries)));
        }
        Ok(())
    }

    fn check_header_bytes(&self, bytes: u64) -> Result<()> {
        if bytes > self.limits.header_bytes {
            return Err(self.limit(format!("a header of more than {} bytes", self.limits.header_bytes)));
        }
        Ok(())
    }

    fn limit(&self, limit: String) -> Error {
        Error::Limit { what: self.what.clone(), limit }
    }

    fn malformed(&self, reason: &str) -> Error {
        Error::Malformed {
            what: self.what.clone(),
            reason: format!("entry {} of its tar: {reason}", self.count),
        }
    }
}

/// Reads from what is stored of an entry. A stream that ends before is an error, never an end.
fn read_stored(stream: &mut impl Read, stored: &mut u64, buffer: &mut [u8]) -> io::Result<usize> {
    let most = (*stored).min(buffer.len() as u64) as usize;
    if most == 0 {
        return Ok(0);
    }
    let read = loop {
        match stream.read(&mut buffer[..most]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    *stored -= read as u64;
    Ok(read)
}

fn until_zero(mut name: Vec<u8>) -> Vec<u8> {
    if let Some(end) = name.iter().position(|b| *b == 0) {
        name.truncate(end);
    }
    name
}
