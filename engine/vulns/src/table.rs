//! A sorted table that never changes: keys and values in compressed blocks, and an index of each block's first key.
//!
//! Each block is a zstd frame with its checksum, so that a flipped bit is an error where it is read and not a wrong answer.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A block is closed once it has so many bytes: small enough to unpack in microseconds.
const BLOCK: usize = 8 << 10;
/// Largest block: one value may be large (a kernel's flaws), but not without end.
const MAX_BLOCK: u32 = 256 << 20;

/// Where a table's blocks lie, with the first key of each, in order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Index {
    blocks: Vec<Block>,
}

/// Where one block lies.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Block {
    first: Vec<u8>,
    offset: u64,
    packed: u32,
    unpacked: u32,
}

/// Writes a table. Keys must come in ascending order, each once.
pub(crate) struct Writer<'w, W: Write> {
    out: &'w mut W,
    offset: &'w mut u64,
    packer: zstd::bulk::Compressor<'static>,
    index: Index,
    first: Vec<u8>,
    block: Vec<u8>,
}

impl<'w, W: Write> Writer<'w, W> {
    pub(crate) fn new(out: &'w mut W, offset: &'w mut u64) -> io::Result<Self> {
        let mut packer = zstd::bulk::Compressor::new(9)?;
        packer.include_checksum(true)?;
        Ok(Self { out, offset, packer, index: Index::default(), first: Vec::new(), block: Vec::new() })
    }

    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        if self.block.is_empty() {
            self.first = key.to_vec();
        }
        for part in [key, value] {
            let length = u32::try_from(part.len()).map_err(io::Error::other)?;
            self.block.extend_from_slice(&length.to_le_bytes());
            self.block.extend_from_slice(part);
        }
        if self.block.len() >= BLOCK { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let unpacked = u32::try_from(self.block.len()).ok().filter(|length| *length <= MAX_BLOCK);
        let unpacked =
            unpacked.ok_or_else(|| io::Error::other("one package has more advisories than 256 MiB"))?;
        let bytes = self.packer.compress(&self.block)?;
        self.out.write_all(&bytes)?;
        let packed = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let first = std::mem::take(&mut self.first);
        self.index.blocks.push(Block { first, offset: *self.offset, packed, unpacked });
        *self.offset += bytes.len() as u64;
        self.block.clear();
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<Index> {
        self.close()?;
        Ok(self.index)
    }
}

impl Index {
    /// Whether every block lies where blocks may lie.
    pub(crate) fn is_within(&self, start: u64, end: u64) -> bool {
        self.blocks.iter().all(|block| {
            block.unpacked <= MAX_BLOCK
                && block.offset >= start
                && block.offset.checked_add(u64::from(block.packed)).is_some_and(|stop| stop <= end)
        })
    }

    /// The value of a key, by whatever reads a block or remembers it.
    pub(crate) fn get(
        &self,
        key: &[u8],
        read: impl FnOnce(&Block) -> io::Result<Arc<Vec<u8>>>,
    ) -> io::Result<Option<Vec<u8>>> {
        let after = self.blocks.partition_point(|block| block.first.as_slice() <= key);
        let Some(block) = after.checked_sub(1).and_then(|at| self.blocks.get(at)) else { return Ok(None) };
        let bytes = read(block)?;
        let mut entries = Entries(&bytes);
        while let Some((found, value)) = entries.next()? {
            if found == key {
                return Ok(Some(value.to_vec()));
            }
        }
        Ok(None)
    }

    /// Hands over the entries whose keys begin with `start`, in order, until `each` says false.
    pub(crate) fn scan(
        &self,
        file: &File,
        start: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> io::Result<()> {
        let after = self.blocks.partition_point(|block| block.first.as_slice() <= start);
        for block in self.blocks.iter().skip(after.saturating_sub(1)) {
            if block.first.as_slice() > start && !block.first.starts_with(start) {
                break;
            }
            let bytes = block.read(file)?;
            let mut entries = Entries(&bytes);
            while let Some((key, value)) = entries.next()? {
                if key.starts_with(start) && !each(key, value) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Block {
    /// What tells it from every other block of its file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn read(&self, file: &File) -> io::Result<Vec<u8>> {
        let mut packed = vec![0; self.packed as usize];
        file.read_exact_at(&mut packed, self.offset)?;
        let bytes = zstd::bulk::decompress(&packed, self.unpacked as usize)?;
        if bytes.len() != self.unpacked as usize {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a block has another length than its index says",
            ));
        }
        Ok(bytes)
    }
}

struct Entries<'a>(&'a [u8]);

impl<'a> Entries<'a> {
    fn next(&mut self) -> io::Result<Option<(&'a [u8], &'a [u8])>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let cut = || io::Error::new(io::ErrorKind::InvalidData, "a block ends within an entry");
        let mut part = || {
            let (length, rest) = self.0.split_first_chunk::<4>().ok_or_else(cut)?;
            let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut)?;
            self.0 = rest;
            Ok::<_, io::Error>(part)
        };
        Ok(Some((part()?, part()?)))
    }
}
