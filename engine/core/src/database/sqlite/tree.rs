//! Trees of pages: tables and indices.

use std::ops::Range;

use super::super::pages::{Pages, at};
use super::super::{MAX_ENTRY, Problem, malformed};
use super::record::varint;
use crate::GapKind;

/// Deeper trees do not exist: each level multiplies the rows by dozens.
const MAX_DEPTH: usize = 20;

/// Where pages come from. Each is handed out once.
pub(super) trait Store {
    /// The page of this number, counted from 1, and where in the file it lies; none if another file has it.
    fn take(&mut self, number: u64) -> Result<Option<(u64, Vec<u8>)>, Problem>;
}

impl Store for Pages<'_> {
    fn take(&mut self, number: u64) -> Result<Option<(u64, Vec<u8>)>, Problem> {
        let page = Pages::take(self, number.wrapping_sub(1))?;
        Ok(Some(((number - 1) * page.len() as u64, page)))
    }
}

/// What is met on a page.
pub(super) enum Met<'a> {
    Record(Record<'a>),
    /// Bytes, at this place in the file, that no record holds.
    Remains(&'a [u8], u64),
}

/// A row of a table, or an entry of an index.
pub(super) struct Record<'a> {
    /// Of a row of a table that numbers its rows.
    pub(super) key: Option<i64>,
    pub(super) bytes: &'a [u8],
    /// Whether more of it should be there.
    pub(super) is_cut: bool,
    /// Where in the file it begins.
    pub(super) offset: u64,
}

/// What is handed all that is met.
pub(super) type Each<'e> = dyn FnMut(Met<'_>) + 'e;

/// What a page of a tree holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Keys of a table, and the pages below.
    Keys,
    Rows,
    /// Entries of an index, and the pages below.
    Branch,
    Leaf,
}

impl Kind {
    /// Of a page of which the header begins at `start`.
    fn of(page: &[u8], start: usize) -> Option<Self> {
        match page.get(start)? {
            0x05 => Some(Self::Keys),
            0x0d => Some(Self::Rows),
            0x02 => Some(Self::Branch),
            0x0a => Some(Self::Leaf),
            _ => None,
        }
    }
}

/// A record as it was put together.
struct Cell {
    key: Option<i64>,
    record: Vec<u8>,
    /// Bytes that it has on its page.
    taken: usize,
    is_cut: bool,
    /// Why, if something is wrong.
    result: Result<(), Problem>,
}

/// The trees of a database.
pub(super) struct Tree<S> {
    pub(super) pages: S,
    /// Bytes of a page that are in use.
    pub(super) usable: usize,
}

impl<S: Store> Tree<S> {
    /// Hands over what is met on the pages of the tree that begins at page `root`, its records in their order. A broken
    /// part does not keep the others from being read; the first problem is returned at the end.
    pub(super) fn walk(&mut self, root: u64, each: &mut Each<'_>) -> Result<(), Problem> {
        let mut waiting = vec![(root, 0)];
        let mut result = Ok(());
        while let Some((number, depth)) = waiting.pop() {
            let mut children = Vec::new();
            result = result.and(self.page(number, depth, &mut children, each));
            waiting.extend(children.into_iter().rev().map(|child| (child, depth + 1)));
        }
        result
    }

    fn page(
        &mut self,
        number: u64,
        depth: usize,
        children: &mut Vec<u64>,
        each: &mut Each<'_>,
    ) -> Result<(), Problem> {
        if depth > MAX_DEPTH {
            return Err((GapKind::Limit, format!("its tree is deeper than {MAX_DEPTH} levels")));
        }
        let Some((offset, page)) = self.pages.take(number)? else { return Ok(()) };
        match self.cells(number, &page, offset, children, each) {
            Some(result) => result,
            None => {
                each(Met::Remains(&page, offset));
                malformed(format!("page {number} is no page of a table or an index"))
            }
        }
    }

