//! Results that tests write in every format.

#![allow(clippy::disallowed_methods, reason = "tests read and write golden files")]

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use pratique_core::facts::Trust;
use pratique_core::lineage::Base;
use pratique_core::package::{
    Ecosystem, Evidence, Inventory, LocatedPackage, Package, Release, RemovedPackage, Source,
};
use pratique_core::policy::{Decision, Effect, Suppressed as Accepted, Violation};
use pratique_core::{Category, Digest, Finding, Gap, GapKind, Platform, Severity, Suppressed};

use crate::{
    Advisories, AdvisoryAge, Image, NewerBase, Report, Target, TargetKind, Tool, Upgrade, Vulnerabilities,
};

/// A digest that is easy to tell from others.
pub(crate) fn digest(byte: u8) -> Digest {
    Digest::sha256([byte; 32])
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An empty folder, scanned with nothing found and nothing missed.
pub(crate) fn empty() -> Report {
    Report {
        tool: Tool { name: "pratique".into(), version: "0.1.0".into() },
        target: Target { reference: "./empty".into(), source: "dir".into(), kind: TargetKind::Root },
        image: None,
        inventory: Inventory::default(),
        findings: Vec::new(),
        suppressed: Vec::new(),
        gaps: Vec::new(),
        vulnerabilities: Vulnerabilities::NotAsked,
        upgrades: Vec::new(),
        newer_base: None,
        decision: None,
        detectors: BTreeMap::from([("weak-password".into(), "1".into())]),
        error: None,
        scanned_at: time("2026-11-24T12:30:00.25Z"),
    }
}

pub(crate) fn located(package: Package, purl: &str, path: &str) -> LocatedPackage {
    LocatedPackage {
        package,
        purl: purl.into(),
        path: path.into(),
        layer: Some(digest(0xaa)),
        owned_by: None,
        files: 0,
    }
}

pub(crate) fn finding(severity: Severity, path: Option<&str>, message: &str) -> Finding {
    Finding {
        detector: "weak-password".into(),
        rule: "linux-account".into(),
        category: Category::WeakPassword,
        severity,
        message: message.into(),
        path: path.map(str::to_owned),
        layer: Some(digest(0xbb)),
        attributes: BTreeMap::from([("scheme".into(), "sha512crypt".into()), ("user".into(), "root".into())]),
    }
}

/// A flaw of a package of [`image`], as matching writes it.
pub(crate) fn vulnerability(id: &str, severity: Severity, purl: &str) -> Finding {
    let attributes = [
        ("id", id),
        ("aliases", "GHSA-aaaa-bbbb-cccc"),
        ("package", "@babel/core"),
        ("purl", purl),
        ("installed", "7.1.0"),
        ("fixed", "7.2.1"),
        ("why", "@babel/core >=7.0.0 <7.2.1"),
        ("severitySource", "GitHub"),
        ("cvssVector", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"),
        ("cvssScore", "7.5"),
        ("published", "2026-01-02T00:00:00Z"),
        ("knownExploited", "2026-02-01"),
        ("epss", "0.42000"),
    ];
    Finding {
        detector: "vulnerability".into(),
        rule: "package".into(),
        category: Category::Vulnerability,
        severity,
        message: format!("{id} in @babel/core 7.1.0 (fixed in 7.2.1): it transpiles too much"),
        path: Some("/srv/a/package-lock.json".into()),
        layer: Some(digest(0xaa)),
        attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    }
}

/// An image with packages of several kinds, findings and gaps.
pub(crate) fn image() -> Report {
    let version = "3.12.3-1+deb12u1";
    let mut python = Package::new(Ecosystem::Deb, "python3-six", version);
    python.architecture = Some("amd64".into());
    python.source = Some(Source { name: "six".into(), version: version.into() });
    python.licenses = vec!["Expat".into(), "PSF-2.0".into()];
    let python_purl =
        "pkg:deb/debian/python3-six@3.12.3-1%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=six";
    let mut six = Package::new(Ecosystem::PyPi, "six", "1.16.0");
    six.licenses = vec!["MIT".into()];
    let mut babel = Package::new(Ecosystem::Npm, "@babel/core", "7.1.0");
    babel.licenses = vec!["MIT OR Apache-2.0".into(), "ISC".into()];
    babel.evidence = Evidence::Locked;
    let mut slf4j = Package::new(Ecosystem::Maven, "org.slf4j:slf4j-api", "2.0.1");
    slf4j.licenses = vec!["(MIT AND BSD-3-Clause) OR Apache-2.0".into()];
    slf4j.evidence = Evidence::Embedded;
    let mut busybox = Package::new(Ecosystem::Generic, "busybox", "1.36.1");
    busybox.evidence = Evidence::Binary;
    let mut app = Package::new(Ecosystem::Go, "example.com/shop", "v1.2.0");
    app.evidence = Evidence::Embedded;
    app.attributes.insert("root".into(), "true".into());
    let mut packages = vec![
        LocatedPackage { files: 12, ..located(python, python_purl, "/var/lib/dpkg/status") },
        LocatedPackage {
            owned_by: Some(python_purl.into()),
            ..located(six, "pkg:pypi/six@1.16.0", "/usr/lib/python3/dist-packages/six-1.16.0.egg-info")
        },
        located(babel.clone(), "pkg:npm/%40babel/core@7.1.0", "/srv/a/package-lock.json"),
        located(babel, "pkg:npm/%40babel/core@7.1.0", "/srv/b/package-lock.json"),
        located(slf4j, "pkg:maven/org.slf4j/slf4j-api@2.0.1", "/srv/shop.war"),
        located(app, "pkg:golang/example.com/shop@v1.2.0", "/srv/shop"),
        located(busybox, "pkg:generic/busybox@1.36.1", "/bin/busybox"),
    ];
    packages.sort();
    let removed = located(
        Package::new(Ecosystem::Npm, "left-pad", "1.3.0"),
        "pkg:npm/left-pad@1.3.0",
        "/tmp/node_modules/left-pad/package.json",
    );
    Report {
        target: Target {
            reference: "registry.example.com/team/shop:1.2".into(),
            source: "containerd".into(),
            kind: TargetKind::Image,
        },
        image: Some(Image {
            id: digest(0x11),
            manifests: vec![digest(0x22)],
            indexes: vec![digest(0x33)],
            platform: Platform { os: "linux".into(), architecture: "amd64".into(), variant: String::new() },
            created: Some(time("2026-10-01T08:00:00Z")),
            user: "app".into(),
            layers: vec![digest(0xaa), digest(0xbb)],
            trust: Trust::Blobs,
            base: Some(Base {
                name: Some("docker.io/library/debian:12".into()),
                layers: 1,
                evidence: pratique_core::lineage::Evidence::Layers,
            }),
        }),
        inventory: Inventory {
            release: Some(Release {
                id: "debian".into(),
                version: "12".into(),
                codename: "bookworm".into(),
                name: "Debian GNU/Linux 12 (bookworm)".into(),
                ..Release::default()
            }),
            packages,
            removed: vec![RemovedPackage { package: removed, removed_by: digest(0xbb) }],
        },
        findings: vec![
            finding(Severity::Low, Some("/etc/gshadow"), "the group adm has the password of an account"),
            finding(Severity::Critical, Some("/etc/shadow"), "the password of root can be guessed: ro****"),
            Finding {
                detector: "acme-plugin".into(),
                rule: "banner".into(),
                category: Category::Plugin,
                attributes: BTreeMap::from([("line".into(), "7".into())]),
                ..finding(Severity::Unknown, None, "the image has no banner")
            },
            vulnerability("CVE-2026-0001", Severity::High, "pkg:npm/%40babel/core@7.1.0"),
        ],
        suppressed: vec![Suppressed {
            finding: vulnerability("CVE-2026-0002", Severity::Medium, "pkg:npm/%40babel/core@7.1.0"),
            by: "Team Shop <shop@example.com>".into(),
            reason: "vulnerable_code_not_in_execute_path".into(),
        }],
        vulnerabilities: Vulnerabilities::Matched(Advisories {
            built: time("2026-11-24T06:00:00Z"),
            ecosystems: BTreeMap::from([
                ("Debian".into(), AdvisoryAge { newest: Some(time("2026-11-23T00:00:00Z")), checked: None }),
                (
                    "npm".into(),
                    AdvisoryAge {
                        newest: Some(time("2026-11-22T00:00:00Z")),
                        checked: Some(time("2026-11-23T06:00:00Z")),
                    },
                ),
            ]),
            problem: Some("https://osv.example/npm/all.zip: it answered 503".into()),
        }),
        decision: Some(Decision {
            violations: vec![Violation {
                policy: "baseline".into(),
                rule: "critical-with-a-fix".into(),
                effect: Effect::Deny,
                container: None,
                reason: "it has a fix".into(),
                findings: Vec::new(),
                more: 0,
                grace_until: None,
            }],
            suppressed: vec![Accepted {
                policy: "baseline".into(),
                rule: "planted".into(),
                exception: "legacy".into(),
                reference: "registry.example.com/team/shop:1.2".into(),
                image: digest(0x11),
                findings: 2,
            }],
        }),
        newer_base: Some(NewerBase {
            reference: "registry.example.com/base/node:20.2".into(),
            clears: vec!["CVE-2026-0003".into()],
            keeps: vec!["CVE-2026-0001".into(), "CVE-2026-0002".into()],
            brings: Vec::new(),
        }),
        upgrades: vec![Upgrade {
            purl: "pkg:npm/%40babel/core@7.1.0".into(),
            name: "@babel/core".into(),
            installed: "7.1.0".into(),
            version: "7.2.1".into(),
            clears: 1,
        }],
        gaps: vec![
            Gap::of_layer(
                GapKind::Unreadable,
                digest(0xaa),
                "the layer's folder cannot be read: permission denied",
            ),
            Gap {
                kind: GapKind::Unsupported,
                detector: Some("weak-password".into()),
                path: Some("/etc/shadow-".into()),
                layer: Some(digest(0xbb)),
                reason: "the hash scheme $zz$ is unknown".into(),
            },
        ],
        ..empty()
    }
}

/// An image of which nothing could be read.
pub(crate) fn failed() -> Report {
    Report {
        target: Target {
            reference: "docker.io/library/gone:1".into(),
            source: "registry".into(),
            kind: TargetKind::Image,
        },
        error: Some("the registry has no manifest docker.io/library/gone:1".into()),
        ..empty()
    }
}

/// Text that tries to break out of every format.
pub(crate) const HOSTILE: &[&str] = &[
    "",
    " ",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\u{9b}31m\u{7f}\u{0}",
    "a\r\nPackageName: injected\nSPDXID: SPDXRef-DOCUMENT",
    "<text>never ended",
    "ended</text>\nCreator: Person: me",
    "]]></name><component type=\"library\">&amp;&lt;<!--",
    "\u{fffe}\u{ffff}\u{202e}\u{2028}\u{feff}\u{e0041}\u{10ffff}",
    "{{ 7 * 7 }}{% raw %}",
    "\",\"x\":\"\\u0000\\",
    "pkg:npm/a b%zz#1#2",
    "urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1",
    "SPDXRef-DOCUMENT",
    "LicenseRef-a OR (MIT",
    "ＤＲＯＰ 数字 😀",
];

/// A report with `text` in every place that foreign text can come to.
pub(crate) fn with_text(text: &str) -> Report {
    let mut report = image();
    let text = text.to_owned();
    let attributes = BTreeMap::from([(text.clone(), text.clone())]);
    report.target.reference.clone_from(&text);
    report.target.source.clone_from(&text);
    if let Some(image) = &mut report.image {
        image.user.clone_from(&text);
        image.base = image.base.take().map(|base| Base { name: Some(text.clone()), ..base });
        image.platform = Platform { os: text.clone(), architecture: text.clone(), variant: text.clone() };
    }
    report.inventory.release = Some(Release {
        id: text.clone(),
        version: text.clone(),
        codename: text.clone(),
        like: vec![text.clone()],
        name: text.clone(),
        variant: text.clone(),
    });
    for package in &mut report.inventory.packages {
        package.package.name.clone_from(&text);
        package.package.version.clone_from(&text);
        package.package.architecture = Some(text.clone());
        package.package.source = Some(Source { name: text.clone(), version: text.clone() });
        package.package.licenses = vec![text.clone(), "MIT".into()];
        package.package.attributes.clone_from(&attributes);
        package.purl.clone_from(&text);
        package.path.clone_from(&text);
        package.owned_by = Some(text.clone());
    }
    for finding in &mut report.findings {
        finding.detector.clone_from(&text);
        finding.rule.clone_from(&text);
        finding.message.clone_from(&text);
        finding.path = Some(text.clone());
        finding.attributes.clone_from(&attributes);
    }
    for suppressed in &mut report.suppressed {
        suppressed.by.clone_from(&text);
        suppressed.reason.clone_from(&text);
        suppressed.finding.message.clone_from(&text);
        suppressed.finding.attributes.values_mut().for_each(|value| value.clone_from(&text));
    }
    for upgrade in &mut report.upgrades {
        for field in [&mut upgrade.purl, &mut upgrade.name, &mut upgrade.installed, &mut upgrade.version] {
            field.clone_from(&text);
        }
    }
    if let Some(newer) = &mut report.newer_base {
        newer.reference.clone_from(&text);
        newer.keeps.iter_mut().for_each(|flaw| flaw.clone_from(&text));
    }
    for gap in &mut report.gaps {
        gap.detector = Some(text.clone());
        gap.path = Some(text.clone());
        gap.reason.clone_from(&text);
    }
    report.detectors.insert(text.clone(), text.clone());
    report.error = Some(text);
    report
}

/// A package with every licence of the SPDX list that the crate knows.
pub(crate) fn licensed() -> Report {
    let mut report = image();
    let mut package = Package::new(Ecosystem::Npm, "licences", "1");
    package.licenses = spdx::identifiers::LICENSES.iter().map(|license| license.name.to_owned()).collect();
    report.inventory.packages = vec![located(package, "pkg:npm/licences@1", "/package.json")];
    report
}

/// Compares with a file relative to the crate, or writes it with `UPDATE_GOLDEN=1`.
pub(crate) fn assert_golden(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == text,
        "{} is not what is written now; UPDATE_GOLDEN=1 writes it anew, to be read before it is committed\n{text}",
        path.display()
    );
}
