//! Releases that get no more security updates.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use pratique_core::package::Release;

/// The last day of updates that cost nothing, as each distribution publishes it at the address above its releases; where
/// it names a month, the last day of it.
const LAST_DAYS: &[(&str, &str, Date)] = &[
    // https://wiki.debian.org/LTS
    ("debian", "6", date(2016, 2, 29)),
    ("debian", "7", date(2018, 5, 31)),
    ("debian", "8", date(2020, 6, 30)),
    ("debian", "9", date(2022, 6, 30)),
    ("debian", "10", date(2024, 6, 30)),
    ("debian", "11", date(2026, 8, 31)),
    ("debian", "12", date(2028, 6, 30)),
    ("debian", "13", date(2030, 6, 30)),
    // https://wiki.ubuntu.com/Releases, without Ubuntu Pro
    ("ubuntu", "12.04", date(2017, 4, 28)),
    ("ubuntu", "14.04", date(2019, 4, 25)),
    ("ubuntu", "16.04", date(2021, 4, 30)),
    ("ubuntu", "16.10", date(2017, 7, 20)),
    ("ubuntu", "17.04", date(2018, 1, 13)),
    ("ubuntu", "17.10", date(2018, 7, 19)),
    ("ubuntu", "18.04", date(2023, 5, 31)),
    ("ubuntu", "18.10", date(2019, 7, 18)),
    ("ubuntu", "19.04", date(2020, 1, 23)),
    ("ubuntu", "19.10", date(2020, 7, 17)),
    ("ubuntu", "20.04", date(2025, 5, 31)),
    ("ubuntu", "20.10", date(2021, 7, 22)),
    ("ubuntu", "21.04", date(2022, 1, 20)),
    ("ubuntu", "21.10", date(2022, 7, 14)),
    ("ubuntu", "22.04", date(2027, 5, 31)),
    ("ubuntu", "22.10", date(2023, 7, 20)),
    ("ubuntu", "23.04", date(2024, 1, 25)),
    ("ubuntu", "23.10", date(2024, 7, 11)),
    ("ubuntu", "24.04", date(2029, 5, 31)),
    ("ubuntu", "24.10", date(2025, 7, 10)),
    ("ubuntu", "25.04", date(2026, 1, 17)),
    ("ubuntu", "25.10", date(2026, 7, 31)),
    ("ubuntu", "26.04", date(2031, 4, 30)),
    // https://alpinelinux.org/releases/
    ("alpine", "3.0", date(2016, 5, 1)),
    ("alpine", "3.1", date(2016, 11, 1)),
    ("alpine", "3.2", date(2017, 5, 1)),
    ("alpine", "3.3", date(2017, 11, 1)),
    ("alpine", "3.4", date(2018, 5, 1)),
    ("alpine", "3.5", date(2018, 11, 1)),
    ("alpine", "3.6", date(2019, 5, 1)),
    ("alpine", "3.7", date(2019, 11, 1)),
    ("alpine", "3.8", date(2020, 5, 1)),
    ("alpine", "3.9", date(2020, 11, 1)),
    ("alpine", "3.10", date(2021, 5, 1)),
    ("alpine", "3.11", date(2021, 11, 1)),
    ("alpine", "3.12", date(2022, 5, 1)),
    ("alpine", "3.13", date(2022, 11, 1)),
    ("alpine", "3.14", date(2023, 5, 1)),
    ("alpine", "3.15", date(2023, 11, 1)),
    ("alpine", "3.16", date(2024, 5, 23)),
    ("alpine", "3.17", date(2024, 11, 22)),
    ("alpine", "3.18", date(2025, 5, 9)),
    ("alpine", "3.19", date(2025, 11, 1)),
    ("alpine", "3.20", date(2026, 4, 1)),
    ("alpine", "3.21", date(2026, 11, 1)),
    ("alpine", "3.22", date(2027, 5, 1)),
    ("alpine", "3.23", date(2027, 11, 1)),
    // https://access.redhat.com/support/policy/updates/errata, maintenance without the add-ons
    ("rhel", "5", date(2017, 3, 31)),
    ("rhel", "6", date(2020, 11, 30)),
    ("rhel", "7", date(2024, 6, 30)),
    ("rhel", "8", date(2029, 5, 31)),
    ("rhel", "9", date(2032, 5, 31)),
    // https://wiki.centos.org/About/Product; Stream 8, of the same number, ended on 2024-05-31
    ("centos", "6", date(2020, 11, 30)),
    ("centos", "7", date(2024, 6, 30)),
    ("centos", "8", date(2021, 12, 31)),
    // https://wiki.almalinux.org/release-notes/, https://rockylinux.org/download
    ("almalinux", "8", date(2029, 3, 1)),
    ("almalinux", "9", date(2032, 5, 31)),
    ("rocky", "8", date(2029, 5, 31)),
    ("rocky", "9", date(2032, 5, 31)),
    // https://www.oracle.com/a/ocom/docs/elsp-lifetime-069338.pdf
    ("ol", "6", date(2021, 3, 31)),
    ("ol", "7", date(2024, 12, 31)),
    // https://docs.fedoraproject.org/en-US/releases/eol/
    ("fedora", "33", date(2021, 11, 30)),
    ("fedora", "34", date(2022, 6, 7)),
    ("fedora", "35", date(2022, 12, 13)),
    ("fedora", "36", date(2023, 5, 16)),
    ("fedora", "37", date(2023, 12, 5)),
    ("fedora", "38", date(2024, 5, 21)),
    ("fedora", "39", date(2024, 11, 26)),
    ("fedora", "40", date(2025, 5, 13)),
    ("fedora", "41", date(2025, 12, 15)),
    ("fedora", "42", date(2026, 5, 13)),
    ("fedora", "43", date(2026, 12, 9)),
    // https://aws.amazon.com/amazon-linux-2/faqs/, https://aws.amazon.com/amazon-linux-ami/faqs/
    ("amzn", "2018.03", date(2023, 12, 31)),
    ("amzn", "2", date(2026, 6, 30)),
    // https://www.suse.com/lifecycle, general support
    ("sles", "12.5", date(2024, 10, 31)),
    ("sles", "15", date(2019, 12, 31)),
    ("sles", "15.1", date(2021, 1, 31)),
    ("sles", "15.2", date(2021, 12, 31)),
    ("sles", "15.3", date(2022, 12, 31)),
    ("sles", "15.4", date(2023, 12, 31)),
    ("sles", "15.5", date(2024, 12, 31)),
    // https://en.opensuse.org/Lifetime
    ("opensuse-leap", "42.3", date(2019, 7, 1)),
    ("opensuse-leap", "15.0", date(2019, 12, 3)),
    ("opensuse-leap", "15.1", date(2021, 2, 2)),
    ("opensuse-leap", "15.2", date(2022, 1, 4)),
    ("opensuse-leap", "15.3", date(2022, 12, 31)),
    ("opensuse-leap", "15.4", date(2023, 12, 7)),
    ("opensuse-leap", "15.5", date(2024, 12, 31)),
    ("opensuse-leap", "15.6", date(2026, 4, 30)),
    ("opensuse-leap", "16.0", date(2027, 10, 31)),
];

