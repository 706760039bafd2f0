//! VEX in both forms: what a statement takes out, what it must not, and what is no statement.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use pratique_core::{Category, Finding, Severity};
use pratique_vulns::vex::{self, Status};

fn finding(id: &str, aliases: &str, purl: &str) -> Finding {
    Finding {
        detector: "vulnerability".to_owned(),
        rule: "package".to_owned(),
        category: Category::Vulnerability,
        severity: Severity::High,
        message: id.to_owned(),
        path: None,
        layer: None,
        attributes: BTreeMap::from(
            [("id", id), ("aliases", aliases), ("purl", purl)]
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        ),
    }
}

/// Who took the finding out and why, if anybody did.
fn suppressed(document: &str, finding: Finding) -> Option<(String, String)> {
    let statements = vex::read(document.as_bytes()).unwrap();
    let (kept, suppressed) = vex::apply(vec![finding], &statements);
    assert_eq!(kept.len() + suppressed.len(), 1);
    suppressed.into_iter().next().map(|out| (out.by, out.reason))
}

fn open(status: &str, product: &str) -> String {
    format!(
        r#"{{"@context":"https://openvex.dev/ns/v0.2.0","author":"Us","statements":[{{"vulnerability":{{"name":"CVE-2024-1",
        "aliases":["GHSA-1"]}},"products":[{{"@id":"{product}"}}],"status":"{status}","impact_statement":"unreachable"}}]}}"#
    )
}

#[test]
fn a_statement_speaks_of_its_flaw_in_its_package() {
    let libc = "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12&upstream=glibc";
    let openssl =
        "pkg:rpm/rhel/openssl-libs@3.0.7-25.el9?arch=x86_64&distro=rhel-9.3&epoch=1&upstream=openssl";
    let utils = "pkg:deb/debian/bsdutils@1:2.38.1-5?distro=debian-12&upstream=util-linux%402.38.1-5";
    for (product, purl, expected) in [
        ("pkg:npm/a@1.0.0", "pkg:npm/a@1.0.0", true),
        ("pkg:npm/a", "pkg:npm/a@1.0.0", true),
        ("pkg:npm/a@1.0.0", "pkg:npm/a@1.0.1", false),
        ("pkg:npm/a", "pkg:npm/ab@1.0.0", false),
        ("pkg:npm/%40scope/a@1.0.0", "pkg:npm/%40scope/a@1.0.0", true),
        ("pkg:npm/@scope/a", "pkg:npm/%40scope/a@1.0.0", true),
        ("pkg:pypi/a@1.0.0", "pkg:npm/a@1.0.0", false),
        // What is said of one binary package, and of the source that several are built from.
        ("pkg:deb/debian/libc6@2.36-9+deb12u10", libc, true),
        ("pkg:deb/debian/glibc@2.36-9+deb12u10?arch=source", libc, true),
        ("pkg:deb/debian/glibc?arch=source", libc, true),
        ("pkg:deb/debian/glibc@2.36-9+deb12u10", libc, false),
        ("pkg:deb/debian/glibc@2.36-9+deb12u9?arch=source", libc, false),
        ("pkg:deb/debian/util-linux@2.38.1-5?arch=source", utils, true),
        ("pkg:rpm/redhat/openssl@3.0.7-25.el9?arch=src&epoch=1", openssl, true),
        ("pkg:rpm/redhat/openssl@3.0.7-25.el9?arch=src", openssl, false),
        ("pkg:rpm/redhat/openssl-libs?epoch=1", openssl, true),
        ("pkg:rpm/centos/openssl-libs", openssl, false),
        // Of a range of versions (VERS).
        ("pkg:npm/a?vers=vers:npm%2F%3E%3D1.0.0%7C%3C2.0.0", "pkg:npm/a@1.9.0", true),
        ("pkg:npm/a?vers=vers:npm%2F%3E%3D1.0.0%7C%3C2.0.0", "pkg:npm/a@2.0.0", false),
        ("pkg:npm/a?vers=vers:npm/>=1.0.0|<2.0.0", "pkg:npm/a@1.0.0-rc.1", false),
        ("pkg:npm/a?vers=vers:npm/>=1.0.0|<2.0.0", "pkg:npm/b@1.0.0", false),
        ("pkg:npm/a@1.0.0?vers=vers:npm/<1.0.0", "pkg:npm/a@0.9.0", false),
        ("pkg:rpm/redhat/openssl-libs?vers=vers:rpm/<1:3.0.7-26.el9", openssl, true),
        ("pkg:rpm/redhat/openssl-libs?vers=vers:rpm/<3.0.7-26.el9", openssl, false),
        ("pkg:deb/debian/util-linux?arch=source&vers=vers:deb/<1:2.38.1", utils, true),
        ("pkg:deb/debian/bsdutils?vers=vers:deb/<1:2.38.1", utils, false),
    ] {
        let out = suppressed(&open("not_affected", product), finding("CVE-2024-1", "", purl));
        assert_eq!(out.is_some(), expected, "{product} on {purl}");
        assert!(out.is_none_or(|out| out == ("Us".to_owned(), "unreachable".to_owned())));
    }
}

