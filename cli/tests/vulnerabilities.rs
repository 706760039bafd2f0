//! Vulnerabilities in the command: advisories that a web server of this machine has, scans that fetch them, and what takes
//! findings out.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{layout, text};
use pratique_testkit::daemons::RegistryDaemon;
use pratique_testkit::{
    CVSS_CRITICAL as CRITICAL, CVSS_LOW as LOW, LayerBuilder, Spoil, WebServer, osv_archive as archive,
    osv_record as record,
};
use serde_json::{Value, json};

/// A Debian with two vulnerable packages, one of which has a fix, and a vulnerable module of Python.
fn image() -> LayerBuilder {
    LayerBuilder::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n")
        .file(
            "var/lib/dpkg/status",
            "Package: dash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.5.12-2\n\n\
             Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nSource: zlib\nVersion: 1:1.2.13\n\n",
        )
}

fn python() -> LayerBuilder {
    LayerBuilder::new().file(
        "opt/lib/python3/site-packages/six-1.16.0.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n",
    )
}

fn debian() -> Vec<u8> {
    archive(&[
        record("DSA-0001-1", "CVE-2026-0001", "Debian:12", "dash", Some("0.5.12-3"), CRITICAL),
        record("DEBIAN-CVE-2026-0002", "CVE-2026-0002", "Debian:12", "zlib", None, LOW),
    ])
}

struct Fixture {
    home: tempfile::TempDir,
    server: WebServer,
}

impl Fixture {
    /// A server with Debian's advisories, and an image `image` of Debian.
    fn new() -> Self {
        let fixture = Self { home: tempfile::tempdir().unwrap(), server: WebServer::new() };
        fixture.server.put("/Debian/all.zip", debian());
        fixture.server.put(
            "/known_exploited_vulnerabilities.json",
            r#"{"vulnerabilities":[{"cveID":"CVE-2026-0001","dateAdded":"2026-01-03"}]}"#,
        );
        fixture
            .server
            .put("/epss_scores-current.csv.gz", "#model\ncve,epss,percentile\nCVE-2026-0001,0.5,0.9\n");
        layout(&fixture.home.path().join("image"), &[image()]);
        fixture
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pratique"));
        command.args(arguments).env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        command.env("PRATIQUE_DB_SOURCE", self.server.address()).stdin(Stdio::null());
        command
    }

    /// Runs a command that must end with `code`; what it printed.
    fn ends_with(&self, code: i32, arguments: &[&str]) -> (String, String) {
        shown(code, arguments, self.command(arguments).output().unwrap())
    }

    /// The one report in JSON of a command that must end with `code`.
    fn report(&self, code: i32, arguments: &[&str]) -> Value {
        let (out, _) = self.ends_with(code, &[arguments, &["-f", "json"]].concat());
        let document: Value = serde_json::from_str(&out).unwrap();
        document["reports"][0].clone()
    }

    fn asked(&self) -> Vec<String> {
        self.server.asked().into_iter().map(|asked| asked.path).collect()
    }
}

fn shown(code: i32, arguments: &[&str], output: Output) -> (String, String) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
    (out, err)
}

/// The flaws of a report's findings.
fn flaws(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["attributes"]["id"].as_str().unwrap()).collect()
}

