//! What a format is, and how it is called.

use std::io::{self, Write};

use crate::Report;
use crate::formats::FORMATS;

/// One output format: found with [`Format::parse`], used with [`write`].
pub struct Format {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) extension: &'static str,
    pub(crate) many: bool,
    pub(crate) write: fn(&[Report], &Options, &mut dyn Write) -> Result<(), Error>,
}

impl Format {
    /// All formats, in the order in which they are shown.
    pub const ALL: &'static [&'static Format] = FORMATS;

    /// The format of this name.
    ///
    /// # Errors
    /// If there is none, with the names that there are.
    pub fn parse(name: &str) -> Result<&'static Format, Error> {
        Self::ALL
            .iter()
            .copied()
            .find(|format| format.name == name)
            .ok_or_else(|| Error::UnknownFormat { name: name.chars().take(80).collect() })
    }

    /// Its name, as in `--format NAME`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it is, in one line.
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// The usual ending of its files, without a dot in front.
    pub fn extension(&self) -> &'static str {
        self.extension
    }

    /// Whether one document of it can describe several targets.
    pub fn holds_many(&self) -> bool {
        self.many
    }
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Format").field(&self.name).finish()
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Format {}

/// How a report is to look. Formats for machines heed none of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Columns of the terminal that a table is for; none: lines are as long as they need to be.
    pub width: Option<usize>,
    /// Whether a table has colours.
    pub colours: bool,
    /// Whether a table lists each package, and not only how many there are.
    pub packages: bool,
    /// The template, for the format of that name.
    pub template: Option<Template>,
}

/// A user's template (<https://docs.rs/minijinja/latest/minijinja/syntax/>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its file name: errors name it, and its ending (`.html`, `.xml`, `.json`…) says how values are escaped.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No format has this name.
    #[error("there is no output format `{name}`; use one of {}", names())]
    UnknownFormat {
        /// The name, cut to 80 characters.
        name: String,
    },
    /// There is nothing to write about.
    #[error("there is no result to report; name at least one image, folder or file to scan")]
    NoTarget,
    /// The format describes one target a document.
    #[error(
        "a document in the format {format} describes one target, and there are {targets}; scan them one by one, or use json"
    )]
    OneTarget {
        /// The format.
        format: &'static str,
        /// How many targets there are.
        targets: usize,
    },
    /// The format `template` was asked for without one.
    #[error("the format template needs a template; give its file with --template FILE")]
    NoTemplate,
    /// The template is wrong, or asks for what is not there.
    #[error("the template {name} failed{}: {reason}", line.map(|line| format!(" in line {line}")).unwrap_or_default())]
    Template {
        /// The template's file name.
        name: String,
        /// The line, counted from 1, if it is known.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// The writer failed.
    #[error("the report could not be written: {0}")]
    Write(#[from] io::Error),
    /// The writer failed below the writer of JSON.
    #[error("the report could not be written: {0}")]
    Json(#[from] serde_json::Error),
}

fn names() -> String {
    Format::ALL.iter().map(|format| format.name).collect::<Vec<_>>().join(", ")
}

/// Writes the results in a format. The same reports and options give the same bytes.
///
/// # Errors
/// If there is no report, the format holds one target and there are several, the template is missing or wrong, or
/// `out` fails. Nothing is written in all cases but the last.
pub fn write(
    format: &Format,
    reports: &[Report],
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match reports.len() {
        0 => return Err(Error::NoTarget),
        targets if targets > 1 && !format.many => {
            return Err(Error::OneTarget { format: format.name, targets });
        }
        _ => {}
    }
    (format.write)(reports, options, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_others_are_answered_with_the_names_there_are() {
        for format in Format::ALL {
            assert_eq!(Format::parse(format.name()).unwrap(), *format);
            assert!(!format.summary().is_empty() && !format.extension().starts_with('.'));
        }
        let error = Format::parse("yaml").unwrap_err().to_string();
        assert!(error.contains("`yaml`") && error.contains("cyclonedx-xml, spdx"), "{error}");
    }
}
