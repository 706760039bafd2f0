//! From records to findings: a small database of cut-outs made by hand, and inventories with near misses beside each hit.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use pratique_core::package::{Ecosystem, Evidence, Inventory, LocatedPackage, Package, Release, Source};
use pratique_core::{Finding, GapKind, Severity};
use pratique_vulns::exploits::{self, Exploits};
use pratique_vulns::{Database, Matches, build, match_inventory, vex};

/// The folder that NVD's feeds lie in is beside those of the ecosystems.
const RECORDS: &[(&str, &str)] = &[
    (
        "NVD",
        r#"{"format":"NVD_CVE","vulnerabilities":[
        {"cve":{"id":"CVE-2024-9001","metrics":{"cvssMetricV2":[{"type":"Primary","cvssData":{"vectorString":"AV:N/AC:L/Au:N/C:C/I:C/A:C"}}]}}},
        {"cve":{"id":"CVE-2024-9002","metrics":{"cvssMetricV31":[{"type":"Primary","cvssData":{"vectorString":"CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"}}]}}},
        {"cve":{"id":"CVE-2024-9010","metrics":{"cvssMetricV31":[{"type":"Primary","cvssData":{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}]}}},
        {"cve":{"id":"CVE-1999-1","metrics":{"cvssMetricV31":[{"type":"Primary","cvssData":{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}]}}}]}"#,
    ),
    (
        "Debian",
        r#"{"id":"DSA-9001-1","published":"2024-02-01T00:00:00Z","summary":"curl - security update",
        "upstream":["CVE-2024-9001","CVE-2024-9002"],"affected":[
        {"package":{"ecosystem":"Debian:12","name":"curl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"7.88.1-10+deb12u5"}]}]},
        {"package":{"ecosystem":"Debian:11","name":"curl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"7.74.0-1.3+deb11u11"}]}]}]}"#,
    ),
    (
        "Debian",
        r#"{"id":"DEBIAN-CVE-2024-9001","upstream":["CVE-2024-9001"],"published":"2024-01-01T00:00:00Z",
        "severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],"affected":[
        {"package":{"ecosystem":"Debian:12","name":"curl"},"ecosystem_specific":{"urgency":"unimportant"},
        "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"7.88.1-10+deb12u6"}]}]}]}"#,
    ),
    (
        "Debian",
        r#"{"id":"DEBIAN-CVE-2024-9003","withdrawn":"2024-03-01T00:00:00Z","affected":[
        {"package":{"ecosystem":"Debian:12","name":"curl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}"#,
    ),
    (
        "Debian",
        r#"{"id":"DEBIAN-CVE-2024-9004","affected":[{"package":{"ecosystem":"Debian:12","name":"linux"},
        "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}"#,
    ),
    (
        "Ubuntu",
        r#"{"id":"UBUNTU-CVE-2024-9040","upstream":["CVE-2024-9040"],"severity":[{"type":"Ubuntu","score":"medium"}],"affected":[
        {"package":{"ecosystem":"Ubuntu:22.04:LTS","name":"foo"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.2-3ubuntu0.2"}]}]},
        {"package":{"ecosystem":"Ubuntu:Pro:22.04:LTS","name":"bar"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2.0-1ubuntu0.1~esm2"}]}]}]}"#,
    ),
    (
        "AlmaLinux",
        r#"{"id":"ALSA-2024:9001","summary":"Important: nodejs:20 security update","related":["CVE-2024-9010","CVE-2024-9011"],
        "affected":[{"package":{"ecosystem":"AlmaLinux:9","name":"nodejs"},"ranges":[{"type":"ECOSYSTEM",
        "events":[{"introduced":"0"},{"fixed":"1:20.11.1-1.module_el9.3.0+1"}]}]}]}"#,
    ),
    (
        "PyPI",
        r#"{"id":"PYSEC-2024-9","aliases":["CVE-2024-9020","GHSA-aaaa-bbbb-cccc"],"details":"One.","affected":[
        {"package":{"ecosystem":"PyPI","name":"Some.Package"},"ranges":[{"type":"ECOSYSTEM","events":[
        {"introduced":"0"},{"fixed":"1.4.2"},{"introduced":"2.0"},{"fixed":"2.0.3"}]}],"versions":["1.0","3.0b1"]}]}"#,
    ),
    (
        "PyPI",
        r#"{"id":"GHSA-aaaa-bbbb-cccc","aliases":["CVE-2024-9020"],"summary":"Two","database_specific":{"severity":"MODERATE"},
        "affected":[{"package":{"ecosystem":"PyPI","name":"some-package"},"ranges":[{"type":"ECOSYSTEM","events":[
        {"introduced":"0"},{"fixed":"1.4.3"}]}]}]}"#,
    ),
    (
        "PyPI",
        r#"{"id":"GHSA-xxxx-yyyy-zzzz","related":["CVE-2024-9020"],"affected":[{"package":{"ecosystem":"PyPI","name":"some-package"},
        "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"1.0"}]}]}]}"#,
    ),
    (
        "Go",
        r#"{"id":"GO-2024-9030","aliases":["CVE-2024-9030"],"published":"0001-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"stdlib"},
        "ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.21.8"},{"introduced":"1.22.0-0"},{"fixed":"1.22.1"}]}]}]}"#,
    ),
];

struct Fixture {
    folder: tempfile::TempDir,
    db: Database,
}

impl Fixture {
    fn path(&self) -> PathBuf {
        self.folder.path().join("advisories.db")
    }
}

fn now() -> Timestamp {
    "2026-01-15T00:00:00Z".parse().unwrap()
}

fn database() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("osv");
    for (index, (ecosystem, record)) in RECORDS.iter().enumerate() {
        fs::create_dir_all(records.join(ecosystem)).unwrap();
        fs::write(records.join(ecosystem).join(format!("{index}.json")), record).unwrap();
    }
    let mut known = Exploits::new();
    let list = br#"{"vulnerabilities":[{"cveID":"CVE-2024-9001","dateAdded":"2024-01-20"}]}"#;
    exploits::add_exploited(&mut known, list).unwrap();
    exploits::add_estimates(&mut known, "CVE-2024-9001,0.42,0.9\n").unwrap();
    let path = folder.path().join("advisories.db");
    let stats = build(&records, None, &known, &path, now()).unwrap();
    assert_eq!((stats.advisories, stats.withdrawn, stats.unreadable_count), (9, 1, 0));
    let db = Database::open(&path).unwrap();
    db.verify().unwrap();
    Fixture { folder, db }
}

