//! Which flaws an advisory speaks of.
//!
//! A flaw is one CVE, or what has none yet. `aliases` are names of one flaw. `upstream` of a distribution's advisory lists
//! the flaws it deals with, each of which is one. `related` is by the schema's text not the same flaw; distributions that
//! list their CVEs there and nowhere else (AlmaLinux and others from before `upstream`) are read as if it were `upstream`.

use std::collections::BTreeSet;

use crate::advisory::Advisory;

/// One flaw: the name it goes by, and all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// A CVE where there is one, else the advisory's own.
    pub id: String,
    /// Every name but that, sorted.
    pub names: BTreeSet<String>,
}

/// `DEBIAN-CVE-2024-1` and the like are the CVE itself.
pub(crate) fn canonical(name: &str) -> &str {
    match name.find("-CVE-") {
        Some(at) => &name[at + 1..],
        None => name,
    }
}

fn is_cve(name: &str) -> bool {
    name.starts_with("CVE-")
}

/// The flaws of an advisory; `system`: it is a distribution's.
pub fn flaws(advisory: &Advisory, system: bool) -> Vec<Flaw> {
    let flaw = |id: &str, more: &[String]| {
        let mut names: BTreeSet<String> = more.iter().cloned().collect();
        names.insert(advisory.id.clone());
        names.remove(id);
        Flaw { id: id.to_owned(), names }
    };
    let own = canonical(&advisory.id);
    if is_cve(own) {
        return vec![flaw(own, &advisory.aliases)];
    }
    let cves = |names: &[String]| -> BTreeSet<String> {
        names.iter().map(|name| canonical(name)).filter(|name| is_cve(name)).map(str::to_owned).collect()
    };
    // The first in order, so that every advisory with these aliases finds the same.
    if let Some(cve) = cves(&advisory.aliases).first() {
        return vec![flaw(cve, &advisory.aliases)];
    }
    let mut listed = cves(&advisory.upstream);
    if listed.is_empty() && system && advisory.aliases.is_empty() {
        listed = cves(&advisory.related);
    }
    match listed.len() {
        0 => vec![flaw(&advisory.id, &[&advisory.aliases[..], &advisory.upstream].concat())],
        // Other names of the one flaw.
        1 => listed
            .iter()
            .map(|cve| flaw(cve, &[&advisory.aliases[..], &advisory.upstream].concat()))
            .collect(),
        _ => listed.iter().map(|cve| flaw(cve, &advisory.aliases)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str, aliases: &[&str], upstream: &[&str], related: &[&str], system: bool) -> Vec<String> {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let advisory = Advisory {
            id: id.to_owned(),
            aliases: list(aliases),
            upstream: list(upstream),
            related: list(related),
            published: None,
            modified: None,
            summary: String::new(),
            ratings: Vec::new(),
        };
        flaws(&advisory, system).into_iter().map(|flaw| flaw.id).collect()
    }

    #[test]
    fn a_flaw_goes_by_its_cve() {
        assert_eq!(named("GHSA-1", &["CVE-2024-1", "PYSEC-1"], &[], &["CVE-2020-9"], false), ["CVE-2024-1"]);
        assert_eq!(named("DEBIAN-CVE-2024-1", &[], &["CVE-2024-1"], &[], true), ["CVE-2024-1"]);
        assert_eq!(named("RUSTSEC-1", &[], &[], &[], false), ["RUSTSEC-1"]);
    }

    #[test]
    fn a_distributions_advisory_is_as_many_flaws_as_it_deals_with() {
        assert_eq!(
            named("DSA-1-1", &[], &["CVE-2024-1", "CVE-2024-2"], &[], true),
            ["CVE-2024-1", "CVE-2024-2"]
        );
        assert_eq!(
            named("ALSA-1", &[], &[], &["CVE-2024-1", "CVE-2024-2"], true),
            ["CVE-2024-1", "CVE-2024-2"]
        );
    }

    #[test]
    fn what_is_related_is_not_the_same_flaw() {
        assert_eq!(named("GO-1", &[], &[], &["CVE-2024-1"], false), ["GO-1"]);
    }
}
