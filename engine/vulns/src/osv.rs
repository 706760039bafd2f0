//! One record of OSV (<https://ossf.github.io/osv-schema/>) in, one advisory and what it says of packages out.

use jiff::Timestamp;
use pratique_core::version::Scheme;
use serde::Deserialize;
use serde_json::Value;

use crate::advisory::{Advisory, Affected, Verdict};
use crate::distribution;
use crate::range::{Event, spans};
use crate::rating::{Origin, Rating};

/// A record that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The advisory.
    pub advisory: Advisory,
    /// What it says of packages: ecosystem with release, name in the ecosystem's normal form, and the rest.
    pub affected: Vec<(String, String, Affected)>,
    /// Ranges of commits, which no package version answers to.
    pub git_ranges: usize,
    /// Whether it was withdrawn: it speaks of nothing any more.
    pub withdrawn: bool,
}

#[derive(Deserialize)]
struct Raw {
    id: String,
    aliases: Option<Vec<String>>,
    upstream: Option<Vec<String>>,
    related: Option<Vec<String>>,
    withdrawn: Option<String>,
    published: Option<String>,
    modified: Option<String>,
    summary: Option<String>,
    details: Option<String>,
    severity: Option<Vec<RawSeverity>>,
    affected: Option<Vec<RawAffected>>,
    database_specific: Option<Value>,
}

#[derive(Deserialize)]
struct RawSeverity {
    r#type: String,
    score: String,
}

#[derive(Deserialize)]
struct RawAffected {
    package: Option<RawPackage>,
    ranges: Option<Vec<RawRange>>,
    versions: Option<Vec<String>>,
    severity: Option<Vec<RawSeverity>>,
    ecosystem_specific: Option<Value>,
    database_specific: Option<Value>,
}

