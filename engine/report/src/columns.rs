//! Rows of text in columns, for people: aligned, wrapped to a width, and small whatever the cells hold.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::text::visible;

/// Longest cell that is shown whole, in terminal columns.
const LONGEST: usize = 600;
/// Widest column but the last; what is longer goes on in the next line.
const WIDEST: usize = 60;
/// Narrowest column that a terminal's width is divided into.
const NARROWEST: usize = 12;
const INDENT: usize = 2;
const BETWEEN: usize = 2;

/// The control sequence that ends a colour.
const RESET: &str = "\u{1b}[0m";

/// A cell: harmless text, and the control sequence of its colour if it has one.
pub(crate) struct Cell {
    text: String,
    colour: &'static str,
}

impl Cell {
    /// A cell of foreign text.
    pub(crate) fn of(text: &str) -> Self {
        Self::coloured(text, "")
    }

    /// The same in a colour; an empty one is none.
    pub(crate) fn coloured(text: &str, colour: &'static str) -> Self {
        Self { text: clip(text), colour }
    }
}

/// The text made visible, and cut if it is very long: the whole is in the formats for machines.
pub(crate) fn clip(text: &str) -> String {
    // So many characters are more than enough to fill the longest cell, and few enough to work on.
    let end = text.char_indices().nth(LONGEST + 1).map_or(text.len(), |(end, _)| end);
    let clean = visible(&text[..end]);
    if end == text.len() && clean.width() <= LONGEST {
        return clean.into_owned();
    }
    let mut cut = take_width(&clean, LONGEST - 20).0.to_owned();
    cut.push_str(&format!("... ({} bytes)", text.len()));
    cut
}

/// Writes rows, under headings if there are any. With a width no line is longer than it, as far as the number of columns allows.
pub(crate) fn write_columns(
    headings: &[&str],
    rows: &[Vec<Cell>],
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let heading: Option<Vec<Cell>> =
        (!headings.is_empty()).then(|| headings.iter().map(|heading| Cell::of(heading)).collect());
    let all = || heading.iter().chain(rows);
    let columns = all().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            all().filter_map(|row| row.get(column)).map(|cell| cell.text.width()).max().unwrap_or(0)
        })
        .collect();
    let widths = fit(widths, width);
    all().try_for_each(|row| write_row(row, &widths, out))
}

/// The columns' widths within a terminal's: the widest give first.
fn fit(mut widths: Vec<usize>, width: Option<usize>) -> Vec<usize> {
    let Some((last, others)) = widths.split_last_mut() else { return widths };
    for column in others.iter_mut() {
        *column = (*column).min(WIDEST);
    }
    let Some(width) = width else { return widths };
    let between = INDENT + BETWEEN * others.len();
    while others.iter().sum::<usize>() + between + (*last).min(2 * NARROWEST) > width {
        match others.iter_mut().max() {
            Some(column) if *column > NARROWEST => *column -= 1,
            _ => break,
        }
    }
    let rest = width.saturating_sub(others.iter().sum::<usize>() + between);
    *last = (*last).min(rest.max(NARROWEST));
    widths
}

fn write_row(row: &[Cell], widths: &[usize], out: &mut dyn Write) -> io::Result<()> {
    let mut rests: Vec<&str> = row.iter().map(|cell| cell.text.as_str()).collect();
    let mut first = true;
    while first || rests.iter().any(|rest| !rest.is_empty()) {
        first = false;
        let mut line = " ".repeat(INDENT);
        let mut pending = 0;
        for ((rest, cell), width) in rests.iter_mut().zip(row).zip(widths) {
            let part = take_words(rest, *width);
            line.push_str(&" ".repeat(pending));
            if cell.colour.is_empty() || part.is_empty() {
                line.push_str(part);
            } else {
                line.push_str(&format!("{}{part}{RESET}", cell.colour));
            }
            pending = width.saturating_sub(part.width()) + BETWEEN;
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Takes what fits into `width` from the front, at a space if there is one in its second half.
fn take_words<'a>(rest: &mut &'a str, width: usize) -> &'a str {
    let (taken, after) = take_width(rest, width.max(2));
    if after.is_empty() {
        *rest = "";
        return taken;
    }
    if after.starts_with(' ') {
        *rest = after.trim_start();
        return taken;
    }
    match taken.rfind(' ') {
        Some(space) if space >= taken.len() / 2 => {
            let (taken, after) = rest.split_at(space);
            *rest = after.trim_start();
            taken.trim_end()
        }
        _ => {
            *rest = after;
            taken
        }
    }
}

/// Splits after as many characters as fit; always at least one, so that a loop over it ends.
fn take_width(text: &str, width: usize) -> (&str, &str) {
    let mut used = 0;
    for (place, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width && place > 0 {
            return text.split_at(place);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(rows: &[[&str; 3]], width: Option<usize>) -> String {
        let rows: Vec<Vec<Cell>> =
            rows.iter().map(|row| row.iter().map(|text| Cell::of(text)).collect()).collect();
        let mut out = Vec::new();
        write_columns(&["A", "PLACE", "WHY"], &rows, width, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_by_the_width_that_characters_have() {
        let text = render(&[["数字", "/etc/a", "first"], ["x", "/b", "second"]], None);
        assert_eq!(text, "  A     PLACE   WHY\n  数字  /etc/a  first\n  x     /b      second\n");
    }

    #[test]
    fn long_cells_go_on_in_the_next_line_of_their_column() {
        let path = format!("/{}", "d".repeat(30));
        let text = render(&[["x", &path, "some words that are longer than the line"]], Some(50));
        assert!(text.lines().all(|line| line.width() <= 50), "{text}");
        assert!(text.lines().count() > 2 && text.contains("some words"), "{text}");
        let squeezed: String = text.split_whitespace().skip(3).collect();
        assert!(squeezed.contains("words") && squeezed.matches('d').count() >= 30, "{text}");
    }

    #[test]
    fn cells_of_any_length_and_width_end() {
        for width in [None, Some(0), Some(1), Some(40)] {
            let text = render(&[[&"a".repeat(1 << 20), &"数".repeat(1 << 16), "\u{1b}[31m\n"]], width);
            assert!(text.len() < 1 << 16, "{width:?}: {}", text.len());
            assert!(!text.contains('\u{1b}') && text.contains("(1048576"), "{width:?}");
        }
    }
}
