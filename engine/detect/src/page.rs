//! `docs/detectors.md`, written from the detectors and their samples. `make docs` writes it; a test fails when it differs,
//! or when a detector lacks samples of either kind, a page, or words for one of its rules.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::Detector;
use crate::detectors::DETECTORS;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Names of a detector's golden cases: those in which something is found, and those of look-alikes.
fn samples(id: &str) -> (Vec<String>, Vec<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(id.replace('-', "_"));
    let (mut found, mut nothing) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(&folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "out") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let is_clean = std::fs::read_to_string(&path).unwrap() == "nothing\n";
            if is_clean { &mut nothing } else { &mut found }.push(name);
        }
    }
    found.sort();
    nothing.sort();
    (found, nothing)
}

fn section(page: &mut String, detector: &dyn Detector) {
    let info = detector.info();
    let (found, nothing) = samples(info.id);
    let list = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    writeln!(page, "\n## {}\n", info.id).unwrap();
    writeln!(
        page,
        "Finds {}. Category `{}`; more on [its page](detectors/{}.md).\n",
        info.summary, info.category, info.id
    )
    .unwrap();
    for rule in detector.rules() {
        writeln!(page, "### {}/{}\n", info.id, rule.id).unwrap();
        writeln!(page, "- Severity: {}. Reference: {}.", rule.severity, rule.reference).unwrap();
        writeln!(page, "- Finds {}.", rule.what).unwrap();
        writeln!(page, "- Why: {}.", rule.why).unwrap();
        writeln!(page, "- What to do: {}.\n", rule.remedy).unwrap();
    }
    let folder = info.id.replace('-', "_");
    writeln!(
        page,
        "Samples in `engine/detect/testdata/{folder}/`: found in {}; look-alikes, in which nothing is found: {}.",
        list(&found),
        list(&nothing)
    )
    .unwrap();
}

#[test]
fn the_page_of_all_detectors_is_what_the_code_says() {
    let mut page = "# Detectors\n\nWritten by `make docs` from the code: change it there.\n\n| detector | category | finds |\n|---|---|---|\n".to_owned();
    for info in DETECTORS.iter().map(|detector| detector.info()) {
        let anchor = info.id;
        writeln!(page, "| [{anchor}](#{anchor}) | {} | {} |", info.category, info.summary).unwrap();
    }
    for detector in DETECTORS {
        section(&mut page, *detector);
    }
    let path = root().join("docs/detectors.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/detectors.md differs from the code: make docs"
    );
}

#[test]
fn every_detector_has_samples_a_page_and_words_for_its_rules() {
    for detector in DETECTORS {
        let info = detector.info();
        let (found, nothing) = samples(info.id);
        assert!(!found.is_empty(), "{}: no sample in which something is found", info.id);
        assert!(!nothing.is_empty(), "{}: no look-alike in which nothing is found", info.id);
        let page = root().join("docs/detectors").join(format!("{}.md", info.id));
        assert!(page.exists(), "{} is missing", page.display());
        let told: Vec<&str> = detector.rules().iter().map(|rule| rule.id).collect();
        assert_eq!(told, info.rules, "{}: Detector::rules and its description differ", info.id);
    }
}
