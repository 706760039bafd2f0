//! Ranges of affected versions (<https://ossf.github.io/osv-schema/#affectedranges-field>).

use std::cmp::Ordering;

use pratique_core::version::{InvalidVersion, Scheme};
use serde::{Deserialize, Serialize};

/// One event of a range as its record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Affected from this version on; `0` is before all.
    Introduced(String),
    /// No longer affected from this version on.
    Fixed(String),
    /// Affected up to and with this version.
    LastAffected(String),
    /// What is not before this version is not spoken of.
    Limit(String),
}

/// An unbroken range of affected versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its versions are semantic ones whatever the ecosystem.
    pub semver: bool,
    /// The first affected version; none: from the start.
    pub from: Option<String>,
    /// Where it ends.
    pub until: Until,
}

/// Where a range ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Until {
    /// It does not.
    Open,
    /// Before this version, which has the fix.
    Fixed(String),
    /// With this version.
    Last(String),
    /// Before this version, of which nothing is said.
    Limit(String),
}

impl Span {
    /// The scheme that orders its versions in an ecosystem of this scheme.
    pub fn scheme(&self, ecosystem: Scheme) -> Scheme {
        // Go's order is that of semantic versions and reads Go's own releases besides.
        if self.semver && !matches!(ecosystem, Scheme::Go | Scheme::Pub) { Scheme::SemVer } else { ecosystem }
    }

    /// Whether a version lies in it.
    ///
    /// # Errors
    /// If the version, or one of the range's, is none in its scheme.
    pub fn contains(&self, ecosystem: Scheme, version: &str) -> Result<bool, InvalidVersion> {
        let scheme = self.scheme(ecosystem);
        if self.from.is_none() && self.until == Until::Open {
            // Nothing below reads it.
            scheme.check(version)?;
        }
        if let Some(from) = &self.from
            && scheme.compare(version, from)?.is_lt()
        {
            return Ok(false);
        }
        Ok(match &self.until {
            Until::Open => true,
            Until::Fixed(end) | Until::Limit(end) => scheme.compare(version, end)?.is_lt(),
            Until::Last(end) => scheme.compare(version, end)?.is_le(),
        })
    }

    /// The version that has the fix.
    pub fn fixed(&self) -> Option<&str> {
        match &self.until {
            Until::Fixed(version) => Some(version),
            _ => None,
        }
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.from, &self.until) {
            (None, Until::Open) => return f.write_str("every version"),
            (Some(from), Until::Open) => return write!(f, ">= {from}"),
            (Some(from), _) => write!(f, ">= {from}, ")?,
            (None, _) => {}
        }
        match &self.until {
            Until::Open => Ok(()),
            Until::Fixed(end) | Until::Limit(end) => write!(f, "< {end}"),
            Until::Last(end) => write!(f, "<= {end}"),
        }
    }
}

