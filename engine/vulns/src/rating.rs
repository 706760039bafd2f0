//! How bad advisories say a flaw is.

use pratique_core::Severity;
use serde::{Deserialize, Serialize};

use crate::cvss;

/// Whose word a rating is; the first is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Origin {
    /// The distribution's: it knows how it builds and runs the package.
    Distribution,
    /// Those who keep the advisories.
    Publisher,
    /// Computed from a CVSS vector.
    Cvss,
}

/// One rating.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// Whose word it is.
    pub origin: Origin,
    /// The name for people, such as `Debian` or `CVSS 3.1`.
    pub source: String,
    /// How bad.
    pub severity: Severity,
    /// The base score, 0 to 10.
    pub score: Option<f32>,
    /// The vector it was computed from.
    pub vector: Option<String>,
}

impl Rating {
    /// From a word such as `Important` or `not yet assigned`; none where it rates nothing.
    pub fn from_word(origin: Origin, source: &str, word: &str) -> Option<Self> {
        let severity = severity(word)?;
        Some(Self { origin, source: source.to_owned(), severity, score: None, vector: None })
    }

    /// From a CVSS vector; none where it is malformed.
    pub fn from_vector(vector: &str) -> Option<Self> {
        let (version, score) = cvss::score(vector)?;
        Some(Self {
            origin: Origin::Cvss,
            source: format!("CVSS {version}"),
            severity: cvss::severity(score),
            // Scores have one digit after the point.
            score: Some(score as f32),
            vector: Some(vector.to_owned()),
        })
    }
}

/// The severity that a word of some distribution or publisher means.
fn severity(word: &str) -> Option<Severity> {
    Some(match word.trim().to_ascii_lowercase().as_str() {
        "critical" => Severity::Critical,
        "high" | "important" => Severity::High,
        "medium" | "moderate" => Severity::Medium,
        "low" => Severity::Low,
        "negligible" | "unimportant" | "none" => Severity::Negligible,
        _ => return None,
    })
}

/// The rating that counts: by whose word it is, then the newest CVSS.
pub fn preferred<'a>(ratings: impl IntoIterator<Item = &'a Rating>) -> Option<&'a Rating> {
    ratings.into_iter().min_by(|a, b| a.origin.cmp(&b.origin).then_with(|| b.source.cmp(&a.source)))
}
