//! Encoded text.

use pratique_core::GapKind;
use pratique_core::inspect::{OVERLAP, PIECE};

use super::super::encoded::{Encoding, each};
use super::{ALNUM, HEX, base64, checked, mixed, noted};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

fn utf16(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|byte| [*byte, 0]).collect()
}

/// How the one secret of a file is encoded.
fn encoding(content: &[u8]) -> Option<String> {
    let (secrets, problems) = noted(content);
    assert_eq!((secrets.len(), problems), (1, vec![]), "{}", String::from_utf8_lossy(content));
    assert_eq!((secrets[0].times, secrets[0].masked.as_str()), (1, "ghp_****"));
    secrets[0].encoding.clone()
}

#[test]
fn each_encoding_is_undone_twice_and_said() {
    let text = format!("a token: {}", checked("ghp_")).into_bytes();
    assert_eq!(encoding(&text), None);
    type Encode = fn(&[u8]) -> Vec<u8>;
    let encode: [(&str, Encode); 4] = [
        ("base64", |text| base64(text).into_bytes()),
        ("hexadecimal", |text| hex(text).into_bytes()),
        ("percent-encoding", |text| percent(text).into_bytes()),
        ("UTF-16", utf16),
    ];
    for (inner, encode_inner) in encode {
        let once = encode_inner(&text);
        assert_eq!(encoding(&once).as_deref(), Some(inner));
        for (outer, encode_outer) in encode {
            // A zero is no character, so nobody writes it as one.
            if inner == "UTF-16" && matches!(outer, "UTF-16" | "percent-encoding") {
                continue;
            }
            let twice = encode_outer(&once);
            assert_eq!(encoding(&twice).as_deref(), Some(format!("{inner} in {outer}").as_str()));
        }
    }
}

/// Whatever stands before it, and however many lines it is broken into.
#[test]
fn base64_is_found_wherever_it_begins_and_is_broken() {
    let text = format!("{}: {}", "settings ".repeat(20), checked("ghp_"));
    let encoded = base64(text.as_bytes());
    for before in ["", "x", "xy", "xyz", "/etc/"] {
        let found = encoding(format!("{before}{encoded}").as_bytes());
        assert_eq!(found.as_deref(), Some("base64"), "{before}");
    }
    for end in ["\n", "\r\n", "\\n", "\n    "] {
        let lines: Vec<&str> =
            encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        assert_eq!(encoding(lines.join(end).as_bytes()).as_deref(), Some("base64"), "{end:?}");
    }
}

/// The place of a secret is where its encoded form begins, in whichever piece that is, and it is counted once.
#[test]
fn places_are_those_of_the_encoded_text() {
    let token = checked("ghp_");
    for at in [100, PIECE - OVERLAP - 50, PIECE - OVERLAP + 60, PIECE - OVERLAP + 200, PIECE - 20, PIECE + 30]
    {
        let text = format!("{}{token} {}", "word ".repeat(at * 3 / 4 / 5), "more ".repeat(30_000));
        let expected = text.find("ghp_").unwrap() as u64;
        let (secrets, problems) = noted(base64(text.as_bytes()).as_bytes());
        let places: Vec<(u64, u32)> = secrets.iter().map(|secret| (secret.offset, secret.times)).collect();
        assert_eq!((places, problems), (vec![(expected * 4 / 3, 1)], vec![]), "{at}");
        let (secrets, _) = noted(&utf16(text.as_bytes()));
        assert_eq!((secrets[0].offset, secrets[0].times), (expected * 2, 1), "{at}");
    }
}

#[test]
fn what_is_no_text_is_not_decoded() {
    let bytes: Vec<u8> = mixed(HEX, 400_000)
        .as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect();
    for random in [
        bytes.clone(),
        base64(&bytes).into_bytes(),
        hex(&bytes).into_bytes(),
        vec![0; 100_000],
        mixed(ALNUM, 100_000).into_bytes(),
    ] {
        each(&random, |decoded| {
            assert!(
                decoded.encoding == Encoding::Percent && decoded.bytes.len() < 200,
                "{:?}",
                decoded.encoding
            );
        });
    }
}

#[test]
fn what_is_not_decoded_is_a_gap() {
    let text = "nothing but a text that is long enough to be taken for one";
    let deep = base64(base64(base64(text.as_bytes()).as_bytes()).as_bytes());
    let (secrets, problems) = noted(deep.as_bytes());
    assert_eq!((secrets.len(), problems.len()), (0, 1));
    assert!(problems[0].0 == GapKind::Limit && problems[0].1.contains("more than 2 times"), "{problems:?}");
    // The same again and again: as base64, and as base64 in a word that has an escape.
    let much = format!("%41.{}", base64(text.repeat(10_000).as_bytes()));
    let (secrets, problems) = noted(much.as_bytes());
    assert_eq!((secrets.len(), problems.len()), (0, 1));
    assert!(problems[0].0 == GapKind::Limit && problems[0].1.contains("so much of it"), "{problems:?}");
}
