//! Ranges of versions in VERS (<https://github.com/package-url/vers-spec>): `vers:npm/1.2.3|>=2.0.0|<5.0.0`. Constraints
//! stand in the order of their versions, and those that bound take turns, so that between two of them all is in or all out.

use std::cmp::Ordering;

use pratique_core::package::Ecosystem;
use pratique_core::version::Scheme;

use super::decoded;

/// Bytes of a range at most.
const LIMIT: usize = 4096;

/// A range.
#[derive(Debug)]
pub(super) struct Vers {
    scheme: Scheme,
    /// By version, each another; none: every version.
    constraints: Vec<(Comparator, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparator {
    Less,
    AtMost,
    Equal,
    Not,
    AtLeast,
    Greater,
}

impl Vers {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LIMIT {
            return Err(format!("it is longer than {LIMIT} bytes"));
        }
        let parts = text.strip_prefix("vers:").and_then(|rest| rest.split_once('/'));
        let (kind, constraints) = parts.ok_or("it is not written as vers:TYPE/CONSTRAINTS")?;
        let scheme = scheme(kind).ok_or_else(|| format!("nobody has said how `{kind}` orders versions"))?;
        if constraints == "*" {
            return Ok(Self { scheme, constraints: Vec::new() });
        }
        let constraints =
            constraints.split('|').map(|text| constraint(scheme, text)).collect::<Result<Vec<_>, _>>()?;
        for ((_, a), (_, b)) in constraints.iter().zip(constraints.iter().skip(1)) {
            if scheme.compare(a, b).map_err(|error| error.to_string())?.is_ge() {
                return Err(format!("`{b}` does not come after `{a}`"));
            }
        }
        let (mut opened, mut is_after_single) = (None, false);
        for (comparator, version) in
            constraints.iter().filter(|(comparator, _)| *comparator != Comparator::Not)
        {
            let Some(opens) = comparator.opens() else {
                is_after_single = true;
                continue;
            };
            if opened == Some(opens) || is_after_single && !opens {
                return Err(format!("what is said of `{version}` does not go with what stands before it"));
            }
            (opened, is_after_single) = (Some(opens), false);
        }
        Ok(Self { scheme, constraints })
    }

    /// Whether a version lies in it; one that cannot be compared lies in the range of all versions alone.
    pub(super) fn has(&self, version: &str) -> bool {
        let mut bounds = self.constraints.iter().filter_map(|(comparator, _)| comparator.opens());
        // Before the first bound is the other side of it; where nothing is bounded, all but what is left out.
        let mut is_in = bounds.next().map_or_else(
            || self.constraints.iter().all(|(comparator, _)| *comparator == Comparator::Not),
            |opens| !opens,
        );
        for (comparator, bound) in &self.constraints {
            match self.scheme.compare(version, bound) {
                Ok(Ordering::Less) => break,
                Ok(Ordering::Greater) => is_in = comparator.opens().unwrap_or(is_in),
                Ok(Ordering::Equal) => {
                    return matches!(
                        comparator,
                        Comparator::Equal | Comparator::AtMost | Comparator::AtLeast
                    );
                }
                Err(_) => return false,
            }
        }
        is_in
    }
}

impl Comparator {
    /// Whether what lies behind is in; none: it says nothing of that.
    fn opens(self) -> Option<bool> {
        match self {
            Self::AtLeast | Self::Greater => Some(true),
            Self::Less | Self::AtMost => Some(false),
            Self::Equal | Self::Not => None,
        }
    }
}

/// The order of versions of a type: mostly that of package URLs.
fn scheme(kind: &str) -> Option<Scheme> {
    match kind {
        "semver" => Some(Scheme::SemVer),
        "alpine" => Some(Scheme::Apk),
        _ => Ecosystem::ALL.into_iter().find(|ecosystem| ecosystem.purl_type() == kind).and_then(Scheme::of),
    }
}

fn constraint(scheme: Scheme, text: &str) -> Result<(Comparator, String), String> {
    let known = [
        ("<=", Comparator::AtMost),
        (">=", Comparator::AtLeast),
        ("!=", Comparator::Not),
        ("<", Comparator::Less),
        (">", Comparator::Greater),
    ];
    let found = known.into_iter().find_map(|(sign, comparator)| Some((comparator, text.strip_prefix(sign)?)));
    let (comparator, version) = found.unwrap_or((Comparator::Equal, text));
    if version.contains(|letter: char| letter.is_whitespace() || "<>=!*".contains(letter)) {
        return Err(format!("`{text}` is no constraint"));
    }
    let version = decoded(version);
    scheme.check(&version).map_err(|error| error.to_string())?;
    Ok((comparator, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_what_lies_between_its_bounds() {
        for (range, has, lacks) in [
            ("vers:npm/1.2.3|>=2.0.0|<5.0.0", "1.2.3 2.0.0 4.9.9", "1.2.2 1.2.4 2.0.0-rc.1 5.0.0 6.0.0"),
            ("vers:npm/<1.0.0|>=2.0.0|<2.5.0|>3.0.0", "0.9.0 2.0.0 3.0.1", "1.0.0 1.5.0 2.5.0 3.0.0"),
            ("vers:pypi/<=1.0|2.0", "0.1 1.0.0 2.0.0", "1.0.1 1.5 2.0.1"),
            ("vers:gem/>=2.2.0|!=2.2.1|<2.3.0", "2.2.0 2.2.2", "2.1.9 2.2.1 2.3.0"),
            ("vers:composer/!=1.0|!=2.0", "0.1 1.5 3.0", "1.0 v2.0.0"),
            ("vers:deb/<1:2.38~1", "2.40 1:2.37 1:2.38~0", "1:2.38~1 1:2.38"),
            ("vers:alpine/>=1.2.3-r4", "1.2.3-r4 1.2.3-r10", "1.2.3-r3"),
            ("vers:semver/1.0.0", "1.0.0+build", "1.0.1"),
            ("vers:maven/>1.0%2B1", "2", "1.0"),
            ("vers:cargo/*", "0.1.0 unknown", ""),
            ("vers:cargo/>=0.1.0", "0.1.0", "unknown"),
        ] {
            let read = Vers::parse(range).unwrap_or_else(|error| panic!("{range}: {error}"));
            has.split_whitespace().for_each(|version| assert!(read.has(version), "{range} has {version}"));
            lacks
                .split_whitespace()
                .for_each(|version| assert!(!read.has(version), "{range} lacks {version}"));
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_the_reason() {
        let long = format!("vers:npm/{}", "1.0.0|".repeat(1000));
        for (text, reason) in [
            ("npm/1.0.0", "vers:TYPE/CONSTRAINTS"),
            ("vers:npm", "vers:TYPE/CONSTRAINTS"),
            ("vers:generic/1", "`generic`"),
            ("vers:NPM/1.0.0", "`NPM`"),
            ("vers:npm/", "no SemVer version"),
            ("vers:npm/>=", "no SemVer version"),
            ("vers:npm/^1.2", "no SemVer version"),
            ("vers:maven/=1.0", "no constraint"),
            ("vers:maven/<= 1.0", "no constraint"),
            ("vers:maven/>=1.0,<2.0", "no constraint"),
            ("vers:maven/*|1.0", "no constraint"),
            ("vers:npm/2.0.0|1.0.0", "`1.0.0` does not come after `2.0.0`"),
            ("vers:npm/>=1.0.0|<1.0.0+1", "does not come after"),
            ("vers:npm/>1.0.0|>=2.0.0", "`2.0.0` does not go"),
            ("vers:npm/<1.0.0|!=1.1.0|<=2.0.0", "`2.0.0` does not go"),
            ("vers:npm/>1.0.0|2.0.0|<3.0.0", "`3.0.0` does not go"),
            (&long, "longer than 4096"),
        ] {
            let error = Vers::parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
