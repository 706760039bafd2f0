//! Every rule finds what it is for, and not what merely looks like it. Samples are put together here, so that none
//! stands in the repository.

use std::collections::BTreeSet;

use pratique_core::GapKind;
use pratique_core::inspect::{OVERLAP, PIECE, Piece, pieces};

use super::by_service::BY_SERVICE;
use super::checks::{BECH32, base62, bech32, crc32, is_bech32};
use super::commands::passwords;
use super::finder::{Finder, LEAD, Match};
use super::notes::{Noted, Search, Secret, best};
use super::shapes::SHAPES;
use super::{DETECTOR, Secrets};
use crate::{Detector, FileInput, FileMode, ImageInput, LocatedFact, Outcome, SecretRules, Stream};

mod by_service;
mod database;
mod encoded;
mod pgp;
mod samples;

use pgp::{Kept, armoured};
use samples::samples;

const HEX: &str = "0123456789abcdef";
const ALNUM: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Characters of `alphabet` in no order, the same every time.
fn mixed(alphabet: &str, length: usize) -> String {
    let mut state = 0x2545_f491_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(alphabet.as_bytes()[(state >> 16) as usize % alphabet.len()])
    };
    (0..length).map(next).collect()
}

fn base64(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |chunk: &[u8], place: usize| {
        let bits =
            chunk.iter().chain([&0, &0]).take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        char::from(digits[(bits >> (18 - 6 * place) & 63) as usize])
    };
    bytes.chunks(3).flat_map(|chunk| (0..=chunk.len()).map(move |place| digit(chunk, place))).collect()
}

fn pem(label: &str, head: &str, key: &[u8]) -> String {
    let body = base64(key).replace('-', "+").replace('_', "/");
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{head}{}\n-----END {label}-----\n", lines.join("\n"))
}

fn der() -> Vec<u8> {
    [b"\x30\x81\xcb\x02\x01\x00".as_slice(), mixed(ALNUM, 200).as_bytes()].concat()
}

/// PyPI's, as Warehouse makes them.
fn macaroon() -> String {
    let caveat = b"[3, \"5a1f9a8e-52a8-4c1c-9a6c-0e3d8b7f2d11\"]";
    let head = [b"\x02\x01\x08pypi.org\x02\x24".as_slice(), uuid("").as_bytes(), b"\0\x02"].concat();
    let signature = mixed(ALNUM, 32);
    let length = [caveat.len() as u8];
    let bytes = [head.as_slice(), &length, caveat, b"\0\0\x06\x20", signature.as_bytes()].concat();
    format!("pypi-{}", base64(&bytes))
}

fn open_ssh(cipher: &str) -> Vec<u8> {
    let length = [0, 0, 0, cipher.len() as u8];
    [b"openssh-key-v1\0", length.as_slice(), cipher.as_bytes(), mixed(ALNUM, 200).as_bytes()].concat()
}

fn uuid(prefix: &str) -> String {
    let parts = [8, 4, 4, 4, 12].map(|length| mixed(HEX, length));
    format!("{prefix}{}", parts.join("-"))
}

fn age_key() -> String {
    let mut digits: Vec<u8> = (0..52_u8).map(|place| place % 32 * 7 % 32).collect();
    let sum = bech32(b"age-secret-key-", &[digits.as_slice(), &[0; 6]].concat()) ^ 1;
    digits.extend((0..6).rev().map(|place| (sum >> (5 * place) & 31) as u8));
    let digits: String = digits.iter().map(|digit| char::from(BECH32[usize::from(*digit)])).collect();
    format!("AGE-SECRET-KEY-1{digits}")
}

fn checked(prefix: &str) -> String {
    let body = mixed(ALNUM, 30);
    format!("{prefix}{body}{}", String::from_utf8(base62(crc32(body.as_bytes())).to_vec()).unwrap())
}

fn jwt(header: &str, claims: &str) -> String {
    format!("{}.{}.{}", base64(header.as_bytes()), base64(claims.as_bytes()), mixed(ALNUM, 43))
}

fn found(text: &[u8]) -> Vec<(&'static str, u64)> {
    let mut all = Vec::new();
    let whole = Piece { bytes: text, offset: 0, seen: 0, last: true };
    assert!(Finder::default().search(&whole, |found| all.push(found)));
    best(all).into_iter().map(|found| (SHAPES[found.shape].id, found.secret.start as u64)).collect()
}

