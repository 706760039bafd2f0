use pratique_core::inspect::FileMode;
use pratique_core::package::Record;

use super::*;

/// The database of a golden case.
fn database(case: &str) -> (String, Vec<u8>) {
    let path = format!("{}/testdata/rpm/{case}.in", env!("CARGO_MANIFEST_DIR"));
    crate::golden::files(&std::fs::read_to_string(path).unwrap()).swap_remove(0)
}

fn parse(path: &str, bytes: &Vec<u8>) -> Parsed {
    let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
    PARSER.parse(&FileInput::in_memory(path.as_bytes(), mode, bytes))
}

const CASES: [&str; 3] = ["sqlite", "bdb-synthetic", "ndb-synthetic"];

#[test]
fn the_three_formats_hold_the_same_packages() {
    let found = CASES.map(|case| {
        let (path, bytes) = database(case);
        let mut parsed = parse(&path, &bytes);
        assert_eq!(parsed.problems, [], "{case}");
        parsed.records.sort();
        parsed.records
    });
    assert_eq!(found[0].len(), 3);
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
}

#[test]
fn a_database_that_lies_anywhere_ends() {
    for case in CASES {
        let (path, mut bytes) = database(case);
        for place in 0..bytes.len() {
            if place > 128 && place % 61 > 0 {
                continue;
            }
            let kept = bytes[place];
            for lie in [0, 1, 0x7f, 0xff] {
                bytes[place] = lie;
                assert!(parse(&path, &bytes).records.len() < 10, "{case} {place}");
            }
            bytes[place] = kept;
        }
    }
}

#[test]
fn what_is_cut_off_is_told_and_the_rest_kept() {
    for case in CASES {
        let (path, mut bytes) = database(case);
        bytes.truncate(bytes.len() - 600);
        let parsed = parse(&path, &bytes);
        assert!(!parsed.problems.is_empty(), "{case}");
        assert!(!parsed.records.is_empty(), "{case}");
    }
}

#[test]
fn a_tree_that_contains_itself_is_told() {
    let (path, mut bytes) = database("sqlite");
    // The schema's page becomes an inner page whose last child is itself.
    bytes[100] = 0x05;
    bytes[103..105].copy_from_slice(&[0, 0]);
    bytes[108..112].copy_from_slice(&1u32.to_be_bytes());
    let parsed = parse(&path, &bytes);
    assert!(parsed.problems.iter().any(|(_, reason)| reason == "page 0 is used twice"), "{parsed:?}");
}

#[test]
fn blocks_that_overlap_are_read_no_more_than_the_file_is_long() {
    let (path, mut bytes) = database("ndb-synthetic");
    let slot = bytes[32..48].to_vec();
    for copy in bytes[32..4096].chunks_exact_mut(16) {
        copy.copy_from_slice(&slot);
    }
    let parsed = parse(&path, &bytes);
    assert!(parsed.records.len() < 20);
    assert!(
        parsed.problems.iter().any(|(_, reason)| reason == "its blocks overlap"),
        "{:?}",
        parsed.problems
    );
}

/// A header of these tags: tag, type, count, data.
fn header(tags: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (tag, kind, count, bytes) in tags {
        for number in [*tag, *kind, data.len() as u32, *count] {
            index.extend(number.to_be_bytes());
        }
        data.extend_from_slice(bytes);
    }
    let mut bytes = (tags.len() as u32).to_be_bytes().to_vec();
    bytes.extend((data.len() as u32).to_be_bytes());
    bytes.extend(index);
    bytes.extend(data);
    bytes
}

#[test]
fn a_folder_named_a_million_times_ends_at_the_limit() {
    let folder = [vec![b'd'; 4000], b"/\0".to_vec()].concat();
    let count = 200_000;
    let bytes = header(&[
        (1000, 6, 1, b"bomb\0"),
        (1001, 6, 1, b"1\0"),
        (1002, 6, 1, b"1\0"),
        (1118, 8, 1, &folder),
        (1116, 4, count, &vec![0; 4 * count as usize]),
        (1117, 8, count, &b"a\0".repeat(count as usize)),
    ]);
    let mut parsed = Parsed::default();
    header::package(&bytes, &mut header::Budget::default(), &mut parsed);
    assert_eq!(parsed.records.len(), 1);
    assert_eq!(parsed.problems[0].0, GapKind::Limit, "{:?}", parsed.problems);
}

#[test]
fn keys_are_no_packages_and_a_nameless_header_is_told() {
    let mut parsed = Parsed::default();
    let mut budget = header::Budget::default();
    header::package(
        &header(&[(1000, 6, 1, b"gpg-pubkey\0"), (1001, 6, 1, b"1\0")]),
        &mut budget,
        &mut parsed,
    );
    assert_eq!(parsed, Parsed::default());
    header::package(&header(&[(1000, 6, 1, b"x\0")]), &mut budget, &mut parsed);
    assert_eq!(parsed.problems[0].0, GapKind::Malformed);
    // An epoch of 0 is not written, sources and unreadable checksums are.
    let bytes = header(&[
        (1000, 6, 1, b"sub\0"),
        (1001, 6, 1, b"1\0"),
        (1002, 6, 1, b"2\0"),
        (1003, 4, 1, &[0; 4]),
        (1044, 6, 1, b"whole-part-3-4.src.rpm\0"),
        (1027, 8, 1, b"/bin/x\0"),
        (1035, 8, 1, &[b"0".repeat(128), vec![0]].concat()),
    ]);
    header::package(&bytes, &mut budget, &mut parsed);
    let Record::Package { package, files } = &parsed.records[0] else { panic!() };
    assert_eq!(package.version, "1-2");
    let source = package.source.as_ref().unwrap();
    assert_eq!((source.name.as_str(), source.version.as_str()), ("whole-part", "3-4"));
    assert_eq!(files.iter().next().unwrap().path, "bin/x");
    assert_eq!(parsed.problems[1].0, GapKind::Unsupported);
}