#[derive(Deserialize)]
struct RawPackage {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct RawRange {
    r#type: String,
    events: Option<Vec<RawEvent>>,
}

#[derive(Deserialize)]
struct RawEvent {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
    limit: Option<String>,
}

impl RawEvent {
    fn into_events(self) -> impl Iterator<Item = Event> {
        let events = [
            self.introduced.map(Event::Introduced),
            self.fixed.map(Event::Fixed),
            self.last_affected.map(Event::LastAffected),
            self.limit.map(Event::Limit),
        ];
        events.into_iter().flatten()
    }
}

/// Reads one record.
///
/// # Errors
/// If it is no JSON, or not of the schema's form.
pub fn read(bytes: &[u8]) -> Result<Record, serde_json::Error> {
    let raw: Raw = serde_json::from_slice(bytes)?;
    let summary = raw.summary.or(raw.details).unwrap_or_default();
    let mut ratings = ratings(raw.severity, &raw.id);
    if let Some(word) = text_at(raw.database_specific.as_ref(), "severity") {
        ratings.extend(Rating::from_word(Origin::Publisher, publisher(&raw.id), word));
    }
    if raw.id.starts_with("MAL-") {
        ratings.extend(Rating::from_word(Origin::Publisher, "malicious package", "critical"));
    }
    let mut git_ranges = 0;
    let mut affected = Vec::new();
    for entry in raw.affected.unwrap_or_default() {
        let Some(package) = entry.package.as_ref().filter(|package| !package.name.is_empty()) else {
            git_ranges += entry.ranges.map_or(0, |ranges| ranges.len());
            continue;
        };
        let name = distribution::normal_name(&package.ecosystem, &package.name);
        let ecosystem = package.ecosystem.clone();
        let read = read_affected(entry, &raw.id, &ecosystem, &summary, &mut git_ranges);
        affected.push((ecosystem, name, read));
    }
    Ok(Record {
        advisory: Advisory {
            id: raw.id,
            aliases: raw.aliases.unwrap_or_default(),
            upstream: raw.upstream.unwrap_or_default(),
            related: raw.related.unwrap_or_default(),
            published: time(raw.published.as_deref()),
            modified: time(raw.modified.as_deref()),
            summary: summary.lines().next().unwrap_or_default().chars().take(200).collect(),
            ratings,
        },
        affected,
        git_ranges,
        withdrawn: raw.withdrawn.is_some(),
    })
}

fn read_affected(
    entry: RawAffected,
    id: &str,
    ecosystem: &str,
    summary: &str,
    git_ranges: &mut usize,
) -> Affected {
    let base = distribution::base(ecosystem);
    let mut ratings = ratings(entry.severity, base);
    let mut verdict = Verdict::Affected;
    for specific in [entry.ecosystem_specific.as_ref(), entry.database_specific.as_ref()] {
        for key in ["urgency", "priority", "severity", "ubuntu_priority"] {
            let Some(word) = text_at(specific, key) else { continue };
            match word {
                "end-of-life" => verdict = Verdict::EndOfLife,
                "not-affected" => verdict = Verdict::NotAffected,
                "ignored" | "wont-fix" => verdict = Verdict::WontFix,
                word => ratings.extend(Rating::from_word(Origin::Distribution, base, word)),
            }
        }
        if let Some("unmaintained" | "notice") = text_at(specific, "informational") {
            ratings.extend(Rating::from_word(Origin::Publisher, "RustSec, informational", "negligible"));
        }
    }
    let scheme = Scheme::of_osv(ecosystem);
    let mut modules = Vec::new();
    if scheme == Some(Scheme::Rpm) {
        // AlmaLinux and its kin write the rating, and the module stream, into the summary alone.
        let (word, rest) = summary.split_once(": ").unwrap_or(("", summary));
        ratings.extend(Rating::from_word(Origin::Distribution, base, word));
        // Errata that mend bugs or bring features are published beside those on flaws.
        if id.starts_with("ALBA-") || id.starts_with("ALEA-") {
            let source = format!("{base}, no security advisory");
            ratings.extend(Rating::from_word(Origin::Distribution, &source, "none"));
        }
        modules = rest.split([' ', ',']).filter(|word| is_stream(word)).map(str::to_owned).collect();
    }
    let mut problem = scheme.is_none().then(|| format!("nobody has said how {ecosystem} orders versions"));
    let mut all = Vec::new();
    for range in entry.ranges.unwrap_or_default() {
        let semver = match range.r#type.as_str() {
            "SEMVER" => true,
            "ECOSYSTEM" => false,
            _ => {
                *git_ranges += 1;
                continue;
            }
        };
        let events = range.events.unwrap_or_default().into_iter().flat_map(RawEvent::into_events).collect();
        match scheme.map(|scheme| spans(scheme, semver, events)) {
            Some(Ok(spans)) => all.extend(spans),
            Some(Err(error)) => problem = Some(error.to_string()),
            None => {}
        }
    }
    // What a range already says need not be listed.
    let mut versions = entry.versions.unwrap_or_default();
    if let Some(scheme) = scheme {
        versions.retain(|version| !all.iter().any(|span| span.contains(scheme, version) == Ok(true)));
    }
    Affected { advisory: 0, spans: all, versions, ratings, verdict, modules, problem }
}

/// `nodejs:20`: the name and stream of a module.
fn is_stream(word: &str) -> bool {
    word.split_once(':').is_some_and(|(name, stream)| {
        !name.is_empty()
            && stream.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
    })
}

fn ratings(severities: Option<Vec<RawSeverity>>, source: &str) -> Vec<Rating> {
    let severities = severities.unwrap_or_default();
    let rating = |severity: RawSeverity| match severity.r#type.as_str() {
        "CVSS_V2" | "CVSS_V3" | "CVSS_V4" => Rating::from_vector(&severity.score),
        "Ubuntu" => Rating::from_word(Origin::Distribution, "Ubuntu", &severity.score),
        _ => Rating::from_word(Origin::Publisher, source, &severity.score),
    };
    severities.into_iter().filter_map(rating).collect()
}

