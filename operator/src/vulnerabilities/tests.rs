//! Images of a Debian, advisories from a web server of this machine, and all that goes wrong with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use pratique_core::package::{Ecosystem, Inventory, LocatedPackage, Package, PackageCounts, Release};
use pratique_core::{GapKind, Verdict};
use pratique_testkit::{CVSS_CRITICAL, CVSS_LOW, Spoil, WebServer, osv_archive, osv_record};
use pratique_vulns::fetch::{Address, Logins};
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::DropGuard;

mod sources;

use super::keeper::Keeper;
use super::*;
use crate::events::{Notice, Notices};
use crate::index::Change;
use crate::reconcile::Owners;
use crate::testing::{digest, facts, node_image, pod, until};

/// A Debian 12 with one package of this version.
fn debian(package: &str, version: &str) -> Inventory {
    let located = LocatedPackage {
        package: Package::new(Ecosystem::Deb, package, version),
        purl: format!("pkg:deb/debian/{package}@{version}?distro=debian-12"),
        path: "/var/lib/dpkg/status".into(),
        layer: None,
        owned_by: None,
        files: 3,
    };
    let release = Release { id: "debian".into(), version: "12".into(), ..Release::default() };
    Inventory { release: Some(release), packages: vec![located], ..Inventory::default() }
}

fn record(id: &str, package: &str, fixed: &str) -> Value {
    osv_record(&format!("DSA-{id}"), &format!("CVE-{id}"), "Debian:12", package, Some(fixed), CVSS_LOW)
}

/// A Critical that became known a month later.
fn newer(id: &str, package: &str, fixed: &str) -> Value {
    let mut record = record(id, package, fixed);
    record["severity"][0]["score"] = json!(CVSS_CRITICAL);
    record["modified"] = json!("2026-02-02T00:00:00Z");
    record
}

struct Fixture {
    server: WebServer,
    folder: tempfile::TempDir,
    index: SharedIndex,
    store: ReportStore,
    vulnerabilities: Vulnerabilities,
    notify: Notify,
    metrics: Registry,
    noticed: mpsc::Receiver<Notice>,
}

impl Fixture {
    /// A server with an advisory on dash before 2, images 1 (dash) and 2 (zlib) with their inventories, both of version 1, and an
    /// operator that has no advisories yet.
    async fn new() -> Self {
        let server = WebServer::new();
        server.put("/Debian/all.zip", osv_archive(&[record("2026-1", "dash", "2")]));
        let fixture = Self::at(server, tempfile::tempdir().unwrap());
        fixture.list(1, debian("dash", "1")).await;
        fixture.list(2, debian("zlib", "1")).await;
        fixture
    }

    fn at(server: WebServer, folder: tempfile::TempDir) -> Self {
        let store = ReportStore::open(&folder.path().join("store")).unwrap();
        let index = SharedIndex::default();
        let (notices, noticed) = Notices::new();
        let metrics = Registry::new();
        let notify = Notify { notices, owners: Owners::default(), metrics: Metrics::new(&metrics).unwrap() };
        let vulnerabilities = Vulnerabilities::new(index.clone(), store.clone());
        Self { server, folder, index, store, vulnerabilities, notify, metrics, noticed }
    }

    async fn list(&self, image: u8, inventory: Inventory) {
        self.store.put_inventory(&digest(image), &inventory).await.unwrap();
        let mut index = self.index.write();
        index.apply_facts(facts(image, "amd64", false).into());
        index.apply_packages(&digest(image), PackageCounts::of(&inventory));
    }

    fn settings(&self) -> Settings {
        let address = Address::parse(&self.server.address()).unwrap();
        let insecure = address.plain_host().into_iter().collect();
        Settings {
            transport: TransportOptions { insecure, ..TransportOptions::default() },
            feeds: Feeds::of(address),
            logins: Logins::default(),
            retry: RetryPolicy { tries: 1, ..RetryPolicy::default() },
            folder: self.folder.path().join("advisories"),
            interval: Duration::from_secs(3600),
            vex: Some(self.folder.path().join("vex")),
        }
    }

