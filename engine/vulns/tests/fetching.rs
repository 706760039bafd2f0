//! Advisories from a web server of this machine, whole and with all that goes wrong on the way.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use pratique_http::{RetryPolicy, TransportOptions};
use pratique_testkit::{Asked, Spoil, WebServer, zip_archive};
use pratique_vulns::Database;
use pratique_vulns::fetch::{Address, Client, Feeds, FetchError, Store, Updated};
use sha2::{Digest as _, Sha256};

fn now() -> Timestamp {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

/// A record on the package `demo` of PyPI, last changed on that day of April.
fn record(id: &str, day: u8, fixed: &str) -> String {
    format!(
        r#"{{"id":"{id}","modified":"2026-04-{day:02}T00:00:00Z","affected":[{{"package":{{"ecosystem":"PyPI","name":"demo"}},
        "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
    )
}

/// An archive of such records, with so many bytes beside them that nothing packs.
fn archive(records: &[(&str, u8, &str)], padding: usize) -> Vec<u8> {
    let mut files: Vec<(String, Vec<u8>)> = records
        .iter()
        .map(|(id, day, fixed)| (format!("{id}.json"), record(id, *day, fixed).into_bytes()))
        .collect();
    let mut state = 7_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    files.push(("noise.json".to_owned(), noise.take(padding).collect()));
    let files: Vec<(&str, &Vec<u8>)> = files.iter().map(|(name, content)| (name.as_str(), content)).collect();
    zip_archive(&files)
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

struct Fixture {
    folder: tempfile::TempDir,
    server: WebServer,
}

impl Fixture {
    /// A server that has PyPI's advisory A-1 of the 1st, and a store that has nothing.
    fn new() -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap(), server: WebServer::new() };
        fixture.server.put("/PyPI/all.zip", archive(&[("A-1", 1, "1.1")], 0));
        fixture.server.put("/PyPI/modified_id.csv", "2026-04-01T00:00:00Z,A-1\n");
        fixture
    }

    /// The same, with a database.
    fn built() -> Self {
        let fixture = Self::new();
        assert!(fixture.update().unwrap().changed);
        fixture.server.asked();
        fixture
    }

    fn store(&self) -> Store {
        Store::new(self.folder.path().join("advisories"))
    }

    fn feeds(&self) -> Feeds {
        Feeds::of(Address::parse(&self.server.address()).unwrap())
    }

    fn update(&self) -> Result<Updated, FetchError> {
        update(&self.store(), &self.feeds(), &["PyPI"])
    }

    /// Updates, which must fail for PyPI with this reason and leave the database as it is.
    fn keeps_the_old_one(&self, reason: &str) {
        let before = fs::read(self.store().path()).unwrap();
        let updated = self.update().unwrap();
        let said = &updated.failed["PyPI"];
        assert!(said.contains(reason), "{said}");
        assert!(!updated.changed);
        assert_eq!(fs::read(self.store().path()).unwrap(), before);
        assert_eq!(self.fixes(), ["A-1 1.1"]);
        let left = self.folder.path().join("advisories/database.new");
        assert!(!left.exists());
    }

    /// The paths that were asked for.
    fn asked(&self) -> Vec<String> {
        self.server.asked().into_iter().map(|asked| asked.path).collect()
    }

    /// What the database says of `demo`.
    fn fixes(&self) -> Vec<String> {
        let advisories = self.store().open().unwrap().unwrap();
        advisories.database.verify().unwrap();
        fixes(&advisories.database)
    }
}

fn fixes(database: &Database) -> Vec<String> {
    let found = database.lookup("PyPI", "demo").unwrap();
    let mut all: Vec<String> = found
        .iter()
        .map(|affected| {
            let id = database.advisory(affected.advisory).unwrap().id.clone();
            format!("{id} {}", affected.spans[0].fixed().unwrap())
        })
        .collect();
    all.sort();
    all
}

