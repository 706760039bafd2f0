//! Findings that somebody says do not matter: they do not count, and the report lists them with who says so and why.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::Timestamp;
use pratique_core::{Category, Finding, Suppressed};
use pratique_report::Report;
use pratique_vulns::vex;
use serde::Deserialize;

use crate::args::Options;

/// Bytes of a VEX document or an ignore file at most.
const LIMIT: u64 = 64 << 20;

/// Everything that takes findings out.
pub(crate) struct Suppression {
    statements: Vec<vex::Statement>,
    ignored: Vec<Ignored>,
    only_fixed: bool,
}

/// An entry of an ignore file: findings that satisfy every field that is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    /// Names of flaws: identifiers or aliases.
    #[serde(default)]
    vulnerabilities: Vec<String>,
    /// Names of packages.
    #[serde(default)]
    packages: Vec<String>,
    /// Rules, as `detector/rule`.
    #[serde(default)]
    rules: Vec<String>,
    /// Globs over paths.
    #[serde(default)]
    paths: Vec<String>,
    /// From then on it no longer holds.
    expires: Option<Timestamp>,
    /// Who says so; none: the file.
    by: Option<String>,
    /// Why.
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IgnoreFile {
    ignore: Vec<Entry>,
}

struct Ignored {
    entry: Entry,
    paths: Option<GlobSet>,
    by: String,
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
            for entry in ignore_file(path)? {
                if entry.entry.expires.is_none_or(|end| now < end) {
                    ignored.push(entry);
                } else if !options.common.quiet {
                    eprintln!(
                        "pratique: {}: `{}` has expired and holds no more",
                        path.display(),
                        entry.entry.reason
                    );
                }
            }
        }
        Ok(Self { statements, ignored, only_fixed: options.only_fixed })
    }

    /// Moves findings of a report to those that do not count.
    pub(crate) fn apply(&self, report: &mut Report) {
        let (kept, by_statement) = vex::apply(std::mem::take(&mut report.findings), &self.statements);
        report.suppressed.extend(by_statement);
        for finding in kept {
            match self.why(&finding) {
                Some((by, reason)) => report.suppressed.push(Suppressed { finding, by, reason }),
                None => report.findings.push(finding),
            }
        }
        report.suppressed.sort();
    }

    fn why(&self, finding: &Finding) -> Option<(String, String)> {
        if let Some(ignored) = self.ignored.iter().find(|ignored| ignored.holds(finding)) {
            return Some((ignored.by.clone(), ignored.entry.reason.clone()));
        }
        let is_flaw = finding.category == Category::Vulnerability && finding.attributes.contains_key("id");
        let has_fix = finding.attributes.contains_key("fixed");
        (self.only_fixed && is_flaw && !has_fix)
            .then(|| ("--only-fixed".to_owned(), "there is no fix".to_owned()))
    }
}

impl Ignored {
    fn holds(&self, finding: &Finding) -> bool {
        let Entry { vulnerabilities, packages, rules, .. } = &self.entry;
        let attribute = |name: &str| finding.attributes.get(name).map_or("", String::as_str);
        let is_flaw = || {
            let mut names = attribute("aliases").split(' ').chain([attribute("id")]);
            names.any(|name| vulnerabilities.iter().any(|own| own == name))
        };
        let rule = || format!("{}/{}", finding.detector, finding.rule);
        (vulnerabilities.is_empty() || is_flaw())
            && (packages.is_empty() || packages.iter().any(|own| own == attribute("package")))
            && (rules.is_empty() || rules.contains(&rule()))
            && self
                .paths
                .as_ref()
                .is_none_or(|paths| finding.path.as_ref().is_some_and(|path| paths.is_match(path)))
    }
}

fn ignore_file(path: &Path) -> anyhow::Result<Vec<Ignored>> {
    let shown = path.display();
    let file: IgnoreFile =
        serde_yaml::from_slice(&bytes(path)?).with_context(|| format!("ignore file {shown}"))?;
    let mut entries = Vec::new();
    for (index, entry) in file.ignore.into_iter().enumerate() {
        let number = index + 1;
        if entry.reason.trim().is_empty() {
            bail!("ignore file {shown}: entry {number} has no reason");
        }
        let lists = [&entry.vulnerabilities, &entry.packages, &entry.rules, &entry.paths];
        if lists.iter().all(|list| list.is_empty()) {
            bail!(
                "ignore file {shown}: entry {number} names nothing; give vulnerabilities, packages, rules or paths"
            );
        }
        let paths = globs(&entry.paths).with_context(|| format!("ignore file {shown}: entry {number}"))?;
        let by = entry.by.clone().unwrap_or_else(|| shown.to_string());
        entries.push(Ignored { entry, paths, by });
    }
    Ok(entries)
}

fn globs(texts: &[String]) -> anyhow::Result<Option<GlobSet>> {
    if texts.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for text in texts {
        set.add(GlobBuilder::new(text).literal_separator(true).build()?);
    }
    Ok(Some(set.build()?))
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let size = fs::metadata(path).with_context(|| path.display().to_string())?.len();
    if size > LIMIT {
        bail!("{} has {size} bytes; at most {LIMIT} are read", path.display());
    }
    fs::read(path).with_context(|| path.display().to_string())
}
