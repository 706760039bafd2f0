//! RPM: the RHEL family, Fedora, SUSE, Amazon, Photon, Azure Linux.
//!
//! Three formats of the database hold the same headers: SQLite (`rpmdb.sqlite`), Berkeley DB (`Packages`) and RPM's own
//! (`Packages.db`). Each reader visits every part of the file at most once, so a file that lies costs no more than one
//! that does not.

mod bdb;
mod header;
mod ndb;
mod pages;
mod sqlite;

use pratique_core::GapKind;
use pratique_core::inspect::{Extent, FileInput, Interest};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Rpm = Rpm;

pub(super) struct Rpm;

/// Largest header in bytes; a kernel's has some 2 MiB.
const MAX_HEADER: usize = 32 << 20;

/// Why reading stopped, or what was left out.
type Problem = (GapKind, String);

/// Is handed each header as it is read.
type Sink<'a> = dyn FnMut(&[u8]) + 'a;

fn malformed<T>(reason: impl Into<String>) -> Result<T, Problem> {
    Err((GapKind::Malformed, reason.into()))
}

impl Parser for Rpm {
    fn id(&self) -> &'static str {
        "rpm"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[
                Interest::whole(
                    &[
                        "var/lib/rpm/rpmdb.sqlite",
                        "usr/lib/sysimage/rpm/rpmdb.sqlite",
                        "usr/share/rpm/rpmdb.sqlite",
                        "var/lib/rpm/Packages",
                        "usr/lib/sysimage/rpm/Packages",
                        "usr/share/rpm/Packages",
                        "var/lib/rpm/Packages.db",
                        "usr/lib/sysimage/rpm/Packages.db",
                        "usr/share/rpm/Packages.db",
                    ],
                    1 << 30,
                ),
                Interest {
                    globs: &[
                        "var/lib/rpm/rpmdb.sqlite-wal",
                        "usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
                        "usr/share/rpm/rpmdb.sqlite-wal",
                    ],
                    heads: &[],
                    min_size: 1,
                    extent: Extent::Head(0),
                },
            ]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if file.path.ends_with(b"-wal") {
            let reason = format!(
                "{} bytes of changes were never written into the database; what they install or remove is not known",
                file.size
            );
            return Parsed::problem(GapKind::Unsupported, reason);
        }
        let mut parsed = Parsed::default();
        let mut budget = header::Budget::default();
        let mut sink = |bytes: &[u8]| header::package(bytes, &mut budget, &mut parsed);
        let result = if file.path.ends_with(b".sqlite") {
            sqlite::headers(file, &mut sink)
        } else if file.path.ends_with(b".db") {
            ndb::headers(file, &mut sink)
        } else {
            bdb::headers(file, &mut sink)
        };
        if let Err(problem) = result {
            parsed.problems.push(problem);
        }
        parsed
    }
}

#[cfg(test)]
mod tests;
