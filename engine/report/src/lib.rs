//! Reports: a result in, the bytes of one output format out.
//!
//! Everything here is pure: no file is opened and no clock is read, and the same result gives the same bytes. Names, paths
//! and messages come from images; whatever they hold, a document stays well-formed and a terminal obeys none of it.
//!
//! A new format is one file under `formats/` and one line in `formats.rs`.

mod bom;
mod bom_flaws;
mod columns;
mod diff;
mod document;
mod format;
mod formats;
mod id;
mod json_output;
mod licenses;
mod place;
mod report;
mod spdx_document;
mod text;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod samples;

pub use diff::{Diff, diff};
pub use format::{Error, Format, Options, Template, write};
pub use report::{
    Advisories, AdvisoryAge, Image, NewerBase, Origin, Report, Target, TargetKind, Tool, Upgrade,
    Vulnerabilities,
};