fn update(store: &Store, feeds: &Feeds, wanted: &[&str]) -> Result<Updated, FetchError> {
    let insecure = feeds.advisories.plain_host().into_iter().collect();
    let options = TransportOptions { insecure, ..TransportOptions::default() };
    let retry = RetryPolicy { tries: 3, pause: Duration::from_millis(1), longest: Duration::from_secs(2) };
    store.update(&names(wanted), feeds, &Client::new(options, retry, &|_| {}).unwrap(), now())
}

#[test]
fn only_what_is_wanted_is_fetched_and_afterwards_only_what_changed() {
    let fixture = Fixture::new();
    fixture.server.put("/npm/all.zip", archive(&[("B-1", 1, "1.1")], 0));
    let store = fixture.store();
    assert!(store.open().unwrap().is_none());
    let feeds = fixture.feeds();
    assert_eq!(store.due(&names(&["PyPI"]), &feeds, now()), names(&["PyPI"]));
    assert!(fixture.update().unwrap().changed);
    assert_eq!(fixture.asked()[0], "/PyPI/all.zip");
    assert_eq!(fixture.fixes(), ["A-1 1.1"]);
    assert_eq!(store.open().unwrap().unwrap().checked["PyPI"], now());

    // Fresh for a day, and at another address not at all.
    assert!(store.due(&names(&["PyPI"]), &feeds, now()).is_empty());
    assert_eq!(store.due(&names(&["PyPI", "npm"]), &feeds, now()), names(&["npm"]));
    let tomorrow = now() + jiff::SignedDuration::from_hours(25);
    assert_eq!(store.due(&names(&["PyPI"]), &feeds, tomorrow), names(&["PyPI"]));
    let elsewhere = Feeds::of(Address::parse("https://elsewhere.example").unwrap());
    assert_eq!(store.due(&names(&["PyPI"]), &elsewhere, now()), names(&["PyPI"]));

    // Nothing changed: the list says so, the second time by its entity tag.
    for status in ["list", "tag"] {
        assert!(!fixture.update().unwrap().changed, "{status}");
        let asked = fixture.server.asked();
        assert_eq!(asked[0].path, "/PyPI/modified_id.csv");
        assert_eq!(asked[0].headers.contains_key("if-none-match"), status == "tag");
        assert!(!asked.iter().any(|asked| asked.path.ends_with("all.zip")), "{asked:?}");
    }

    // One record changed and one came.
    fixture.server.put("/PyPI/modified_id.csv", "2026-04-03T00:00:00Z,A-1\n2026-04-02T00:00:00Z,A-2\n");
    fixture.server.put("/PyPI/A-1.json", record("A-1", 3, "1.2"));
    fixture.server.put("/PyPI/A-2.json", record("A-2", 2, "1.3"));
    assert!(fixture.update().unwrap().changed);
    assert_eq!(fixture.asked()[..3], ["/PyPI/modified_id.csv", "/PyPI/A-1.json", "/PyPI/A-2.json"]);
    assert_eq!(fixture.fixes(), ["A-1 1.2", "A-2 1.3"]);

    // One was withdrawn.
    fixture.server.put("/PyPI/modified_id.csv", "2026-04-04T00:00:00Z,A-1\n");
    let withdrawn = record("A-1", 4, "1.2").replacen('{', r#"{"withdrawn":"2026-04-04T00:00:00Z","#, 1);
    fixture.server.put("/PyPI/A-1.json", withdrawn);
    assert!(fixture.update().unwrap().changed);
    assert_eq!(fixture.fixes(), ["A-2 1.3"]);
}

#[test]
fn many_changes_or_none_listed_bring_the_whole_archive() {
    let fixture = Fixture::built();
    let lines = (0..300).map(|number| format!("2026-04-05T00:00:00Z,A-{number}\n"));
    fixture.server.put("/PyPI/modified_id.csv", lines.collect::<String>());
    fixture.server.put("/PyPI/all.zip", archive(&[("A-1", 5, "1.4")], 0));
    assert!(fixture.update().unwrap().changed);
    assert_eq!(fixture.asked()[..2], ["/PyPI/modified_id.csv", "/PyPI/all.zip"]);
    assert_eq!(fixture.fixes(), ["A-1 1.4"]);
    // An address without lists.
    fixture.server.remove("/PyPI/modified_id.csv");
    assert!(!fixture.update().unwrap().changed);
    let asked = fixture.server.asked();
    assert!(asked[1].path == "/PyPI/all.zip" && asked[1].headers.contains_key("if-none-match"), "{asked:?}");
    fixture.server.put("/PyPI/all.zip", archive(&[("A-1", 6, "1.5")], 0));
    assert!(fixture.update().unwrap().changed);
    assert_eq!(fixture.fixes(), ["A-1 1.5"]);
}

/// Cuts answers on this path so, as often as it says.
fn cutting(path: &'static str, length: usize, mut times: usize) -> impl FnMut(&Asked) -> Spoil + Send {
    move |asked| {
        if asked.path != path || times == 0 {
            return Spoil::Nothing;
        }
        times -= 1;
        Spoil::Cut(length)
    }
}

#[test]
fn a_download_that_is_cut_at_any_tenth_keeps_the_old_database_and_is_taken_up_later() {
    let fresh = archive(&[("A-1", 9, "1.9")], 40_000);
    for tenth in 0..10 {
        let fixture = Fixture::built();
        fixture.server.remove("/PyPI/modified_id.csv");
        fixture.server.put("/PyPI/all.zip", fresh.clone());
        let length = fresh.len() * tenth / 10;
        // Every answer breaks off at once from the second on, so that no try is lucky.
        let mut first = true;
        fixture.server.spoil(move |asked| match asked.path.as_str() {
            "/PyPI/all.zip" => Spoil::Cut(if std::mem::take(&mut first) { length } else { 0 }),
            _ => Spoil::Nothing,
        });
        fixture.keeps_the_old_one("broke off");
        fixture.server.asked();
        // The next update asks for what is missing.
        fixture.server.spoil(|_| Spoil::Nothing);
        assert!(fixture.update().unwrap().changed);
        let asked = fixture.server.asked();
        let range = asked[1].headers.get("range");
        assert_eq!(range.cloned(), (length > 0).then(|| format!("bytes={length}-")), "{tenth}");
        assert_eq!(fixture.fixes(), ["A-1 1.9"]);
    }
}

#[test]
fn what_breaks_off_now_and_then_is_taken_up_at_once() {
    let fixture = Fixture::new();
    let whole = archive(&[("A-1", 9, "1.9")], 40_000);
    fixture.server.put("/PyPI/all.zip", whole.clone());
    fixture.server.spoil(cutting("/PyPI/all.zip", whole.len() / 2, 1));
    assert!(fixture.update().unwrap().failed.is_empty());
    let asked = fixture.server.asked();
    assert_eq!(asked[1].headers["range"], format!("bytes={}-", whole.len() / 2));
    // If the file became another one meanwhile, it is fetched from its start.
    let fixture = Fixture::new();
    fixture.server.put("/PyPI/all.zip", whole.clone());
    fixture
        .server
        .spoil(|asked| if asked.path.ends_with("all.zip") { Spoil::Cut(9_000) } else { Spoil::Nothing });
    assert!(!fixture.update().unwrap().failed.is_empty());
    fixture.server.spoil(|_| Spoil::Nothing);
    fixture.server.put("/PyPI/all.zip", archive(&[("A-1", 10, "2.0")], 50_000));
    assert!(fixture.update().unwrap().changed);
    assert_eq!(fixture.fixes(), ["A-1 2.0"]);
}

#[test]
fn a_list_or_record_that_is_cut_changes_nothing() {
    let list = "2026-04-02T00:00:00Z,A-1\n";
    let changed = record("A-1", 2, "1.2");
    for (path, length) in [("/PyPI/modified_id.csv", list.len()), ("/PyPI/A-1.json", changed.len())] {
        for tenth in 0..10 {
            let fixture = Fixture::built();
            fixture.server.put("/PyPI/modified_id.csv", list);
            fixture.server.put("/PyPI/A-1.json", changed.clone());
            fixture.server.spoil(cutting(path, length * tenth / 10, 9));
            fixture.keeps_the_old_one(path);
        }
    }
}

#[test]
fn what_has_another_checksum_is_refused() {
    let fresh = archive(&[("A-1", 9, "1.9")], 1_000);
    let md5 = |bytes: &[u8]| BASE64_STANDARD.encode(<md5::Md5 as md5::Digest>::digest(bytes));
    let sha256 = |bytes: &[u8]| BASE64_STANDARD.encode(Sha256::digest(bytes));
    for (name, right, wrong) in [
        ("x-goog-hash", format!("crc32c=AAAAAA==,md5={}", md5(&fresh)), format!("md5={}", md5(b"other"))),
        ("repr-digest", format!("sha-256=:{}:", sha256(&fresh)), format!("sha-256=:{}:", sha256(b"other"))),
    ] {
        let fixture = Fixture::built();
        fixture.server.remove("/PyPI/modified_id.csv");
        fixture.server.put("/PyPI/all.zip", fresh.clone());
        let headers = |value: String| {
            move |asked: &Asked| match asked.path.as_str() {
                "/PyPI/all.zip" => Spoil::Headers(vec![(name.to_owned(), value.clone())]),
                _ => Spoil::Nothing,
            }
        };
        fixture.server.spoil(headers(wrong));
        fixture.keeps_the_old_one("another checksum");
        fixture.server.spoil(headers(right));
        assert!(fixture.update().unwrap().changed, "{name}");
        assert_eq!(fixture.fixes(), ["A-1 1.9"]);
    }
}

#[test]
fn an_archive_that_was_tampered_with_or_is_none_is_refused() {
    let fresh = archive(&[("A-1", 9, "1.9")], 1_000);
    let mut flipped = fresh.clone();
    flipped[fresh.len() / 2] ^= 1;
    let cases: [(&[u8], &str); 4] = [
        (&flipped, "cannot be read"),
        (&fresh[..fresh.len() - 10], "no whole zip"),
        (b"<html>log in</html>", "no whole zip"),
        (&archive(&[], 10), "no record"),
    ];
    for (bytes, reason) in cases {
        let fixture = Fixture::built();
        fixture.server.remove("/PyPI/modified_id.csv");
        fixture.server.put("/PyPI/all.zip", bytes);
        fixture.keeps_the_old_one(reason);
    }
    // A record that is not the one that was named.
    let fixture = Fixture::built();
    fixture.server.put("/PyPI/modified_id.csv", "2026-04-02T00:00:00Z,A-2\n");
    for other in [record("A-3", 2, "9"), record("A-2", 1, "9"), "{}".to_owned()] {
        fixture.server.put("/PyPI/A-2.json", other);
        fixture.keeps_the_old_one("A-2.json");
    }
    fixture.server.put("/PyPI/modified_id.csv", "2026-04-02T00:00:00Z,../../A-2\n");
    fixture.keeps_the_old_one("modified_id.csv: line 1");
}

#[test]
fn what_is_older_is_refused_and_the_way_out_is_said() {
    let fixture = Fixture::new();
    fixture.server.put("/PyPI/all.zip", archive(&[("A-1", 20, "1.1")], 0));
    fixture.update().unwrap();
    fixture.keeps_the_old_one("older than what is here");
    fixture.server.remove("/PyPI/modified_id.csv");
    fixture.server.put("/PyPI/all.zip", archive(&[("A-1", 19, "1.0")], 0));
    fixture.keeps_the_old_one("remove ");
}

#[test]
fn a_server_that_is_busy_is_asked_again_and_one_that_stays_busy_is_named() {
    let busy = |mut times: usize, status: u16, after: Option<&'static str>| {
        move |_: &Asked| {
            if times == 0 {
                return Spoil::Nothing;
            }
            times -= 1;
            let after = after.map(|after| ("retry-after".to_owned(), after.to_owned()));
            Spoil::Status(status, after.into_iter().collect())
        }
    };
    for status in [429, 500, 503] {
        let fixture = Fixture::new();
        fixture.server.spoil(busy(2, status, Some("0")));
        assert!(fixture.update().unwrap().failed.is_empty(), "{status}");
        let fixture = Fixture::built();
        fixture.server.spoil(busy(99, status, None));
        fixture.keeps_the_old_one(&format!("it answered {status}"));
    }
    // Whoever wants a long pause gets it: by the user.
    let fixture = Fixture::built();
    fixture.server.spoil(busy(99, 429, Some("3600")));
    fixture.keeps_the_old_one("try again in 3600 s");
    assert_eq!(fixture.server.asked().len(), 1);
}

