//! As much of SQLite as it takes to read one table, or all that a file holds (<https://www.sqlite.org/fileformat2.html>).

mod content;
mod log;
mod record;
mod tree;

use content::Wide;
use record::{integer, value};
use tree::{Met, Tree};

use super::pages::{Pages, at, read};
use super::{Problem, malformed};
use crate::inspect::FileInput;

pub use content::{Place, Value, contents};
pub use log::LOG_HEADS;

/// How a database begins.
pub const HEAD: &[u8] = b"SQLite format 3\0";

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
    if rows_if_any(file, name, columns, each)? { Ok(()) } else { malformed(format!("has no table {name}")) }
}

/// As [`rows`]; whether there is such a table.
///
/// # Errors
/// The first problem, if the file is no such database, or if a part of it cannot be read; the other parts are.
pub fn rows_if_any(
    file: &FileInput<'_>,
    name: &str,
    columns: &[&str],
    each: &mut dyn FnMut(&Row<'_>),
) -> Result<bool, Problem> {
    let Header { size, usable, .. } = header(file)?;
    let mut tree = Tree { pages: Pages::new(file, size)?, usable };
    let (mut root, mut places) = (None, Vec::new());
    tree.walk(
        1,
        &mut whole(&mut |row| {
            let text = |column| value(row, column).and_then(|bytes| std::str::from_utf8(bytes).ok());
            if text(0) == Some("table") && text(1) == Some(name) {
                root = value(row, 3).map(integer);
                let own = defined(text(4).unwrap_or_default());
                places =
                    columns.iter().map(|wanted| own.iter().position(|column| column == wanted)).collect();
            }
        }),
    )?;
    let Some(root) = root else { return Ok(false) };
    tree.walk(
        root,
        &mut whole(&mut |row| {
            let values: Vec<_> =
                places.iter().map(|place| place.and_then(|place| value(row, place))).collect();
            each(&values);
        }),
    )?;
    Ok(true)
}

/// Hands on records that are whole.
fn whole(each: &mut dyn FnMut(&[u8])) -> impl FnMut(Met<'_>) {
    move |met| match met {
        Met::Record(record) if !record.is_cut => each(record.bytes),
        _ => {}
    }
}

/// What a database says of itself.
struct Header {
    /// Bytes of a page, and how many of them are used.
    size: u32,
    usable: usize,
    /// How texts are written, if not in UTF-8.
    wide: Option<Wide>,
}

fn header(file: &FileInput<'_>) -> Result<Header, Problem> {
    if !file.bytes.starts_with(HEAD) || file.size < 512 {
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
    let wide = match head[59] {
        2 => Some(Wide::Little),
        3 => Some(Wide::Big),
        _ => None,
    };
    Ok(Header { size, usable, wide })
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