    fn keeper(&self, settings: Settings) -> Keeper {
        let operator = ObjectReference { name: Some("pratique-operator".into()), ..Default::default() };
        Keeper::new(self.vulnerabilities.clone(), settings, self.notify.clone(), operator)
    }

    /// A keeper whose advisories are in place, and a worker that judges stored inventories until it is dropped.
    async fn advised(&self) -> (Keeper, DropGuard) {
        fs::create_dir_all(self.folder.path().join("vex")).unwrap();
        self.advised_by(self.settings()).await
    }

    async fn advised_by(&self, settings: Settings) -> (Keeper, DropGuard) {
        let work = self.rematching();
        let mut keeper = self.keeper(settings);
        keeper.open().await;
        self.vulnerabilities.settled().await;
        assert!(keeper.refresh().await);
        self.vulnerabilities.settled().await;
        (keeper, work)
    }

    /// Judges stored inventories until what it gives is dropped.
    fn rematching(&self) -> DropGuard {
        let stop = CancellationToken::new();
        let rematch = rematch::rematch(self.vulnerabilities.clone(), self.notify.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(rematch));
        stop.drop_guard()
    }

    fn facts(&self, image: u8) -> Arc<ImageFacts> {
        self.index.read().facts().get(&digest(image)).unwrap().clone()
    }

    /// The flaws of an image.
    fn flaws(&self, image: u8) -> Vec<String> {
        let facts = self.facts(image);
        facts.findings.iter().map(|finding| finding.attributes["id"].clone()).collect()
    }

    /// What the metric says of when each ecosystem was last as its source had it.
    fn checked(&self) -> BTreeMap<String, i64> {
        let families = self.metrics.gather();
        let named =
            families.iter().filter(|family| family.name() == "pratique_advisories_checked_timestamp_seconds");
        let said = named.flat_map(|family| family.get_metric()).map(|metric| {
            let label = &metric.get_label()[0];
            assert_eq!(label.name(), "ecosystem");
            (label.value().to_owned(), metric.get_gauge().get_value() as i64)
        });
        said.collect()
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::iter::from_fn(|| self.noticed.try_recv().ok()).collect()
    }
}

fn changed(changes: &mut broadcast::Receiver<Change>) -> Vec<Change> {
    std::iter::from_fn(|| changes.try_recv().ok()).collect()
}

#[tokio::test]
async fn advisories_of_what_occurs_alone_are_fetched_and_stored_inventories_are_judged_by_them() {
    let fixture = Fixture::new().await;
    fs::create_dir_all(fixture.folder.path().join("vex")).unwrap();
    fixture.server.put("/PyPI/all.zip", osv_archive(&[record("2026-9", "six", "2")]));
    let reign = CancellationToken::new();
    let _end = reign.clone().drop_guard();
    let operator = ObjectReference::default();
    tokio::spawn(lead(
        fixture.vulnerabilities.clone(),
        fixture.settings(),
        fixture.notify.clone(),
        operator,
        reign,
    ));
    until("both images are judged", || [1, 2].iter().all(|image| fixture.facts(*image).advisories.is_some()))
        .await;
    assert_eq!((fixture.flaws(1), fixture.flaws(2)), (vec!["CVE-2026-1".to_owned()], vec![]));
    assert_eq!(Verdict::of(&fixture.facts(2)), Verdict::Clean);
    assert!(fixture.facts(2).detectors["vulnerability"].starts_with("advisories of 20"));
    let asked: Vec<String> = fixture.server.asked().into_iter().map(|asked| asked.path).collect();
    assert!(asked.contains(&"/Debian/all.zip".to_owned()), "{asked:?}");
    assert!(!asked.iter().any(|path| path.contains("PyPI")), "{asked:?}");
    // An ecosystem that comes later is asked for at once, and one that nobody has is never clean.
    let mut rust = debian("dash", "2");
    rust.packages[0].package = Package::new(Ecosystem::Cargo, "freight", "1.0.0");
    let judging = fixture.vulnerabilities.judging().await;
    let judged = fixture.vulnerabilities.judge(&judging, facts(3, "amd64", false), rust).await;
    drop(judging);
    assert_eq!(Verdict::of(&judged), Verdict::Incomplete, "{judged:?}");
    assert!(judged.gaps[0].reason.contains("no advisories of crates.io"), "{judged:?}");
    until("crates.io is asked for", || {
        fixture.server.asked().iter().any(|asked| asked.path.starts_with("/crates.io/"))
    })
    .await;
}