#[test]
fn any_name_of_the_flaw_will_do_and_another_flaw_will_not() {
    for (id, aliases, expected) in
        [("CVE-2024-1", "", true), ("CVE-2024-9", "PYSEC-2 GHSA-1", true), ("CVE-2024-11", "GHSA-11", false)]
    {
        let out = suppressed(&open("fixed", "pkg:npm/a"), finding(id, aliases, "pkg:npm/a@1"));
        assert_eq!(out.is_some(), expected, "{id} {aliases}");
    }
    for status in ["affected", "under_investigation"] {
        assert_eq!(suppressed(&open(status, "pkg:npm/a"), finding("CVE-2024-1", "", "pkg:npm/a@1")), None);
    }
}

const CSAF: &str = r#"{
"document":{"category":"csaf_vex","csaf_version":"2.0","publisher":{"category":"vendor","name":"Vendor","namespace":"https://example.com"},
  "title":"t","tracking":{"id":"1"}},
"product_tree":{
  "branches":[{"category":"vendor","name":"Vendor","branches":[
    {"category":"product_name","name":"System 9","product":{"name":"System 9","product_id":"system-9",
      "product_identification_helper":{"cpe":"cpe:/a:redhat:enterprise_linux:9::appstream"}}},
    {"category":"product_name","name":"Appliance","product":{"name":"Appliance","product_id":"appliance",
      "product_identification_helper":{"cpe":"cpe:/a:vendor:appliance:1"}}},
    {"category":"product_version","name":"curl","product":{"name":"curl","product_id":"curl",
      "product_identification_helper":{"purl":"pkg:rpm/redhat/curl?arch=src"}}},
    {"category":"product_version","name":"curl-7.76.1-29.el9","product":{"name":"curl","product_id":"curl-29",
      "product_identification_helper":{"purl":"pkg:rpm/redhat/curl@7.76.1-29.el9?arch=src"}}}]}],
  "full_product_names":[{"name":"Library","product_id":"library","product_identification_helper":{"purls":["pkg:maven/org.example/lib@1.0"]}}],
  "relationships":[
    {"category":"default_component_of","product_reference":"curl","relates_to_product_reference":"system-9",
     "full_product_name":{"name":"curl in 9","product_id":"system-9:curl"}},
    {"category":"default_component_of","product_reference":"curl-29","relates_to_product_reference":"system-9",
     "full_product_name":{"name":"curl in 9","product_id":"system-9:curl-29"}},
    {"category":"default_component_of","product_reference":"curl","relates_to_product_reference":"appliance",
     "full_product_name":{"name":"curl in the appliance","product_id":"appliance:curl"}}],
  "product_groups":[{"group_id":"all","product_ids":["system-9:curl","library"]}]},
"vulnerabilities":[
  {"cve":"CVE-2024-1","product_status":{"known_not_affected":["system-9:curl","library"]},
   "flags":[{"label":"vulnerable_code_not_present","group_ids":["all"]}],
   "threats":[{"category":"impact","details":"The option is off.","product_ids":["system-9:curl"]},
              {"category":"exploit_status","details":"none","product_ids":["library"]}]},
  {"cve":"CVE-2024-2","product_status":{"fixed":["system-9:curl-29"],"known_affected":["library"]}},
  {"cve":"CVE-2024-3","ids":[{"system_name":"Vendor's","text":"V-3"}],"product_status":{"known_not_affected":["appliance:curl"],
   "under_investigation":["library"]},"flags":[{"label":"component_not_present","product_ids":["appliance:curl"]}]}]}"#;