#[test]
fn every_rule_finds_its_samples_and_nothing_else_does() {
    for (rule, sample) in samples() {
        for text in [sample.clone(), format!("key='{sample}'\n"), format!("\0{sample}\0")] {
            let rules: Vec<_> = found(text.as_bytes()).into_iter().map(|(rule, _)| rule).collect();
            assert_eq!(rules, [rule], "{text}");
        }
    }
    let sampled: BTreeSet<_> = samples().into_iter().map(|(rule, _)| rule).collect();
    // Golden cases have a sample of each service.
    let by_service: BTreeSet<_> = BY_SERVICE.iter().map(|shape| shape.id).collect();
    let others = SHAPES.iter().filter(|shape| !shape.literals.is_empty() && !by_service.contains(shape.id));
    assert_eq!(sampled, others.map(|shape| shape.id).collect());
}

/// One character less or more, a wrong checksum, a word that goes on: each rule has a shape that it must not take.
#[test]
fn what_merely_looks_like_a_secret_is_none() {
    // The name before it may still tell that it is one.
    let of_shapes = |text: &str| {
        let mut all = found(text.as_bytes());
        all.retain(|(rule, _)| *rule != "assigned-secret");
        all
    };
    for (rule, sample) in samples() {
        let shape = SHAPES.iter().find(|shape| shape.id == rule).unwrap();
        let is_word = |literal: &&&str| literal.starts_with(|c: char| c.is_ascii_alphanumeric());
        let mut words = shape.literals.iter().filter(is_word);
        // What it holds is a token of its own.
        let holds = rule == "github-app-token";
        if shape.lead == 0 && !holds && words.any(|literal| sample.starts_with(literal)) {
            assert_eq!(of_shapes(&format!("x{sample}")), [], "{sample}");
        }
        let half: String = sample.chars().take(sample.len() / 2).collect();
        assert_eq!(of_shapes(&half), [], "{half}");
    }
    let mut wrong = checked("ghp_");
    wrong.replace_range(10..11, if &wrong[10..11] == "a" { "b" } else { "a" });
    let placeholder = format!("AKIA{}EXAMPLE", mixed("ABCDEFGH", 9));
    for text in [
        wrong.as_str(),
        &placeholder,
        &format!("AKIA{}", "A".repeat(16)),
        &jwt("{\"typ\":\"JWT\"}", "{}"),
        &pem("RSA PRIVATE KEY", "", mixed(ALNUM, 200).as_bytes()),
        &pem("PUBLIC KEY", "", &der()),
        &pem("RSA PRIVATE KEY", "", &der()[..200]),
        &format!("ghs_12345_{}", jwt("{\"typ\":\"JWT\"}", "{}")),
        &macaroon()[..100],
        &format!("{}{}", concat!("pypi-", "AgEIcHlwaS5vcmc"), mixed(ALNUM, 120)),
        &armoured(Kept::Public),
        &armoured(Kept::OnCard),
        &armoured(Kept::Damaged),
        &armoured(Kept::Open).replace("PRIVATE", "PUBLIC"),
        "(private-key (ecc (curve Ed25519)(q #40AA#)))",
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
        "postgres://app:${PASSWORD}@db/x",
        &age_key().replace("-1Q", "-1P"),
        &format!("\"auth\": \"{}\"", base64(b"ann:password1")),
        &format!("\"auth\": \"{}\"", mixed(ALNUM, 24)),
        "<password>${env.PASSWORD}</password> <password>changeit</password>",
        "//registry.example.com/:_authToken=${NPM_TOKEN_OF_THE_PIPELINE}",
        "machine example.com login ann password $PASSWORD",
        "db:5432:shop:app:<password>",
        &format!("client-key-data: {}", base64(pem("PUBLIC KEY", "", &der()).as_bytes())),
        &format!("sv=2022-11-02&sp=r&sig={}", mixed(ALNUM, 20)),
        "https://discord.com/api/webhooks/ID/TOKEN",
        "https://host:8080/a@b",
        "git+ssh://git@example.org/x",
    ] {
        assert_eq!(found(text.as_bytes()), [], "{text}");
    }
}

#[test]
fn what_stands_before_a_literal_lies_in_the_same_piece() {
    assert!(SHAPES.iter().all(|shape| shape.lead <= LEAD && shape.reach <= OVERLAP - LEAD));
}

#[test]
fn a_secret_across_pieces_is_found_once() {
    let before = |literal: &str, length| format!("{}{literal}", mixed(ALNUM, length));
    for secret in [checked("ghp_"), format!("{}{}", before("AZDO", 76), mixed(ALNUM, 4))] {
        across_pieces(&secret);
    }
}

fn across_pieces(secret: &str) {
    let step = PIECE - OVERLAP;
    for start in (step - 100..step + 100).step_by(3).chain((PIECE - 100..PIECE + 40).step_by(3)) {
        let mut bytes = vec![b' '; 2 * PIECE];
        bytes[start..start + secret.len()].copy_from_slice(secret.as_bytes());
        let (mut finder, mut all) = (Finder::default(), Vec::new());
        for piece in pieces(&bytes) {
            assert!(finder.search(&piece, |found| all.push(piece.offset + found.secret.start as u64)));
        }
        assert_eq!(all, [start as u64]);
    }
}

