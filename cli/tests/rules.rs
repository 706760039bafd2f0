//! The user's own rules from artifacts of a real registry.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{debian, ends_with, layout};
use pratique_core::{Digest, RuleKind};
use pratique_testkit::LayerBuilder;
use pratique_testkit::daemons::{Between, Fault, RegistryDaemon};
use serde_json::Value;

const YARA: &[u8] = b"rule Gate { strings: $a = \"gate-of-sesame\" condition: $a }";
const SECRETS: &[u8] =
    b"rules: [{id: shop-key, description: key of the shop, regex: 'shop_([0-9a-f]{24})', severity: Medium}]";

/// A home with an image in which each kind of rules has something to find; a registry.
struct Fixture {
    home: tempfile::TempDir,
    registry: RegistryDaemon,
}

impl Fixture {
    fn new(registry: RegistryDaemon) -> Self {
        let home = tempfile::tempdir().unwrap();
        let files = LayerBuilder::new()
            .file("opt/gate", "opens the gate-of-sesame")
            .file("opt/tool", "content")
            .file("etc/shop.yaml", "key: shop_51e7c0d42a9b8f36e10d74c5\n")
            // md5crypt of `quayside-lantern`.
            .file("etc/shadow", "root:$1$saltsalt$j2yBTcZY7HFxKb4ynh67r1:19000:0:99999:7:::\n")
            .owned(0o640, 0, 42);
        layout(&home.path().join("image"), &[debian(), files]);
        Self { home, registry }
    }

    fn place(&self) -> String {
        format!("127.0.0.1:{}", self.registry.port)
    }