#[test]
fn on_first_use_what_occurs_is_fetched_and_nothing_else_and_then_nothing_for_a_day() {
    let fixture = Fixture::new();
    fixture
        .server
        .put("/PyPI/all.zip", archive(&[record("PYSEC-1", "CVE-2026-0003", "PyPI", "six", None, LOW)]));
    let report = fixture.report(1, &["scan", "oci:image"]);
    let asked = fixture.asked();
    assert_eq!(asked[0], "/Debian/all.zip");
    assert!(!asked.iter().any(|path| path.contains("PyPI")), "{asked:?}");
    assert_eq!(flaws(&report), ["CVE-2026-0001", "CVE-2026-0002"]);
    let vulnerabilities = &report["vulnerabilities"];
    assert_eq!(vulnerabilities["state"], "Matched");
    assert!(vulnerabilities["advisories"]["ageSeconds"].as_u64().unwrap() < 3600, "{vulnerabilities}");
    assert_eq!(vulnerabilities["advisories"]["ecosystems"]["Debian"]["newest"], "2026-01-02T00:00:00Z");
    let attributes = &report["findings"][0]["attributes"];
    for (name, value) in [
        ("aliases", "DSA-0001-1"),
        ("package", "dash"),
        ("installed", "0.5.12-2"),
        ("fixed", "0.5.12-3"),
        ("severitySource", "CVSS 3.1"),
        ("cvssVector", CRITICAL),
        ("cvssScore", "9.8"),
        ("published", "2026-01-01T00:00:00Z"),
        ("knownExploited", "2026-01-03"),
        ("epss", "0.50000"),
        ("why", "dash < 0.5.12-3"),
    ] {
        assert!(attributes[name] == value, "{name}: {attributes}");
    }
    assert_eq!(report["findings"][0]["path"], "/var/lib/dpkg/status");
    assert!(report["findings"][0]["layer"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(report["upgrades"][0]["version"], "0.5.12-3");

    fixture.report(1, &["scan", "oci:image"]);
    assert_eq!(fixture.asked(), [""; 0], "what is fresh is not asked for");
    let (out, _) = fixture.ends_with(1, &["scan", "oci:image"]);
    assert!(out.contains("less than an hour old"), "{out}");

    layout(&fixture.path("image"), &[image(), python()]);
    fixture.report(1, &["scan", "oci:image"]);
    assert!(fixture.asked().contains(&"/PyPI/all.zip".to_owned()));
}

#[test]
fn without_advisories_the_report_says_so_and_is_incomplete_unless_they_are_not_wanted() {
    let fixture = Fixture::new();
    let report = fixture.report(2, &["scan", "oci:image", "--offline"]);
    assert_eq!(
        (report["verdict"].as_str(), report["vulnerabilities"]["state"].as_str()),
        (Some("Incomplete"), Some("NotCovered"))
    );
    let reason = report["gaps"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("not covered") && reason.contains("pratique db update"), "{reason}");
    assert_eq!(fixture.asked(), [""; 0]);

    for off in [&["--no-vulnerabilities"][..], &["--detectors", "weak-password"], &["--detectors", "none"]] {
        let report = fixture.report(0, &[&["scan", "oci:image"], off].concat());
        assert_eq!(report["vulnerabilities"]["state"], "Off", "{off:?}");
    }
    let (out, _) = fixture.ends_with(0, &["scan", "oci:image", "--no-vulnerabilities"]);
    assert!(out.contains("vulnerabilities were not looked for"), "{out}");
    assert_eq!(fixture.asked(), [""; 0]);

    fixture.ends_with(0, &["db", "update", "Debian"]);
    assert_eq!(flaws(&fixture.report(1, &["scan", "oci:image", "--offline"])).len(), 2);
    fixture.report(1, &["scan", "oci:image", "--detectors", "vulnerability"]);

    // Nothing that could be vulnerable: nothing is missing.
    layout(&fixture.path("empty"), &[LayerBuilder::new().file("opt/app", "x")]);
    let report = fixture.report(0, &["scan", "oci:empty"]);
    assert_eq!(report["vulnerabilities"]["state"], "NoPackages");
}

#[test]
fn an_ecosystem_without_data_is_not_covered_and_never_clean() {
    let fixture = Fixture::new();
    layout(&fixture.path("python"), &[python()]);
    let report = fixture.report(2, &["scan", "oci:python"]);
    assert!(report["gaps"].to_string().contains("404"), "{report}");
    layout(&fixture.path("both"), &[image(), python()]);
    let report = fixture.report(2, &["scan", "oci:both", "--fail-on", "never"]);
    assert_eq!(flaws(&report).len(), 2);
    let gaps = report["gaps"].to_string();
    assert!(gaps.contains("PyPI could not be fetched") && gaps.contains("not covered"), "{gaps}");
}

#[test]
fn what_cannot_be_fetched_leaves_the_old_database_and_the_report_says_why() {
    let fixture = Fixture::new();
    fixture.ends_with(0, &["db", "update", "Debian"]);
    let database = fixture.path(".cache/pratique/advisories/database");
    let before = fs::read(&database).unwrap();
    // Another address is asked at once. The same server by another name gives nothing.
    let other = format!("{}/other", fixture.server.address());
    fixture.server.put("/other/Debian/all.zip", debian());
    let source = ["--db-source", other.as_str()];
    for (spoil, reason) in [
        (Spoil::Status(404, Vec::new()), "404"),
        (Spoil::Status(429, vec![("retry-after".into(), "3600".into())]), "try again in 3600 s"),
        (Spoil::Headers(vec![("x-goog-hash".into(), "md5=AAAAAAAAAAAAAAAAAAAAAA==".into())]), "checksum"),
    ] {
        fixture.server.spoil(move |asked| match asked.path.ends_with("all.zip") {
            true => spoil.clone(),
            false => Spoil::Nothing,
        });
        let report = fixture.report(1, &[&["scan", "oci:image"][..], &source].concat());
        let problem = report["vulnerabilities"]["advisories"]["problem"].as_str().unwrap();
        assert!(problem.contains(reason), "{problem}");
        assert_eq!(flaws(&report).len(), 2);
        let (_, err) = fixture.ends_with(4, &[&["db", "update"][..], &source].concat());
        assert!(err.contains(reason) && err.contains("what was here is kept"), "{err}");
        assert_eq!(fs::read(&database).unwrap(), before);
    }
}

#[test]
fn a_full_disk_leaves_the_old_database() {
    let fixture = Fixture::new();
    fixture.ends_with(0, &["db", "update", "Debian"]);
    let database = fixture.path(".cache/pratique/advisories/database");
    let before = fs::read(&database).unwrap();
    // No file may have more than 512 bytes: writing fails as on a full disk.
    let mut limited = Command::new("sh");
    limited.args([
        "-c",
        "trap '' XFSZ; ulimit -f 1; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_pratique"),
        "db",
        "update",
    ]);
    limited.args(["PyPI"]).env_clear().env("HOME", fixture.home.path()).current_dir(fixture.home.path());
    limited.env("PRATIQUE_DB_SOURCE", fixture.server.address());
    let mut records = Vec::new();
    for number in 0..50 {
        records.push(record(&format!("PYSEC-{number}"), "CVE-2026-0003", "PyPI", "six", None, LOW));
    }
    fixture.server.put("/PyPI/all.zip", archive(&records));
    let (_, err) = shown(4, &["db", "update"], limited.output().unwrap());
    assert!(err.contains("too large") && err.contains(".cache/pratique/advisories"), "{err}");
    assert_eq!(fs::read(&database).unwrap(), before);
    assert_eq!(flaws(&fixture.report(1, &["scan", "oci:image", "--offline"])).len(), 2);
}

#[test]
fn the_database_is_updated_ahead_and_asked_and_a_built_one_can_be_named() {
    let fixture = Fixture::new();
    let (_, err) = fixture.ends_with(3, &["db", "update"]);
    assert!(err.contains("name ecosystems"), "{err}");
    let (_, err) = fixture.ends_with(4, &["db", "show", "CVE-2026-0001"]);
    assert!(err.contains("pratique db update"), "{err}");
    let (_, err) = fixture.ends_with(4, &["db", "update", "Debian", "--offline"]);
    assert!(err.contains("--offline"), "{err}");
    let (out, err) = fixture.ends_with(0, &["db", "update", "Debian:12"]);
    assert!(out.contains("a new one; it has Debian"), "{out}");
    assert_eq!(err, "", "progress is for terminals");
    let (out, _) = fixture.ends_with(0, &["db", "update"]);
    assert!(out.contains("nothing has changed"), "{out}");
    let (out, _) = fixture.ends_with(0, &["db", "status"]);
    assert!(out.contains("Debian:12: 2 statements") && out.contains("; checked 20"), "{out}");
    let (out, _) = fixture.ends_with(0, &["db", "search", "da"]);
    assert_eq!(out, "Debian:12\tdash\n");
    let (out, _) = fixture.ends_with(0, &["db", "show", "CVE-2026-0001"]);
    assert!(out.contains("DSA-0001-1: dash forgets"), "{out}");

    // Built from a folder, and taken as it is: nothing is fetched.
    fs::create_dir_all(fixture.path("osv/Debian")).unwrap();
    fs::write(fixture.path("osv/Debian/all.zip"), debian()).unwrap();
    let (out, _) = fixture.ends_with(0, &["db", "build", "osv", "-o", "built"]);
    assert!(out.contains("2 advisories"), "{out}");
    fixture.asked();
    let report = fixture.report(1, &["scan", "oci:image", "--db", "built"]);
    assert_eq!(flaws(&report).len(), 2);
    assert_eq!(fixture.asked(), [""; 0]);
    fs::write(fixture.path("built"), "damaged").unwrap();
    fixture.ends_with(3, &["scan", "oci:image", "--db", "built"]);
    fixture.ends_with(4, &["db", "status", "--db", "built"]);

    // A folder serves without a network.
    let offline = ["scan", "oci:image", "--offline", "--db-source", "osv", "--cache-dir", "other"];
    assert_eq!(flaws(&fixture.report(1, &offline)).len(), 2);
    assert_eq!(fixture.asked(), [""; 0]);
}

#[test]
fn advisories_are_fetched_through_a_proxy() {
    let fixture = Fixture::new();
    let arguments = ["db", "update", "Debian", "--db-source", "http://advisories.example"];
    let output = fixture.command(&arguments).env("http_proxy", fixture.server.address()).output().unwrap();
    shown(0, &arguments, output);
    assert_eq!(fixture.asked()[..2], ["CONNECT advisories.example:80", "/Debian/all.zip"]);
}

fn write(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
}

#[test]
fn what_somebody_says_does_not_matter_does_not_count_and_is_listed_with_who_and_why() {
    let fixture = Fixture::new();
    let vex = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:x", "author": "Team Shop", "timestamp": "2026-01-05T00:00:00Z",
        "version": 1, "statements": [{
            "vulnerability": {"name": "CVE-2026-0001"}, "products": [{"@id": "pkg:deb/debian/dash"}],
            "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
        }],
    });
    write(&fixture.path("shop.vex.json"), &vex.to_string());
    write(
        &fixture.path("ignore.yaml"),
        "ignore:\n- vulnerabilities: [DEBIAN-CVE-2026-0002]\n  packages: [zlib1g]\n  reason: no decompression here\n  by: Ada\n\
         - vulnerabilities: [CVE-2026-0001]\n  expires: 2026-01-01T00:00:00Z\n  reason: long ago\n",
    );
    let suppressed = |report: &Value| -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let list = report["suppressed"].as_array().unwrap();
        let one =
            |one: &Value| (text(&one["finding"]["attributes"]["id"]), text(&one["by"]), text(&one["reason"]));
        list.iter().map(one).collect()
    };
    let owned = |id: &str, by: &str, reason: &str| (id.to_owned(), by.to_owned(), reason.to_owned());

    let report = fixture.report(1, &["scan", "oci:image", "--vex", "shop.vex.json"]);
    assert_eq!(flaws(&report), ["CVE-2026-0002"]);
    assert_eq!(
        suppressed(&report),
        [owned("CVE-2026-0001", "Team Shop", "vulnerable_code_not_in_execute_path")]
    );

    let (_, err) = fixture.ends_with(1, &["scan", "oci:image", "--ignore-file", "ignore.yaml"]);
    assert!(err.contains("`long ago` has expired"), "{err}");
    let report = fixture.report(1, &["scan", "oci:image", "--ignore-file", "ignore.yaml"]);
    assert_eq!(flaws(&report), ["CVE-2026-0001"]);
    assert_eq!(suppressed(&report), [owned("CVE-2026-0002", "Ada", "no decompression here")]);

    let report = fixture.report(1, &["scan", "oci:image", "--only-fixed"]);
    assert_eq!(suppressed(&report), [owned("CVE-2026-0002", "--only-fixed", "there is no fix")]);
    let all = ["scan", "oci:image", "--only-fixed", "--vex", "shop.vex.json"];
    let report = fixture.report(0, &all);
    assert_eq!((report["verdict"].as_str(), suppressed(&report).len()), (Some("Clean"), 2));
    let (out, _) = fixture.ends_with(0, &all);
    assert!(out.contains("2 suppressed") && out.contains("Team Shop"), "{out}");
    // The configuration file says the same.
    write(&fixture.path(".pratique.yaml"), "only-fixed: true\nvex: [shop.vex.json]\n");
    fixture.report(0, &["scan", "oci:image"]);
    fs::remove_file(fixture.path(".pratique.yaml")).unwrap();

    for (content, reason) in [
        ("ignore: [{vulnerabilities: [CVE-2026-0001], reason: ' '}]", "entry 1 has no reason"),
        ("ignore: [{reason: all of it}]", "entry 1 names nothing"),
        ("ignore: [{paths: ['a[b'], reason: x}]", "entry 1"),
        ("ignore: [{cve: x, reason: x}]", "unknown field `cve`"),
    ] {
        write(&fixture.path("ignore.yaml"), content);
        let (_, err) = fixture.ends_with(3, &["scan", "oci:image", "--ignore-file", "ignore.yaml"]);
        assert!(err.contains(reason) && err.contains("ignore.yaml"), "{err}");
    }
    write(&fixture.path("shop.vex.json"), "{}");
    let (_, err) = fixture.ends_with(3, &all);
    assert!(err.contains("shop.vex.json"), "{err}");
}