/// The spans that a range's events make, as the schema's evaluation has it: sorted by version, `introduced` opens and
/// `fixed` or `last_affected` closes. Events of one version keep the record's order.
///
/// # Errors
/// If an event's version is none in the scheme.
pub fn spans(ecosystem: Scheme, semver: bool, events: Vec<Event>) -> Result<Vec<Span>, InvalidVersion> {
    let scheme = Span { semver, from: None, until: Until::Open }.scheme(ecosystem);
    let mut limits = Vec::new();
    let mut points: Vec<(Option<String>, Event)> = Vec::new();
    for event in events {
        let at = match &event {
            Event::Introduced(version) if version == "0" => None,
            Event::Introduced(version) | Event::Fixed(version) | Event::LastAffected(version) => {
                Some(version.clone())
            }
            Event::Limit(version) => {
                if version != "*" {
                    limits.push(version.clone());
                }
                continue;
            }
        };
        if let Some(version) = &at {
            scheme.check(version)?;
        }
        points.push((at, event));
    }
    let compare = |a: &str, b: &str| scheme.compare(a, b).unwrap_or(Ordering::Equal);
    points.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) => compare(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
    let mut spans = Vec::new();
    let mut open: Option<Option<String>> = None;
    for (at, event) in points {
        match event {
            Event::Introduced(_) if open.is_none() => open = Some(at),
            Event::Introduced(_) | Event::Limit(_) => {}
            Event::Fixed(version) => {
                if let Some(from) = open.take() {
                    spans.push(Span { semver, from, until: Until::Fixed(version) });
                }
            }
            Event::LastAffected(version) => {
                if let Some(from) = open.take() {
                    spans.push(Span { semver, from, until: Until::Last(version) });
                }
            }
        }
    }
    if let Some(from) = open {
        spans.push(Span { semver, from, until: Until::Open });
    }
    for limit in &limits {
        scheme.check(limit)?;
    }
    // A version must be before any of the limits: before the greatest.
    if let Some(limit) = limits.into_iter().max_by(|a, b| compare(a, b)) {
        for span in &mut spans {
            let ends_later = match &span.until {
                Until::Open => true,
                Until::Fixed(end) => compare(end, &limit).is_gt(),
                Until::Last(end) | Until::Limit(end) => compare(end, &limit).is_ge(),
            };
            if ends_later {
                span.until = Until::Limit(limit.clone());
            }
        }
    }
    Ok(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        let (kind, version) = text.split_once(' ').unwrap();
        let version = version.to_owned();
        match kind {
            "introduced" => Event::Introduced(version),
            "fixed" => Event::Fixed(version),
            "last" => Event::LastAffected(version),
            _ => Event::Limit(version),
        }
    }

    fn made(events: &[&str]) -> String {
        let spans = spans(Scheme::SemVer, true, events.iter().map(|text| event(text)).collect()).unwrap();
        spans.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
    }

    #[test]
    fn events_make_spans_in_the_order_of_their_versions() {
        assert_eq!(made(&["introduced 0", "fixed 1.2.3"]), "< 1.2.3");
        assert_eq!(made(&["introduced 0"]), "every version");
        assert_eq!(
            made(&["fixed 2.0.0", "introduced 1.10.0", "fixed 1.9.1", "introduced 1.2.0"]),
            ">= 1.2.0, < 1.9.1 or >= 1.10.0, < 2.0.0"
        );
        assert_eq!(made(&["introduced 1.0.0", "last 1.4.0"]), ">= 1.0.0, <= 1.4.0");
        assert_eq!(made(&["introduced 0", "fixed 1.0.0", "fixed 1.1.0"]), "< 1.0.0");
        assert_eq!(made(&["introduced 0", "limit 2.0.0"]), "< 2.0.0");
        assert_eq!(made(&["introduced 0", "limit *"]), "every version");
        assert_eq!(made(&["fixed 1.0.0"]), "");
    }

    #[test]
    fn the_ends_of_a_span_belong_to_it_as_its_events_say() {
        let contains = |events: &[&str], version: &str| {
            let spans = spans(Scheme::SemVer, true, events.iter().map(|text| event(text)).collect()).unwrap();
            spans.iter().any(|span| span.contains(Scheme::SemVer, version).unwrap())
        };
        let fixed = ["introduced 1.0.0", "fixed 1.2.0"];
        assert!(!contains(&fixed, "0.9.9") && contains(&fixed, "1.0.0"));
        assert!(contains(&fixed, "1.1.99") && contains(&fixed, "1.2.0-rc.1") && !contains(&fixed, "1.2.0"));
        let last = ["introduced 1.0.0", "last 1.2.0"];
        assert!(contains(&last, "1.2.0") && !contains(&last, "1.2.1"));
    }

    #[test]
    fn a_range_with_a_version_that_is_none_is_an_error() {
        let error =
            spans(Scheme::SemVer, true, vec![event("introduced 0"), event("fixed next")]).unwrap_err();
        assert!(error.to_string().contains("`next`"), "{error}");
    }
}