#[tokio::test]
async fn a_result_is_judged_as_it_arrives_and_without_advisories_it_is_never_clean() {
    let fixture = Fixture::new().await;
    let judge = async |inventory| {
        let judging = fixture.vulnerabilities.judging().await;
        fixture.vulnerabilities.judge(&judging, facts(4, "amd64", false), inventory).await
    };
    let none = judge(debian("dash", "1")).await;
    assert_eq!(
        (none.gaps[0].kind, none.detectors.contains_key("vulnerability")),
        (GapKind::Unsupported, false)
    );
    assert!(none.gaps[0].reason.contains("not covered"), "{none:?}");
    // Nothing that could have a flaw: nothing is missing.
    assert_eq!(Verdict::of(&judge(Inventory::default()).await), Verdict::Clean);

    let (_keeper, _work) = fixture.advised().await;
    let found = judge(debian("dash", "1")).await;
    assert_eq!(found.findings[0].attributes["fixed"], "2");
    assert_eq!(Verdict::of(&judge(debian("dash", "2")).await), Verdict::Clean);
    // What an agent says of it counts for nothing.
    let mut forged = facts(4, "amd64", false);
    forged.findings = found.findings.clone();
    let judging = fixture.vulnerabilities.judging().await;
    let judged = fixture.vulnerabilities.judge(&judging, forged, debian("dash", "2")).await;
    assert_eq!(judged.findings, []);
}

#[tokio::test]
async fn new_advisories_change_what_they_speak_of_alone_and_are_news_where_it_runs() {
    let mut fixture = Fixture::new().await;
    fixture.index.write().reset_node_images("n1", vec![node_image(1, &["docker.io/shop/web:1"])]);
    fixture.index.write().apply_pod(&pod("shop", "web-0", "n1", &digest(101), 10));
    let (mut keeper, _work) = fixture.advised().await;
    assert_eq!(fixture.notices(), [], "the first match is no news");
    let since = fixture.index.read().facts().since(&digest(2)).unwrap();
    let mut changes = fixture.index.read().subscribe();

    assert!(keeper.refresh().await);
    fixture.vulnerabilities.settled().await;
    assert_eq!(changed(&mut changes), [], "what is unchanged changes nothing");

    let records = [record("2026-1", "dash", "2"), newer("2026-2", "dash", "3")];
    fixture.server.put("/Debian/all.zip", osv_archive(&records));
    assert!(keeper.refresh().await);
    fixture.vulnerabilities.settled().await;
    assert_eq!(fixture.flaws(1), ["CVE-2026-1", "CVE-2026-2"]);
    assert_eq!(changed(&mut changes), [Change::Facts(digest(1))]);
    assert_eq!(fixture.index.read().facts().since(&digest(2)), Some(since));
    assert!(fixture.index.read().facts().since(&digest(1)) > Some(since), "the grace begins with the news");

    let notices = fixture.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    let Notice { regarding, reason, note, .. } = &notices[0];
    assert_eq!(
        (regarding.kind.as_deref(), regarding.name.as_deref(), *reason),
        (Some("Pod"), Some("web-0"), "CriticalVulnerability")
    );
    assert!(note.contains("shop/web:1") && note.contains("CVE-2026-2 in dash 1 (fixed in 3)"), "{note}");
    keeper.look().await;
    assert_eq!(fixture.notify.metrics.critical_workloads.get(), 1);
    assert_eq!(fixture.notify.metrics.new_criticals.get(), 1);
}