#[test]
fn each_line_of_a_long_history_is_read_once() {
    let line =
        |number: usize| format!("mysql -uroot -pQv83mZt{number:06} {}\n", "x".repeat(number * 37 % 5000));
    let lines: Vec<String> = (0..400).map(line).collect();
    let history = lines.concat();
    assert!(history.len() > 3 * PIECE);
    let mut found = Vec::new();
    for piece in pieces(history.as_bytes()) {
        assert!(passwords(&piece, |secret| found.push(piece.offset as usize + secret.start)));
    }
    let starts = lines.iter().scan(0, |next, line| {
        *next += line.len();
        Some(*next - line.len())
    });
    assert_eq!(found, starts.map(|start| start + "mysql -uroot -p".len()).collect::<Vec<_>>());
    let long = format!("ls {}\n", "x".repeat(PIECE));
    for piece in pieces(long.as_bytes()) {
        assert_eq!(passwords(&piece, |_| panic!("there is none")), piece.offset > 0);
    }
}

#[test]
fn what_costs_too_much_is_given_up_and_said_so() {
    let hostile = format!("-eyJ{}", "-eyJ".repeat(60_000));
    let piece = Piece { bytes: hostile.as_bytes(), offset: 0, seen: 0, last: true };
    assert!(!Finder::default().search(&piece, |_| panic!("there is none")));
}

/// CRC-32 gives its check value (the catalogue of CRC algorithms), and digits rise from `0` to `z`.
#[test]
fn checksums_are_the_standards() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    assert_eq!((base62(0), base62(61), base62(62)), (*b"000000", *b"00000z", *b"000010"));
    // BIP 173's own.
    assert!(is_bech32(b"A12UEL5L") && !is_bech32(b"A12UEL5M") && !is_bech32(b"A12UEL5"));
}

/// A user's rule, for the golden cases.
const RULES: &str = r"
rules:
- id: shop-key
  description: key of the shop
  regex: 'shop_([0-9a-f]{24})\b'
  keywords: [shop_]
  min-entropy: 3
  severity: High
allow:
- paths: ['/usr/share/shop/**']
  reason: the shop's own tests
";

#[test]
fn golden_cases() {
    let mut rules = SecretRules::default();
    rules.add("rules.yaml", &mut RULES.as_bytes()).unwrap();
    crate::golden::check(&Secrets::with(rules));
}

/// What is noted of a file, handed over as the walk would.
fn noted(content: &[u8]) -> (Vec<Secret>, Vec<(GapKind, String)>) {
    let (mode, none) = (FileMode { permissions: 0o644, uid: 0, gid: 0 }, Vec::new());
    let stream = DETECTOR.stream(&FileInput::in_memory(b"x", mode, &none)).unwrap();
    let report = crate::golden::in_pieces(stream, content);
    let secrets = report.facts.iter().flat_map(|fact| {
        assert!(!String::from_utf8_lossy(&fact.0).contains(&checked("ghp_")[8..]), "a secret was kept");
        serde_json::from_slice::<Noted>(&fact.0).unwrap().secrets
    });
    (secrets.collect(), report.problems)
}

/// A log of many pieces: the place is told by its line, and of what is no text by its byte.
#[test]
fn places_are_those_of_the_whole_file() {
    let line = "x".repeat(99) + "\n";
    let mut log = line.repeat(7000);
    log += &format!("token {}\n{line}again {}\n", checked("ghp_"), checked("ghp_"));
    let (secrets, problems) = noted(log.as_bytes());
    assert_eq!(problems, []);
    assert_eq!(secrets.len(), 1);
    assert_eq!((secrets[0].line, secrets[0].offset, secrets[0].times), (Some(7001), 700_006, 2));
    let (secrets, _) = noted(format!("\0{log}").as_bytes());
    assert_eq!((secrets[0].line, secrets[0].offset), (None, 700_007));
}

