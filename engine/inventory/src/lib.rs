//! Package parsers: bytes in, packages out.
//!
//! 1. [`Parser::parse`] turns one file's bytes into [`Record`]s. They are a function of the file and of nothing else and
//!    are cached by layer.
//! 2. [`assemble`] puts the records of the files that are visible in an image together: packages with the files and
//!    licences that other files name, the release, package URLs, who owns what.
//!
//! A parser never opens anything: it declares as data which files it cares for and is handed bytes.
//!
//! [`Record`]: pratique_core::package::Record

mod api;
mod assemble;
mod executable;
mod formats;
mod parsers;
mod purl;
mod sbom;
mod stanza;
mod unpack;
mod zip;

#[cfg(test)]
mod golden;

pub use api::{LocatedRecord, Parsed, Parser};
pub use assemble::assemble;
pub use parsers::PARSERS;
pub use purl::purl;
pub use sbom::read_sbom;
pub use unpack::{WINDOW_LOG, unpacked};