#[tokio::test]
async fn what_cannot_be_fetched_leaves_the_old_advisories_serving_and_says_why() {
    let mut fixture = Fixture::new().await;
    let (mut keeper, _work) = fixture.advised().await;
    let database = fixture.folder.path().join("advisories/database");
    let before = fs::read(&database).unwrap();
    let fresh = osv_archive(&[record("2026-1", "dash", "2"), newer("2026-2", "dash", "3")]);
    fixture.server.put("/Debian/all.zip", fresh.clone());
    let cuts = (0..10).map(|tenth| (Spoil::Cut(fresh.len() * tenth / 10), "broke off"));
    let others = [
        (Spoil::Headers(vec![("x-goog-hash".into(), "md5=AAAAAAAAAAAAAAAAAAAAAA==".into())]), "checksum"),
        (Spoil::Status(429, vec![("retry-after".into(), "3600".into())]), "3600 s"),
        (Spoil::Status(503, vec![]), "503"),
        (Spoil::Status(404, vec![]), "404"),
    ];
    for (spoil, reason) in cuts.chain(others) {
        let mut cut = Some(spoil.clone());
        fixture.server.spoil(move |asked| match (asked.path.ends_with("all.zip"), &spoil) {
            // What is there by now is taken up: nothing more comes.
            (true, Spoil::Cut(_)) => cut.take().unwrap_or(Spoil::Cut(0)),
            (true, spoil) => spoil.clone(),
            (false, _) => Spoil::Nothing,
        });
        assert!(!keeper.refresh().await, "{reason}");
        fixture.vulnerabilities.settled().await;
        assert_eq!(fs::read(&database).unwrap(), before, "{reason}");
        assert_eq!(fixture.flaws(1), ["CVE-2026-1"], "{reason}");
        assert_eq!(fixture.notify.metrics.failing.get(), 1);
        let notices = fixture.notices();
        let Notice { regarding, note, .. } = &notices[0];
        assert_eq!(regarding.name.as_deref(), Some("pratique-operator"));
        assert!(note.contains(reason) && note.contains("the old ones serve on"), "{reason}: {note}");
        let _ = fs::remove_dir_all(fixture.folder.path().join("advisories/incoming"));
    }
    // Advisories that are older than what is here.
    fixture.server.spoil(|_| Spoil::Nothing);
    let mut older = record("2026-3", "dash", "9");
    older["modified"] = json!("2025-01-01T00:00:00Z");
    fixture.server.put("/Debian/all.zip", osv_archive(&[older]));
    assert!(!keeper.refresh().await);
    assert!(fixture.notices()[0].note.contains("older"));
    assert_eq!(fs::read(&database).unwrap(), before);

    fixture.server.put("/Debian/all.zip", fresh);
    assert!(keeper.refresh().await);
    fixture.vulnerabilities.settled().await;
    assert_eq!(fixture.flaws(1), ["CVE-2026-1", "CVE-2026-2"]);
    assert_eq!(fixture.notify.metrics.failing.get(), 0);
}

