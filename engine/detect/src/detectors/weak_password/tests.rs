//! How the detector as a whole behaves; what it finds is in the golden cases.

use pratique_core::Gap;
use pratique_core::attempts::{Attempt, Attempts, Guessing};

use super::golden::{Case, parse, scan};
use super::*;
use crate::FileMode;

#[test]
fn the_order_of_facts_does_not_matter() {
    let mut case = parse(include_str!("../../../testdata/weak_password/backups.in"));
    // How many guesses were under way when one hit is chance.
    let scan = |case: &Case| {
        let Outcome { findings, gaps, guessing } = scan(case);
        (findings, gaps, guessing.attempts)
    };
    let forwards = scan(&case);
    case.files.reverse();
    assert_eq!(scan(&case), forwards);
}

#[test]
fn a_cut_file_is_told() {
    let mode = FileMode { permissions: 0o640, uid: 0, gid: 42 };
    let bytes = b"root:*:::::::\n".to_vec();
    let whole = FileInput::in_memory(b"etc/shadow", mode, &bytes);
    let report = DETECTOR.inspect(&FileInput { size: 5_000_000_000, ..whole });
    assert_eq!(report.facts.len(), 1);
    assert_eq!(report.problems.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [GapKind::Limit]);
}

#[test]
fn facts_that_cannot_be_read_are_a_gap() {
    let facts = [LocatedFact {
        path: "/etc/shadow".into(),
        layer: None,
        removed_by: None,
        fact: Fact(b"{}".to_vec()),
    }];
    let outcome = DETECTOR.judge(&ImageInput::default(), &facts);
    assert!(outcome.findings.is_empty());
    assert_eq!(outcome.gaps.iter().map(|gap| gap.kind).collect::<Vec<_>>(), [GapKind::Malformed]);
}

#[test]
fn no_word_of_an_outcome_shows_a_hash_or_a_whole_password() {
    let shadow = "root:$1$salt$qJH7.N4xYta3aEG/dfqo/0:::::::\nodd:$sha1$1000$salt$91xEa0TCSk6jnl996QgXUA8913Xy:::::::\n";
    let case = parse(&format!("==> etc/shadow\n{shadow}"));
    let text = format!("{:?}", scan(&case));
    assert!(text.contains("pa****") && text.contains("sha1crypt"), "{text}");
    for secret in ["qJH7", "91xEa0", "\"password\"", "(password"] {
        assert!(!text.replace("\"password\":", "").contains(secret), "{secret} in {text}");
    }
}

/// `password` by MD5-crypt, whose guesses are dear enough to be told.
const DEAR: &str = "$1$salt$qJH7.N4xYta3aEG/dfqo/0";

/// An image with the name and with this hash for the account in each of the files.
fn image(name: &str, files: &[&str]) -> Case {
    let lines: Vec<String> =
        files.iter().map(|file| format!("==> {file}\ncaptain:{DEAR}:19700::::::")).collect();
    parse(&format!("names: {name}\n{}", lines.join("\n")))
}

/// Scans what is known of guesses taken over.
fn scan_knowing(case: Case, attempts: &Attempts) -> Outcome {
    scan(&Case { attempts: attempts.clone(), ..case })
}

#[test]
fn a_hash_in_many_files_is_guessed_once() {
    let one = scan(&image("shop/web", &["etc/shadow"]));
    let many = scan(&image("shop/web", &["etc/shadow", "etc/shadow-", "etc/shadow.bak"]));
    assert_eq!((one.findings.len(), many.findings.len()), (1, 3));
    // Batches grow with the cores, which may make a few guesses more than are needed.
    assert!(one.guessing.guesses > 40, "{}", one.guessing.guesses);
    assert_eq!(one.guessing.attempts, many.guessing.attempts);
}

