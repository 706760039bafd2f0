//! PgBouncer's userlist.txt: `"name" "password"`, the password as it is typed, as PostgreSQL's md5, or for SCRAM
//! (<https://www.pgbouncer.org/config.html#authentication-file-format>).

use super::postgresql::stored;
use super::text::{lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "pgbouncer",
    name: "PgBouncer",
    globs: &["**/userlist.txt", "**/pgbouncer/*.txt"],
    words: &["pgbouncer", "postgres", "postgresql"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    for (number, line) in lines(&text, &[';', '#'], reading) {
        let Some((name, rest)) = quoted(line) else { continue };
        let Some((password, _)) = quoted(rest) else { continue };
        let rank = Rank::of(name == "postgres");
        match stored(&name, &password) {
            Some(stored) => reading.stored(&name, stored, rank, Some(number)),
            // Nobody logs in without one.
            None if password.is_empty() => {}
            None => reading.plain(&name, &password, rank, Some(number)),
        }
    }
}

/// A text in double quotes, in which a quote is written twice, and what follows.
fn quoted(line: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut rest = line.trim_start().strip_prefix('"')?;
    loop {
        let (part, behind) = rest.split_once('"')?;
        text.push_str(part);
        match behind.strip_prefix('"') {
            Some(behind) => {
                text.push('"');
                rest = behind;
            }
            None => return Some((text, behind)),
        }
    }
}
