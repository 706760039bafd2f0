//! As much of SQLite as it takes to read one table (<https://www.sqlite.org/fileformat2.html>).

use super::pages::{Pages, at, read};
use super::{MAX_ENTRY, Problem, malformed};
use crate::GapKind;
use crate::inspect::FileInput;

/// Deeper trees do not exist: each level multiplies the rows by dozens.
const MAX_DEPTH: usize = 20;

/// One row: the values of the columns that were asked for, in that order. A number has its bytes, the most significant
/// first; none: NULL, empty, or not in this table.
pub type Row<'a> = [Option<&'a [u8]>];

/// Hands over the rows of the table `name`.
///
/// # Errors
/// The first problem, if the file is no such database, has no such table, or if a part of it cannot be read; the other
/// parts are.
pub fn rows(
    file: &FileInput<'_>,
    name: &str,
    columns: &[&str],
    each: &mut dyn FnMut(&Row<'_>),
) -> Result<(), Problem> {
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
    let (mut root, mut places) = (None, Vec::new());
    tree.rows(1, &mut |row| {
        let text = |column| value(row, column).and_then(|bytes| std::str::from_utf8(bytes).ok());
        if text(0) == Some("table") && text(1) == Some(name) {
            root = value(row, 3).map(integer);
            let own = defined(text(4).unwrap_or_default());
            places = columns.iter().map(|wanted| own.iter().position(|column| column == wanted)).collect();
        }
    })?;
    let Some(root) = root else { return malformed(format!("has no table {name}")) };
    tree.rows(root, &mut |row| {
        let values: Vec<_> = places.iter().map(|place| place.and_then(|place| value(row, place))).collect();
        each(&values);
    })
}

/// The names of the columns that a `CREATE TABLE` defines, in their order.
fn defined(sql: &str) -> Vec<&str> {
    let body = sql.split_once('(').map_or("", |(_, body)| body);
    let (mut columns, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in body.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ',' | ')' if depth == 0 => {
                let name = body[start..at].split_whitespace().next().unwrap_or_default();
                columns.push(name.trim_matches(['"', '\'', '`', '[', ']']));
                start = at + 1;
                if character == ')' {
                    break;
                }
            }
            _ => {}
        }
    }
    columns
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
        if length > MAX_ENTRY {
            return Err((GapKind::Limit, format!("a row has {length} bytes; {MAX_ENTRY} are read")));
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
        if place == column && matches!(kind, 8 | 9) {
            return Some(if kind == 8 { &[0] } else { &[1] });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let sql = "CREATE TABLE `user` (\n`id` INTEGER PRIMARY KEY, \"login\" TEXT NOT NULL\n, price DECIMAL(10, 2), [last] x)";
        assert_eq!(defined(sql), ["id", "login", "price", "last"]);
        assert!(defined("").is_empty() && defined("CREATE TABLE x").is_empty());
    }
}
