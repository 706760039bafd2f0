//! The command as people and pipelines use it: arguments in, files, standard output and exit codes out.

mod common;

use std::fs;
use std::process::{Command, Stdio};

use common::{debian, ends_with, layout, text};
use pratique_testkit::{Compression, ImageBuilder, LayerBuilder};
use serde_json::Value;

/// A hash of `changeme`, which is in the dictionary.
const WEAK: &str = "root:$1$pratique$JJq3DaiIyvx6Mc8wKWicI/:19000:0:99999:7:::\n";

#[test]
fn an_images_packages_and_findings_are_printed_and_the_exit_code_says_what_they_mean() {
    let home = tempfile::tempdir().unwrap();
    layout(&home.path().join("clean"), &[debian()]);
    layout(&home.path().join("weak"), &[debian(), LayerBuilder::new().file("etc/shadow", WEAK)]);
    let (out, err) = ends_with(0, home.path(), &["scan", "oci:clean", "--packages"]);
    assert!(out.contains("dash") && out.contains("0.5.12-2"), "{out}");
    assert_eq!(err, "", "in a pipe nothing is said beside the result");

    let (out, _) = ends_with(1, home.path(), &["scan", "oci:weak"]);
    assert!(out.contains("weak-password") || out.contains("WeakPassword"), "{out}");
    assert!(!out.contains("changeme"), "passwords are masked: {out}");
    ends_with(0, home.path(), &["scan", "oci:weak", "--fail-on", "never"]);
    ends_with(0, home.path(), &["scan", "oci:weak", "--detectors", "none"]);
    ends_with(0, home.path(), &["sbom", "oci:weak"]);
}