#[test]
fn csaf_speaks_of_products_within_their_release() {
    let rhel = |version: &str, distro: &str| {
        format!("pkg:rpm/rhel/libcurl@{version}?arch=x86_64&distro={distro}&upstream=curl")
    };
    let nine = rhel("7.76.1-26.el9", "rhel-9.3");
    let library = "pkg:maven/org.example/lib@1.0";
    for (id, purl, expected) in [
        ("CVE-2024-1", nine.as_str(), Some("The option is off.: vulnerable_code_not_present")),
        ("CVE-2024-1", library, Some("vulnerable_code_not_present")),
        ("CVE-2024-1", "pkg:maven/org.example/lib@1.1", None),
        // Another release of the same distribution, and one whose number only begins alike.
        ("CVE-2024-1", &rhel("7.61.1-33.el8", "rhel-8.9"), None),
        ("CVE-2024-1", &rhel("7.76.1-26.el9", "rhel-90"), None),
        ("CVE-2024-2", &rhel("7.76.1-29.el9", "rhel-9.4"), Some("fixed")),
        ("CVE-2024-2", nine.as_str(), None),
        ("CVE-2024-2", library, None),
        // Without a version it speaks of curl in the appliance, which no image can be told to be.
        ("CVE-2024-3", nine.as_str(), None),
        ("V-3", library, None),
    ] {
        let out = suppressed(CSAF, finding(id, "", purl));
        assert_eq!(out, expected.map(|reason| ("Vendor".to_owned(), reason.to_owned())), "{id} {purl}");
    }
    let statements = vex::read(CSAF.as_bytes()).unwrap();
    let investigated =
        statements.iter().find(|statement| statement.status == Status::UnderInvestigation).unwrap();
    assert_eq!(investigated.flaws, ["CVE-2024-3", "V-3"]);
}

/// A product of a branch for a range of versions, which is not affected.
fn of_range(name: &str, purl: &str) -> String {
    format!(
        r#"{{"document":{{"publisher":{{"name":"Vendor"}}}},
        "product_tree":{{"branches":[{{"category":"product_name","name":"a","branches":[{{"category":"product_version_range","name":"{name}",
          "product":{{"name":"a","product_id":"a","product_identification_helper":{{"purl":"{purl}"}}}}}}]}}]}},
        "vulnerabilities":[{{"cve":"CVE-2024-1","product_status":{{"known_not_affected":["a"]}},
          "flags":[{{"label":"component_not_present","product_ids":["a"]}}]}}]}}"#
    )
}

#[test]
fn a_range_of_csaf_speaks_of_no_version_outside_of_it() {
    for (name, purl, found, expected) in [
        ("vers:npm/<1.2.0|>=2.0.0|<2.1.0", "pkg:npm/a", "pkg:npm/a@2.0.5", true),
        ("vers:npm/<1.2.0|>=2.0.0|<2.1.0", "pkg:npm/a", "pkg:npm/a@1.2.0", false),
        ("<2.1.0", "pkg:npm/a", "pkg:npm/a@2.0.5", true),
        ("<2.1.0", "pkg:npm/a", "pkg:npm/a@2.1.0", false),
        ("<2.36-9+deb12u10", "pkg:deb/debian/a?distro=debian-12", "pkg:deb/debian/a@2.36-9%2Bdeb12u9", true),
        (
            "<2.36-9+deb12u10",
            "pkg:deb/debian/a?distro=debian-12",
            "pkg:deb/debian/a@2.36-9%2Bdeb12u10",
            false,
        ),
        // The version that a package URL has counts, and so does a range of its own.
        ("<2.1.0", "pkg:npm/a@1.0.0", "pkg:npm/a@1.0.1", false),
        ("<2.1.0", "pkg:npm/a?vers=vers:npm%2F%3C1.0.0", "pkg:npm/a@1.0.1", false),
    ] {
        let out = suppressed(&of_range(name, purl), finding("CVE-2024-1", "", found));
        assert_eq!(out.is_some(), expected, "{name} of {purl} on {found}");
    }
}

#[test]
fn a_document_that_says_not_why_or_not_of_what_is_refused() {
    let unflagged =
        CSAF.replace("vulnerable_code_not_present\",\"group_ids\":[\"all\"]", "x\",\"product_ids\":[]");
    for (document, expected) in [
        (unflagged.as_str(), "CVE-2024-1: `library`"),
        (&CSAF.replace(r#""known_affected":["library"]"#, r#""known_affected":["shelf"]"#), "`shelf`"),
        (
            r#"{"statements":[{"vulnerability":"CVE-1","products":["pkg:npm/a"],"status":"not_affected"}]}"#,
            "statement 1",
        ),
        (&of_range("all before 2.1", "pkg:npm/a"), "`all before 2.1` is no constraint"),
        (&open("not_affected", "pkg:npm/a?vers=^1.2"), "vers:TYPE/CONSTRAINTS"),
        (r#"{"document":{"title":"t"}}"#, "publisher"),
        (r#"{"bomFormat":"CycloneDX"}"#, "statements"),
        ("[]", "neither an OpenVEX nor a CSAF"),
    ] {
        let error = vex::read(document.as_bytes()).expect_err(document).to_string();
        assert!(error.contains(expected), "{error}");
    }
}