#[test]
fn what_another_image_tried_is_not_tried_again() {
    let first = scan(&image("shop/web", &["etc/shadow"]));
    let known = &first.guessing.attempts;
    // The password is the dictionary's, after the account's words and the image's.
    assert_eq!((known.len(), known.values().filter(|attempt| attempt.hit).count()), (3, 1));
    // The same image again, and another with another name: one guess each, and the same finding.
    for name in ["shop/web", "yard/crane"] {
        let again = scan_knowing(image(name, &["etc/shadow"]), known);
        assert_eq!(again.findings, first.findings);
        assert_eq!((again.guessing.guesses, again.guessing.attempts.len()), (1, 0));
    }
    // Words of the user's make it another list, which is tried.
    let other = parse(&format!("dictionary: quay\n==> etc/shadow\ncaptain:{DEAR}:19700::::::"));
    assert!(scan_knowing(other, known).guessing.guesses > 1);
}

#[test]
fn a_hash_that_withstood_is_tried_again_with_the_images_own_words_alone() {
    let hash = "$1$salt$0000000000000000000000";
    let image = |name: &str| parse(&format!("names: {name}\n==> etc/shadow\ncaptain:{hash}:19700::::::"));
    let first = scan(&image("shop/web"));
    assert_eq!((first.findings.len(), first.gaps.len()), (0, 0));
    let known = &first.guessing.attempts;
    assert_eq!(scan_knowing(image("shop/web"), known).guessing, Guessing::default());
    let other = scan_knowing(image("yard/crane"), known);
    let of_image = u64::from(other.guessing.attempts.values().map(|attempt| attempt.tried).sum::<u32>());
    assert_eq!((other.guessing.guesses, other.guessing.attempts.len()), (of_image, 2));
    assert!(
        of_image > 0 && of_image * 10 < first.guessing.guesses,
        "{of_image} of {}",
        first.guessing.guesses
    );
}

#[test]
fn no_word_of_an_agent_makes_a_finding() {
    let hash = "$1$salt$0000000000000000000000";
    let case = || parse(&format!("==> etc/shadow\ncaptain:{hash}:19700::::::"));
    let mut lies = scan(&case()).guessing.attempts;
    for attempt in lies.values_mut() {
        *attempt = Attempt { hit: true, ..*attempt };
    }
    let outcome = scan_knowing(case(), &lies);
    assert_eq!((&outcome.findings[..], &outcome.gaps[..]), (&[][..], &[][..]));
    // It found out, and tells.
    assert_eq!(outcome.guessing.attempts.len(), lies.len());
    assert!(outcome.guessing.attempts.values().all(|attempt| !attempt.hit));
}

#[test]
fn of_cheap_hashes_nothing_is_told() {
    let outcome = scan(&parse("==> etc/redis/redis.conf\nrequirepass redis\n"));
    assert_eq!((outcome.findings.len(), outcome.guessing.attempts.len()), (1, 0));
    assert!(outcome.guessing.guesses > 0);
}

/// The paths of files of text that are read, one of each glob.
fn paths_of_text() -> Vec<String> {
    let interests =
        DETECTOR.interests().iter().filter(|interest| matches!(interest.extent, crate::Extent::Head(_)));
    let globs = interests.flat_map(|interest| interest.globs);
    globs.map(|glob| glob.replace("**/", "x/").replace("[-+~]", "-").replace('*', "a")).collect()
}

fn inspect(path: &str, content: &Vec<u8>, size: u64) -> FileReport {
    let mode = FileMode { permissions: 0o640, uid: 0, gid: 42 };
    let whole = FileInput::in_memory(path.as_bytes(), mode, content);
    DETECTOR.inspect(&FileInput { size, ..whole })
}

/// What of a gigabyte is handed over, a line or many, gives as much as of a short file and a gap.
#[test]
fn a_gigabyte_of_accounts_or_of_one_line_is_a_gap() {
    let line = [b"root:".as_slice(), &vec![b'$'; 300_000]].concat();
    let empty = b"u::0:0::/:/bin/sh\n".repeat(30_000);
    let mut numbered = Vec::new();
    (0..30_000).for_each(|n| numbered.extend(format!("u{n}:{{SHA}}:::\nrequirepass p{n}\n").bytes()));
    for path in paths_of_text() {
        for content in [&line, &empty, &numbered] {
            let report = inspect(&path, content, 1 << 30);
            let cut = report.problems.iter().any(|(_, reason)| reason.contains("1073741824"));
            assert!(cut, "{path}: {:?}", report.problems);
            assert!(report.problems.len() <= 20, "{path}: {:?}", report.problems);
            let longest = report.problems.iter().map(|(_, reason)| reason.len()).max();
            assert!(longest < Some(1 << 10), "{path}");
            // JSON takes more room than what it holds.
            let noted: usize = report.facts.iter().map(|fact| fact.0.len()).sum();
            assert!(noted < 8 << 20, "{path}: {noted}");
        }
    }
}

