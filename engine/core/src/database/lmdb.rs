//! LMDB's databases, as much of the format as it takes to read a database's entries: <http://www.lmdb.tech/doc/>, its lmdb.h
//! and mdb.c (the file is memory as the program has it; read is that of 64-bit little-endian machines, version 1).

use std::collections::BTreeMap;

use super::pages::{Pages, at, read};
use super::{MAX_ENTRY, Problem, malformed};
use crate::GapKind;
use crate::inspect::FileInput;

const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
/// Bytes before a page's content.
const HEADER: usize = 16;
/// Bytes that tell of the file, the first page's from its start.
const META: usize = HEADER + 136;
/// Trees are no deeper.
const MAX_DEPTH: usize = 32;
/// Databases by name that a file can have.
const MAX_NAMES: usize = 1_000;
/// What pages are.
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
/// What a leaf's entries are: one that lies on pages of its own, a database's root, several values of one key.
const LARGE: u16 = 1;
const DATABASE: u16 = 2;
const SEVERAL: u16 = 4;
/// Root of a tree without entries.
const NONE: u64 = u64::MAX;

/// A file of databases that have names.
pub struct Lmdb<'a> {
    pages: Pages<'a>,
    roots: BTreeMap<Vec<u8>, u64>,
}

/// What is handed a key and its value.
type Each<'e> = dyn FnMut(&[u8], &[u8]) + 'e;
/// The same with the entry's flags before them.
type EachNode<'e> = dyn FnMut(u16, &[u8], &[u8]) + 'e;

impl<'a> Lmdb<'a> {
    /// Reads which databases there are.
    ///
    /// # Errors
    /// If the file is no such database, is one of another kind of machine or version, or is damaged.
    pub fn open(file: &'a FileInput<'a>) -> Result<Self, Problem> {
        if file.size < META as u64 {
            return malformed("is no database of LMDB: it is too short");
        }
        let first = read(file, 0, META)?;
        let number = |offset| u32::from_le_bytes(at(&first, HEADER + offset));
        if number(0) != MAGIC {
            let swapped = number(0).swap_bytes() == MAGIC || u32::from_le_bytes(at(&first, 12)) == MAGIC;
            return match swapped {
                true => Err((GapKind::Unsupported, "is of LMDB on another kind of machine".to_owned())),
                false => malformed("is no database of LMDB"),
            };
        }
        if number(4) != VERSION {
            return Err((GapKind::Unsupported, format!("is of version {} of LMDB's format", number(4))));
        }
        // Where the size of pages is kept: with the database of free ones.
        let size = number(24);
        let mut pages = Pages::new(file, size)?;
        let (zeroth, second) = (pages.take(0)?, pages.take(1)?);
        // The two take turns; the later one counts.
        let meta = [&zeroth, &second].into_iter().filter(|page| at(page, HEADER) == MAGIC.to_le_bytes());
        let transaction = |page: &&Vec<u8>| u64::from_le_bytes(at(page, HEADER + 128));
        let Some(meta) = meta.max_by_key(transaction) else { return malformed("is no database of LMDB") };
        let root = u64::from_le_bytes(at(meta, HEADER + 72 + 40));
        let mut lmdb = Self { pages, roots: BTreeMap::new() };
        let mut roots = BTreeMap::new();
        lmdb.tree(root, 0, &mut |flags, key, value| {
            if flags & DATABASE != 0 && roots.len() < MAX_NAMES {
                roots.insert(key.to_vec(), u64::from_le_bytes(at(value, 40)));
            }
        })?;
        lmdb.roots = roots;
        Ok(lmdb)
    }

    /// Hands the entries of the database `name` to `each`, in the order of their keys; none if there is no such database.
    /// Keys with several values are passed over. Each database can be read once.
    ///
    /// # Errors
    /// If the file is damaged; what was read before has been handed over.
    pub fn entries(&mut self, name: &[u8], each: &mut Each<'_>) -> Result<(), Problem> {
        let Some(root) = self.roots.get(name).copied() else { return Ok(()) };
        self.tree(root, 0, &mut |flags, key, value| {
            if flags & (DATABASE | SEVERAL) == 0 {
                each(key, value);
            }
        })
    }

    fn tree(&mut self, number: u64, depth: usize, each: &mut EachNode<'_>) -> Result<(), Problem> {
        if number == NONE {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return malformed("its tree is too deep");
        }
        let page = self.pages.take(number)?;
        let short = |offset| u16::from_le_bytes(at(&page, offset));
        if u64::from_le_bytes(at(&page, 0)) != number {
            return malformed(format!("page {number} says that it is another"));
        }
        let (kind, end) = (short(10), usize::from(short(12)));
        if kind & (BRANCH | LEAF) == 0 || end < HEADER || end > page.len() {
            return malformed(format!("page {number} is of no tree"));
        }
        for place in (HEADER..end).step_by(2) {
            let node = usize::from(short(place));
            let (low, high, flags) = (short(node), short(node + 2), short(node + 4));
            let broken = || (GapKind::Malformed, format!("an entry of page {number} lies outside of it"));
            let start = node + 8;
            let behind = start + usize::from(short(node + 6));
            let key = page.get(start..behind).ok_or_else(broken)?;
            if kind & BRANCH != 0 {
                let child = u64::from(low) | u64::from(high) << 16 | u64::from(flags) << 32;
                self.tree(child, depth + 1, each)?;
                continue;
            }
            let length = usize::from(low) | usize::from(high) << 16;
            if flags & LARGE == 0 {
                each(flags, key, page.get(behind..behind + length).ok_or_else(broken)?);
            } else {
                let value = self.large(u64::from_le_bytes(at(&page, behind)), length)?;
                each(flags, key, &value);
            }
        }
        Ok(())
    }

    /// A value on pages of its own.
    fn large(&mut self, first: u64, length: usize) -> Result<Vec<u8>, Problem> {
        if length > MAX_ENTRY {
            return Err((GapKind::Limit, format!("an entry of {length} bytes was not read")));
        }
        let mut bytes = self.pages.take(first)?;
        for number in (1..).map(|behind| first.saturating_add(behind)) {
            if bytes.len() >= HEADER + length {
                break;
            }
            bytes.extend(self.pages.take(number)?);
        }
        bytes.drain(..HEADER);
        bytes.truncate(length);
        Ok(bytes)
    }
}