fn located(package: Package) -> LocatedPackage {
    let purl = format!("pkg:{}/{}@{}", package.ecosystem.purl_type(), package.name, package.version);
    LocatedPackage { package, purl, path: "/place".to_owned(), layer: None, owned_by: None, files: 0 }
}

fn plain(ecosystem: Ecosystem, name: &str, version: &str) -> LocatedPackage {
    located(Package::new(ecosystem, name, version))
}

fn deb(name: &str, version: &str, source: &str) -> LocatedPackage {
    let mut package = Package::new(Ecosystem::Deb, name, version);
    package.source = Some(Source { name: source.to_owned(), version: version.to_owned() });
    located(package)
}

fn system(id: &str, version: &str, packages: Vec<LocatedPackage>) -> Inventory {
    let release = Release { id: id.to_owned(), version: version.to_owned(), ..Release::default() };
    Inventory { release: Some(release), packages, removed: Vec::new() }
}

fn matched(fixture: &Fixture, inventory: &Inventory) -> Matches {
    match_inventory(&fixture.db, inventory, now()).unwrap()
}

fn ids(matches: &Matches) -> Vec<&str> {
    let mut ids: Vec<_> = matches.findings.iter().map(|finding| finding.attributes["id"].as_str()).collect();
    ids.sort_unstable();
    ids
}

fn named<'a>(matches: &'a Matches, id: &str) -> &'a Finding {
    matches.findings.iter().find(|finding| finding.attributes["id"] == id).unwrap()
}

fn of_language(fixture: &Fixture, ecosystem: Ecosystem, name: &str, version: &str) -> Matches {
    let packages = vec![plain(ecosystem, name, version)];
    matched(fixture, &Inventory { release: None, packages, removed: Vec::new() })
}

