//! Golden cases, and what hostile files do.

use pratique_core::{GapKind, Severity};

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

/// Blanks in any number part the words of a line, and quotes may be escaped within quotes.
#[test]
fn a_key_is_found_behind_any_options() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAISample x";
    for line in [
        key.to_owned(),
        format!("{}{key}", " ".repeat(1_000)),
        format!("restrict{}{key}", " ".repeat(1_000)),
        format!("restrict\t{key}"),
        key.replacen(' ', "\t", 1),
        format!(r#"command="echo \" {}" {key}"#, "a ".repeat(1_000)),
    ] {
        let bytes = line.into_bytes();
        let report = DETECTOR.inspect(&FileInput::in_memory(b"root/.ssh/authorized_keys", MODE, &bytes));
        assert_eq!(report.facts.len(), 1, "{}", String::from_utf8_lossy(&bytes[..40]));
    }
}

/// What is set in one service is no other's, and the end of each is not looked for in all before it.
#[test]
fn services_without_end_are_read_in_one_pass() {
    let bytes = format!("service x\n{{\n{}{}", "a = b\n".repeat(9_000), "}\n".repeat(9_000)).into_bytes();
    let report = DETECTOR.inspect(&FileInput::in_memory(b"etc/xinetd.conf", MODE, &bytes));
    assert_eq!(report.problems, []);
    let bytes = b"service a\n{\nserver = /bin/sh\n}\n}\n".to_vec();
    let report = DETECTOR.inspect(&FileInput::in_memory(b"etc/xinetd.conf", MODE, &bytes));
    assert_eq!(String::from_utf8_lossy(&report.facts[0].0).matches("is handed a shell").count(), 1);
}

/// Jobs and units in any number: as many findings as are told of one image, the worst of them, and a gap for the rest.
#[test]
fn a_hundred_thousand_jobs_and_units_are_bounded_and_told() {
    let fact = |path: &str, content: &str| {
        let bytes = content.as_bytes().to_vec();
        DETECTOR.inspect(&FileInput::in_memory(path.as_bytes(), MODE, &bytes)).facts.remove(0)
    };
    let located = |path: String, fact| LocatedFact { path, layer: None, removed_by: None, fact };
    let job = fact("etc/cron.d/job", "* * * * * root /opt/job\n");
    let unit = fact("etc/systemd/system/a.service", "[Service]\nExecStart=/opt/unit\n");
    let worst = fact("etc/cron.d/z", "* * * * * root /tmp/.x\n");
    assert!(job.0.len() < 1 << 10 && unit.0.len() < 1 << 10);
    let jobs = (0..50_000).map(|n| located(format!("/etc/cron.d/job{n}"), job.clone()));
    let units = (0..50_000).map(|n| located(format!("/etc/systemd/system/{n}.service"), unit.clone()));
    let facts: Vec<LocatedFact> =
        jobs.chain([located("/etc/cron.d/z".to_owned(), worst)]).chain(units).collect();
    let outcome = DETECTOR.judge(&ImageInput::default(), &facts);
    assert_eq!(outcome.findings.len(), crate::bounded::MAX_FINDINGS);
    assert_eq!(outcome.findings.iter().filter(|one| one.severity == Severity::High).count(), 1);
    let [gap] = outcome.gaps.as_slice() else { panic!("{:?}", outcome.gaps) };
    assert!(gap.kind == GapKind::Limit && gap.reason.starts_with("90001 more findings"), "{gap:?}");
}