#[test]
fn the_threshold_decides_on_the_exit_code() {
    let fixture = Fixture::new();
    for (threshold, code) in [("critical", 1), ("low", 1), ("never", 0)] {
        fixture.ends_with(code, &["scan", "oci:image", "--fail-on", threshold]);
    }
    write(&fixture.path("ignore.yaml"), "ignore: [{packages: [dash], reason: unused}]");
    for (threshold, code) in [("critical", 0), ("medium", 0), ("low", 1)] {
        let arguments = ["scan", "oci:image", "--ignore-file", "ignore.yaml", "--fail-on", threshold];
        fixture.ends_with(code, &arguments);
    }
}

#[test]
fn an_sbom_gives_the_findings_that_its_image_gives_in_every_format_that_is_read() {
    let fixture = Fixture::new();
    let findings = |report: &Value| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = report["findings"].as_array().unwrap();
        list.iter().map(|one| (text(&one["attributes"]["id"]), text(&one["attributes"]["purl"]))).collect()
    };
    let scanned = fixture.report(1, &["scan", "oci:image"]);
    for format in ["cyclonedx", "cyclonedx-xml", "spdx", "spdx-tag"] {
        let (sbom, _) = fixture.ends_with(0, &["sbom", "oci:image", "-f", format]);
        let mut command = fixture.command(&["match", "-", "-f", "json"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(sbom.as_bytes()).unwrap();
        let (out, _) = shown(1, &["match", format], child.wait_with_output().unwrap());
        let document: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(findings(&document["reports"][0]), findings(&scanned), "{format}");
        if format == "cyclonedx" {
            let place = |report: &Value| {
                (report["findings"][0]["path"].clone(), report["findings"][0]["layer"].clone())
            };
            assert_eq!(place(&document["reports"][0]), place(&scanned));
        }
        write(&fixture.path("sbom"), &sbom);
        fixture.report(0, &["match", "sbom", "--fail-on", "never"]);
    }
    for content in ["", "hello", "{}"] {
        write(&fixture.path("sbom"), content);
        let (_, err) = fixture.ends_with(4, &["match", "sbom"]);
        assert!(err.contains("sbom: it is no SBOM"), "{err}");
    }
    let (_, err) = fixture.ends_with(4, &["match", "nowhere.json"]);
    assert!(err.contains("nowhere.json"), "{err}");
}

#[test]
fn a_difference_says_what_a_new_image_fixes_and_brings() {
    let fixture = Fixture::new();
    let fixed = "Package: dash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.5.12-3\n\n";
    layout(&fixture.path("new"), &[image(), LayerBuilder::new().file("var/lib/dpkg/status", fixed)]);
    let (out, _) = fixture.ends_with(0, &["diff", "oci:image", "oci:new"]);
    assert!(out.contains("2 fixed, 0 brought") && out.contains("CVE-2026-0001"), "{out}");
    let (out, _) = fixture.ends_with(1, &["diff", "oci:new", "oci:image", "-f", "json"]);
    let document: Value = serde_json::from_str(&out).unwrap();
    let ids = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|finding| finding["attributes"]["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&document["brought"]), ["CVE-2026-0001", "CVE-2026-0002"]);
    assert_eq!(document["changed"][0]["old"]["version"], "0.5.12-3");
    assert_eq!(document["added"][0]["name"], "zlib1g");
    fixture.ends_with(0, &["diff", "oci:new", "oci:image", "--fail-on", "never"]);
    fixture.ends_with(0, &["diff", "oci:image", "oci:image"]);
    layout(&fixture.path("both"), &[image(), python()]);
    fixture.ends_with(2, &["diff", "oci:image", "oci:both"]);
    fixture.ends_with(4, &["diff", "oci:image", "oci:nowhere"]);
    let (_, err) = fixture.ends_with(3, &["diff", "oci:image", "oci:new", "-f", "sarif"]);
    assert!(err.contains("table or json"), "{err}");
}

const POLICY: &str = "apiVersion: pratique.dev/v1alpha1
kind: ScanPolicy
metadata: {name: baseline}
spec:
  match: {namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}, images: ['registry.example.com/**']}
  incomplete: Deny
  deny:
  - name: critical-with-a-fix
    vulnerability: {minSeverity: Critical, fixAvailable: true, minAge: 1h}
";

#[test]
fn a_policy_decides_as_the_webhook_would() {
    let fixture = Fixture::new();
    write(&fixture.path("policy.yaml"), POLICY);
    let scan = |more: &[&'static str]| -> Vec<&'static str> {
        let reference = ["--policy", "policy.yaml", "--reference", "registry.example.com/shop:1"];
        [&["scan", "oci:image"][..], &reference, more].concat()
    };
    let sentence = "is refused by ScanPolicy baseline, rule critical-with-a-fix: Vulnerability Critical: CVE-2026-0001 in dash";
    let (out, err) = fixture.ends_with(1, &scan(&["-f", "json"]));
    assert!(err.contains(sentence) && err.contains("image registry.example.com/shop:1 (sha256:"), "{err}");
    let document: Value = serde_json::from_str(&out).unwrap();
    let decision = &document["reports"][0]["decision"];
    assert_eq!(
        (&decision["effect"], &decision["violations"][0]["rule"]),
        (&json!("Deny"), &json!("critical-with-a-fix"))
    );
    let (out, _) = fixture.ends_with(1, &scan(&[]));
    assert!(out.contains("would be refused"), "{out}");

    // What is suppressed is no finding to a policy, and another image is not its business.
    write(&fixture.path("ignore.yaml"), "ignore: [{packages: [dash], reason: unused}]");
    fixture.ends_with(0, &scan(&["--ignore-file", "ignore.yaml"]));
    fixture.ends_with(1, &scan(&["--ignore-file", "ignore.yaml", "--fail-on", "low"]));
    fixture.ends_with(0, &["scan", "oci:image", "--policy", "policy.yaml", "--reference", "nginx"]);

    // An exception accepts visibly, in its namespace.
    let exception = "  exceptions:\n  - {name: known, findings: {vulnerabilities: [CVE-2026-0001]}, images: ['**'], \
                     namespaces: [shop], expires: 2100-01-01T00:00:00Z, reason: not reachable}\n";
    write(&fixture.path("policy.yaml"), &format!("{POLICY}{exception}"));
    fixture.ends_with(1, &scan(&[]));
    let report = fixture.report(0, &scan(&["--namespace", "shop"]));
    assert_eq!(report["decision"]["accepted"][0]["exception"], "known");

    // What was not covered is the policy's to judge.
    let other = scan(&["--offline", "--cache-dir", "empty"]);
    let (_, err) = fixture.ends_with(1, &other);
    assert!(
        err.contains("its scan did not include the detector vulnerability") || err.contains("incomplete"),
        "{err}"
    );

    for (arguments, reason) in [
        (vec!["scan", "oci:image", "--policy", "policy.yaml"], "--reference"),
        (vec!["scan", "dir:.", "--policy", "policy.yaml"], "this is none"),
        (vec!["match", "-", "--policy", "policy.yaml"], "an SBOM is none"),
    ] {
        let (_, err) = fixture.ends_with(3, &arguments);
        assert!(err.contains(reason), "{err}");
    }
    for (content, reason) in [
        ("", "holds no ScanPolicy"),
        ("kind: Pod", "policy.yaml"),
        (&POLICY.replace("minAge: 1h", "minAge: soon"), "minAge"),
        (&POLICY.replace("minSeverity: Critical, fixAvailable: true, minAge: 1h", ""), "critical-with-a-fix"),
    ] {
        write(&fixture.path("policy.yaml"), content);
        let (_, err) = fixture.ends_with(3, &scan(&[]));
        assert!(err.contains(reason), "{content}: {err}");
    }
}

#[test]
fn advisories_come_from_an_artifact_of_a_registry_too() {
    let fixture = Fixture::new();
    let registry = RegistryDaemon::plain();
    registry.push_artifact("team/osv", "1", &[("Debian/all.zip", &debian())], None);
    let place = format!("127.0.0.1:{}", registry.port);
    let source = format!("oci://{place}/team/osv:1");
    let update = ["db", "update", "Debian", "--db-source", &source, "--insecure-registry", &place];
    let (out, _) = fixture.ends_with(0, &update);
    assert!(out.contains("the database is a new one; it has Debian"), "{out}");
    let (out, _) = fixture.ends_with(0, &update);
    assert!(out.contains("nothing has changed"), "{out}");
    // What is fresh is not asked for.
    drop(registry);
    let report = fixture.report(1, &["scan", "oci:image", "--db-source", &source]);
    assert_eq!(flaws(&report), ["CVE-2026-0001", "CVE-2026-0002"]);
    assert_eq!(fixture.asked(), [""; 0]);
    let (_, said) = fixture.ends_with(4, &["db", "update", "--db-source", &source, "--offline"]);
    assert!(said.contains(&source) && said.contains("--offline"), "{said}");
    let (_, said) = fixture.ends_with(3, &["db", "update", "Debian", "--db-source", "oci://team/osv"]);
    assert!(said.contains("oci://registry/repository:tag"), "{said}");
}

#[test]
fn a_report_says_what_a_newer_base_would_do_be_it_an_image_or_an_sbom() {
    let fixture = Fixture::new();
    fixture
        .server
        .put("/PyPI/all.zip", archive(&[record("PYSEC-1", "CVE-2026-0003", "PyPI", "six", None, LOW)]));
    layout(&fixture.path("shop"), &[image(), python()]);
    // dash is mended below, zlib is not, and the base has a python of its own that replaces nobody's.
    let mended = "Package: dash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.5.12-3\n\n\
                  Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nSource: zlib\nVersion: 1:1.2.14\n\n";
    layout(&fixture.path("newer"), &[image(), LayerBuilder::new().file("var/lib/dpkg/status", mended)]);
    let (sbom, _) = fixture.ends_with(0, &["sbom", "oci:newer", "-f", "cyclonedx"]);
    write(&fixture.path("newer.json"), &sbom);
    let (sbom, _) = fixture.ends_with(0, &["sbom", "oci:shop", "-f", "cyclonedx"]);
    write(&fixture.path("shop.json"), &sbom);
    for asked in [["scan", "oci:shop"], ["match", "shop.json"]] {
        assert!(fixture.report(1, &asked).get("newerBase").is_none(), "nobody asked");
        for base in ["oci:newer", "newer.json"] {
            let report = fixture.report(1, &[&asked[..], &["--newer-base", base]].concat());
            let expected = json!({
                "reference": base,
                "clears": ["CVE-2026-0001"], "keeps": ["CVE-2026-0002", "CVE-2026-0003"], "brings": [],
            });
            assert_eq!(report["newerBase"], expected, "{asked:?}");
            assert_eq!(flaws(&report).len(), 3, "what is found is of the image as it is");
        }
    }
    let (out, _) = fixture.ends_with(1, &["scan", "oci:shop", "--newer-base", "oci:newer"]);
    assert!(out.contains("Flaws with a newer base image"), "{out}");
    // Backwards it brings one.
    let report = fixture.report(1, &["scan", "oci:newer", "--newer-base", "oci:image"]);
    assert_eq!(report["newerBase"]["brings"], json!(["CVE-2026-0001"]));

    // One that could not be judged whole clears nothing, and one that is not there ends the command.
    layout(
        &fixture.path("ruby"),
        &[image(), LayerBuilder::new().file("srv/Gemfile.lock", "GEM\n  specs:\n    rake (13.0.0)\n")],
    );
    let report = fixture.report(1, &["scan", "oci:image", "--newer-base", "oci:ruby"]);
    assert!(report.get("newerBase").is_none(), "{report}");
    let gaps = report["gaps"].to_string();
    assert!(gaps.contains("whether the newer base oci:ruby helps is not known"), "{gaps}");
    let (_, err) = fixture.ends_with(4, &["scan", "oci:image", "--newer-base", "oci:nowhere"]);
    assert!(err.contains("nowhere"), "{err}");
}