#[tokio::test]
async fn the_age_of_advisories_is_measured_by_ecosystem_since_they_were_last_as_their_source_had_them() {
    let fixture = Fixture::new().await;
    let mut python = record("2026-9", "six", "2");
    python["affected"][0]["package"]["ecosystem"] = json!("PyPI");
    fixture.server.put("/PyPI/all.zip", osv_archive(&[python]));
    assert_eq!(fixture.checked(), BTreeMap::new(), "there are none yet");
    // Fetched an hour ago, by an operator that this one follows.
    let now = Timestamp::now();
    let then = now - Duration::from_secs(3600);
    let wanted: BTreeSet<String> = ["Debian", "PyPI"].map(str::to_owned).into();
    let (settings, store) = (fixture.settings(), fetch::Store::new(fixture.settings().folder));
    let fetched = tokio::task::spawn_blocking(move || keeper::update(&store, &wanted, &settings, then));
    assert_eq!(fetched.await.unwrap().unwrap().failed, BTreeMap::new());
    let mut keeper = fixture.keeper(fixture.settings());
    keeper.open().await;
    let (now, then) = (now.as_second(), then.as_second());
    assert_eq!(fixture.checked(), [("Debian".to_owned(), then), ("PyPI".to_owned(), then)].into());

    // What has not changed is as its source has it all the same; what cannot be had grows older.
    fixture.server.spoil(|asked| match asked.path.starts_with("/PyPI/") {
        true => Spoil::Status(503, vec![]),
        false => Spoil::Nothing,
    });
    assert!(!keeper.refresh().await);
    let checked = fixture.checked();
    assert!(checked["Debian"] >= now && checked["PyPI"] == then, "{now}, {then}: {checked:?}");
    fixture.server.spoil(|_| Spoil::Nothing);
    assert!(keeper.refresh().await);
    assert!(fixture.checked()["PyPI"] >= now);

    // The leader alone tells.
    fixture.notify.metrics.leave();
    assert_eq!(fixture.checked(), BTreeMap::new());
}