#[test]
fn a_flaw_with_many_names_is_one_finding_and_says_all_it_knows() {
    let fixture = database();
    let found =
        matched(&fixture, &system("debian", "12", vec![deb("libcurl4", "7.88.1-10+deb12u4", "curl")]));
    assert_eq!(ids(&found), ["CVE-2024-9001", "CVE-2024-9002"]);
    let first = &named(&found, "CVE-2024-9001").attributes;
    for (name, expected) in [
        ("aliases", "DEBIAN-CVE-2024-9001 DSA-9001-1"),
        ("package", "libcurl4"),
        ("source", "curl 7.88.1-10+deb12u4"),
        // The later of both advisories' fixes.
        ("fixed", "7.88.1-10+deb12u6"),
        ("why", "curl < 7.88.1-10+deb12u6"),
        ("severitySource", "Debian"),
        ("cvssScore", "9.8"),
        ("published", "2024-01-01T00:00:00Z"),
        ("knownExploited", "2024-01-20"),
        ("epss", "0.42000"),
    ] {
        assert_eq!(first.get(name).map(String::as_str), Some(expected), "{name}");
    }
    // The distribution's own word counts, not the score.
    assert_eq!(named(&found, "CVE-2024-9001").severity, Severity::Negligible);
    assert_eq!(found.upgrades["pkg:deb/libcurl4@7.88.1-10+deb12u4"], "7.88.1-10+deb12u6");
    assert_eq!(found.gaps, []);
}

#[test]
fn nvd_rates_what_no_advisory_does() {
    let fixture = database();
    let found =
        matched(&fixture, &system("debian", "12", vec![deb("libcurl4", "7.88.1-10+deb12u4", "curl")]));
    let shown = |finding: &Finding| {
        let attribute = |name: &str| finding.attributes.get(name).cloned().unwrap_or_default();
        (finding.severity, attribute("severitySource"), attribute("cvssScore"))
    };
    let expected = |severity, source: &str, score: &str| (severity, source.to_owned(), score.to_owned());
    assert_eq!(shown(named(&found, "CVE-2024-9002")), expected(Severity::High, "NVD, CVSS 3.1", "7.8"));
    // Its advisory has a vector of its own.
    assert_eq!(shown(named(&found, "CVE-2024-9001")), expected(Severity::Negligible, "Debian", "9.8"));
    // The distribution's word counts; the vector that it lacks is shown all the same.
    let mut package = Package::new(Ecosystem::Rpm, "nodejs", "1:20.10.0-1.module_el9.3.0+1");
    package.attributes.insert("module".to_owned(), "nodejs:20:9030:el9".to_owned());
    let found = matched(&fixture, &system("almalinux", "9.3", vec![located(package)]));
    assert_eq!(shown(named(&found, "CVE-2024-9010")), expected(Severity::High, "AlmaLinux", "9.8"));
    assert_eq!(shown(named(&found, "CVE-2024-9011")), expected(Severity::High, "AlmaLinux", ""));
    // Nobody speaks of it: it is not kept.
    assert_eq!(fixture.db.exploit("CVE-1999-1").unwrap(), None);
}

#[test]
fn the_fixed_version_another_release_and_a_backport_are_not_affected() {
    let fixture = database();
    for (release, version, expected) in [
        ("12", "7.88.1-10+deb12u5", vec!["CVE-2024-9001"]),
        ("12", "7.88.1-10+deb12u6", vec![]),
        // Older than what Debian 12 has, and fixed in Debian 11 all the same.
        ("11", "7.74.0-1.3+deb11u11", vec![]),
        ("11", "7.74.0-1.3+deb11u10", vec!["CVE-2024-9001", "CVE-2024-9002"]),
    ] {
        let found = matched(&fixture, &system("debian", release, vec![deb("curl", version, "curl")]));
        assert_eq!(ids(&found), expected, "{release} {version}");
    }
}

