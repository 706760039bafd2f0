//! RPM: the RHEL family, Fedora, SUSE, Amazon, Photon, Azure Linux.
//!
//! Three formats of the database hold the same headers: SQLite (`rpmdb.sqlite`), Berkeley DB (`Packages`) and RPM's own
//! (`Packages.db`). Each reader visits every part of the file at most once, so a file that lies costs no more than one
//! that does not.

pub(super) mod header;
mod ndb;

use pratique_core::GapKind;
use pratique_core::database::{bdb, malformed, sqlite};
use pratique_core::inspect::{Extent, FileInput, Interest};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Rpm = Rpm;

pub(super) struct Rpm;

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
            let mut strange = 0;
            let read = sqlite::rows(file, "Packages", &["blob"], &mut |row| match row {
                [Some(blob)] => sink(blob),
                _ => strange += 1,
            });
            let reason = || format!("{strange} rows of the table Packages have no blob");
            read.and_then(|()| if strange > 0 { malformed(reason()) } else { Ok(()) })
        } else if file.path.ends_with(b".db") {
            ndb::headers(file, &mut sink)
        } else {
            // The counter is the value of key 0, and no longer than a number.
            bdb::pairs(file, &mut |_, value| {
                if value.len() > 4 {
                    sink(value);
                }
            })
        };
        if let Err(problem) = result {
            parsed.problems.push(problem);
        }
        parsed
    }
}

#[cfg(test)]
mod tests;
