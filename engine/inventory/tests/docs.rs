//! What docs/ecosystems.md names as proof is there, and no parser is left out of it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use pratique_inventory::PARSERS;

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The sources of all crates whose tests the page names.
fn sources(folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn each_line_on_ecosystems_names_cases_and_tests_that_exist() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/ecosystems.md")).unwrap();
    let mut code = Vec::new();
    for crates in ["engine", "cli"] {
        sources(&root.join(crates), &mut code);
    }
    let testdata = root.join("engine/inventory/testdata");
    let mut cases = 0;
    for parser in PARSERS {
        let prefix = format!("{}/", parser.id());
        let named: Vec<&str> = quoted(&page).filter(|name| name.starts_with(&prefix)).collect();
        assert!(!named.is_empty(), "docs/ecosystems.md has no case of {}", parser.id());
        for case in named.iter().filter(|case| !case.contains(['*', '.'])) {
            assert!(testdata.join(format!("{case}.in")).is_file(), "no case {case}");
            cases += 1;
        }
    }
    assert!(cases >= PARSERS.len());
    let is_test = |name: &&str| {
        name.matches('_').count() >= 3
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    for name in quoted(&page).filter(is_test) {
        let declared = format!("fn {name}(");
        assert!(code.iter().any(|text| text.contains(&declared)), "no test {name}");
    }
}
