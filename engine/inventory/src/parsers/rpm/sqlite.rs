//! `rpmdb.sqlite`: as much of SQLite as it takes to read one table (<https://www.sqlite.org/fileformat2.html>).

use pratique_core::GapKind;
use pratique_core::inspect::FileInput;

use super::pages::{Pages, at, read};
use super::{MAX_HEADER, Problem, Sink, malformed};

/// Deeper trees do not exist: each level multiplies the rows by dozens.
const MAX_DEPTH: usize = 20;

/// Hands over the blobs of the table `Packages`.
pub(super) fn headers(file: &FileInput<'_>, sink: &mut Sink<'_>) -> Result<(), Problem> {
    if !file.bytes.starts_with(b"SQLite format 3\0") || file.size < 512 {
        return malformed("is no SQLite database");
    }
    let head = read(file, 0, 100)?;
    let size = match u16::from_be_bytes(at(&head, 16)) {
        1 => 65536,
        size => u32::from(size),
    };
    let usable = (size as usize).saturating_sub(usize::from(head[20]));
    if usable < 480 {
        return malformed("pages have no room");
    }
    let mut tree = Tree { pages: Pages::new(file, size)?, usable };
    let mut root = None;
    tree.rows(1, &mut |row| {
        let text = |column| value(row, column).and_then(|bytes| std::str::from_utf8(bytes).ok());
        if text(0) == Some("table") && text(1) == Some("Packages") {
            root = value(row, 3).map(integer);
        }
    })?;
    let Some(root) = root else { return malformed("has no table Packages") };
    let mut strange = 0;
    tree.rows(root, &mut |row| match value(row, 1) {
        Some(blob) => sink(blob),
        None => strange += 1,
    })?;
    if strange > 0 {
        return malformed(format!("{strange} rows of the table Packages have no blob"));
    }
    Ok(())
}

struct Tree<'a> {
    pages: Pages<'a>,
    usable: usize,
}

impl Tree<'_> {
    /// Hands over the record of each row of the table whose tree begins at page `root`, in the order of their keys. A
    /// broken part does not keep the others from being read; the first problem is returned at the end.
    fn rows(&mut self, root: u64, each: &mut dyn FnMut(&[u8])) -> Result<(), Problem> {
        let mut waiting = vec![(root, 0)];
        let mut result = Ok(());
        while let Some((number, depth)) = waiting.pop() {
            if let Err(problem) = self.page(number, depth, &mut waiting, each) {
                result = result.and(Err(problem));
            }
        }
        result
    }

    fn page(
        &mut self,
        number: u64,
        depth: usize,
        waiting: &mut Vec<(u64, usize)>,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Problem> {
        if depth > MAX_DEPTH {
            return Err((GapKind::Limit, format!("its tree is deeper than {MAX_DEPTH} levels")));
        }
        let page = self.pages.take(number.wrapping_sub(1))?;
        // The file's header comes before the first page's own.
        let start = if number == 1 { 100 } else { 0 };
        let cells = usize::from(u16::from_be_bytes(at(&page, start + 3)));
        let pointers = |first: usize| {
            let pointer = |cell| usize::from(u16::from_be_bytes(at(&page, first + 2 * cell)));
            (0..cells).map(pointer).collect::<Vec<_>>()
        };
        match page[start] {
            0x05 => {
                let right = u32::from_be_bytes(at(&page, start + 8));
                let mut children = pointers(start + 12);
                children.reverse();
                waiting.push((u64::from(right), depth + 1));
                let child = |cell| (u64::from(u32::from_be_bytes(at(&page, cell))), depth + 1);
                waiting.extend(children.into_iter().map(child));
                Ok(())
            }
            0x0d => {
                let mut result = Ok(());
                // Cells that overlap would be read again and again: together they are no larger than the page.
                let mut room = page.len();
                for cell in pointers(start + 8) {
                    match self.cell(page.get(cell..).unwrap_or_default(), &mut room) {
                        Ok(row) => each(&row),
                        Err(problem) => result = result.and(Err(problem)),
                    }
                }
                result
            }
            kind => malformed(format!("page {number} is no page of a table (type {kind})")),
        }
    }

    /// The record of a cell, with what lies on overflow pages.
    fn cell(&mut self, mut cell: &[u8], room: &mut usize) -> Result<Vec<u8>, Problem> {
        let length = varint(&mut cell).and_then(|length| usize::try_from(length).ok());
        let (Some(length), Some(_key)) = (length, varint(&mut cell)) else {
            return malformed("a row breaks off");
        };
        if length > MAX_HEADER {
            return Err((GapKind::Limit, format!("a row has {length} bytes; {MAX_HEADER} are read")));
        }
        let local = local(length, self.usable);
        let (Some(first), Some(left)) = (cell.get(..local), room.checked_sub(local)) else {
            return malformed("a row is longer than its page");
        };
        *room = left;
        let mut row = first.to_vec();
        let mut next = u64::from(u32::from_be_bytes(at(cell, local)));
        while row.len() < length {
            let page = self.pages.take(next.wrapping_sub(1))?;
            let more = page.get(4..self.usable).unwrap_or_default();
            row.extend_from_slice(&more[..more.len().min(length - row.len())]);
            next = u64::from(u32::from_be_bytes(at(&page, 0)));
        }
        Ok(row)
    }
}

/// How many bytes of a row of a table lie on its own page.
fn local(length: usize, usable: usize) -> usize {
    let most = usable - 35;
    if length <= most {
        return length;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let fitting = least + (length - least) % (usable - 4);
    if fitting <= most { fitting } else { least }
}

/// The bytes of a column of a record.
fn value(row: &[u8], column: usize) -> Option<&[u8]> {
    let mut types = row;
    let header = usize::try_from(varint(&mut types)?).ok()?;
    let mut types = row.get(row.len() - types.len()..header)?;
    let mut start = header;
    for place in 0..=column {
        let kind = varint(&mut types)?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            12.. => (kind - 12) / 2,
            _ => return None,
        };
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        if place == column {
            return row.get(start..end).filter(|value| !value.is_empty());
        }
        start = end;
    }
    None
}

/// A big-endian integer; page numbers have at most four bytes.
fn integer(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Takes a number of one to nine bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for place in 0..9 {
        let byte = *bytes.split_off_first()?;
        if place == 8 {
            return Some(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