#[test]
fn what_only_subscribers_get_is_no_fix_for_others() {
    let fixture = database();
    for (source, version, expected) in [
        ("foo", "1.2-3ubuntu0.1", Some((Some("1.2-3ubuntu0.2"), None))),
        ("foo", "1.2-3ubuntu0.2", None),
        ("bar", "2.0-1", Some((None, Some("2.0-1ubuntu0.1~esm2")))),
        ("bar", "2.0-1ubuntu0.1~esm1", Some((Some("2.0-1ubuntu0.1~esm2"), None))),
        ("bar", "2.0-1ubuntu0.1~esm2", None),
        ("bar", "2.0-1ubuntu0.1", None),
    ] {
        let found = matched(&fixture, &system("ubuntu", "22.04", vec![deb("lib", version, source)]));
        let shown = found.findings.first().map(|finding| {
            let attribute = |name: &str| finding.attributes.get(name).map(String::as_str);
            (attribute("fixed"), attribute("fixedForSubscribers"))
        });
        assert_eq!(shown, expected, "{source} {version}");
        let can_upgrade = shown.is_some_and(|(fixed, _)| fixed.is_some());
        assert_eq!(found.upgrades.len(), usize::from(can_upgrade), "{source} {version}");
    }
}

#[test]
fn a_module_stream_is_judged_by_its_own_advisories() {
    let fixture = database();
    for (version, module, expected) in [
        ("1:20.10.0-1.module_el9.3.0+1", Some("nodejs:20:9030:el9"), vec!["CVE-2024-9010", "CVE-2024-9011"]),
        ("1:20.11.1-1.module_el9.3.0+1", Some("nodejs:20:9030:el9"), vec![]),
        ("1:18.19.0-1.module_el9.3.0+1", Some("nodejs:18:9030:el9"), vec![]),
        ("1:16.20.0-1.el9", None, vec![]),
    ] {
        let mut package = Package::new(Ecosystem::Rpm, "nodejs", version);
        package.attributes.extend(module.map(|label| ("module".to_owned(), label.to_owned())));
        let found = matched(&fixture, &system("almalinux", "9.3", vec![located(package)]));
        assert_eq!(ids(&found), expected, "{version}");
        assert!(found.findings.iter().all(|finding| finding.severity == Severity::High));
    }
}

#[test]
fn ranges_lists_and_names_of_a_language_count_as_it_writes_them() {
    let fixture = database();
    for (version, expected) in [
        ("0.9", vec!["CVE-2024-9020"]),
        ("1.4.1", vec!["CVE-2024-9020", "GHSA-xxxx-yyyy-zzzz"]),
        ("1.4.2", vec!["CVE-2024-9020", "GHSA-xxxx-yyyy-zzzz"]),
        ("1.4.3", vec!["GHSA-xxxx-yyyy-zzzz"]),
        ("2.0.0", vec!["CVE-2024-9020", "GHSA-xxxx-yyyy-zzzz"]),
        ("2.0.3", vec!["GHSA-xxxx-yyyy-zzzz"]),
        ("3.0-beta.1", vec!["CVE-2024-9020", "GHSA-xxxx-yyyy-zzzz"]),
    ] {
        let found = of_language(&fixture, Ecosystem::PyPi, "some_package", version);
        assert_eq!(ids(&found), expected, "{version}");
    }
    let found = of_language(&fixture, Ecosystem::PyPi, "some_package", "1.4.1");
    assert_eq!(named(&found, "CVE-2024-9020").severity, Severity::Medium);
    assert_eq!(named(&found, "CVE-2024-9020").attributes["fixed"], "1.4.3");
    assert_eq!(found.upgrades.values().collect::<Vec<_>>(), ["1.4.3"]);
}

#[test]
fn gos_standard_library_is_judged_by_the_version_that_built_a_program() {
    let fixture = database();
    for (version, count) in [("go1.21.7", 1), ("go1.21.8", 0), ("go1.22rc1", 1), ("1.22.0", 1), ("1.22.1", 0)]
    {
        let found = of_language(&fixture, Ecosystem::Go, "stdlib", version);
        assert_eq!(found.findings.len(), count, "{version}");
    }
}