#[test]
fn several_formats_go_to_their_files_in_one_run_and_the_same_input_gives_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    layout(&home.path().join("image"), &[debian()]);
    let formats = "json=a.json,cyclonedx=a.cdx.json,spdx=a.spdx.json,purls=a.purls,sarif=a.sarif";
    let (out, _) =
        ends_with(0, home.path(), &["scan", "oci:image", "-f", formats, "-f", "table", "--no-cache"]);
    assert!(out.contains("Debian GNU/Linux 12"), "{out}");
    let read = |name: &str| fs::read_to_string(home.path().join(name)).unwrap();
    for name in ["a.json", "a.cdx.json", "a.spdx.json", "a.sarif"] {
        serde_json::from_str::<Value>(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let purls = read("a.purls");
    assert_eq!(purls.trim(), "pkg:deb/debian/dash@0.5.12-2?arch=amd64&distro=debian-12");
    ends_with(0, home.path(), &["scan", "oci:image", "-f", "purls", "-o", "b.purls"]);
    assert_eq!(read("b.purls"), purls, "read or from the cache");
}

#[test]
fn what_was_not_hashed_is_told_to_be_unchecked() {
    let home = tempfile::tempdir().unwrap();
    let image = |compression| ImageBuilder::new().layer(debian(), compression).build();
    fs::write(home.path().join("saved.tar"), image(Compression::Plain).to_docker_archive("debian:12"))
        .unwrap();
    fs::write(home.path().join("pulled.tar"), image(Compression::Gzip).to_oci_archive("debian:12")).unwrap();
    let trust = |arguments: &[&str]| {
        let (json, _) = ends_with(0, home.path(), &[arguments, &["-f", "json"]].concat());
        let report = serde_json::from_str::<Value>(&json).unwrap()["reports"][0].clone();
        assert_eq!(report["packages"].as_array().unwrap().len(), 1, "{report}");
        report["image"]["trust"].as_str().unwrap().to_owned()
    };
    assert_eq!(trust(&["sbom", "saved.tar"]), "Unchecked");
    assert_eq!(trust(&["scan", "saved.tar", "--detectors", "none", "--no-vulnerabilities"]), "Unchecked");
    assert_eq!(trust(&["scan", "saved.tar", "--no-vulnerabilities"]), "Blobs");
    assert_eq!(trust(&["sbom", "pulled.tar"]), "Blobs");
}

#[test]
fn a_layer_that_was_read_once_comes_from_the_cache() {
    let home = tempfile::tempdir().unwrap();
    let upper = LayerBuilder::new().file("opt/app", "x");
    layout(&home.path().join("one"), &[debian()]);
    layout(&home.path().join("two"), &[debian(), upper]);
    let (_, err) = ends_with(0, home.path(), &["scan", "-v", "oci:one"]);
    assert!(err.contains("0 layers from the cache"), "{err}");
    let (_, err) = ends_with(0, home.path(), &["scan", "-v", "oci:two"]);
    assert!(err.contains("1 layers from the cache"), "{err}");
    assert_eq!(err.matches(" files opened").count(), 1, "one layer is read: {err}");
    let (_, err) = ends_with(0, home.path(), &["scan", "-v", "oci:two", "--no-cache"]);
    assert!(err.contains("0 layers from the cache"), "{err}");
    let cached = home.path().join(".cache/pratique/layers");
    assert_eq!(fs::read_dir(&cached).unwrap().count(), 2);
    for entry in fs::read_dir(&cached).unwrap() {
        fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    let (out, _) = ends_with(0, home.path(), &["scan", "oci:two", "--packages"]);
    assert!(out.contains("dash"), "what is damaged is read again: {out}");
}

#[test]
fn what_upper_layers_removed_is_listed_when_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let upper = LayerBuilder::new().file("var/lib/dpkg/status", "\n");
    layout(&home.path().join("image"), &[debian(), upper]);
    let (squashed, _) = ends_with(0, home.path(), &["scan", "oci:image", "-f", "purls"]);
    assert!(!squashed.contains("dash"), "{squashed}");
    let (all, _) = ends_with(0, home.path(), &["scan", "oci:image", "-f", "purls", "--layers", "all"]);
    assert!(all.contains("dash"), "{all}");
}

#[test]
fn excluded_paths_are_not_looked_at_and_not_answered_from_what_was_kept() {
    let home = tempfile::tempdir().unwrap();
    layout(&home.path().join("image"), &[debian()]);
    for (exclude, found) in [("opt/**", true), ("var/lib/dpkg/**", false), ("opt/**", true)] {
        let (out, _) = ends_with(0, home.path(), &["scan", "oci:image", "-f", "purls", "--exclude", exclude]);
        assert_eq!(out.contains("dash"), found, "{exclude}: {out}");
    }
    let (_, err) = ends_with(3, home.path(), &["scan", "oci:image", "--exclude", "a[b"]);
    assert!(err.contains("a[b"), "{err}");
}

#[test]
fn a_damaged_image_is_incomplete_or_not_scanned_but_never_clean() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("image");
    layout(&folder, &[debian(), LayerBuilder::new().file("opt/app", "x")]);
    let blobs = folder.join("blobs/sha256");
    // The gzip blobs are the layers; the second is cut short.
    let mut layers: Vec<_> = fs::read_dir(&blobs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| fs::read(path).unwrap().starts_with(&[0x1f, 0x8b]))
        .collect();
    layers.sort_by_key(|path| fs::metadata(path).unwrap().len());
    let cut = fs::read(&layers[0]).unwrap();
    fs::write(&layers[0], &cut[..cut.len() / 2]).unwrap();
    let (out, _) = ends_with(2, home.path(), &["scan", "oci:image"]);
    assert!(out.to_lowercase().contains("incomplete"), "{out}");
    for layer in &layers {
        fs::write(layer, "nothing").unwrap();
    }
    ends_with(4, home.path(), &["scan", "oci:image", "--no-cache"]);
}

#[test]
fn the_command_line_counts_before_the_environment_and_that_before_the_file() {
    let home = tempfile::tempdir().unwrap();
    layout(&home.path().join("image"), &[debian()]);
    fs::write(home.path().join(".pratique.yaml"), "format: [purls]\n").unwrap();
    let with = |arguments: &[&str], variable: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pratique"));
        command.args(["scan", "oci:image"]).args(arguments).env_clear().env("HOME", home.path());
        command.env("PRATIQUE_NO_VULNERABILITIES", "true");
        command.current_dir(home.path()).envs(variable.map(|value| ("PRATIQUE_FORMAT", value)));
        text(&command.output().unwrap().stdout)
    };
    assert!(with(&[], None).starts_with("pkg:deb/"));
    assert!(with(&[], Some("spdx-tag")).starts_with("SPDXVersion"));
    assert!(with(&["-f", "json"], Some("spdx-tag")).starts_with('{'));
    fs::write(home.path().join(".pratique.yaml"), "formats: [purls]\n").unwrap();
    let (_, err) = ends_with(3, home.path(), &["scan", "oci:image"]);
    assert!(
        err.contains("formats") && err.contains(".pratique.yaml"),
        "the field and the file are named: {err}"
    );
}

