//! Golden images: packages as package managers leave them, advisories beside them, and the findings that a person wrote down
//! by hand from the advisories.
//!
//! A case is `cases/NAME.image` and `cases/NAME.expected`. A line `==> etc/os-release` of the image begins a file, up to the
//! next such line; `==> go PATH` a program whose build information follows, the version of Go first; `==> jar PATH` an
//! archive of Maven packages, one `group:artifact:version` a line; `==> layer` the next layer; `==> advisory ECOSYSTEM` a
//! record of OSV. In what is expected `#` begins a comment; the other lines are `ID PACKAGE INSTALLED -> FIX`,
//! `passed over PURL` and `gap REASON`, in any order.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod files;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use pratique_core::attempts::Attempts;
use pratique_core::package::Inventory;
use pratique_fs::{Opened, SourceOptions, SourceRef};
use pratique_scan::{Engine, ImageMeta, JudgeOptions, Limits, ScanOptions, scan_image};
use pratique_testkit::{Compression, ImageBuilder, LayerBuilder};
use pratique_vulns::exploits::Exploits;
use pratique_vulns::{Database, Matches, build, match_inventory};

use crate::files::{Piece, pieces};

/// The day of judgement: which releases have ended by then stands in the cases.
const TODAY: &str = "2026-01-15T00:00:00Z";

#[test]
fn findings_are_those_that_were_written_down_by_hand() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images/cases");
    let mut cases = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "image") {
            cases += 1;
            check(&path);
        }
    }
    assert_eq!(cases, 5);
}

fn check(path: &Path) {
    let place = tempfile::tempdir().unwrap();
    let mut layers = vec![LayerBuilder::new()];
    let mut records = 0;
    for piece in pieces(&fs::read_to_string(path).unwrap()) {
        match piece {
            Piece::Layer => layers.push(LayerBuilder::new()),
            Piece::File(name, bytes) => {
                let layer = layers.pop().unwrap();
                layers.push(layer.file(name, bytes));
            }
            Piece::Advisory(ecosystem, record) => {
                records += 1;
                let folder = place.path().join("osv").join(ecosystem);
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join(format!("{records}.json")), record).unwrap();
            }
        }
    }
    let now = TODAY.parse().unwrap();
    let database = place.path().join("db");
    let stats = build(&place.path().join("osv"), None, &Exploits::new(), &database, now).unwrap();
    assert_eq!((stats.unreadable_count, stats.problems), (0, 0), "{}", path.display());
    let inventory = inventory(place.path(), layers);
    let matches = match_inventory(&Database::open(&database).unwrap(), &inventory, now).unwrap();

    let expected = fs::read_to_string(path.with_extension("expected")).unwrap();
    let expected: BTreeSet<&str> =
        expected.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let found = rendered(&matches);
    let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    let missed: Vec<_> = expected.difference(&found).collect();
    let wrong: Vec<_> = found.difference(&expected).collect();
    assert!(
        missed.is_empty() && wrong.is_empty(),
        "{}: missed {missed:#?}, wrong {wrong:#?}",
        path.display()
    );
}

/// What is installed in an image of these layers, read as the command reads it.
fn inventory(place: &Path, layers: Vec<LayerBuilder>) -> Inventory {
    let image =
        layers.into_iter().fold(ImageBuilder::new(), |image, layer| image.layer(layer, Compression::Gzip));
    image.build().write_oci_layout(&place.join("image"), "latest");
    let reference = SourceRef::parse(&format!("oci:{}", place.join("image").display())).unwrap();
    let Opened::Image(image) = pratique_fs::open(&reference, &SourceOptions::default()).unwrap().opened
    else {
        panic!("a layout is no image");
    };
    let meta = ImageMeta {
        image: image.manifest.image.clone(),
        manifests: Vec::new(),
        indexes: Vec::new(),
        platform: image.manifest.platform.clone(),
        created: image.manifest.created,
        config: image.manifest.config.clone(),
        layers: image.manifest.layers.iter().map(|layer| layer.diff_id.clone()).collect(),
        names: Vec::new(),
    };
    let options = ScanOptions {
        jobs: 1,
        cache: None,
        scratch: &tempfile::tempfile,
        progress: &|_| (),
        limits: Limits::default(),
        judge: JudgeOptions {
            dictionary: Vec::new(),
            hash_budget: Duration::ZERO,
            attempts: Attempts::new(),
            bases: Vec::new(),
            judged_at: TODAY.parse().unwrap(),
            limits: Limits::default(),
        },
    };
    let engine = Engine::new(&[], pratique_inventory::PARSERS).unwrap();
    let scanned = scan_image(&engine, &meta, image.layers, &options);
    assert_eq!(scanned.judged.facts.gaps, [], "the image was read whole");
    scanned.judged.inventory
}

fn rendered(matches: &Matches) -> Vec<String> {
    let findings = matches.findings.iter().map(|finding| {
        let attribute = |name: &str| finding.attributes.get(name).map_or("none", String::as_str);
        match finding.rule.as_str() {
            "package" => format!(
                "{} {} {} -> {}",
                attribute("id"),
                attribute("package"),
                attribute("installed"),
                attribute("fixed")
            ),
            rule => format!("{rule} {}", attribute("release")),
        }
    });
    let passed_over = matches.passed_over.iter().map(|(purl, _)| format!("passed over {purl}"));
    let gaps = matches.gaps.iter().map(|gap| format!("gap {}", gap.reason));
    findings.chain(passed_over).chain(gaps).collect()
}
