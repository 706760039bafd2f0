//! Base scores of CVSS vectors: version 2 (<https://www.first.org/cvss/v2/guide>) and 3.0 and 3.1
//! (<https://www.first.org/cvss/v3.1/specification-document>) computed here, 4.0 (<https://www.first.org/cvss/v4.0/specification-document>)
//! by the `cvss` crate, which carries FIRST's tables.

use std::collections::BTreeMap;

use pratique_core::Severity;

/// Version and base score of a vector; none where it is malformed or lacks a base metric.
pub fn score(vector: &str) -> Option<(&'static str, f64)> {
    if vector.len() > 512 {
        return None;
    }
    if let Some(metrics) = vector.strip_prefix("CVSS:3.1/") {
        return Some(("3.1", version_3(&parse(metrics)?)?));
    }
    if let Some(metrics) = vector.strip_prefix("CVSS:3.0/") {
        return Some(("3.0", version_3(&parse(metrics)?)?));
    }
    if vector.starts_with("CVSS:4.0/") {
        let parsed: ::cvss::Cvss = vector.parse().ok()?;
        return Some(("4.0", parsed.score()));
    }
    let metrics = vector.trim_start_matches('(').trim_end_matches(')');
    Some(("2.0", version_2(&parse(metrics)?)?))
}

/// The severity that a score means; version 2 is read with the words of version 3.
pub fn severity(score: f64) -> Severity {
    match score {
        score if score >= 9.0 => Severity::Critical,
        score if score >= 7.0 => Severity::High,
        score if score >= 4.0 => Severity::Medium,
        score if score > 0.0 => Severity::Low,
        _ => Severity::Negligible,
    }
}

/// Metrics by name; none if one is malformed or stands twice.
fn parse(metrics: &str) -> Option<BTreeMap<&str, &str>> {
    let mut found = BTreeMap::new();
    for metric in metrics.split('/') {
        let (name, value) = metric.split_once(':')?;
        if found.insert(name, value).is_some() {
            return None;
        }
    }
    Some(found)
}

fn weight(metrics: &BTreeMap<&str, &str>, name: &str, weights: &[(&str, f64)]) -> Option<f64> {
    let value = metrics.get(name)?;
    weights.iter().find(|(known, _)| known == value).map(|(_, weight)| *weight)
}

fn version_2(metrics: &BTreeMap<&str, &str>) -> Option<f64> {
    let impact = [("N", 0.0), ("P", 0.275), ("C", 0.66)];
    let c = weight(metrics, "C", &impact)?;
    let i = weight(metrics, "I", &impact)?;
    let a = weight(metrics, "A", &impact)?;
    let vector = weight(metrics, "AV", &[("L", 0.395), ("A", 0.646), ("N", 1.0)])?;
    let complexity = weight(metrics, "AC", &[("H", 0.35), ("M", 0.61), ("L", 0.71)])?;
    let authentication = weight(metrics, "Au", &[("M", 0.45), ("S", 0.56), ("N", 0.704)])?;
    let impact = 10.41 * (1.0 - (1.0 - c) * (1.0 - i) * (1.0 - a));
    let exploitability = 20.0 * vector * complexity * authentication;
    let factor = if impact == 0.0 { 0.0 } else { 1.176 };
    Some(((0.6 * impact + 0.4 * exploitability - 1.5) * factor * 10.0).round().max(0.0) / 10.0)
}

