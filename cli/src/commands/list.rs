//! `pratique images` and `pratique containers`.

use pratique_fs::listing::{self, RUNTIMES};
use pratique_fs::{SourceKind, SourceOptions};

use crate::exit::{Code, Fail, Failure};

/// Lists images.
pub(super) fn images() -> Result<Code, Failure> {
    table(&["SOURCE", "PLACE", "IMAGE", "SIZE", "NAMES"], |kind, options| {
        let listed = listing::images(kind, options)?.into_iter().map(|image| {
            vec![
                image.place,
                image.image.map_or_else(|| "?".to_owned(), |image| image.short().to_owned()),
                image.size.map_or_else(|| "?".to_owned(), size),
                if image.names.is_empty() { "-".to_owned() } else { image.names.join(", ") },
            ]
        });
        Ok(listed.collect())
    })
}

/// Lists containers.
pub(super) fn containers() -> Result<Code, Failure> {
    table(&["SOURCE", "PLACE", "CONTAINER", "STATE", "IMAGE", "NAMES"], |kind, options| {
        let listed = listing::containers(kind, options)?.into_iter().map(|container| {
            let state = match container.running {
                Some(true) => "running",
                Some(false) => "stopped",
                None => "?",
            };
            let id: String = container.id.chars().take(12).collect();
            let names = if container.names.is_empty() { "-".to_owned() } else { container.names.join(", ") };
            vec![container.place, id, state.to_owned(), container.image, names]
        });
        Ok(listed.collect())
    })
}

type Rows = Vec<Vec<String>>;

/// Prints what the runtimes have, and on standard error which of them could not be asked. An error if none could.
fn table(
    head: &[&str],
    list: impl Fn(SourceKind, &SourceOptions) -> pratique_fs::Result<Rows>,
) -> Result<Code, Failure> {
    let options = SourceOptions::from_environment().fail(Code::Usage)?;
    let mut rows: Rows = vec![head.iter().map(|name| (*name).to_owned()).collect()];
    let mut asked = 0;
    for kind in RUNTIMES {
        match list(kind, &options) {
            Ok(found) => {
                asked += 1;
                rows.extend(found.into_iter().map(|row| {
                    let cells = std::iter::once(kind.prefix().to_owned()).chain(row);
                    cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { shown(&cell) }).collect()
                }));
            }
            Err(error) => eprintln!("pratique: {error}"),
        }
    }
    if asked == 0 {
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
    Ok(Code::Clean)
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
