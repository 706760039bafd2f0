//! Tables of ranges, and what every range must be.

use proptest::prelude::*;

use super::*;

/// One case a line: `RANGE has VERSION`, `RANGE lacks VERSION`, or `! RANGE` for what is no range.
const TABLES: [(Dialect, &str); 2] = [
    (Dialect::Npm, include_str!("../../../testdata/version/range/npm.txt")),
    (Dialect::Composer, include_str!("../../../testdata/version/range/composer.txt")),
];

#[test]
fn ranges_keep_to_their_tables() {
    for (dialect, table) in TABLES {
        for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(range) = line.strip_prefix("! ") {
                let error = Requirement::parse(dialect, range).expect_err(line);
                assert!(error.to_string().contains(range), "{error}");
                continue;
            }
            let (has, word) = if line.contains(" has ") { (true, " has ") } else { (false, " lacks ") };
            let (range, version) = line.split_once(word).expect(line);
            let read = Requirement::parse(dialect, range).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(read.takes(version), Ok(has), "{line}: {read}");
        }
    }
}

#[test]
fn a_range_is_shown_as_the_bounds_it_came_to() {
    let shown = |dialect, range| Requirement::parse(dialect, range).unwrap().to_string();
    assert_eq!(shown(Dialect::Npm, "^1.2 || 3.x - 4 || *"), ">=1.2.0 <2.0.0-0 || >=3.0.0 <5.0.0-0 || *");
    assert_eq!(shown(Dialect::Composer, "~1.2, !=1.3.1"), ">=1.2.0.0-dev <2.0.0.0-dev !=1.3.1.0");
}

#[test]
fn what_is_long_or_of_another_ecosystem_is_refused() {
    assert_eq!(Dialect::of_osv("Packagist:https://packages.drupal.org/8"), Some(Dialect::Composer));
    assert_eq!(Dialect::of_osv("crates.io"), None, "semantic versions, and ranges of its own");
    let refused = |dialect, range: &str| Requirement::parse(dialect, range).unwrap_err().reason;
    assert!(refused(Dialect::Npm, &"1||".repeat(400)).contains("1024"));
    assert!(refused(Dialect::Npm, &"1 ".repeat(300)).contains("256"));
    assert!(Requirement::parse(Dialect::Npm, "*").unwrap().takes("not one").is_err());
}

proptest! {
    #[test]
    fn no_text_panics(text in "[0-9.xX*^~<>=!|, v@+a-]{0,40}", version in "[0-9]{1,2}(\\.[0-9]){0,3}(-[a-z0-9.]{1,4})?") {
        for dialect in [Dialect::Npm, Dialect::Composer] {
            if let Ok(range) = Requirement::parse(dialect, &text) {
                let _ = range.takes(&version);
            }
        }
    }

    #[test]
    fn a_caret_takes_its_own_version_and_not_the_next_major(major in 1_u32..99, minor in 0_u32..99, patch in 0_u32..99) {
        for dialect in [Dialect::Npm, Dialect::Composer] {
            let range = Requirement::parse(dialect, &format!("^{major}.{minor}.{patch}")).unwrap();
            prop_assert_eq!(range.takes(&format!("{major}.{minor}.{patch}")), Ok(true));
            prop_assert_eq!(range.takes(&format!("{major}.{}.0", minor + 1)), Ok(true));
            prop_assert_eq!(range.takes(&format!("{}.0.0", major + 1)), Ok(false));
        }
    }
}
