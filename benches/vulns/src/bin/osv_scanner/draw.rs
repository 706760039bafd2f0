//! Packages and versions drawn from the advisories themselves, so that near misses are common.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::ensure;
use pratique_core::version::Scheme;
use pratique_vulns::distribution::base;
use pratique_vulns::source;
use serde_json::Value;

/// So many pairs are drawn of each ecosystem; six of them make 6,000.
pub(crate) const PER_ECOSYSTEM: usize = 1_000;
/// Of these at most so many unaffected ones.
const UNAFFECTED: usize = 520;

/// A package at a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Drawn {
    /// OSV's ecosystem, with release.
    pub(crate) ecosystem: String,
    /// The package.
    pub(crate) name: String,
    /// The version.
    pub(crate) version: String,
    /// The RPM module stream that it is built in.
    pub(crate) module: Option<String>,
    /// Whether a range begins or ends with this very version.
    pub(crate) at_boundary: bool,
}

impl Drawn {
    /// The ecosystem without release.
    pub(crate) fn base(&self) -> &str {
        base(&self.ecosystem)
    }
}

/// What one record says of one package, as far as drawing and explaining need it.
pub(crate) struct Statement {
    /// The record.
    pub(crate) id: String,
    /// OSV's ecosystem, with release.
    pub(crate) ecosystem: String,
    /// The package.
    pub(crate) name: String,
    /// The RPM module stream that its fix was built in.
    pub(crate) module: Option<String>,
    ends: Vec<String>,
    listed: Vec<String>,
}

/// Draws pairs of one ecosystem: a version at which a range begins or ends, one just before or after it, one that the
/// record lists, or one that some other record or release names.
///
/// # Errors
/// If there are no records, or `is_affected` fails.
pub(crate) fn pairs(
    statements: &[Statement],
    ecosystem: &str,
    random: &mut fastrand::Rng,
    is_affected: impl Fn(&Drawn) -> anyhow::Result<bool>,
) -> anyhow::Result<BTreeSet<Drawn>> {
    ensure!(!statements.is_empty(), "{ecosystem}: no statement with a version in it");
    let mut elsewhere: BTreeMap<&str, Vec<(&String, &Option<String>)>> = BTreeMap::new();
    for statement in statements {
        let versions = statement.ends.iter().map(|version| (version, &statement.module));
        elsewhere.entry(&statement.name).or_default().extend(versions);
    }
    let mut pairs = BTreeSet::new();
    let mut unaffected = 0;
    for _ in 0..PER_ECOSYSTEM * 100 {
        if pairs.len() == PER_ECOSYSTEM {
            break;
        }
        let Some(statement) = random.choice(statements) else { break };
        let Some(end) = random.choice(&statement.ends) else { continue };
        let mut module = statement.module.clone();
        let version = match random.u8(..6) {
            0 | 1 => end.clone(),
            2 => before(ecosystem, end, random),
            3 => after(ecosystem, end),
            4 => random.choice(&statement.listed).unwrap_or(end).clone(),
            _ => {
                let others = elsewhere.get(statement.name.as_str()).map_or(&[][..], Vec::as_slice);
                let Some((version, of)) = random.choice(others) else { continue };
                module.clone_from(of);
                (*version).clone()
            }
        };
        if Scheme::of_osv(ecosystem).is_none_or(|scheme| scheme.check(&version).is_err()) {
            continue;
        }
        let drawn = Drawn {
            ecosystem: statement.ecosystem.clone(),
            name: statement.name.clone(),
            at_boundary: statement.ends.contains(&version),
            version,
            module,
        };
        if pairs.contains(&drawn) {
            continue;
        }
        if !is_affected(&drawn)? {
            if unaffected == UNAFFECTED {
                continue;
            }
            unaffected += 1;
        }
        pairs.insert(drawn);
    }
    Ok(pairs)
}

/// What the records of one ecosystem say.
///
/// # Errors
/// If they cannot be read.
pub(crate) fn statements(folder: &Path, ecosystem: &str) -> anyhow::Result<Vec<Statement>> {
    let mut statements = Vec::new();
    source::records(folder, ecosystem, |_, bytes| {
        let Ok(record) = serde_json::from_slice::<Value>(bytes) else { return };
        let id = record["id"].as_str().unwrap_or_default();
        let summary = record["summary"].as_str().unwrap_or_default();
        for affected in record["affected"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().filter(|text| *text != "0").map(str::to_owned);
            let Some(name) = text(&affected["package"]["name"]) else { continue };
            let Some(ecosystem) = text(&affected["package"]["ecosystem"]) else { continue };
            let ranges = affected["ranges"].as_array().into_iter().flatten();
            let events = ranges
                .filter(|range| range["type"] != "GIT")
                .flat_map(|range| range["events"].as_array().into_iter().flatten())
                .flat_map(|event| event.as_object().into_iter().flat_map(|event| event.values()));
            let ends: Vec<String> = events.filter_map(text).collect();
            let listed = affected["versions"].as_array().into_iter().flatten().filter_map(text).collect();
            // The stream stands in the summary alone, and speaks of packages that were built in it.
            let in_module = ends.iter().any(|version| version.contains(".module"));
            let module = summary.split([' ', ',']).find(|word| word.contains(':') && !word.ends_with(':'));
            statements.push(Statement {
                id: id.to_owned(),
                ecosystem,
                name,
                ends,
                listed,
                module: module.filter(|_| in_module).map(|stream| format!("{stream}:1:2")),
            });
        }
    })?;
    Ok(statements)
}

/// A version shortly before this one in its ecosystem's order.
fn before(ecosystem: &str, version: &str, random: &mut fastrand::Rng) -> String {
    if random.bool() {
        // One less in its last number.
        let end = version.rfind(|letter: char| letter.is_ascii_digit()).map_or(0, |at| at + 1);
        let start = version[..end].rfind(|letter: char| !letter.is_ascii_digit()).map_or(0, |at| at + 1);
        if let Some(less) = version[start..end].parse::<u64>().ok().and_then(|number| number.checked_sub(1)) {
            return format!("{}{less}{}", &version[..start], &version[end..]);
        }
    }
    match ecosystem {
        "AlmaLinux" | "Debian" => format!("{version}~1"),
        "Alpine" => version.split_once('-').map_or(version, |(upstream, _)| upstream).to_owned() + "_rc1",
        "PyPI" => format!("{version}.dev0"),
        _ if version.contains('-') => version.to_owned(),
        _ => format!("{version}-rc.1"),
    }
}

/// A version shortly after this one.
fn after(ecosystem: &str, version: &str) -> String {
    match ecosystem {
        "AlmaLinux" => format!("{version}.1"),
        "Debian" => format!("{version}+b1"),
        "Alpine" => match version.split_once("-r") {
            Some((upstream, revision)) => format!("{upstream}-r{revision}0"),
            None => format!("{version}_p1"),
        },
        "PyPI" => format!("{version}.post1"),
        _ if version.contains('-') => format!("{version}.1"),
        _ => match version.rsplit_once('.') {
            Some((start, last)) => format!("{start}.{last}0"),
            None => version.to_owned(),
        },
    }
}