/// A real file system of this size, unmounted at the end.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// None: this process may not mount, and the test is left out, loudly.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .output();
        match mount {
            Ok(done) if done.status.success() => Some(Self(at.to_owned())),
            other => {
                eprintln!("left out: no small file system can be mounted here: {other:?}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The database in it is still open.
        let done = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(done.is_ok_and(|done| done.success()), "{} stays mounted", self.0.display());
    }
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_advisories_serving_and_says_why() {
    let mut fixture = Fixture::new().await;
    let Some(disk) = SmallDisk::mount(&fixture.folder.path().join("advisories"), "128k") else { return };
    let (mut keeper, _work) = fixture.advised().await;
    let before = fs::read(disk.0.join("database")).unwrap();
    let noise: Vec<Value> = (0..400)
        .map(|n| {
            let mut record = newer(&format!("2026-{}", 10 + n), "dash", "3");
            record["summary"] = json!(format!("{:?}", digest(n as u8 ^ 0x5a)));
            record["details"] =
                json!((0..64).map(|_| fastrand::alphanumeric()).collect::<String>().repeat(8));
            record["database_specific"] =
                json!((0..600).map(|_| fastrand::alphanumeric()).collect::<String>());
            record
        })
        .collect();
    fixture.server.put("/Debian/all.zip", osv_archive(&noise));
    assert!(!keeper.refresh().await);
    fixture.vulnerabilities.settled().await;
    let notices = fixture.notices();
    assert!(notices[0].note.contains("No space left"), "{notices:?}");
    assert_eq!(fs::read(disk.0.join("database")).unwrap(), before);
    assert_eq!(fixture.flaws(1), ["CVE-2026-1"]);
    let records = [record("2026-1", "dash", "2"), newer("2026-2", "dash", "3")];
    fixture.server.put("/Debian/all.zip", osv_archive(&records));
    assert!(keeper.refresh().await, "there is room for it again");
    fixture.vulnerabilities.settled().await;
    assert_eq!(fixture.flaws(1), ["CVE-2026-1", "CVE-2026-2"]);
}

#[tokio::test]
async fn a_restart_uses_the_advisories_that_are_there_until_new_ones_are_served() {
    let fixture = Fixture::new().await;
    let (keeper, work) = fixture.advised().await;
    drop((keeper, work));
    let Fixture { server, folder, .. } = fixture;
    server.spoil(|_| Spoil::Status(503, vec![]));
    let restarted = Fixture::at(server, folder);
    restarted.list(1, debian("dash", "1")).await;
    let _work = restarted.rematching();
    let mut keeper = restarted.keeper(restarted.settings());
    keeper.open().await;
    restarted.vulnerabilities.settled().await;
    assert_eq!(restarted.flaws(1), ["CVE-2026-1"]);
    assert!(!keeper.refresh().await, "nobody answers");
    restarted.vulnerabilities.settled().await;
    assert_eq!(restarted.flaws(1), ["CVE-2026-1"]);
    restarted.server.spoil(|_| Spoil::Nothing);
    let records = [record("2026-1", "dash", "2"), newer("2026-2", "dash", "3")];
    restarted.server.put("/Debian/all.zip", osv_archive(&records));
    assert!(keeper.refresh().await);
    restarted.vulnerabilities.settled().await;
    assert_eq!(restarted.flaws(1), ["CVE-2026-1", "CVE-2026-2"]);
}

#[tokio::test]
async fn a_new_leader_leaves_what_newer_advisories_than_its_own_said() {
    let fixture = Fixture::new().await;
    let (_keeper, _work) = fixture.advised().await;
    let said = fixture.facts(1);
    // Of another replica, whose advisories are of tomorrow.
    let tomorrow = said.advisories.unwrap() + jiff::SignedDuration::from_hours(24);
    let mut theirs = ImageFacts { advisories: Some(tomorrow), ..said.as_ref().clone() };
    theirs.findings[0].message = "their word".into();
    fixture.index.write().apply_facts(theirs.clone().into());
    let judging = fixture.vulnerabilities.judging().await;
    let judged = fixture.vulnerabilities.judge(&judging, facts(1, "amd64", false), debian("dash", "1")).await;
    assert_eq!(judged, theirs);
    let known = ImageFacts { advisories: said.advisories, ..theirs };
    fixture.index.write().apply_facts(known.into());
    let judged = fixture.vulnerabilities.judge(&judging, facts(1, "amd64", false), debian("dash", "1")).await;
    assert_eq!(judged, *said);
}

#[tokio::test]
async fn vex_documents_suppress_visibly_and_one_that_cannot_be_read_is_named() {
    let mut fixture = Fixture::new().await;
    let (mut keeper, _work) = fixture.advised().await;
    let folder = fixture.folder.path().join("vex");
    let document = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://shop.example/vex/1", "author": "security@shop.example",
        "timestamp": "2026-03-01T00:00:00Z", "version": 1,
        "statements": [{
            "vulnerability": {"name": "CVE-2026-1"}, "products": [{"@id": "pkg:deb/debian/dash"}],
            "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
        }],
    });
    fs::write(folder.join("dash.json"), document.to_string()).unwrap();
    fs::write(folder.join("broken.json"), "{").unwrap();
    fs::create_dir(folder.join("..data")).unwrap();
    keeper.look().await;
    fixture.vulnerabilities.settled().await;
    let facts = fixture.facts(1);
    assert_eq!(facts.findings, []);
    let suppressed = &facts.suppressed[0];
    assert_eq!(suppressed.finding.attributes["id"], "CVE-2026-1");
    assert_eq!(
        (suppressed.by.as_str(), suppressed.reason.as_str()),
        ("security@shop.example", "vulnerable_code_not_in_execute_path")
    );
    let notices = fixture.notices();
    assert!(notices.len() == 1 && notices[0].note.contains("broken.json"), "{notices:?}");
    assert_eq!(fixture.notify.metrics.unusable_documents.get(), 1);

    fs::remove_file(folder.join("dash.json")).unwrap();
    fs::remove_file(folder.join("broken.json")).unwrap();
    keeper.look().await;
    fixture.vulnerabilities.settled().await;
    assert_eq!(fixture.flaws(1), ["CVE-2026-1"]);
    assert_eq!(fixture.notify.metrics.unusable_documents.get(), 0);
}
