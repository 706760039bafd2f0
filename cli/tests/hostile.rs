//! Images made to hurt whoever reads them. Each trap ends as a gap with its path, the packages beside it are listed all the
//! same, nothing outside the image is read, and memory stays bounded. Layers that are broken themselves (tars that lie about
//! sizes, gzip and zstd bombs) are among the tests of the file systems.

mod common;

use std::process::{Command, Stdio};

use common::{debian, layout, text};
use pratique_testkit::{LayerBuilder, zip_archive};
use serde_json::Value;

/// Bytes of data that the command may allocate, in all its threads; the traps would take gigabytes.
const MEMORY: u64 = 160 << 20;

/// The gaps of an image of these layers, as kind and path, and its package URLs; the whole report as text.
fn scan(layers: &[LayerBuilder]) -> (Vec<(String, String)>, Vec<String>, String) {
    let home = tempfile::tempdir().expect("a folder");
    layout(&home.path().join("image"), layers);
    let mut command = Command::new("prlimit");
    command.arg(format!("--data={MEMORY}")).arg(env!("CARGO_BIN_EXE_pratique"));
    command.args(["scan", "oci:image", "--format", "json", "--detectors", "none", "--no-cache"]);
    command.env("HOME", home.path()).env("PRATIQUE_NO_VULNERABILITIES", "true");
    // The limit counts addresses; jemalloc keeps those of what it has given back.
    command.env("_RJEM_MALLOC_CONF", "retain:false");
    let output =
        command.current_dir(home.path()).stdin(Stdio::null()).output().expect("prlimit is installed");
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(matches!(output.status.code(), Some(0 | 2)), "{:?}\n{err}", output.status);
    let report: Value = serde_json::from_str(&out).expect("JSON");
    let (mut gaps, mut purls) = (Vec::new(), Vec::new());
    collect(&report, &mut gaps, &mut purls);
    gaps.sort();
    (gaps, purls, out)
}

/// Gaps and package URLs, wherever the report has them.
fn collect(value: &Value, gaps: &mut Vec<(String, String)>, purls: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, gaps, purls)),
        Value::Object(fields) => {
            let field = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
            purls.extend(field("purl"));
            for gap in fields.get("gaps").and_then(Value::as_array).into_iter().flatten() {
                let text = |name: &str| gap[name].as_str().unwrap_or_default().to_owned();
                gaps.push((text("kind"), text("path")));
            }
            fields.values().for_each(|item| collect(item, gaps, purls));
        }
        _ => {}
    }
}

fn has(gaps: &[(String, String)], kind: &str, path: &str) -> bool {
    gaps.contains(&(kind.to_owned(), path.to_owned()))
}

#[test]
fn hostile_paths_and_links_lead_to_nothing_outside_the_image() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("installed");
    std::fs::write(&secret, "P:outside\nV:1.0\nA:x86_64\n\n").unwrap();
    let absolute = secret.to_str().unwrap();
    let relative = format!("{}{}", "../".repeat(40), absolute.trim_start_matches('/'));
    for target in [absolute, &relative] {
        let hostile = LayerBuilder::new()
            .symlink("lib/apk/db/installed", target)
            .symlink("usr/lib/apk/db", outside.path().to_str().unwrap())
            .symlink("srv/package-lock.json", "/srv/package-lock.json")
            .symlink("srv/one", "two")
            .symlink("srv/two", "one")
            .symlink("etc/os-release", "../srv/one/os-release")
            .symlink("srv/self", ".")
            .file("../../../../climbed/Cargo.lock", "[[package]]\nname = \"tide\"\nversion = \"1.0.0\"\n");
        let (_, purls, report) = scan(&[debian(), hostile]);
        assert!(!report.contains("outside@1.0"), "{report}");
        let of = |name: &str| purls.iter().any(|purl| purl.contains(name));
        assert!(of("/dash@0.5.12-2"), "{purls:?}");
        assert!(
            of("/tide@1.0.0") && report.contains("\"/climbed/Cargo.lock\""),
            "it stays below the root: {report}"
        );
    }
}

