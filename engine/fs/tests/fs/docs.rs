//! The pages on sources name a test for what they say: each is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Adds the names of functions and of test cases in a folder's Rust files.
fn functions(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in
        fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("an entry").path())
    {
        if entry.is_dir() {
            functions(&entry, names);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&entry).expect("a source");
            for line in text.lines().map(str::trim_start) {
                let line = line.trim_start_matches("async ");
                let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("#[case::"));
                names.extend(name.and_then(|rest| rest.split('(').next()).map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_test_that_the_pages_on_sources_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut known = BTreeSet::new();
    for folder in [
        "engine/fs/src",
        "engine/fs/tests",
        "engine/http/src",
        "engine/registry/src",
        "engine/scan/src/tests",
        "cli/tests",
    ] {
        if root.join(folder).is_dir() {
            functions(&root.join(folder), &mut known);
        }
    }
    let mut named = 0;
    for page in ["docs/sources.md", "docs/registries.md"] {
        let text = fs::read_to_string(root.join(page)).expect(page);
        // Names of tests are whole sentences.
        let is_test = |word: &&str| {
            word.matches('_').count() >= 3
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        for name in text.split('`').skip(1).step_by(2).filter(is_test) {
            assert!(known.contains(name), "{page} names `{name}`, and there is no such test");
            named += 1;
        }
    }
    assert!(named > 40, "{named}");
}