#[test]
fn what_is_wrong_is_said_in_a_sentence_and_ends_with_its_code() {
    let home = tempfile::tempdir().unwrap();
    layout(&home.path().join("image"), &[debian()]);
    for (code, arguments, said) in [
        (3, &["scan"][..], "SOURCE"),
        (3, &["scan", "oci:image", "-f", "pdf"], "`pdf`"),
        (3, &["scan", "oci:image", "-f", "json", "-f", "purls"], "--format"),
        (3, &["scan", "oci:image", "--detectors", "no-such"], "`no-such`"),
        (3, &["scan", "oci:image", "--platform", "linux"], "OS/ARCH"),
        (3, &["scan", "oci:image", "--fail-on", "bad"], "`bad`"),
        (3, &["scan", "oci:image", "--config", "missing.yaml"], "missing.yaml"),
        (3, &["scan", "oci:image", "-f", "template"], "--template"),
        (4, &["scan", "oci:nowhere"], "nowhere: No such file or directory"),
        (4, &["scan", "oci-archive:nowhere.tar"], "nowhere.tar"),
        (4, &["scan", "--offline", "registry:registry.invalid/x"], "offline"),
        (4, &["scan", "--offline", "no-such-image"], "offline"),
        (5, &["scan", "oci:image", "-f", "json", "-o", "no/such/folder.json"], "no/such/folder.json"),
    ] {
        let (_, err) = ends_with(code, home.path(), arguments);
        assert!(err.contains(said), "{arguments:?}: {err}");
        assert!(err.matches("No such file").count() <= 1, "a reason is said once: {err}");
    }
}

#[test]
fn one_target_that_is_not_there_does_not_hide_the_others() {
    let home = tempfile::tempdir().unwrap();
    layout(&home.path().join("image"), &[debian()]);
    let (out, err) = ends_with(4, home.path(), &["scan", "oci:nowhere", "oci:image", "-f", "purls"]);
    assert!(out.contains("dash") && err.contains("nowhere"), "{out}{err}");
}

#[test]
fn runtimes_are_listed_and_checked_and_what_lacks_says_why() {
    let home = tempfile::tempdir().unwrap();
    let with = |command: &str| {
        let mut pratique = Command::new(env!("CARGO_BIN_EXE_pratique"));
        pratique.arg(command).env_clear().env("HOME", home.path()).env("TMPDIR", home.path());
        pratique.env("CONTAINERD_ADDRESS", "/nowhere/c.sock").env("DOCKER_HOST", "unix:///nowhere/d.sock");
        let storage = home.path().join("storage.conf");
        fs::write(&storage, "[storage]\ndriver = \"overlay\"\ngraphroot = \"/nowhere\"\n").unwrap();
        let output = pratique.env("CONTAINERS_STORAGE_CONF", storage).output().unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for command in ["images", "containers"] {
        let (code, out, err) = with(command);
        assert_eq!((code, out.as_str()), (Some(4), ""), "{err}");
        assert!(err.contains("/nowhere/c.sock") && err.contains("/nowhere/d.sock"), "{err}");
    }
    let (code, out, _) = with("check");
    assert_eq!(code, Some(0));
    for item in [
        "LACKS  containerd",
        "LACKS  docker",
        "LACKS  containers-storage",
        "ok     cache",
        "ok     temporary",
    ] {
        assert!(out.contains(item), "{item}: {out}");
    }
}

#[test]
fn versions_are_compared_by_arguments_or_line_by_line() {
    let home = tempfile::tempdir().unwrap();
    for (ecosystem, a, b, answer) in
        [("Debian", "1.0~rc1", "1.0", "<"), ("PyPI", "1.0", "1.0.0", "="), ("npm", "1.10.0", "1.9.0", ">")]
    {
        let (out, _) = ends_with(0, home.path(), &["db", "compare", ecosystem, a, b]);
        assert_eq!(out.trim(), answer, "{ecosystem} {a} {b}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_pratique"));
    command.args(["db", "compare", "Debian", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"1\t2\n2\t2\n3\t2\n").unwrap();
    drop(child.stdin.take());
    assert_eq!(text(&child.wait_with_output().unwrap().stdout), "<\n=\n>\n");
    let (_, err) = ends_with(3, home.path(), &["db", "compare", "Nowhere", "1", "2"]);
    assert!(err.contains("`Nowhere`"), "{err}");
}

#[test]
fn a_range_says_whether_it_takes_the_version_with_the_fix() {
    let home = tempfile::tempdir().unwrap();
    for (ecosystem, range, version, answer) in [
        ("npm", "^4.17.0", "4.17.21", "yes"),
        ("npm", "^4.17.0", "5.0.0", "no"),
        ("Packagist", "^0.3 || ~1.2.3", "1.2.9", "yes"),
        ("Packagist", "^0.3 || ~1.2.3", "1.3", "no"),
    ] {
        let (out, _) = ends_with(0, home.path(), &["db", "in-range", ecosystem, range, version]);
        assert_eq!(out.trim(), answer, "{ecosystem} {range} {version}");
    }
    for (ecosystem, range, version, reason) in [
        ("crates.io", "^1", "1.0.0", "`crates.io`"),
        ("npm", "latest", "1.0.0", "`latest` is no range"),
        ("npm", "^1", "soon", "`soon`"),
    ] {
        let (_, err) = ends_with(3, home.path(), &["db", "in-range", ecosystem, range, version]);
        assert!(err.contains(reason), "{err}");
    }
}

#[test]
fn completions_and_manual_pages_are_generated() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (out, _) = ends_with(0, home.path(), &["completions", shell]);
        assert!(out.contains("pratique"), "{shell}");
    }
    ends_with(0, home.path(), &["man", "."]);
    assert!(fs::read_to_string(home.path().join("pratique-scan.1")).unwrap().contains("fail\\-on"));
}