#[test]
fn what_has_no_data_or_cannot_be_read_is_a_gap_and_never_clean() {
    let fixture = database();
    let reason = |found: &Matches| {
        assert_eq!((found.findings.len(), found.gaps.len()), (0, 1), "{found:?}");
        assert_eq!(found.gaps[0].detector.as_deref(), Some("vulnerability"));
        (found.gaps[0].kind, found.gaps[0].reason.clone())
    };
    let (kind, text) = reason(&of_language(&fixture, Ecosystem::Gem, "rails", "7.0.0"));
    assert_eq!(kind, GapKind::Unsupported);
    assert!(text.contains("RubyGems") && text.contains("1 package"), "{text}");
    let (_, text) =
        reason(&matched(&fixture, &system("debian", "13", vec![deb("curl", "8.14.1-2", "curl")])));
    assert!(text.contains("Debian:13"), "{text}");
    let (_, text) =
        reason(&matched(&fixture, &system("gentoo-like", "1", vec![deb("curl", "8.14.1-2", "curl")])));
    assert!(text.contains("gentoo-like"), "{text}");
    let (kind, text) = reason(&of_language(&fixture, Ecosystem::Go, "stdlib", "(devel)"));
    assert_eq!(kind, GapKind::Malformed);
    assert!(text.contains("GO-2024-9030") && text.contains("(devel)"), "{text}");
    // Nobody speaks of this module: its version does not matter.
    assert_eq!(of_language(&fixture, Ecosystem::Go, "example.com/main", "(devel)"), Matches::default());
}

#[test]
fn what_a_system_package_owns_and_kernel_headers_are_passed_over_by_name() {
    let fixture = database();
    let mut owned = plain(Ecosystem::PyPi, "some-package", "1.0");
    owned.owned_by = Some("pkg:deb/debian/python3-some-package".to_owned());
    let headers = deb("linux-libc-dev", "6.1.0-1", "linux");
    let found = matched(
        &fixture,
        &system("debian", "12", vec![headers, owned.clone(), deb("bash", "5.2-1", "bash")]),
    );
    assert_eq!((found.findings.len(), found.passed_over.len()), (0, 2), "{found:?}");
    let image = deb("linux-image-amd64", "6.1.0-1", "linux");
    assert_eq!(ids(&matched(&fixture, &system("debian", "12", vec![image]))), ["CVE-2024-9004"]);
    // Where nobody speaks for the distribution, the language does.
    let found = matched(&fixture, &system("unheard-of", "1", vec![owned, deb("bash", "5.2-1", "bash")]));
    assert_eq!(found.findings.len(), 2);
}

#[test]
fn archives_of_the_system_are_passed_over_and_those_of_languages_say_that_they_are_not_installed() {
    let fixture = database();
    let archived = |mut located: LocatedPackage| {
        located.package.evidence = Evidence::Archived;
        located
    };
    let curl = archived(deb("curl", "7.88.1-10+deb12u4", "curl"));
    let found = matched(&fixture, &system("debian", "12", vec![curl]));
    assert_eq!((found.findings.len(), found.passed_over.len()), (0, 1), "{found:?}");
    let wheel = archived(plain(Ecosystem::PyPi, "some-package", "1.0"));
    let found = matched(&fixture, &system("debian", "12", vec![wheel]));
    assert_eq!(found.findings.len(), 2, "{found:?}");
    let says =
        |finding: &Finding| finding.message.contains("some-package 1.0, an archive that is not installed");
    assert!(found.findings.iter().all(says), "{found:?}");
}

#[test]
fn a_package_made_for_another_distribution_is_judged_by_that_ones_advisories() {
    let fixture = database();
    let mut curl = deb("curl", "7.88.1-10+deb12u4", "curl");
    let here = matched(&fixture, &system("debian", "12", vec![curl.clone()]));
    assert!(!here.findings.is_empty());
    curl.package.attributes.insert("distro".to_owned(), "debian-12".to_owned());
    assert_eq!(matched(&fixture, &system("unheard-of", "1", vec![curl.clone()])).findings, here.findings);
    curl.package.attributes.insert("distro".to_owned(), "unheard-of-2".to_owned());
    let found = matched(&fixture, &system("debian", "12", vec![curl]));
    assert_eq!((found.findings.len(), found.gaps.len()), (0, 1), "{found:?}");
}

#[test]
fn a_release_that_has_ended_is_a_finding_and_a_gap() {
    let fixture = database();
    let found = matched(&fixture, &system("debian", "10", Vec::new()));
    assert_eq!(found.findings[0].rule, "end-of-life");
    assert!(found.gaps[0].reason.contains("2024-06-30"), "{}", found.gaps[0].reason);
    let found = matched(&fixture, &system("debian", "12", Vec::new()));
    assert_eq!(found, Matches::default());
}

