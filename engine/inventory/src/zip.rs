//! Zip archives through random access (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>). The central
//! directory says what is there; only the entries that are wanted are read.

use std::io::{self, Read};

use flate2::read::DeflateDecoder;
use pratique_core::GapKind;
use pratique_core::inspect::ReadAt;
use rawzip::{
    CompressionMethod, RECOMMENDED_BUFFER_SIZE, RangeReader, ReaderAt, ZipArchive, ZipArchiveEntryWayfinder,
};

/// Why something could not be read.
pub(crate) type Problem = (GapKind, String);

/// A part of a file: a whole archive, or one that lies uncompressed in another.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) content: &'a dyn ReadAt,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

impl ReaderAt for Part<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = self.length.saturating_sub(offset);
        let wanted = usize::try_from(rest).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        match self.start.checked_add(offset) {
            Some(offset) if wanted > 0 => self.content.read_at(&mut buffer[..wanted], offset),
            _ => Ok(0),
        }
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut read = 0;
        while read < buffer.len() {
            let offset = offset.checked_add(read as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
            match self.read_at(&mut buffer[read..], offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                more => read += more,
            }
        }
        Ok(())
    }
}

/// An entry that is wanted.
pub(crate) struct Entry {
    pub(crate) name: String,
    method: CompressionMethod,
    place: ZipArchiveEntryWayfinder,
}

/// What may still be spent on one file, with all that is nested in it.
pub(crate) struct Budget {
    /// Entries of central directories.
    pub(crate) entries: u64,
    /// Wanted entries.
    pub(crate) wanted: u64,
    /// Bytes to inflate.
    pub(crate) inflated: u64,
    /// Bytes of inflated archives in memory at one time.
    pub(crate) held: u64,
}

impl Budget {
    pub(crate) const WHOLE: Self =
        Self { entries: 1_000_000, wanted: 50_000, inflated: 1 << 30, held: 32 << 20 };
}

pub(crate) struct Archive<'a> {
    part: Part<'a>,
    archive: ZipArchive<Part<'a>>,
}

fn malformed(error: &dyn std::fmt::Display) -> Problem {
    (GapKind::Malformed, format!("not a readable zip archive: {error}"))
}

impl<'a> Archive<'a> {
    pub(crate) fn open(part: Part<'a>) -> Result<Self, Problem> {
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        // Its end has a comment of at most 64 KiB.
        ZipArchive::with_max_search_space(66 << 10)
            .locate_in_reader(part, &mut buffer, part.length)
            .map(|archive| Self { part, archive })
            .map_err(|(_, error)| malformed(&error))
    }

    /// The entries that are wanted, as far as they could be listed.
    pub(crate) fn entries(
        &self,
        wanted: impl Fn(&[u8]) -> bool,
        budget: &mut Budget,
    ) -> (Vec<Entry>, Option<Problem>) {
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let mut records = self.archive.entries(&mut buffer);
        let mut entries = Vec::new();
        loop {
            let record = match records.next_entry() {
                Ok(Some(record)) => record,
                Ok(None) => return (entries, None),
                Err(error) => return (entries, Some(malformed(&error))),
            };
            let path = record.file_path();
            let is_wanted = wanted(path.as_bytes());
            if budget.entries == 0 || is_wanted && budget.wanted == 0 {
                return (entries, Some((GapKind::Limit, "more entries than are read".into())));
            }
            budget.entries -= 1;
            if is_wanted {
                budget.wanted -= 1;
                entries.push(Entry {
                    name: String::from_utf8_lossy(path.as_bytes()).into_owned(),
                    method: record.compression_method(),
                    place: record.wayfinder(),
                });
            }
        }
    }

    /// The bytes of an entry, if they are at most `limit`.
    pub(crate) fn read(&self, entry: &Entry, limit: u64, budget: &mut Budget) -> Result<Vec<u8>, Problem> {
        let limit = limit.min(budget.inflated);
        let (start, end) = self.range(entry)?;
        let stored = RangeReader::new(self.part, start..end);
        let mut bytes = Vec::new();
        let read = match entry.method {
            CompressionMethod::STORE => stored.take(limit + 1).read_to_end(&mut bytes),
            CompressionMethod::DEFLATE => DeflateDecoder::new(stored).take(limit + 1).read_to_end(&mut bytes),
            other => return Err((GapKind::Unsupported, format!("{}: compressed as {other}", entry.name))),
        };
        budget.inflated = budget.inflated.saturating_sub(bytes.len() as u64);
        read.map_err(|error| {
            let is_memory = error.kind() == io::ErrorKind::OutOfMemory;
            let kind = if is_memory { GapKind::Limit } else { GapKind::Malformed };
            (kind, format!("{}: {error}", entry.name))
        })?;
        if bytes.len() as u64 > limit {
            return Err((GapKind::Limit, format!("{}: inflates to more than {limit} bytes", entry.name)));
        }
        Ok(bytes)
    }

    /// Where an entry that is not compressed lies.
    pub(crate) fn part(&self, entry: &Entry) -> Option<Result<Part<'a>, Problem>> {
        (entry.method == CompressionMethod::STORE).then(|| {
            let (start, end) = self.range(entry)?;
            let place =
                self.part.start.checked_add(start).ok_or_else(|| malformed(&"an offset beyond its end"))?;
            Ok(Part { content: self.part.content, start: place, length: end - start })
        })
    }

    fn range(&self, entry: &Entry) -> Result<(u64, u64), Problem> {
        let found = self.archive.get_entry(entry.place).map_err(|error| malformed(&error))?;
        let (start, end) = found.compressed_data_range();
        if start > end || end > self.part.length {
            return Err((GapKind::Malformed, format!("{}: lies beyond the archive's end", entry.name)));
        }
        Ok((start, end))
    }
}
