//! Golden cases, and what hostile files do.

use pratique_core::GapKind;

use super::*;
use crate::FileMode;

#[test]
fn golden_cases() {
    crate::golden::check(&DETECTOR);
}

const MODE: FileMode = FileMode { permissions: 0o755, uid: 0, gid: 0 };

fn one_path_of_each() -> Vec<String> {
    let globs = CONCERNS.iter().flat_map(|concern| concern.places);
    globs.map(|glob| glob.replace("**/", "x/").replace(['*', '?'], "a")).collect()
}

#[test]
fn whoever_reads_a_file_is_found_by_its_path() {
    for path in one_path_of_each() {
        let readers = CONCERNS
            .iter()
            .filter(|concern| concern.places.iter().any(|place| places::matches(place, path.as_bytes())));
        assert_eq!(readers.count(), 1, "{path}");
    }
}

#[test]
fn hostile_files_end_as_gaps() {
    let long_line = vec![b'a'; 100_000];
    let many_lines = b"* * * * * root /tmp/x\n".repeat(5_000);
    let many_words = b"a=b \"c\" { [x] ".repeat(7_000);
    for path in one_path_of_each() {
        for bytes in [&long_line, &many_lines, &many_words] {
            let whole = FileInput::in_memory(path.as_bytes(), MODE, bytes);
            let report = DETECTOR.inspect(&FileInput { size: 1 << 30, ..whole });
            assert!(report.problems.iter().any(|(kind, _)| *kind == GapKind::Limit), "{path}");
            assert!(
                report.problems.len() <= 20 && report.facts.iter().all(|fact| fact.0.len() < 64 << 10),
                "{path}"
            );
        }
    }
}