/// A layout of these layers; their diff IDs.
fn layers(folder: &std::path::Path, layers: &[LayerBuilder]) -> Vec<String> {
    layout(folder, layers);
    layers.iter().map(|layer| layer.diff_id().to_string()).collect()
}

#[test]
fn findings_say_whether_they_come_from_the_base() {
    let home = tempfile::tempdir().unwrap();
    let weak = LayerBuilder::new().file("etc/shadow", WEAK);
    let open = LayerBuilder::new().file("etc/crontab", "").owned(0o666, 0, 0);
    layout(&home.path().join("base"), &[debian(), weak.clone()]);
    layout(&home.path().join("app"), &[debian(), weak, open]);
    let scan = ["scan", "oci:app", "-f", "json=out.json", "-f", "table"];
    let report = |arguments: &[&str]| {
        let (table, _) = ends_with(1, home.path(), &[&scan[..], arguments].concat());
        let json = fs::read_to_string(home.path().join("out.json")).unwrap();
        (table, serde_json::from_str::<Value>(&json).unwrap()["reports"][0].clone())
    };
    let (table, json) = report(&["--base", "docker.io/library/shop:1=oci:base"]);
    assert!(table.contains("docker.io/library/shop:1, 2 of 3 layers") && table.contains("FROM"), "{table}");
    assert_eq!(json["image"]["base"]["layers"], 2, "{json}");
    let from = |category: &str| {
        let findings = json["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["category"] == category).unwrap()["from"].clone()
    };
    assert_eq!((from("WeakPassword"), from("Escalation")), ("base".into(), "own".into()));

    let (table, json) = report(&[]);
    assert!(!table.contains("FROM") && json["image"]["base"].is_null(), "{table}");
    let (_, err) = ends_with(4, home.path(), &["scan", "oci:app", "--base", "oci:nowhere"]);
    assert!(err.contains("--base oci:nowhere"), "{err}");
}

#[test]
fn an_image_on_a_poisoned_base_is_reported_with_the_layer() {
    let home = tempfile::tempdir().unwrap();
    let (app, evil) =
        (LayerBuilder::new().file("srv/app", "x"), LayerBuilder::new().file("usr/lib/evil", "x"));
    let genuine = layers(&home.path().join("genuine"), &[debian()]);
    let poisoned = layers(&home.path().join("poisoned"), &[debian(), evil.clone()]);
    layout(&home.path().join("built"), &[debian(), evil, app.clone()]);
    layout(&home.path().join("clean"), &[debian(), app]);
    let trusted = format!("bases:\n- name: docker.io/library/debian:12\n  layers: [\"{}\"]\n", genuine[0]);
    fs::write(home.path().join("bases.yaml"), trusted).unwrap();
    let trust = ["--trusted-bases", "bases.yaml", "-f", "json"];
    let scan = |code: i32, arguments: &[&str]| {
        let (json, _) = ends_with(code, home.path(), &[&["scan"][..], arguments, &trust].concat());
        serde_json::from_str::<Value>(&json).unwrap()["reports"][0]["findings"].clone()
    };
    let findings = scan(1, &["oci:built", "--base", "debian:12=oci:poisoned"]);
    assert_eq!(findings.as_array().unwrap().len(), 1, "{findings}");
    assert_eq!(findings[0]["rule"], "poisoned-base");
    assert_eq!(findings[0]["layer"], Value::from(poisoned[1].as_str()));
    let findings = scan(0, &["oci:clean", "--base", "debian:12=oci:genuine"]);
    assert_eq!(findings, Value::Array(Vec::new()));

    fs::write(home.path().join("bases.yaml"), "bases:\n- name: debian:12\n  layers: [sha256:12]\n").unwrap();
    let (_, err) = ends_with(3, home.path(), &["scan", "oci:clean", "--trusted-bases", "bases.yaml"]);
    assert!(err.contains("bases.yaml"), "{err}");
}

#[test]
fn the_cost_of_each_detector_and_of_the_walk_is_told() {
    let home = tempfile::tempdir().unwrap();
    layout(&home.path().join("image"), &[debian()]);
    let (out, err) = ends_with(0, home.path(), &["scan", "oci:image", "--timings", "--no-cache"]);
    let told: Vec<&str> = err.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let detectors = pratique_core::detector::DETECTORS.iter().map(|detector| detector.id);
    for id in detectors.chain(["inventory", "walk"]) {
        assert_eq!(told.iter().filter(|own| **own == id).count(), 1, "{id}: {err}");
    }
    let files = |id: &str| -> u64 {
        let line = err.lines().find(|line| line.starts_with(id)).unwrap();
        line.split_whitespace().nth(3).unwrap().parse().unwrap()
    };
    assert!(files("weak-password") > 0 && files("inventory") > 0, "{err}");
    assert!(!out.contains("COST OF"), "the result stays as it is: {out}");
    let (_, err) = ends_with(0, home.path(), &["scan", "oci:image", "--no-cache"]);
    assert_eq!(err, "");
}

#[test]
fn a_policy_refuses_licences_as_the_webhook_would() {
    let home = tempfile::tempdir().unwrap();
    let package = |license: &str| {
        let json = format!(r#"{{"name": "left", "version": "1.0.0", "license": "{license}"}}"#);
        LayerBuilder::new().file("srv/node_modules/left/package.json", json)
    };
    layout(&home.path().join("denied"), &[debian(), package("AGPL-3.0-only")]);
    layout(&home.path().join("either"), &[debian(), package("(MIT OR AGPL-3.0-only)")]);
    let policy = |license: &str| {
        let text = format!(
            "apiVersion: pratique.dev/v1alpha1\nkind: ScanPolicy\nmetadata: {{name: licences}}\n\
             spec: {{deny: [{{name: copyleft, license: {license}}}]}}\n"
        );
        fs::write(home.path().join("policy.yaml"), text).unwrap();
    };
    let scan = |code: i32, image: &str| {
        let policy = ["--policy", "policy.yaml", "--reference", "shop/web:1"];
        ends_with(code, home.path(), &[&["scan", image][..], &policy].concat()).1
    };
    policy("{deny: ['AGPL-*']}");
    let err = scan(1, "oci:denied");
    assert!(err.contains("rule copyleft") && err.contains("AGPL-3.0-only (pkg:npm/left@1.0.0)"), "{err}");
    scan(0, "oci:either");
    policy("{unknown: true}");
    let err = scan(1, "oci:either");
    assert!(err.contains("no licence that is known (pkg:deb/debian/dash@"), "{err}");
    policy("{}");
    let err = scan(3, "oci:either");
    assert!(err.contains("license"), "{err}");
}

/// The words that its detectors look for are not in the program as they are.
#[test]
fn the_command_does_not_take_itself_for_what_it_looks_for() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("root/usr/bin");
    fs::create_dir_all(&folder).unwrap();
    let program = env!("CARGO_BIN_EXE_pratique");
    if fs::hard_link(program, folder.join("pratique")).is_err() {
        fs::copy(program, folder.join("pratique")).unwrap();
    }
    let (out, _) = ends_with(0, home.path(), &["scan", "dir:root", "--detectors", "malware", "-f", "json"]);
    let result: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(result["reports"][0]["findings"], Value::Array(Vec::new()), "{out}");
}

#[test]
fn a_file_on_a_hash_list_is_found_and_a_broken_list_is_refused_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    layout(&home.path().join("image"), &[debian(), LayerBuilder::new().file("opt/app", "content")]);
    let scan = |code, list: &str| {
        fs::write(home.path().join("bad.txt"), list).unwrap();
        ends_with(code, home.path(), &["scan", "oci:image", "--hash-list", "bad.txt", "-f", "json"])
    };
    let sum = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";
    scan(0, &"0".repeat(64));
    // The layers of the first scan are in the cache, but made with another list.
    let (out, _) = scan(1, &format!("# of content\n{sum}\n"));
    let result: Value = serde_json::from_str(&out).unwrap();
    let finding = &result["reports"][0]["findings"][0];
    assert_eq!((&finding["rule"], &finding["path"]), (&"known-file".into(), &"/opt/app".into()), "{out}");
    assert!(finding["message"].as_str().unwrap().contains("bad.txt"), "{out}");
    let (_, err) = scan(3, &format!("{sum}\nno checksum\n"));
    assert!(err.contains("bad.txt") && err.contains("line 2") && err.contains("`no`"), "{err}");
    fs::write(home.path().join(".pratique.yaml"), "hash-list: [absent.txt]\n").unwrap();
    let (_, err) = ends_with(3, home.path(), &["scan", "oci:image"]);
    assert!(err.contains("absent.txt"), "{err}");
}