fn publisher(id: &str) -> &str {
    match id.split_once('-') {
        Some(("GHSA", _)) => "GitHub",
        Some((prefix, _)) => prefix,
        None => id,
    }
}

fn text_at<'a>(value: Option<&'a Value>, key: &str) -> Option<&'a str> {
    value?.get(key)?.as_str()
}

/// A date before 1990 stands for none: some publishers write the year 1.
fn time(text: Option<&str>) -> Option<Timestamp> {
    let time: Timestamp = text?.parse().ok()?;
    (time.as_second() > 631_152_000).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pratique_core::Severity;

    #[test]
    fn a_distributions_rating_and_module_stand_in_its_summary() {
        let record = read(
            br#"{"id":"ALSA-1","summary":"Important: nodejs:20 security update","published":"0001-01-01T00:00:00Z",
            "affected":[{"package":{"ecosystem":"AlmaLinux:9","name":"nodejs"},
            "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1:20.1-1.module_el9"}]}]}]}"#,
        )
        .unwrap();
        let (ecosystem, name, affected) = &record.affected[0];
        assert_eq!((ecosystem.as_str(), name.as_str()), ("AlmaLinux:9", "nodejs"));
        assert_eq!(affected.modules, ["nodejs:20"]);
        assert_eq!(
            (affected.ratings[0].severity, affected.ratings[0].source.as_str()),
            (Severity::High, "AlmaLinux")
        );
        assert_eq!(record.advisory.published, None);
    }

    #[test]
    fn errata_on_no_flaw_are_negligible() {
        let severity = |id: &str, summary: &str| {
            let record = format!(
                r#"{{"id":"{id}","summary":"{summary}","affected":[{{"package":{{"ecosystem":"AlmaLinux:9","name":"sos"}},
                "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"4-1.el9"}}]}}]}}]}}"#
            );
            let record = read(record.as_bytes()).unwrap();
            crate::rating::preferred(&record.affected[0].2.ratings).map(|rating| rating.severity)
        };
        assert_eq!(severity("ALBA-2024:1", "sos bug fix update"), Some(Severity::Negligible));
        assert_eq!(severity("ALEA-2024:1", "sos bug fix and enhancement update"), Some(Severity::Negligible));
        assert_eq!(severity("ALSA-2024:1", "Low: sos security update"), Some(Severity::Low));
        assert_eq!(severity("ALSA-2024:1", "sos security update"), None);
    }

    #[test]
    fn versions_that_a_range_has_are_not_kept_and_others_are() {
        let record = read(
            br#"{"id":"X-1","affected":[{"package":{"ecosystem":"PyPI","name":"My_Pkg"},"versions":["0.1","1.0","1.5"],
            "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0"}]},{"type":"GIT","events":[]}]}]}"#,
        )
        .unwrap();
        let (_, name, affected) = &record.affected[0];
        assert_eq!(name, "my-pkg");
        assert_eq!(affected.versions, ["1.0", "1.5"]);
        assert_eq!(record.git_ranges, 1);
    }

    #[test]
    fn a_range_that_cannot_be_read_is_a_problem_and_the_rest_is_kept() {
        let record = read(
            br#"{"id":"X-1","affected":[{"package":{"ecosystem":"npm","name":"a"},"ranges":[
            {"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.0.0"}]},{"type":"SEMVER","events":[{"introduced":"x"}]}]}]}"#,
        )
        .unwrap();
        assert_eq!(record.affected[0].2.spans.len(), 1);
        assert!(record.affected[0].2.problem.as_deref().unwrap().contains("`x`"));
    }

    #[test]
    fn what_is_no_record_is_told() {
        for bytes in [&b""[..], b"{", b"[]", b"{\"id\":1}", b"{\"affected\":[]}"] {
            assert!(read(bytes).is_err());
        }
    }
}
