//! `pratique images` and `pratique containers`.

use std::collections::BTreeSet;

use pratique_fs::listing::{self, ListedContainer, ListedImage, RUNTIMES};
use pratique_fs::{SourceKind, SourceOptions, SourceRef, select};

use crate::exit::{Code, Fail, Failure};

/// Lists images: all, or those that the arguments mean.
pub(super) fn images(wanted: &[String]) -> Result<Code, Failure> {
    let row = |image: ListedImage| {
        vec![
            image.place,
            image.image.map_or_else(|| "?".to_owned(), |image| image.short().to_owned()),
            image.size.map_or_else(|| "?".to_owned(), size),
            if image.names.is_empty() { "-".to_owned() } else { image.names.join(", ") },
        ]
    };
    let head = ["SOURCE", "PLACE", "IMAGE", "SIZE", "NAMES"];
    table(&head, wanted, Lister { list: listing::images, select: select::images, row })
}

/// Lists containers: all, or those that the arguments mean.
pub(super) fn containers(wanted: &[String]) -> Result<Code, Failure> {
    let row = |container: ListedContainer| {
        let state = match container.running {
            Some(true) => "running",
            Some(false) => "stopped",
            None => "?",
        };
        let id: String = container.id.chars().take(12).collect();
        let names = if container.names.is_empty() { "-".to_owned() } else { container.names.join(", ") };
        vec![container.place, id, state.to_owned(), container.image, names]
    };
    let head = ["SOURCE", "PLACE", "CONTAINER", "STATE", "IMAGE", "NAMES"];
    table(&head, wanted, Lister { list: listing::containers, select: select::containers, row })
}

/// How one kind of thing is listed.
struct Lister<T> {
    list: fn(SourceKind, &SourceOptions) -> pratique_fs::Result<Vec<T>>,
    select: fn(&SourceRef, SourceKind, Vec<T>) -> pratique_fs::Result<Vec<T>>,
    row: fn(T) -> Vec<String>,
}

/// Prints what the runtimes have, and on standard error which of them could not be asked and what none has. An error if
/// none could be asked, or something is missing.
fn table<T: Clone + Ord>(head: &[&str], wanted: &[String], lister: Lister<T>) -> Result<Code, Failure> {
    let options = SourceOptions::from_environment().fail(Code::Usage)?;
    let wanted = wanted.iter().map(|text| SourceRef::parse(text)).collect::<Result<Vec<_>, _>>();
    let wanted = wanted.fail(Code::Usage)?;
    let mut rows = vec![head.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()];
    let mut missing = wanted.iter().collect::<Vec<_>>();
    let mut asked = 0;
    for kind in RUNTIMES {
        let listed = match (lister.list)(kind, &options) {
            Ok(listed) => listed,
            Err(error) => {
                eprintln!("pratique: {error}");
                continue;
            }
        };
        asked += 1;
        let mut chosen = BTreeSet::new();
        for reference in &wanted {
            let found = (lister.select)(reference, kind, listed.clone()).fail(Code::Usage)?;
            if !found.is_empty() {
                missing.retain(|other| *other != reference);
            }
            chosen.extend(found);
        }
        let shown_ones = if wanted.is_empty() { listed } else { chosen.into_iter().collect() };
        rows.extend(shown_ones.into_iter().map(|item| {
            let cells = std::iter::once(kind.prefix().to_owned()).chain((lister.row)(item));
            cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { shown(&cell) }).collect()
        }));
    }
    for reference in &missing {
        eprintln!("pratique: nothing here answers to `{reference}`");
    }
    if asked == 0 || rows.len() == 1 && !missing.is_empty() {
        return Ok(Code::Source);
    }
    let columns = head.len();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    Ok(if missing.is_empty() { Code::Clean } else { Code::Source })
}

/// Names are whatever somebody pushed: control characters are escaped.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