#[test]
fn hostile_documents_and_archives_end_as_gaps_in_bounded_memory() {
    let mut nested = zip_archive(&[("a.txt", "x")]);
    for _ in 0..12 {
        nested = zip_archive(&[("inner.jar", nested)]);
    }
    let bomb = zip_archive(&[("inner.jar", vec![0; 200 << 20])]);
    assert!(bomb.len() < 1 << 20);
    let anchors: String = (1..40)
        .map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1))
        .collect();
    let hostile = LayerBuilder::new()
        .file("srv/nested.jar", nested)
        .file("srv/bomb.jar", bomb)
        .file("srv/package-lock.json", "{\"packages\":".repeat(200_000))
        .file("srv/pnpm-lock.yaml", format!("lockfileVersion: '9.0'\na0: &a0 x\n{anchors}"))
        .file("srv/deep/pnpm-lock.yaml", format!("lockfileVersion: {}", "[".repeat(200_000)))
        .file("srv/Cargo.lock", format!("a = {}", "[".repeat(200_000)))
        .file("srv/pom.xml", "<project>".repeat(200_000))
        .file("srv/app.cdx.xml", format!("<bom>{}", "<components><component>".repeat(200_000)))
        .file(
            "srv/app.cdx.json",
            format!(
                "{{\"bomFormat\": \"CycloneDX\", \"components\": {}",
                "[{\"components\":".repeat(200_000)
            ),
        )
        .file("srv/composer.lock", format!("{{\"packages\": {}", "[".repeat(200_000)));
    let (gaps, purls, _) = scan(&[debian(), hostile]);
    for (kind, path) in [
        ("Limit", "/srv/nested.jar"),
        ("Limit", "/srv/bomb.jar"),
        ("Malformed", "/srv/package-lock.json"),
        ("Limit", "/srv/pnpm-lock.yaml"),
        ("Malformed", "/srv/Cargo.lock"),
        ("Limit", "/srv/pom.xml"),
        ("Limit", "/srv/app.cdx.xml"),
        ("Malformed", "/srv/app.cdx.json"),
        ("Malformed", "/srv/composer.lock"),
    ] {
        assert!(has(&gaps, kind, path), "{kind} {path}: {gaps:?}");
    }
    assert!(gaps.iter().any(|(_, path)| path == "/srv/deep/pnpm-lock.yaml"), "{gaps:?}");
    assert!(purls.iter().any(|purl| purl.contains("/dash@0.5.12-2")), "{purls:?}");
}

#[test]
fn package_databases_that_lie_end_as_gaps_in_bounded_memory() {
    // Each claims to be as large as its format can say.
    let mut sqlite = b"SQLite format 3\0".to_vec();
    sqlite.extend([0x10, 0x00, 1, 1, 0, 64, 32, 32]);
    sqlite.resize(28, 0xff);
    sqlite.extend([0xff; 4]);
    sqlite.resize(100, 0);
    // A leaf of the schema with 65535 cells.
    sqlite.extend([0x0d, 0, 0, 0xff, 0xff, 0, 0, 0]);
    sqlite.resize(4096, 0xff);
    let mut hash = vec![0; 4096];
    hash[12..16].copy_from_slice(&0x0006_1561_u32.to_le_bytes());
    hash[16..20].copy_from_slice(&9_u32.to_le_bytes());
    hash[20..24].copy_from_slice(&4096_u32.to_le_bytes());
    hash[25] = 8;
    hash[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut slots = b"RpmP".to_vec();
    slots.extend(0_u32.to_le_bytes());
    slots.extend([0xff; 4088]);
    let hostile = LayerBuilder::new()
        .file("usr/lib/sysimage/rpm/rpmdb.sqlite", sqlite)
        .file("var/lib/rpm/Packages", hash)
        .file("var/lib/rpm/Packages.db", slots)
        .file("lib/apk/db/installed", format!("P:{}\n\n", "x".repeat(8 << 20)))
        .file("var/lib/dpkg/status.d/tide", format!("Package: {}\n", "x".repeat(8 << 20)))
        .file("var/lib/dpkg/info/dash.md5sums", "no checksum\n".repeat(100_000))
        .file("opt/conda/conda-meta/tide-1.0-0.json", "{\"files\": [".repeat(100_000))
        .file("usr/lib/opkg/status", "Package: tide\n");
    let (gaps, purls, _) = scan(&[debian(), hostile]);
    for path in [
        "/usr/lib/sysimage/rpm/rpmdb.sqlite",
        "/var/lib/rpm/Packages",
        "/var/lib/rpm/Packages.db",
        "/lib/apk/db/installed",
        "/var/lib/dpkg/status.d/tide",
        "/var/lib/dpkg/info/dash.md5sums",
        "/opt/conda/conda-meta/tide-1.0-0.json",
        "/usr/lib/opkg/status",
    ] {
        assert!(gaps.iter().any(|(_, gap)| gap == path), "{path}: {gaps:?}");
    }
    assert!(purls.iter().any(|purl| purl.contains("/dash@0.5.12-2")), "{purls:?}");
}
