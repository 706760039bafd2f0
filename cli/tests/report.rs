//! `pratique report` before an API server of this machine: what it asks for, with which token, and what it says of the
//! answers. The tests on the cluster have the real ones.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::process::Command;

use common::text;
use pratique_core::facts::Trust;
use pratique_core::package::{Ecosystem, Inventory, LocatedPackage, Package};
use pratique_core::stored::StoredReport;
use pratique_core::{Digest, ImageFacts};
use pratique_testkit::{Spoil, WebServer};
use serde_json::{Value, json};

const TOKEN: &str = "/api/v1/namespaces/security/serviceaccounts/gate-viewer/token?";
const REPORT: &str =
    "/api/v1/namespaces/security/services/https:gate-reports:reports/proxy/v1/report?image=shop%2Fweb%3A1";

/// A cluster whose operator knows one image, with this inventory.
fn cluster(inventory: Option<Inventory>) -> (tempfile::TempDir, WebServer) {
    let home = tempfile::tempdir().unwrap();
    let server = WebServer::new();
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": server.address()}}],
        "users": [{"name": "me", "user": {"token": "mine"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    });
    fs::write(home.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let token = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {},
        "spec": {"audiences": ["pratique-reports"]},
        "status": {"token": "for-reports", "expirationTimestamp": "2026-01-01T00:10:00Z"},
    });
    server.put(TOKEN, token.to_string());
    let stored = StoredReport {
        schema: StoredReport::SCHEMA,
        name: Some("web-010101010101".to_owned()),
        references: vec!["docker.io/shop/web:1".to_owned()],
        facts: ImageFacts {
            judged_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            scanned_by: "node1".into(),
            trust: Trust::Blobs,
            ..ImageFacts::unscanned(Digest::sha256([1; 32]))
        },
        base: None,
        inventory,
    };
    server.put(REPORT, serde_json::to_vec(&stored).unwrap());
    (home, server)
}

/// Runs `pratique report` against it: the exit code, and what it printed to either stream.
fn report(home: &tempfile::TempDir, image: &str, format: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pratique"));
    command.env_clear().env("HOME", home.path()).env("KUBECONFIG", home.path().join("kubeconfig"));
    command.args(["report", image, "--format", format, "--namespace", "security", "--name", "gate"]);
    let output = command.output().unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_report_is_asked_for_with_a_token_made_for_it_and_printed_with_its_packages() {
    let freight = LocatedPackage {
        package: Package::new(Ecosystem::PyPi, "freight", "4.2"),
        purl: "pkg:pypi/freight@4.2".to_owned(),
        path: "/lib/METADATA".to_owned(),
        layer: None,
        owned_by: None,
        files: 0,
    };
    let (home, server) = cluster(Some(Inventory { packages: vec![freight], ..Inventory::default() }));
    let (code, out, err) = report(&home, "shop/web:1", "purls");
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("pkg:pypi/freight@4.2"), "{out}");
    let asked = server.asked();
    let paths: Vec<&str> = asked.iter().map(|asked| asked.path.as_str()).collect();
    assert_eq!(paths, [TOKEN, REPORT]);
    assert_eq!(asked[0].headers["authorization"], "Bearer mine");
    assert_eq!(asked[1].headers["x-pratique-token"], "for-reports");
}

#[test]
fn packages_that_nobody_listed_yet_are_a_gap() {
    let (home, _server) = cluster(None);
    let (code, out, err) = report(&home, "shop/web:1", "json");
    assert_eq!(code, Some(0), "{out}{err}");
    let printed: Value = serde_json::from_str(&out).unwrap();
    assert!(out.contains("no list of the image's packages yet"), "{printed}");
}

#[test]
fn whoever_may_make_no_token_learns_which_role_is_missing() {
    let (home, server) = cluster(None);
    server.spoil(|asked| match asked.path.as_str() {
        TOKEN => Spoil::Status(403, Vec::new()),
        _ => Spoil::Nothing,
    });
    let (code, out, err) = report(&home, "shop/web:1", "table");
    assert_eq!((code, out.as_str()), (Some(4), ""), "{err}");
    assert!(err.contains("ClusterRole gate-viewer"), "{err}");
    assert_eq!(server.asked().len(), 1, "nothing is asked without the token");
}

#[test]
fn an_image_that_the_cluster_does_not_know_is_named() {
    let (home, _server) = cluster(None);
    let (code, out, err) = report(&home, "shop/other:1", "table");
    assert_eq!((code, out.as_str()), (Some(4), ""), "{err}");
    assert!(err.contains("shop/other:1") && err.contains("404"), "{err}");
}
