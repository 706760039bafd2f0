//! Releases that get no more security updates.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use pratique_core::package::Release;

/// The last day of updates that cost nothing, as each distribution publishes it.
const LAST_DAYS: &[(&str, &str, Date)] = &[
    // https://wiki.debian.org/LTS
    ("debian", "8", date(2020, 6, 30)),
    ("debian", "9", date(2022, 6, 30)),
    ("debian", "10", date(2024, 6, 30)),
    ("debian", "11", date(2026, 8, 31)),
    ("debian", "12", date(2028, 6, 30)),
    ("debian", "13", date(2030, 6, 30)),
    // https://ubuntu.com/about/release-cycle, without Ubuntu Pro
    ("ubuntu", "14.04", date(2019, 4, 25)),
    ("ubuntu", "16.04", date(2021, 4, 30)),
    ("ubuntu", "18.04", date(2023, 5, 31)),
    ("ubuntu", "20.04", date(2025, 5, 31)),
    // https://alpinelinux.org/releases/
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
    // https://wiki.centos.org/About/Product
    ("centos", "6", date(2020, 11, 30)),
    ("centos", "7", date(2024, 6, 30)),
    ("centos", "8", date(2021, 12, 31)),
];

/// The last day of a release that has ended by `now`; none if it has not, or nothing is known of it.
pub fn ended(release: &Release, now: Timestamp) -> Option<Date> {
    let parts = match release.id.as_str() {
        "alpine" | "ubuntu" => 2,
        _ => 1,
    };
    let version = release.version.split('.').take(parts).collect::<Vec<_>>().join(".");
    let (_, _, last) = LAST_DAYS.iter().find(|(id, known, _)| *id == release.id && *known == version)?;
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    (today > *last).then_some(*last)
}
