//! Findings that somebody says do not matter: they do not count, and the report lists them with who says so and why.

use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use pratique_core::{Category, Finding, Suppressed};
use pratique_report::Report;
use pratique_vulns::vex;

use crate::args::Options;
use crate::files;
use crate::ignore::{self, Ignored};

/// Bytes of a VEX document or an ignore file at most.
const LIMIT: u64 = 64 << 20;

/// Everything that takes findings out.
pub(crate) struct Suppression {
    statements: Vec<vex::Statement>,
    ignored: Vec<Ignored>,
    only_fixed: bool,
}

impl Suppression {
    /// Reads what the options name.
    ///
    /// # Errors
    /// A file cannot be read or understood.
    pub(crate) fn of(options: &Options, now: Timestamp) -> anyhow::Result<Self> {
        let mut statements = Vec::new();
        for path in &options.vex {
            let mut read = vex::read(&bytes(path)?).with_context(|| path.display().to_string())?;
            for statement in read.iter_mut().filter(|statement| statement.author.is_empty()) {
                statement.author = path.display().to_string();
            }
            statements.append(&mut read);
        }
        let mut ignored = Vec::new();
        if let Some(path) = &options.ignore_file {
            let shown = path.display().to_string();
            for entry in ignore::parse(&bytes(path)?, &shown)? {
                if entry.holds_at(now) {
                    ignored.push(entry);
                } else if !options.common.quiet {
                    eprintln!("pratique: {shown}: `{}` has expired and holds no more", entry.reason());
                }
            }
        }
        Ok(Self { statements, ignored, only_fixed: options.only_fixed })
    }

    /// Moves findings of a report to those that do not count.
    pub(crate) fn apply(&self, report: &mut Report) {
        let (kept, by_statement) = vex::apply(std::mem::take(&mut report.findings), &self.statements);
        report.suppressed.extend(by_statement);
        for mut finding in kept {
            match allowed(&mut finding).or_else(|| self.why(&finding)) {
                Some((by, reason)) => report.suppressed.push(Suppressed { finding, by, reason }),
                None => report.findings.push(finding),
            }
        }
        report.suppressed.sort();
    }

    fn why(&self, finding: &Finding) -> Option<(String, String)> {
        if let Some(ignored) = self.ignored.iter().find(|ignored| ignored.holds(finding)) {
            return Some((ignored.by().to_owned(), ignored.reason().to_owned()));
        }
        let is_flaw = finding.category == Category::Vulnerability && finding.attributes.contains_key("id");
        let has_fix = finding.attributes.contains_key("fixed");
        (self.only_fixed && is_flaw && !has_fix)
            .then(|| ("--only-fixed".to_owned(), "there is no fix".to_owned()))
    }
}

/// Who allows a secret and why, which the detector took from the user's list and says in attributes.
fn allowed(finding: &mut Finding) -> Option<(String, String)> {
    if finding.category != Category::Secret {
        return None;
    }
    let by = finding.attributes.remove("allowed-by")?;
    Some((by, finding.attributes.remove("allowed-because")?))
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    files::read(path, &path.display().to_string(), LIMIT)
}