fn version_3(metrics: &BTreeMap<&str, &str>) -> Option<f64> {
    let changed = match *metrics.get("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let impact = [("N", 0.0), ("L", 0.22), ("H", 0.56)];
    let c = weight(metrics, "C", &impact)?;
    let i = weight(metrics, "I", &impact)?;
    let a = weight(metrics, "A", &impact)?;
    let vector = weight(metrics, "AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?;
    let complexity = weight(metrics, "AC", &[("L", 0.77), ("H", 0.44)])?;
    let interaction = weight(metrics, "UI", &[("N", 0.85), ("R", 0.62)])?;
    let privileges = if changed {
        weight(metrics, "PR", &[("N", 0.85), ("L", 0.68), ("H", 0.5)])?
    } else {
        weight(metrics, "PR", &[("N", 0.85), ("L", 0.62), ("H", 0.27)])?
    };
    let base: f64 = 1.0 - (1.0 - c) * (1.0 - i) * (1.0 - a);
    let impact = if changed { 7.52 * (base - 0.029) - 3.25 * (base - 0.02).powi(15) } else { 6.42 * base };
    if impact <= 0.0 {
        return Some(0.0);
    }
    let exploitability = 8.22 * vector * complexity * privileges * interaction;
    let sum = if changed { 1.08 * (impact + exploitability) } else { impact + exploitability };
    Some(round_up(sum.min(10.0)))
}

/// Up to one digit, as version 3.1 defines it, so that a floating point error in the last place does not show.
fn round_up(value: f64) -> f64 {
    let scaled = (value * 100_000.0).round() as i64;
    if scaled % 10_000 == 0 { scaled as f64 / 100_000.0 } else { ((scaled / 10_000) + 1) as f64 / 10.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_specifications_examples() {
        for (vector, expected) in [
            // Guide to version 2, section 3.3.
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8),
            ("AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0),
            ("AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2),
            // https://www.first.org/cvss/v3.1/examples, whose flaws are scored by versions 2 and 3.1; in their order.
            ("AV:N/AC:M/Au:N/C:N/I:P/A:N", 4.3),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
            ("AV:N/AC:L/Au:S/C:P/I:P/A:N", 5.5),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
            ("AV:N/AC:M/Au:N/C:P/I:N/A:N", 4.3),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
            ("AV:N/AC:L/Au:S/C:C/I:C/A:C", 9.0),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
            ("AV:L/AC:L/Au:N/C:P/I:P/A:P", 4.6),
            ("CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 4.2),
            ("AV:N/AC:M/Au:S/C:C/I:C/A:C", 8.5),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 8.8),
            ("AV:N/AC:M/Au:N/C:P/I:P/A:P", 6.8),
            ("CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.8),
            ("AV:N/AC:L/Au:N/C:P/I:N/A:N", 5.0),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
            ("AV:A/AC:L/Au:N/C:N/I:N/A:C", 6.1),
            ("CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", 9.3),
            ("AV:N/AC:L/Au:N/C:N/I:P/A:N", 5.0),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N", 6.8),
            ("AV:L/AC:M/Au:N/C:C/I:C/A:C", 6.9),
            ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 6.8),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:N/A:N", 5.8),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:L/A:N", 5.8),
            ("AV:N/AC:M/Au:N/C:C/I:C/A:C", 9.3),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 8.8),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:N", 6.8),
            ("CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:C/C:H/I:H/A:H", 8.2),
            ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 7.6),
            // https://www.first.org/cvss/v3.0/examples: version 3.0 gives the same base scores.
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
            ("CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
            ("CVSS:3.0/AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", 9.3),
            // The specification of version 3.1 itself, and no impact.
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
            // https://www.first.org/cvss/v4.0/examples
            ("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.3),
            ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.7),
            ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N", 8.3),
            ("CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N", 4.6),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N", 5.1),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N", 8.7),
            ("CVSS:4.0/AV:A/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:H/SI:N/SA:H", 6.4),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0),
        ] {
            assert_eq!(score(vector).map(|(_, score)| score), Some(expected), "{vector}");
        }
    }

    #[test]
    fn a_vector_that_is_none_has_no_score() {
        for vector in [
            "",
            "CVSS:3.1/",
            "CVSS:3.1/AV:N",
            "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:4.0/AV:N",
            "CVSS:9.9/AV:N",
            "7.5",
        ] {
            assert_eq!(score(vector), None, "{vector}");
        }
    }
}
