//! Base scores of CVSS vectors: version 2 (<https://www.first.org/cvss/v2/guide>) and 3.0 and 3.1
//! (<https://www.first.org/cvss/v3.1/specification-document>) computed here, 4.0 (<https://www.first.org/cvss/v4.0/specification-document>)
//! by the `cvss` crate, which carries FIRST's tables.

use std::collections::BTreeMap;

use pratique_core::Severity;

/// Version and score of a vector; none where it is malformed or lacks a base metric. Of versions 2 and 3 it is the base
/// score, of version 4 the score with whatever threat and environmental metrics stand in the vector.
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

    fn compare(published: &str, examples: &[(&str, &str, f64)]) {
        for (flaw, vector, expected) in examples {
            let found = score(vector).map(|(_, score)| score);
            assert_eq!(found, Some(*expected), "{flaw} of {published}: {vector}");
        }
    }

    #[test]
    fn scores_of_version_2_are_those_that_first_published() {
        let examples = [
            ("CVE-2002-0392", "AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8),
            ("CVE-2003-0818", "AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0),
            ("CVE-2003-0062", "AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2),
        ];
        compare("https://www.first.org/cvss/v2/guide, section 3.3", &examples);
        // Beside each example of versions 3.0 and 3.1 stands what version 2 made of the flaw.
        let examples = [
            ("CVE-2013-1937", "AV:N/AC:M/Au:N/C:N/I:P/A:N", 4.3),
            ("CVE-2013-0375", "AV:N/AC:L/Au:S/C:P/I:P/A:N", 5.5),
            ("CVE-2014-3566", "AV:N/AC:M/Au:N/C:P/I:N/A:N", 4.3),
            ("CVE-2012-1516", "AV:N/AC:L/Au:S/C:C/I:C/A:C", 9.0),
            ("CVE-2009-0783", "AV:L/AC:L/Au:N/C:P/I:P/A:P", 4.6),
            ("CVE-2012-0384", "AV:N/AC:M/Au:S/C:C/I:C/A:C", 8.5),
            ("CVE-2015-1098", "AV:N/AC:M/Au:N/C:P/I:P/A:P", 6.8),
            ("CVE-2014-0160", "AV:N/AC:L/Au:N/C:P/I:N/A:N", 5.0),
            ("CVE-2013-6014", "AV:A/AC:L/Au:N/C:N/I:N/A:C", 6.1),
            ("CVE-2008-1447", "AV:N/AC:L/Au:N/C:N/I:P/A:N", 5.0),
            ("CVE-2014-2005", "AV:L/AC:M/Au:N/C:C/I:C/A:C", 6.9),
            ("CVE-2009-0658", "AV:N/AC:M/Au:N/C:C/I:C/A:C", 9.3),
        ];
        compare("https://www.first.org/cvss/v3.0/examples", &examples);
    }

    #[test]
    fn scores_of_version_3_are_those_that_first_published() {
        let examples = [
            ("CVE-2013-1937", "AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
            ("CVE-2013-0375", "AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
            ("CVE-2014-3566", "AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
            ("CVE-2012-1516", "AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
            ("CVE-2009-0783", "AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 4.2),
            ("CVE-2012-0384", "AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 8.8),
            ("CVE-2015-1098", "AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.8),
            ("CVE-2014-0160", "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5),
            ("CVE-2014-6271", "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
            ("CVE-2008-1447", "AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N", 6.8),
            ("CVE-2014-2005", "AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 6.8),
            ("CVE-2010-0467", "AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:N/A:N", 5.8),
            ("CVE-2012-1342", "AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:L/A:N", 5.8),
            ("CVE-2013-6014", "AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", 9.3),
            ("CVE-2014-9253", "AV:N/AC:L/PR:L/UI:R/S:C/C:L/I:L/A:N", 5.4),
            ("CVE-2009-0658", "AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.8),
            ("CVE-2011-1265", "AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 8.8),
            ("CVE-2014-2019", "AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", 4.6),
        ];
        let with = |version: &str, metrics: &str| format!("CVSS:{version}/{metrics}");
        for version in ["3.0", "3.1"] {
            for (flaw, metrics, expected) in examples {
                let published = format!("https://www.first.org/cvss/v{version}/examples");
                compare(&published, &[(flaw, &with(version, metrics), expected)]);
            }
        }
        // What version 3.1 scores otherwise or adds, and the extremes of its formula.
        let examples = [
            ("CVE-2012-0384", "CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H", 7.2),
            ("CVE-2019-7551", "CVSS:3.1/AV:N/AC:L/PR:L/UI:R/S:C/C:H/I:H/A:H", 9.0),
            ("CVE-2015-0970", "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 8.8),
            ("CVE-2016-1645", "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 8.8),
            ("CVE-2016-0128", "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:N", 6.8),
            ("CVE-2016-5729", "CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:C/C:H/I:H/A:H", 8.2),
            ("CVE-2018-3652", "CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 7.6),
            ("the highest", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
            ("no impact", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ];
        compare("https://www.first.org/cvss/v3.1/examples", &examples);
    }

    #[test]
    fn scores_of_version_4_are_those_that_first_published() {
        let examples = [
            ("CVE-2022-41741", "AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.3),
            ("CVE-2020-3549", "AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.7),
            ("CVE-2020-3549", "AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", 5.2),
            ("CVE-2023-3089", "AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N", 8.3),
            (
                "CVE-2023-3089",
                "AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N/CR:H/IR:L/AR:L/MAV:N/MAC:H/MVC:H/MVI:L/MVA:L",
                8.1,
            ),
            ("CVE-2021-44714", "AV:L/AC:L/AT:N/PR:N/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N", 4.6),
            ("CVE-2022-21830", "AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N", 5.1),
            ("CVE-2022-22186", "AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N", 6.9),
            ("CVE-2023-21989", "AV:L/AC:L/AT:N/PR:H/UI:N/VC:N/VI:N/VA:N/SC:H/SI:N/SA:N", 5.9),
            ("CVE-2020-3947", "AV:L/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 9.4),
            ("CVE-2023-48228", "AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:H/VA:N/SC:H/SI:H/SA:H", 9.3),
            ("CVE-2023-30560", "AV:P/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:H/SA:N/S:P/V:D", 8.3),
            ("CVE-2014-0160", "AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N/E:A", 8.7),
            ("CVE-2021-44228", "AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:A", 9.3),
            ("CVE-2013-6014", "AV:A/AC:L/AT:N/PR:N/UI:N/VC:N/VI:L/VA:N/SC:H/SI:N/SA:H", 6.4),
            ("CVE-2016-5729", "AV:L/AC:L/AT:N/PR:H/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/R:I", 8.4),
            ("CVE-2024-6387", "AV:N/AC:H/AT:P/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:P", 8.2),
            ("the highest", "AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0),
            ("no impact", "AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0),
        ];
        for (flaw, metrics, expected) in examples {
            let vector = format!("CVSS:4.0/{metrics}");
            compare("https://www.first.org/cvss/v4.0/examples", &[(flaw, &vector, expected)]);
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