/// A line of 1 GiB that is made as it is read. Its end is reached with no gap, so what it cost kept within what its
/// length allows; what is noted of it is as long as of a short one.
#[test]
fn a_line_of_a_gigabyte_is_searched_to_its_end() {
    const LENGTH: usize = 1 << 30;
    let (step, filler) =
        (PIECE - OVERLAP, r#"{"name":"a%20value","password":"changeme","at":"/srv/shop/dat"},"#);
    assert!(step.is_multiple_of(filler.len()), "each piece goes on where the one before ends");
    let plain: Vec<u8> = filler.bytes().cycle().take(PIECE).collect();
    let (mut first, mut end) = (plain.clone(), plain.clone());
    let (npm, github) = (format!("{} ", checked("npm_")), format!(" {}", checked("ghp_")));
    first[..npm.len()].copy_from_slice(npm.as_bytes());
    end[PIECE - github.len()..].copy_from_slice(github.as_bytes());

    let mut search = Box::new(Search::default());
    let pieces = (LENGTH - PIECE).div_ceil(step);
    for number in 0..=pieces {
        let bytes = match number {
            0 => &first,
            number if number == pieces => &end,
            _ => &plain,
        };
        let seen = if number == 0 { 0 } else { OVERLAP };
        search.take(&Piece { bytes, offset: (number * step) as u64, seen, last: number == pieces });
    }
    let report = search.finish();
    assert_eq!(report.problems, []);
    let [fact] = report.facts.as_slice() else { panic!("{} facts", report.facts.len()) };
    assert!(fact.0.len() < 1024, "{}", fact.0.len());
    let secrets = serde_json::from_slice::<Noted>(&fact.0).unwrap().secrets;
    let told: Vec<_> = secrets.iter().map(|one| (one.shape.as_str(), one.line, one.times)).collect();
    assert_eq!(told, [("npm-token", Some(1), 1), ("github-token", Some(1), 1)]);
    assert!(secrets[1].offset > (LENGTH - OVERLAP) as u64, "{}", secrets[1].offset);
}

#[test]
fn a_file_full_of_secrets_ends_in_a_gap() {
    let many: String = (0..100_000).map(|n| format!("AKIA{}\n", base32(n))).collect();
    let (secrets, problems) = noted(many.as_bytes());
    assert_eq!(secrets.len(), 100);
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].0 == GapKind::Limit && problems[0].1.contains("more than 100 secrets"),
        "{problems:?}"
    );
    let same = format!("{}\n", checked("ghp_")).repeat(100_000);
    let (secrets, problems) = noted(same.as_bytes());
    assert_eq!((secrets.len(), secrets[0].times, problems.len()), (1, 100_000, 0));
}

#[test]
fn any_other_kind_of_secret_goes_before_one_that_a_name_tells() {
    let place = |id: &str| SHAPES.iter().position(|shape| shape.id == id).unwrap();
    let own = SHAPES.len();
    for other in [place("jwt"), own] {
        let matches = [place("assigned-secret"), other].map(|shape| Match { shape, secret: 5..20 });
        let kept: Vec<usize> = best(matches.to_vec()).iter().map(|found| found.shape).collect();
        assert_eq!(kept, [other]);
    }
}

/// What a name alone tells leaves room for what a shape does.
#[test]
fn a_file_full_of_assigned_values_ends_in_a_gap_and_hides_no_other() {
    let value = |n: usize| format!("{}{n:02}", mixed(HEX, 30));
    let many: String = (0..30).map(|n| format!("password: {}\n", value(n))).collect();
    let (secrets, problems) = noted(format!("{many}{}", checked("ghp_")).as_bytes());
    assert_eq!((secrets.len(), secrets[20].shape.as_str()), (21, "github-token"));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].0 == GapKind::Limit && problems[0].1.contains("more than 20 values"), "{problems:?}");
}

/// 16 digits that look like no placeholder.
fn base32(number: u32) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digit = |place: u32| char::from(digits[(number >> (5 * place % 20) & 31) as usize]);
    (0..4).map(digit).collect::<String>() + "QWERTYUIOP23"
}

/// What is found in an image of which this was noted.
fn judged(facts: &[LocatedFact]) -> Outcome {
    DETECTOR.judge(&ImageInput::default(), facts)
}

/// Findings are told again by it, and the image's whole list is bounded.
#[test]
fn fingerprints_are_the_same_for_the_same_secret_alone() {
    let fact = |path: &str, content: String| LocatedFact {
        path: path.to_owned(),
        layer: None,
        removed_by: None,
        fact: crate::golden::in_pieces(Box::new(Search::default()), content.as_bytes()).facts.remove(0),
    };
    let facts = [fact("/a", checked("ghp_")), fact("/b", checked("ghp_")), fact("/c", checked("npm_"))];
    let outcome = judged(&facts);
    let prints: Vec<&String> = outcome.findings.iter().map(|f| &f.attributes["fingerprint"]).collect();
    assert!(prints[0] == prints[1] && prints[0] != prints[2], "{prints:?}");
    let again = judged(&facts);
    assert_eq!(outcome, again);

    let one: String = (0..90).map(|n| format!("AKIA{}\n", base32(n))).collect();
    let facts: Vec<LocatedFact> = (0..50).map(|n| fact(&format!("/{n}"), one.clone())).collect();
    let outcome = judged(&facts);
    assert_eq!(outcome.findings.len(), 2000);
    assert!(outcome.gaps[0].reason.starts_with("2500 more secrets"), "{:?}", outcome.gaps);
}
