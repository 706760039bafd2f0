//! Advisories from artifacts of a real registry, whole and with all that goes wrong on the way.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use pratique_http::{RetryPolicy, TransportOptions};
use pratique_registry::{Credential, Logins};
use pratique_testkit::daemons::{Between, Fault, RegistryDaemon, Seen, say};
use pratique_testkit::zip_archive;
use pratique_vulns::fetch::{Address, ArtifactAddress, Client, Feeds, FetchError, Store, Updated};

const EXPLOITED: &str = "known_exploited_vulnerabilities.json";

fn now() -> Timestamp {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

/// The archive of one advisory on `demo`, last changed on that day of April, with so many bytes that nothing packs.
fn archive(ecosystem: &str, day: u8, fixed: &str, padding: usize) -> Vec<u8> {
    let record = format!(
        r#"{{"id":"{ecosystem}-1","modified":"2026-04-{day:02}T00:00:00Z","affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"demo"}},
        "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
    );
    let mut state = 7_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    zip_archive(&[("1.json", record.into_bytes()), ("noise.json", noise.take(padding).collect())])
}

/// A registry, a store that has nothing, and what stands between them.
struct Fixture {
    folder: tempfile::TempDir,
    registry: RegistryDaemon,
    between: Between,
}

impl Fixture {
    fn new(rule: impl FnMut(&Seen) -> Fault + Send + 'static) -> Self {
        let registry = RegistryDaemon::plain();
        let between = Between::new(registry.port, rule);
        Self { folder: tempfile::tempdir().unwrap(), registry, between }
    }

    /// With a database of the advisory of the 1st.
    fn built(rule: impl FnMut(&Seen) -> Fault + Send + 'static) -> Self {
        let fixture = Self::new(rule);
        fixture.push(&[("PyPI/all.zip", &archive("PyPI", 1, "1.1", 0))]);
        let direct = address(fixture.registry.port, "osv:1");
        assert!(update(&fixture.store(), &direct, &["PyPI"], Logins::default()).unwrap().changed);
        fixture
    }

    fn push(&self, files: &[(&str, &[u8])]) -> String {
        self.registry.push_artifact("osv", "1", files, None)
    }

    fn store(&self) -> Store {
        Store::new(self.folder.path().join("advisories"))
    }

    fn update(&self, wanted: &[&str]) -> Result<Updated, FetchError> {
        update(&self.store(), &address(self.between.port, "osv:1"), wanted, Logins::default())
    }

    /// Updates, which must fail for PyPI with this reason and leave the database as it is.
    fn keeps_the_old_one(&self, reason: &str) {
        let before = fs::read(self.store().path()).unwrap();
        let updated = self.update(&["PyPI"]).unwrap();
        let said = &updated.failed["PyPI"];
        assert!(said.contains(reason), "{said}");
        assert!(!updated.changed);
        assert_eq!(fs::read(self.store().path()).unwrap(), before);
        assert_eq!(self.fix("PyPI"), "1.1");
    }

    fn fix(&self, ecosystem: &str) -> String {
        let database = self.store().open().unwrap().unwrap().database;
        database.verify().unwrap();
        database.lookup(ecosystem, "demo").unwrap()[0].spans[0].fixed().unwrap().to_owned()
    }
}

fn address(port: u16, name: &str) -> Address {
    Address::parse(&format!("oci://127.0.0.1:{port}/{name}")).unwrap()
}

fn update(store: &Store, address: &Address, wanted: &[&str], logins: Logins) -> Result<Updated, FetchError> {
    let Address::Artifact(ArtifactAddress(reference)) = address else { panic!("{address} is no artifact") };
    let insecure = vec![reference.registry().to_owned()];
    let options = TransportOptions { insecure, ..TransportOptions::default() };
    let retry = RetryPolicy { tries: 3, pause: Duration::from_millis(1), longest: Duration::from_secs(2) };
    let client = Client::new(options, retry, &|_| {}).unwrap().for_registries(logins, Vec::new());
    let wanted: BTreeSet<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    store.update(&wanted, &Feeds::of(address.clone()), &client, now())
}

#[test]
fn only_the_layers_that_are_wanted_and_changed_are_fetched() {
    let fixture = Fixture::new(|_| Fault::Pass);
    let (pypi, npm) = (archive("PyPI", 1, "1.1", 0), archive("npm", 1, "1.2", 0));
    let list = br#"{"vulnerabilities":[{"cveID":"CVE-2026-1","dateAdded":"2026-04-01"}]}"#;
    fixture.push(&[("PyPI/all.zip", &pypi), ("npm/all.zip", &npm), (EXPLOITED, list)]);
    let updated = fixture.update(&["PyPI", "Debian"]).unwrap();
    assert!(updated.changed && updated.warnings.is_empty(), "{updated:?}");
    assert!(updated.failed["Debian"].contains("no layer"), "{updated:?}");
    assert_eq!(updated.failed.len(), 1);
    assert_eq!(fixture.fix("PyPI"), "1.1");
    let known = fixture.store().open().unwrap().unwrap().database.exploit("CVE-2026-1").unwrap();
    assert_eq!(known.unwrap().known_since.as_deref(), Some("2026-04-01"));
    assert_eq!(fixture.between.count("/blobs/"), 2, "PyPI's archive and the list");

    // The same digest, even in another manifest: its layers are here.
    for tag in ["same", "again"] {
        assert!(!fixture.update(&["PyPI"]).unwrap().changed, "{tag}");
        assert_eq!(fixture.between.count("/blobs/"), 2);
        fixture.push(&[("PyPI/all.zip", &pypi), (EXPLOITED, list)]);
    }

    fixture.push(&[
        ("PyPI/all.zip", &archive("PyPI", 2, "1.3", 0)),
        ("npm/all.zip", &npm),
        (EXPLOITED, list),
    ]);
    assert!(fixture.update(&["PyPI", "npm"]).unwrap().changed);
    assert_eq!(fixture.between.count("/blobs/"), 4);
    assert_eq!((fixture.fix("PyPI"), fixture.fix("npm")), ("1.3".to_owned(), "1.2".to_owned()));
    assert_eq!(fixture.between.count("/manifests/"), 4, "one for each update");
}

#[test]
fn an_artifact_by_its_digest_stays_what_it_was() {
    let fixture = Fixture::new(|_| Fault::Pass);
    let digest = fixture.push(&[("PyPI/all.zip", &archive("PyPI", 1, "1.1", 0))]);
    fixture.push(&[("PyPI/all.zip", &archive("PyPI", 2, "1.2", 0))]);
    let named = address(fixture.registry.port, &format!("osv@{digest}"));
    update(&fixture.store(), &named, &["PyPI"], Logins::default()).unwrap();
    assert_eq!(fixture.fix("PyPI"), "1.1");
    let store = fixture.store();
    assert!(store.due(&BTreeSet::from(["PyPI".to_owned()]), &Feeds::of(named), now()).is_empty());
    // What is older never replaces what is newer, from wherever it comes.
    assert!(fixture.update(&["PyPI"]).unwrap().changed);
    fixture.push(&[("PyPI/all.zip", &archive("PyPI", 1, "1.0", 0))]);
    let updated = fixture.update(&["PyPI"]).unwrap();
    assert!(updated.failed["PyPI"].contains("older than what is here"), "{updated:?}");
    assert_eq!(fixture.fix("PyPI"), "1.2");
}

#[test]
fn a_layer_that_is_cut_keeps_the_old_database_and_is_taken_up_later() {
    let fresh = archive("PyPI", 9, "1.9", 40_000);
    for length in [0, 1, fresh.len() / 2, fresh.len() - 1] {
        let mut left = 3;
        let fixture = Fixture::built(move |seen| {
            if !seen.path.contains("/blobs/") || left == 0 {
                return Fault::Pass;
            }
            left -= 1;
            Fault::Cut(if left == 2 { length } else { 0 })
        });
        fixture.push(&[("PyPI/all.zip", &fresh)]);
        fixture.keeps_the_old_one("broke off");
        assert!(fixture.update(&["PyPI"]).unwrap().changed);
        let last = fixture.between.seen().into_iter().rfind(|seen| seen.path.contains("/blobs/")).unwrap();
        let wanted = (length > 0).then(|| format!("bytes={length}-"));
        assert_eq!(last.header("range"), wanted.as_deref(), "{length}");
        assert_eq!(fixture.fix("PyPI"), "1.9");
    }
}

#[test]
fn what_was_left_of_another_layer_is_no_part_of_this_one() {
    let mut left = 3;
    let fixture = Fixture::built(move |seen| {
        if !seen.path.contains("/blobs/") || left == 0 {
            return Fault::Pass;
        }
        left -= 1;
        Fault::Cut(if left == 2 { 20_000 } else { 0 })
    });
    fixture.push(&[("PyPI/all.zip", &archive("PyPI", 9, "1.9", 40_000))]);
    fixture.keeps_the_old_one("broke off");
    fixture.push(&[("PyPI/all.zip", &archive("PyPI", 10, "2.0", 50_000))]);
    assert!(fixture.update(&["PyPI"]).unwrap().changed);
    assert_eq!(fixture.fix("PyPI"), "2.0");
}

#[test]
fn what_has_another_digest_is_refused_and_not_taken_up() {
    for part in ["/blobs/", "/manifests/"] {
        let mut changed = false;
        let fixture = Fixture::built(move |seen| {
            let is_first = seen.path.contains(part) && !std::mem::replace(&mut changed, true);
            if is_first { Fault::Change } else { Fault::Pass }
        });
        fixture.push(&[("PyPI/all.zip", &archive("PyPI", 9, "1.9", 1_000))]);
        fixture.keeps_the_old_one("another digest");
        assert!(fixture.update(&["PyPI"]).unwrap().changed, "{part}");
        assert_eq!(fixture.fix("PyPI"), "1.9");
    }
}

#[test]
fn what_holds_no_advisories_is_refused_with_what_to_do() {
    let fixture = Fixture::built(|_| Fault::Pass);
    let good = archive("PyPI", 9, "1.9", 0);
    fixture.push(&[("layer.tar", &good)]);
    fixture.keeps_the_old_one("oras push");
    fixture.push(&[("PyPI/all.zip", &good), ("PyPI/all.zip", b"other")]);
    fixture.keeps_the_old_one("two of its layers");
    fixture.push(&[("PyPI/all.zip", b"<html>")]);
    fixture.keeps_the_old_one("no whole zip archive");
    fixture.push(&[("PyPI/all.zip", &good), (EXPLOITED, b"{")]);
    let updated = fixture.update(&["PyPI"]).unwrap();
    assert!(updated.changed && updated.warnings.len() == 1, "{updated:?}");
}

#[test]
fn a_registry_that_is_silent_or_has_no_such_artifact_ends_all_at_once() {
    let fixture = Fixture::built(|seen| match seen.path.contains("/manifests/") {
        true => say("503 Service Unavailable", ""),
        false => Fault::Pass,
    });
    let updated = fixture.update(&["PyPI", "npm"]).unwrap();
    assert_eq!(updated.failed.len(), 2);
    assert!(updated.failed["npm"].contains("503"), "{updated:?}");
    let nowhere = address(fixture.registry.port, "nowhere:1");
    let updated = update(&fixture.store(), &nowhere, &["PyPI"], Logins::default()).unwrap();
    assert!(updated.failed["PyPI"].contains("404"), "{updated:?}");
    assert_eq!(fixture.fix("PyPI"), "1.1");
}

#[test]
fn logins_are_those_of_images() {
    let registry = RegistryDaemon::guarded();
    let files: [(&str, &[u8]); 1] = [("PyPI/all.zip", &archive("PyPI", 1, "1.1", 0))];
    registry.push_artifact("osv", "1", &files, Some(RegistryDaemon::AUTHORIZATION));
    let store = Store::new(registry.folder.path().join("advisories"));
    let named = address(registry.port, "osv:1");
    let updated = update(&store, &named, &["PyPI"], Logins::default()).unwrap();
    let said = &updated.failed["PyPI"];
    assert!(said.contains("401") && said.contains("docker login"), "{said}");
    let login = Credential::Password { user: "me".to_owned(), password: RegistryDaemon::PASSWORD.to_owned() };
    let logins = Logins { given: vec![(format!("127.0.0.1:{}", registry.port), login)], files: Vec::new() };
    assert!(update(&store, &named, &["PyPI"], logins).unwrap().changed);
}