    fn address(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.place())
    }

    fn push(&self, tag: &str, files: &[(&str, &[u8])]) -> String {
        self.registry.push_artifact("team/rules", tag, files, None)
    }

    /// Scans the image; what was printed.
    fn scan(&self, code: i32, more: &[&str]) -> (String, String) {
        let place = self.place();
        // Guessing at the password takes long without the word.
        let usual = [
            "scan",
            "oci:image",
            "-f",
            "json",
            "--insecure-registry",
            &place,
            "--detectors",
            "malware,secret",
        ];
        ends_with(code, self.home.path(), &[&usual, more].concat())
    }

    /// Which rules found something.
    fn found(&self, more: &[&str]) -> BTreeSet<String> {
        let (out, _) = self.scan(1, more);
        let result: Value = serde_json::from_str(&out).unwrap();
        let findings = result["reports"][0]["findings"].as_array().unwrap();
        findings.iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn each_flag_takes_the_files_of_its_kind_of_an_artifact() {
    let fixture = Fixture::new(RegistryDaemon::plain());
    let sum = format!("{}  tool\n", Digest::of(b"content").hex());
    let files: [(&str, &[u8]); 4] = [
        ("team/own.yar", YARA),
        ("shop.yaml", SECRETS),
        ("bad.sha256", sum.as_bytes()),
        ("words.txt", b"quayside-lantern\n"),
    ];
    let kind = |name| RuleKind::of(name, "").unwrap_or(RuleKind::Dictionary).media_type();
    let typed: Vec<_> = files.iter().map(|(name, content)| (*name, kind(name), *content)).collect();
    let digest = fixture.registry.push_typed_artifact("team/rules", "1", &typed, None);
    let address = fixture.address("team/rules:1");
    for (flag, detector, rule) in [
        ("--yara-rules", "malware", "yara-rule"),
        ("--secret-rules", "secret", "custom-rule"),
        ("--hash-list", "malware", "known-file"),
        ("--dictionary", "weak-password", "linux-account"),
    ] {
        let found = fixture.found(&[flag, &address, "--detectors", detector]);
        assert_eq!(found, [rule.to_owned()].into(), "{flag}");
    }
    let (out, _) = fixture.scan(1, &["--yara-rules", &address]);
    let named = format!("the YARA rule Gate of {address}/team/own.yar holds");
    assert!(out.contains(&named), "{out}");
    // By its digest it stays what it was, whatever becomes of the tag.
    fixture.push("1", &[("own.yar", b"rule Other { condition: false }")]);
    fixture.scan(0, &["--yara-rules", &address]);
    let pinned = fixture.address(&format!("team/rules@{digest}"));
    assert_eq!(fixture.found(&["--yara-rules", &pinned]), ["yara-rule".to_owned()].into());
}

#[test]
fn rules_that_cannot_be_had_or_used_end_the_command_with_what_to_do() {
    let fixture = Fixture::new(RegistryDaemon::plain());
    let address = fixture.address("team/rules:1");
    let yara = ["--yara-rules", &address];
    let says = |code, more: &[&str], parts: &[&str]| {
        let (out, err) = fixture.scan(code, more);
        assert!(parts.iter().all(|part| err.contains(part)) && out.is_empty(), "{err}");
    };
    says(4, &yara, &[&address, "404", "no such thing"]);
    says(3, &["--yara-rules", "oci://team/rules"], &["YARA rules", "oci://registry/repository:tag"]);
    says(3, &[&yara[..], &["--offline"]].concat(), &[&address, "--offline"]);

    fixture.push("1", &[("own.yar", b"rule A { condition: true }\nrule B { condition: $x }")]);
    says(3, &yara, &[&format!("{address}/own.yar: line 2: "), "$x"]);
    fixture.push("1", &[("shop.yaml", b"rules:\n- id: shop-key\n"), ("bad.md5", b"none\n")]);
    says(3, &["--secret-rules", &address], &[&format!("{address}/shop.yaml: line 2: ")]);
    says(3, &["--hash-list", &address], &[&format!("{address}/bad.md5: line 1: ")]);
    says(4, &yara, &[&address, "no file of the kind `yara`"]);
    fixture.push("1", &[("own.yar", YARA), ("words.txt", b"quay\n")]);
    says(4, &yara, &["`words.txt`", "push it as words.txt:application/vnd.pratique.rules.dictionary.v1"]);
    fixture.push("1", &[("../../own.yar", YARA)]);
    says(4, &yara, &["`../../own.yar` is no name"]);

    fixture.push("1", &[("own.yar", YARA)]);
    let config = format!("yara-rules: [\"{address}\"]\n");
    fs::write(fixture.home.path().join(".pratique.yaml"), config).unwrap();
    assert_eq!(fixture.found(&[]), ["yara-rule".to_owned()].into());
}

#[test]
fn without_an_answer_or_a_login_nothing_is_scanned() {
    let fixture = Fixture::new(RegistryDaemon::guarded());
    let files: [(&str, &[u8]); 1] = [("own.yar", YARA)];
    fixture.registry.push_artifact("rules", "1", &files, Some(RegistryDaemon::AUTHORIZATION));
    let address = fixture.address("rules:1");
    let yara = ["--yara-rules", &address];
    let (_, err) = fixture.scan(4, &yara);
    assert!(err.contains("401") && err.contains("docker login"), "{err}");
    let login = RegistryDaemon::AUTHORIZATION.trim_start_matches("Basic ");
    let folder = fixture.home.path().join(".docker");
    fs::create_dir(&folder).unwrap();
    let config = format!(r#"{{"auths":{{"{}":{{"auth":"{login}"}}}}}}"#, fixture.place());
    fs::write(folder.join("config.json"), config).unwrap();
    assert_eq!(fixture.found(&yara), ["yara-rule".to_owned()].into());

    let place = fixture.place();
    let Fixture { home, registry } = fixture;
    drop(registry);
    let asks = ["scan", "oci:image", "--insecure-registry", &place, "--yara-rules", &address];
    let (out, err) = ends_with(4, home.path(), &asks);
    assert!(out.is_empty() && err.contains(&address) && err.contains("check host and port"), "{err}");
}

#[test]
fn rules_that_were_changed_on_the_way_are_refused() {
    let fixture = Fixture::new(RegistryDaemon::plain());
    fixture.push("1", &[("own.yar", YARA)]);
    for part in ["/blobs/", "/manifests/"] {
        let between = Between::new(fixture.registry.port, move |seen| match seen.path.contains(part) {
            true => Fault::Change,
            false => Fault::Pass,
        });
        let place = format!("127.0.0.1:{}", between.port);
        let address = format!("oci://{place}/team/rules:1");
        let (_, err) = fixture.scan(4, &["--yara-rules", &address, "--insecure-registry", &place]);
        assert!(err.contains(&address) && err.contains("another digest"), "{err}");
    }
}