    /// Hands over what is met on one page. None if it is no page of a tree: nothing was handed over.
    pub(super) fn cells(
        &mut self,
        number: u64,
        page: &[u8],
        offset: u64,
        children: &mut Vec<u64>,
        each: &mut Each<'_>,
    ) -> Option<Result<(), Problem>> {
        // The file's header comes before the first page's own.
        let start = if number == 1 { 100 } else { 0 };
        let kind = Kind::of(page, start)?;
        let count = usize::from(u16::from_be_bytes(at(page, start + 3)));
        let pointers = start + if matches!(kind, Kind::Keys | Kind::Branch) { 12 } else { 8 };
        let mut used: Vec<_> = std::iter::once(0..pointers + 2 * count).collect();
        let mut result = Ok(());
        // Cells that overlap would be read again and again: together they are no larger than the page.
        let mut room = page.len();
        for place in (0..count).map(|cell| usize::from(u16::from_be_bytes(at(page, pointers + 2 * cell)))) {
            let Some(mut payload) = page.get(place..) else {
                result = result.and(malformed("a row lies beyond its page"));
                continue;
            };
            if matches!(kind, Kind::Keys | Kind::Branch) {
                children.push(u64::from(u32::from_be_bytes(at(payload, 0))));
                payload = payload.get(4..).unwrap_or_default();
            }
            if kind == Kind::Keys {
                varint(&mut payload);
                used.push(place..page.len() - payload.len());
                continue;
            }
            match self.cell(kind, payload, &mut room) {
                Ok(cell) => {
                    let behind = page.len() - payload.len() + cell.taken;
                    used.push(place..behind);
                    let (key, is_cut, offset) = (cell.key, cell.is_cut, offset + place as u64);
                    each(Met::Record(Record { key, bytes: &cell.record, is_cut, offset }));
                    result = result.and(cell.result);
                }
                Err(problem) => result = result.and(Err(problem)),
            }
        }
        if pointers > start + 8 {
            children.push(u64::from(u32::from_be_bytes(at(page, start + 8))));
        }
        for gap in gaps(used, page.len()) {
            each(Met::Remains(&page[gap.clone()], offset + gap.start as u64));
        }
        Some(result)
    }

    /// The record of a cell, with what lies on overflow pages.
    fn cell(&mut self, kind: Kind, cell: &[u8], room: &mut usize) -> Result<Cell, Problem> {
        let mut rest = cell;
        let length = varint(&mut rest).and_then(|length| usize::try_from(length).ok());
        let key = if kind == Kind::Rows { varint(&mut rest).map(|key| Some(key as i64)) } else { Some(None) };
        let (Some(length), Some(key)) = (length, key) else {
            return malformed("a row breaks off");
        };
        let local = local(kind, length, self.usable);
        let (Some(first), Some(left)) = (rest.get(..local), room.checked_sub(local)) else {
            return malformed("a row is longer than its page");
        };
        *room = left;
        let pointer = if local < length { 4 } else { 0 };
        let taken = cell.len() - rest.len() + local + pointer;
        let mut record = first.to_vec();
        let mut next = u64::from(u32::from_be_bytes(at(rest, local)));
        let mut result = Ok(());
        if length > MAX_ENTRY {
            result = Err((GapKind::Limit, format!("a row has {length} bytes; {MAX_ENTRY} are read")));
        }
        while record.len() < length && result.is_ok() {
            match self.pages.take(next) {
                Ok(Some((_, page))) => {
                    let more = page.get(4..self.usable).unwrap_or_default();
                    record.extend_from_slice(&more[..more.len().min(length - record.len())]);
                    next = u64::from(u32::from_be_bytes(at(&page, 0)));
                }
                Ok(None) => break,
                Err(problem) => result = Err(problem),
            }
        }
        Ok(Cell { key, is_cut: record.len() < length, record, taken, result })
    }
}

/// How many bytes of a record lie on its own page.
fn local(kind: Kind, length: usize, usable: usize) -> usize {
    let most = if kind == Kind::Rows { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
    if length <= most {
        return length;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let fitting = least + (length - least) % (usable - 4);
    if fitting <= most { fitting } else { least }
}

/// What is left of so many bytes where some are used.
fn gaps(mut used: Vec<Range<usize>>, length: usize) -> Vec<Range<usize>> {
    used.sort_unstable_by_key(|range| range.start);
    used.push(length..length);
    let (mut gaps, mut from) = (Vec::new(), 0);
    for range in used {
        if from < range.start {
            gaps.push(from..range.start);
        }
        from = from.max(range.end);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::super::rows;
    use crate::inspect::{FileInput, FileMode};

    #[test]
    fn a_row_beyond_its_page_is_a_problem() {
        for kind in [0x05, 0x0d, 0x02, 0x0a] {
            let mut file = vec![0; 1024];
            file[..16].copy_from_slice(super::super::HEAD);
            file[16] = 2;
            // One cell, its place in the last two of its bytes.
            file[100] = kind;
            file[104] = 1;
            for pointers in [108, 112] {
                file[pointers..pointers + 2].fill(0xff);
            }
            let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
            let input = FileInput::in_memory(b"x.sqlite", mode, &file);
            let (_, reason) = rows(&input, "Packages", &["blob"], &mut |_| panic!("no row")).unwrap_err();
            assert_eq!(reason, "a row lies beyond its page", "{kind}");
        }
    }
}