#[test]
fn a_file_of_which_a_yara_rule_holds_is_found_and_a_broken_rule_is_refused_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    let zip = pratique_testkit::zip_archive(&[("inner.txt", "a gate-of-sesame within")]);
    let files = LayerBuilder::new().file("opt/app", "open gate-of-sesame").file("opt/files.zip", zip);
    layout(&home.path().join("image"), &[debian(), files]);
    fs::create_dir_all(home.path().join("rules/deep")).unwrap();
    fs::write(home.path().join("rules/notes.txt"), "no rule").unwrap();
    let scan = |code, rule: &str| {
        fs::write(home.path().join("rules/deep/own.yar"), rule).unwrap();
        ends_with(code, home.path(), &["scan", "oci:image", "--yara-rules", "rules", "-f", "json"])
    };
    scan(0, "rule Gate { strings: $a = \"another\" condition: $a }");
    // The layers of the first scan are in the cache, but made with another rule.
    let (out, _) = scan(
        1,
        "rule Gate : bot { meta: severity = \"low\" strings: $a = \"gate-of-sesame\" condition: $a }",
    );
    let result: Value = serde_json::from_str(&out).unwrap();
    let findings = result["reports"][0]["findings"].as_array().unwrap();
    let paths: Vec<_> = findings.iter().map(|finding| finding["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/opt/app", "/opt/files.zip!/inner.txt"], "{out}");
    assert_eq!((&findings[0]["rule"], &findings[0]["severity"]), (&"yara-rule".into(), &"Low".into()));
    let message = findings[0]["message"].as_str().unwrap();
    assert_eq!(message, "the YARA rule Gate of rules/deep/own.yar holds (tags bot)");

    let (_, err) = scan(3, "rule A { condition: true }\nrule B { condition: $x }");
    assert!(err.contains("rules/deep/own.yar: line 2: ") && err.contains("$x"), "{err}");
    fs::remove_file(home.path().join("rules/deep/own.yar")).unwrap();
    for (path, reason) in [("rules", "no .yar"), ("absent.yar", "No such file")] {
        let (_, err) = ends_with(3, home.path(), &["scan", "oci:image", "--yara-rules", path]);
        assert!(err.contains(path) && err.contains(reason), "{err}");
    }
}