#[test]
fn where_nobody_answers_one_request_ends_all_and_one_that_is_missing_ends_nothing() {
    let fixture = Fixture::built();
    let updated = update(&fixture.store(), &fixture.feeds(), &["Nowhere", "PyPI"]).unwrap();
    assert!(updated.failed["Nowhere"].contains("404"), "{updated:?}");
    assert_eq!(updated.failed.len(), 1);

    let (store, feeds) = (fixture.store(), fixture.feeds());
    drop(fixture.server);
    let updated = update(&store, &feeds, &["Debian", "PyPI", "npm"]).unwrap();
    assert_eq!(updated.failed.len(), 3);
    for reason in updated.failed.values() {
        assert!(reason.contains("/Debian/all.zip") && reason.contains("refused"), "{reason}");
    }
    assert_eq!(fixes(&store.open().unwrap().unwrap().database), ["A-1 1.1"]);
}

#[test]
fn lists_about_attacks_are_fetched_too_and_a_spoilt_one_keeps_the_old() {
    let fixture = Fixture::new();
    fixture.server.put(
        "/known_exploited_vulnerabilities.json",
        r#"{"vulnerabilities":[{"cveID":"CVE-2026-1","dateAdded":"2026-04-01"}]}"#,
    );
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(b"#model\ncve,epss,percentile\nCVE-2026-1,0.5,0.9\n").unwrap();
    let packed = packed.finish().unwrap();
    fixture.server.put("/epss_scores-current.csv.gz", packed.clone());
    assert_eq!(fixture.update().unwrap().warnings, Vec::<String>::new());
    let known = || fixture.store().open().unwrap().unwrap().database.exploit("CVE-2026-1").unwrap().unwrap();
    assert_eq!((known().known_since.as_deref(), known().epss), (Some("2026-04-01"), Some(0.5)));

    fixture.server.put("/known_exploited_vulnerabilities.json", r#"{"vulnerabilities":[{"#);
    fixture.server.put("/epss_scores-current.csv.gz", &packed[..packed.len() - 9]);
    let updated = fixture.update().unwrap();
    assert_eq!((updated.warnings.len(), updated.changed), (2, false), "{updated:?}");
    assert_eq!((known().known_since.as_deref(), known().epss), (Some("2026-04-01"), Some(0.5)));
    fixture.server.put("/known_exploited_vulnerabilities.json", r#"{"vulnerabilities":[]}"#);
    assert!(fixture.update().unwrap().changed);
    assert_eq!((known().known_since, known().epss), (None, Some(0.5)));
}

/// The layout that OSV publishes, in a folder.
fn layout(folder: &Path, day: u8) {
    fs::create_dir_all(folder.join("PyPI")).unwrap();
    fs::write(folder.join("PyPI/all.zip"), archive(&[("A-1", day, "1.1")], 0)).unwrap();
    let list = r#"{"vulnerabilities":[{"cveID":"CVE-2026-1","dateAdded":"2026-04-01"}]}"#;
    fs::write(folder.join("known_exploited_vulnerabilities.json"), list).unwrap();
}

#[test]
fn a_folder_a_zip_of_it_and_a_built_database_serve_without_a_network() {
    let scratch = tempfile::tempdir().unwrap();
    let osv = scratch.path().join("osv");
    layout(&osv, 2);
    let files = ["PyPI/all.zip", "known_exploited_vulnerabilities.json"];
    let files: Vec<_> = files.iter().map(|name| (*name, fs::read(osv.join(name)).unwrap())).collect();
    fs::write(scratch.path().join("osv.zip"), zip_archive(&files)).unwrap();
    let built = Store::new(scratch.path().join("from-osv")).path();
    for source in [osv, scratch.path().join("osv.zip"), built] {
        let name = format!("from-{}", source.file_name().unwrap().to_str().unwrap());
        let store = Store::new(scratch.path().join(name));
        let feeds = Feeds::of(Address::Path(source.clone()));
        let updated = update(&store, &feeds, &["PyPI", "npm"]).unwrap();
        assert!(updated.failed["npm"].contains("no advisories of npm"), "{updated:?}");
        assert_eq!(updated.failed.len(), 1);
        let database = store.open().unwrap().unwrap().database;
        assert_eq!(fixes(&database), ["A-1 1.1"], "{}", source.display());
        assert!(database.exploit("CVE-2026-1").unwrap().is_some(), "{}", source.display());
        assert!(store.due(&names(&["PyPI"]), &feeds, now()).is_empty());
    }
}

#[test]
fn what_lacks_an_ecosystem_does_not_replace_a_database_that_has_it() {
    let fixture = Fixture::built();
    let osv = fixture.folder.path().join("osv");
    fs::create_dir_all(osv.join("npm")).unwrap();
    fs::write(osv.join("npm/all.zip"), archive(&[("A-2", 2, "1.2")], 0)).unwrap();
    let error = update(&fixture.store(), &Feeds::of(Address::Path(osv)), &["npm"]).unwrap_err().to_string();
    assert!(error.contains("no advisories of PyPI") && error.contains("remove "), "{error}");
    assert_eq!(fixture.fixes(), ["A-1 1.1"]);
    assert_eq!(fixture.store().held()["PyPI"], now());
}

#[test]
fn an_older_or_damaged_database_or_zip_does_not_replace_what_is_there() {
    let scratch = tempfile::tempdir().unwrap();
    let (old, new) = (scratch.path().join("old"), scratch.path().join("new"));
    layout(&old, 1);
    layout(&new, 2);
    let older = Store::new(scratch.path().join("older"));
    update(&older, &Feeds::of(Address::Path(old.clone())), &["PyPI"]).unwrap();
    let store = Store::new(scratch.path().join("store"));
    update(&store, &Feeds::of(Address::Path(new)), &["PyPI"]).unwrap();
    let before = fs::read(store.path()).unwrap();
    let mut damaged = before.clone();
    damaged[100] ^= 1;
    let (flipped, cut) = (scratch.path().join("flipped"), scratch.path().join("cut.zip"));
    fs::write(&flipped, damaged).unwrap();
    fs::write(&cut, &archive(&[("A-1", 9, "1.9")], 100)[..200]).unwrap();
    for (source, reason) in [
        (old, "older than what is here"),
        (older.path(), "older than what is here"),
        (flipped, "checksum"),
        (cut, "no whole zip"),
        (scratch.path().join("nothing"), "nothing"),
    ] {
        let error = update(&store, &Feeds::of(Address::Path(source)), &["PyPI"]).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert_eq!(fs::read(store.path()).unwrap(), before);
    }
    // What is damaged where it lies is built again.
    fs::write(store.path(), "damaged").unwrap();
    assert!(store.open().is_err());
    update(&store, &Feeds::of(Address::Path(scratch.path().join("new"))), &["PyPI"]).unwrap();
    assert_eq!(fixes(&store.open().unwrap().unwrap().database), ["A-1 1.1"]);
}