#[test]
fn a_damaged_database_is_refused_or_says_so_where_it_is_read() {
    let fixture = database();
    let whole = fs::read(fixture.path()).unwrap();
    let other = fixture.folder.path().join("other.db");
    for tenth in 0..10 {
        fs::write(&other, &whole[..whole.len() * tenth / 10]).unwrap();
        let error = Database::open(&other).err().expect("a cut database opened").to_string();
        assert!(error.contains("other.db"), "{error}");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&other, &bytes).unwrap();
        let harmless = Database::open(&other).is_ok_and(|db| db.verify().is_ok());
        assert!(!harmless, "nobody noticed a flipped bit at {at}");
    }
    // Whoever skips the whole check still never gets a wrong answer.
    let inventory = system("debian", "12", vec![deb("curl", "7.88.1-10+deb12u4", "curl")]);
    let good = match_inventory(&fixture.db, &inventory, now()).unwrap();
    for at in 64..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x01;
        fs::write(&other, &bytes).unwrap();
        if let Ok(db) = Database::open(&other)
            && let Ok(found) = match_inventory(&db, &inventory, now())
        {
            assert_eq!(found, good, "a flipped bit at {at} changed an answer");
        }
    }
}

#[test]
fn a_failed_build_leaves_the_old_database_as_it_was() {
    let fixture = database();
    let before = fs::read(fixture.path()).unwrap();
    let records = fixture.folder.path().join("osv");
    fs::create_dir_all(records.join("npm")).unwrap();
    fs::write(records.join("npm/all.zip"), b"PK\x03\x04 and then nothing").unwrap();
    let error = build(&records, None, &Exploits::new(), &fixture.path(), now()).unwrap_err().to_string();
    assert!(error.contains("all.zip") && error.contains("fetch it again"), "{error}");
    let wanted = ["Hex".to_owned()];
    assert!(build(&records, Some(&wanted), &Exploits::new(), &fixture.path(), now()).is_err());
    assert_eq!(fs::read(fixture.path()).unwrap(), before);
    assert_eq!(fs::read_dir(fixture.folder.path()).unwrap().count(), 2, "something was left behind");
}

#[test]
fn names_and_packages_are_found_in_the_database() {
    let fixture = database();
    let shown: Vec<_> =
        fixture.db.show("CVE-2024-9020").unwrap().iter().map(|found| found.id.clone()).collect();
    assert_eq!(shown, ["PYSEC-2024-9", "GHSA-aaaa-bbbb-cccc"].map(str::to_owned));
    assert_eq!(fixture.db.show("CVE-1999-1").unwrap(), []);
    let found = fixture.db.search("cur", 10).unwrap();
    let pair = |ecosystem: &str| (ecosystem.to_owned(), "curl".to_owned());
    assert_eq!(found, [pair("Debian:11"), pair("Debian:12")]);
}

#[test]
fn a_vex_statement_takes_out_what_it_speaks_of_and_says_who_and_why() {
    let fixture = database();
    let found = matched(&fixture, &system("debian", "12", vec![deb("curl", "7.88.1-10+deb12u4", "curl")]));
    let document = br#"{"@context":"https://openvex.dev/ns/v0.2.0","author":"Security team","statements":[
        {"vulnerability":{"name":"CVE-2024-9001"},"products":[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:deb/curl@7.88.1-10%2Bdeb12u4"}]}],
         "status":"not_affected","justification":"vulnerable_code_not_in_execute_path"},
        {"vulnerability":{"name":"CVE-2024-9002"},"products":[{"@id":"pkg:deb/curl@7.88.1-11"}],
         "status":"not_affected","justification":"component_not_present"}]}"#;
    let statements = vex::read(document).unwrap();
    let (kept, suppressed) = vex::apply(found.findings, &statements);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].attributes["id"], "CVE-2024-9002");
    assert_eq!(suppressed[0].finding.attributes["id"], "CVE-2024-9001");
    assert_eq!(
        (suppressed[0].by.as_str(), suppressed[0].reason.as_str()),
        ("Security team", "vulnerable_code_not_in_execute_path")
    );
    let bare =
        br#"{"statements":[{"vulnerability":"CVE-1","products":["pkg:npm/a"],"status":"not_affected"}]}"#;
    assert!(vex::read(bare).unwrap_err().to_string().contains("statement 1"));
}