#[test]
fn a_line_that_is_too_long_is_told_and_those_beside_it_are_read() {
    let long = "x".repeat(100_000);
    for (path, before, line) in [
        ("etc/shadow", "a:", "root::::::::"),
        ("x/.htpasswd", "a:", "anna:"),
        ("x/elasticsearch/users", "a:$", "anna:$2a$10$"),
        ("x/proftpd.passwd", "a:", "anna:"),
        ("x/vsftpd.passwd", "a:", "anna:"),
        ("x/pgbouncer/userlist.txt", "\"a\" \"", "\"anna\" \"anna\""),
        ("x/redis.conf", "requirepass ", "requirepass redis"),
        ("x/snmpd.conf", "rocommunity ", "rocommunity public"),
        ("x/smbpasswd", "a:1:", "anna:1::NO PASSWORD:[U]:"),
        ("x/slapd.conf", "rootpw ", "rootpw secret"),
        ("x/grafana.ini", "admin_user = ", "[security]\nadmin_password = admin"),
        ("x/rabbitmq.conf", "default_user = ", "default_pass = guest"),
    ] {
        let content = format!("{before}{long}\n{line}\n").into_bytes();
        let report = inspect(path, &content, content.len() as u64);
        assert_eq!(report.facts.len(), 1, "{path}: {:?}", report.problems);
        let told = report.problems.iter().filter(|(kind, reason)| {
            *kind == GapKind::Limit && reason.starts_with("line 1") && reason.contains("65536")
        });
        assert_eq!(told.count(), 1, "{path}: {:?}", report.problems);
    }
}

#[test]
fn accounts_and_findings_of_an_image_are_bounded_and_the_rest_is_told() {
    let lines: String = (0..20_000).map(|n| format!("u{n}::::::::\n")).collect();
    let mut case = parse(&format!("==> etc/shadow\n{lines}"));
    let content = case.files[0].1.clone();
    case.files.extend((0..6).map(|n| (format!("etc/shadow.{n}"), content.clone())));
    let outcome = scan(&case);
    assert_eq!(outcome.findings.len(), crate::bounded::MAX_FINDINGS);
    let told = |text: &str| outcome.gaps.iter().filter(|gap| gap.reason.contains(text)).count();
    assert_eq!((told("this file's were not judged"), told("more findings are not listed")), (2, 1));
}

#[test]
fn a_hash_that_more_accounts_have_than_names_are_tried_withstands_nothing() {
    // One hash is of the word `keel`, the other of nothing that anybody typed.
    let of = |hash: &str, names: std::ops::Range<u32>| {
        let lines: Vec<String> = names.map(|n| format!("u{n:03}:{{SHA}}{hash}")).collect();
        scan(&parse(&format!("dictionary: keel\n==> srv/.htpasswd\n{}", lines.join("\n"))))
    };
    let (unknown, keel) = ("AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "gC9EQNxHwiaykw07KjmoGXcDANg=");
    let withstood = of(unknown, 0..256);
    assert_eq!((withstood.findings.len(), withstood.gaps.len()), (0, 0));
    let gaps = of(unknown, 0..257).gaps;
    assert_eq!(gaps.len(), 257);
    let told =
        |gap: &Gap| gap.kind == GapKind::Limit && gap.reason.contains("more than 256 accounts have it");
    assert!(gaps.iter().all(told), "{:?}", gaps[0]);
    // What is found needs no more names.
    let found = of(keel, 0..257);
    assert_eq!((found.findings.len(), found.gaps.len()), (257, 0));
}