/// The last day of a release that has ended by `now`; none if it has not, or nothing is known of it.
pub fn ended(release: &Release, now: Timestamp) -> Option<Date> {
    let parts = match release.id.as_str() {
        "alpine" | "amzn" | "opensuse-leap" | "sles" | "ubuntu" => 2,
        _ => 1,
    };
    let version = release.version.split('.').take(parts).collect::<Vec<_>>().join(".");
    let (_, _, last) = LAST_DAYS.iter().find(|(id, known, _)| *id == release.id && *known == version)?;
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    (today > *last).then_some(*last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_ends_after_its_last_day() {
        for (id, version, day, expected) in [
            ("debian", "11", "2026-08-31", None),
            ("debian", "11", "2026-09-01", Some(date(2026, 8, 31))),
            ("debian", "11.9", "2026-09-01", Some(date(2026, 8, 31))),
            ("debian", "12", "2026-09-01", None),
            ("alpine", "3.19.1", "2026-01-01", Some(date(2025, 11, 1))),
            ("alpine", "3.2.0", "2026-01-01", Some(date(2017, 5, 1))),
            ("alpine", "3.22.0", "2026-01-01", None),
            ("ubuntu", "23.10", "2026-01-01", Some(date(2024, 7, 11))),
            ("rhel", "7.9", "2026-01-01", Some(date(2024, 6, 30))),
            ("rhel", "8.10", "2026-01-01", None),
            ("amzn", "2018.03", "2026-01-01", Some(date(2023, 12, 31))),
            ("amzn", "2023", "2026-01-01", None),
            ("sles", "15.5", "2026-01-01", Some(date(2024, 12, 31))),
            ("opensuse-leap", "15.6", "2026-01-01", None),
            // Rolling, and nobody's.
            ("debian", "", "2026-01-01", None),
            ("unheard-of", "1", "2026-01-01", None),
        ] {
            let release = Release { id: id.to_owned(), version: version.to_owned(), ..Release::default() };
            let now = format!("{day}T12:00:00Z").parse().unwrap();
            assert_eq!(ended(&release, now), expected, "{id} {version} on {day}");
        }
    }

    #[test]
    fn no_release_stands_twice() {
        let mut releases: Vec<_> = LAST_DAYS.iter().map(|(id, version, _)| (id, version)).collect();
        releases.sort();
        releases.dedup();
        assert_eq!(releases.len(), LAST_DAYS.len());
    }
}