#[test]
fn secrets_are_found_by_own_rules_and_allowed_ones_are_told_beside_them() {
    let home = tempfile::tempdir().unwrap();
    let secret = "shop_51e7c0d42a9b8f36e10d74c5";
    let config = |text: &str| format!("key: {text}\n");
    let files =
        LayerBuilder::new().file("etc/shop.yaml", config(secret)).file("srv/test.yaml", config(secret));
    layout(&home.path().join("image"), &[debian(), files]);
    let rules = "rules:\n- id: shop-key\n  description: key of the shop\n  regex: 'shop_([0-9a-f]{24})'\n  keywords: [shop_]\n  severity: Medium\n";
    let scan = |code, rules: &str| {
        fs::write(home.path().join("own.yaml"), rules).unwrap();
        ends_with(code, home.path(), &["scan", "oci:image", "--secret-rules", "own.yaml", "-f", "json"])
    };
    ends_with(0, home.path(), &["scan", "oci:image"]);
    // The layers of the first scan are in the cache, but made without the rules.
    let (out, _) = scan(1, rules);
    assert!(!out.contains(&secret[10..]), "secrets are masked: {out}");
    let result: Value = serde_json::from_str(&out).unwrap();
    let findings = result["reports"][0]["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 2, "{out}");
    assert_eq!((&findings[0]["rule"], &findings[0]["severity"]), (&"custom-rule".into(), &"Medium".into()));
    assert_eq!(findings[0]["message"], "key of the shop (51e7****)");
    assert_eq!(findings[0]["attributes"]["type"], "shop-key");
    let print = findings[0]["attributes"]["fingerprint"].as_str().unwrap();

    for (entry, allowed) in [
        (format!("fingerprints: ['{print}']"), 2),
        ("paths: ['/srv/**']".to_owned(), 1),
        ("regexes: ['^51e7']".to_owned(), 2),
        ("paths: ['/srv/**']\n  regexes: ['^0000']".to_owned(), 0),
    ] {
        let rules = format!("{rules}allow:\n- {entry}\n  reason: of the tests\n");
        let (out, _) = scan(i32::from(allowed < 2), &rules);
        let result: Value = serde_json::from_str(&out).unwrap();
        let report = &result["reports"][0];
        let suppressed = report["suppressed"].as_array().unwrap();
        assert_eq!((suppressed.len(), report["findings"].as_array().unwrap().len()), (allowed, 2 - allowed));
        for one in suppressed {
            assert_eq!((&one["by"], &one["reason"]), (&"own.yaml".into(), &"of the tests".into()), "{out}");
        }
    }
}

#[test]
fn a_broken_file_of_secret_rules_is_refused_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    layout(&home.path().join("image"), &[debian()]);
    let rule = "rules:\n- id: one\n  description: one\n  severity: Low\n  regex: ";
    fs::write(home.path().join("good.yaml"), format!("{rule}'one_[0-9]{{9}}'\n")).unwrap();
    for (text, parts) in [
        (format!("{rule}'(['\n").replace("id: one", "id: two"), ["line 5", "unclosed"]),
        (format!("{rule}x\n"), ["line 2", "good.yaml"]),
        (format!("{rule}x\n  entropy: 3\n"), ["line 6", "`entropy`"]),
    ] {
        fs::write(home.path().join("bad.yaml"), text).unwrap();
        let files = ["scan", "oci:image", "--secret-rules", "good.yaml,bad.yaml"];
        let (_, err) = ends_with(3, home.path(), &files);
        assert!(err.contains("bad.yaml") && parts.iter().all(|part| err.contains(part)), "{err}");
    }
    fs::write(home.path().join(".pratique.yaml"), "secret-rules: [absent.yaml]\n").unwrap();
    let (_, err) = ends_with(3, home.path(), &["scan", "oci:image"]);
    assert!(err.contains("absent.yaml"), "{err}");
}

#[test]
fn a_scan_that_clamavs_daemon_was_to_help_with_is_incomplete_without_it() {
    let home = tempfile::tempdir().unwrap();
    layout(&home.path().join("image"), &[debian()]);
    let asks = ["scan", "oci:image", "--clamd", "/nowhere/clamd.ctl"];
    for _ in 0..2 {
        let (out, _) = ends_with(2, home.path(), &asks);
        assert!(out.contains("/nowhere/clamd.ctl"), "{out}");
    }
    ends_with(0, home.path(), &["scan", "oci:image"]);
}
