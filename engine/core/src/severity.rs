//! How bad a finding is.

use serde::{Deserialize, Serialize};

/// Severity, in rising order. `Unknown` sorts first and satisfies no minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub enum Severity {
    /// Nobody has rated it yet.
    #[default]
    Unknown,
    /// No practical effect.
    Negligible,
    /// Hardly usable alone.
    Low,
    /// Usable under conditions.
    Medium,
    /// Usable, with serious effect.
    High,
    /// Usable by anyone, with full effect.
    Critical,
}

impl Severity {
    /// All values in rising order.
    pub const ALL: [Severity; 6] =
        [Self::Unknown, Self::Negligible, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Whether this severity reaches `minimum`. `Unknown` reaches none, whatever the minimum.
    pub fn reaches(self, minimum: Severity) -> bool {
        self != Self::Unknown && self >= minimum
    }

    /// The name as it is written in objects and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Negligible => "Negligible",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == text).ok_or_else(|| {
            format!("`{text}` is no severity; use one of Unknown, Negligible, Low, Medium, High, Critical")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_reaches_no_minimum_and_the_others_reach_their_own() {
        for severity in Severity::ALL {
            assert!(!Severity::Unknown.reaches(severity));
        }
        assert!(Severity::High.reaches(Severity::High));
        assert!(Severity::Critical.reaches(Severity::Low));
        assert!(!Severity::Medium.reaches(Severity::High));
    }

    #[test]
    fn names_parse_back() {
        for severity in Severity::ALL {
            assert_eq!(severity.to_string().parse(), Ok(severity));
        }
        assert!("high".parse::<Severity>().unwrap_err().contains("use one of"));
    }
}
