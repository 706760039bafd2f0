//! Ignore files (docs/command.md has their form): text in, entries out.

use anyhow::{Context, bail};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::Timestamp;
use pratique_core::Finding;
use serde::Deserialize;

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

/// An entry, its globs compiled.
pub(crate) struct Ignored {
    entry: Entry,
    paths: Option<GlobSet>,
    by: String,
}

impl Ignored {
    /// Whether the entry still holds then.
    pub(crate) fn holds_at(&self, now: Timestamp) -> bool {
        self.entry.expires.is_none_or(|end| now < end)
    }

    /// Who says so.
    pub(crate) fn by(&self) -> &str {
        &self.by
    }

    /// Why.
    pub(crate) fn reason(&self) -> &str {
        &self.entry.reason
    }

    /// Whether it speaks of a finding.
    pub(crate) fn holds(&self, finding: &Finding) -> bool {
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

/// Reads an ignore file; `shown` is its name for messages, and stands for whoever an entry does not name.
///
/// # Errors
/// It is none; the entry is named.
pub(crate) fn parse(bytes: &[u8], shown: &str) -> anyhow::Result<Vec<Ignored>> {
    let file: IgnoreFile = serde_yaml::from_slice(bytes).with_context(|| format!("ignore file {shown}"))?;
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
        let by = entry.by.clone().unwrap_or_else(|| shown.to_owned());
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
