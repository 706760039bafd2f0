//! Every rule finds what it is for, and not what merely looks like it. Samples are put together here, so that none
//! stands in the repository.

use std::collections::BTreeSet;
use std::time::Duration;

use pratique_core::GapKind;
use pratique_core::inspect::{OVERLAP, PIECE, Piece};
use pratique_core::package::Ownership;

use super::DETECTOR;
use super::checks::{base62, crc32};
use super::finder::Finder;
use super::notes::{Noted, Search, Secret, best};
use super::shapes::SHAPES;
use crate::{Detector, FileInput, FileMode, ImageInput, LocatedFact};

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
    [b"\x30\x82".as_slice(), mixed(ALNUM, 200).as_bytes()].concat()
}

fn open_ssh(cipher: &str) -> Vec<u8> {
    let length = [0, 0, 0, cipher.len() as u8];
    [b"openssh-key-v1\0", length.as_slice(), cipher.as_bytes(), mixed(ALNUM, 200).as_bytes()].concat()
}

fn checked(prefix: &str) -> String {
    let body = mixed(ALNUM, 30);
    format!("{prefix}{body}{}", String::from_utf8(base62(crc32(body.as_bytes())).to_vec()).unwrap())
}

fn jwt(header: &str, claims: &str) -> String {
    format!("{}.{}.{}", base64(header.as_bytes()), base64(claims.as_bytes()), mixed(ALNUM, 43))
}

/// Rule, and text in which it finds one secret.
fn samples() -> Vec<(&'static str, String)> {
    let token = |prefix: &str, alphabet: &str, length| format!("{prefix}{}", mixed(alphabet, length));
    let words = format!("{ALNUM}_-");
    let base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut samples = vec![
        ("github-fine-grained", format!("{}_{}", token("github_pat_", ALNUM, 22), mixed(ALNUM, 59))),
        ("npm-token", checked("npm_")),
        ("pypi-token", token(concat!("pypi-", "AgEIcHlwaS5vcmc"), &words, 80)),
        ("rubygems-key", token("rubygems_", HEX, 48)),
        ("docker-hub-token", token("dckr_pat_", ALNUM, 27)),
        ("docker-hub-token", token("dckr_oat_", ALNUM, 32)),
        ("aws-secret", token("aws_secret_access_key = ", ALNUM, 40)),
        ("aws-secret", format!("\"AWS_SECRET_ACCESS_KEY\": \"{}\"", mixed(ALNUM, 40))),
        ("google-api-key", token("AIza", ALNUM, 35)),
        ("azure-storage-key", format!("{}==;", token("AccountKey=", ALNUM, 86))),
        ("alibaba-key-id", token("LTAI", ALNUM, 20)),
        ("databricks-token", token("dapi", HEX, 32)),
        ("terraform-token", format!("{}{}", mixed(ALNUM, 14), token(".atlasv1.", ALNUM, 64)).split_off(14)),
        ("vault-token", token("hvs.", ALNUM, 95)),
        ("vault-token", token("hvb.", ALNUM, 150)),
        (
            "slack-token",
            format!("{}-{}-{}", "xoxb", mixed("123456789", 12), mixed("123456789", 12))
                + "-"
                + &mixed(ALNUM, 24),
        ),
        (
            "slack-webhook",
            format!(
                "https://hooks.slack.com/services/T{}/B{}/{}",
                mixed(base32, 9),
                mixed(base32, 9),
                mixed(ALNUM, 24)
            ),
        ),
        ("openai-key", format!("{}T3BlbkFJ{}", token("sk-proj-", ALNUM, 40), mixed(ALNUM, 40))),
        ("anthropic-key", format!("{}AA", token("sk-ant-api03-", ALNUM, 93))),
        ("hugging-face-token", token("hf_", &ALNUM[10..], 34)),
        ("sendgrid-key", format!("{}.{}", token("SG.", ALNUM, 22), mixed(ALNUM, 43))),
        ("grafana-token", format!("{}_{}", token("glsa_", ALNUM, 32), mixed(HEX, 8))),
        ("private-key", pem("RSA PRIVATE KEY", "", &der())),
        ("private-key", pem("PRIVATE KEY", "", &der()).replace('\n', "\\n")),
        ("private-key", pem("OPENSSH PRIVATE KEY", "", &open_ssh("none"))),
        ("private-key-protected", pem("OPENSSH PRIVATE KEY", "", &open_ssh("aes256-ctr"))),
        ("private-key-protected", pem("ENCRYPTED PRIVATE KEY", "", &der())),
        (
            "private-key-protected",
            pem(
                "RSA PRIVATE KEY",
                "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n",
                &mixed(ALNUM, 96).into_bytes(),
            ),
        ),
        ("jwt", jwt(r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"sub":"1"}"#)),
        ("url-password", format!("postgres://app:{}@db:5432/x", mixed(ALNUM, 12))),
        ("url-common-password", "https://john:password@example.com/".to_owned()),
        ("url-common-password", "amqp://app:Secret123!@mq/".to_owned()),
    ];
    samples.extend(["ghp_", "gho_", "ghu_", "ghs_", "ghr_"].map(|prefix| ("github-token", checked(prefix))));
    samples
        .extend(["glpat-", "gldt-", "glrt-"].map(|prefix| ("gitlab-token", token(prefix, &words, 19) + "x")));
    samples.extend(["AKIA", "ASIA", "ABIA", "ACCA"].map(|prefix| ("aws-key-id", token(prefix, base32, 16))));
    samples.extend(
        ["dop_v1_", "doo_v1_", "dor_v1_"].map(|prefix| ("digitalocean-token", token(prefix, HEX, 64))),
    );
    samples.extend(
        ["sk_live_", "rk_live_", "sk_test_", "rk_test_"]
            .map(|prefix| ("stripe-key", token(prefix, ALNUM, 24))),
    );
    samples
}

fn found(text: &[u8]) -> Vec<(&'static str, u64)> {
    let mut all = Vec::new();
    let whole = Piece { bytes: text, offset: 0, seen: 0, last: true };
    assert!(Finder::default().search(&whole, |found| all.push(found)));
    best(all).into_iter().map(|found| (found.shape().id, found.secret.start as u64)).collect()
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
    assert_eq!(sampled, SHAPES.iter().map(|shape| shape.id).collect());
}

/// One character less or more, a wrong checksum, a word that goes on: each rule has a shape that it must not take.
#[test]
fn what_merely_looks_like_a_secret_is_none() {
    for (rule, sample) in samples() {
        if !matches!(
            rule,
            "private-key"
                | "private-key-protected"
                | "url-password"
                | "url-common-password"
                | "slack-webhook"
                | "aws-secret"
        ) {
            assert_eq!(
                found(format!("x{sample}").as_bytes()).len(),
                usize::from(rule == "terraform-token"),
                "{sample}"
            );
        }
        let half: String = sample.chars().take(sample.len() / 2).collect();
        assert_eq!(found(half.as_bytes()), [], "{half}");
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
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
        "postgres://app:${PASSWORD}@db/x",
        "https://host:8080/a@b",
        "git+ssh://git@example.org/x",
    ] {
        assert_eq!(found(text.as_bytes()), [], "{text}");
    }
}

#[test]
fn a_secret_across_pieces_is_found_once() {
    let secret = checked("ghp_");
    let step = PIECE - OVERLAP;
    for start in (step - 40..step + 40).step_by(3).chain(PIECE - 40..PIECE + 40) {
        let mut bytes = vec![b' '; 2 * PIECE];
        bytes[start..start + secret.len()].copy_from_slice(secret.as_bytes());
        let (mut finder, mut all, mut offset) = (Finder::default(), Vec::new(), 0);
        loop {
            let end = bytes.len().min(offset + PIECE);
            let last = end - offset < PIECE;
            let seen = if offset == 0 { 0 } else { OVERLAP };
            let piece = Piece { bytes: &bytes[offset..end], offset: offset as u64, seen, last };
            assert!(finder.search(&piece, |found| all.push((offset + found.secret.start) as u64)));
            if last {
                break;
            }
            offset += step;
        }
        assert_eq!(all, [start as u64]);
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
}

#[test]
fn golden_cases() {
    crate::golden::check(&DETECTOR);
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

/// 16 digits that look like no placeholder.
fn base32(number: u32) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digit = |place: u32| char::from(digits[(number >> (5 * place % 20) & 31) as usize]);
    (0..4).map(digit).collect::<String>() + "QWERTYUIOP23"
}

/// Findings are told again by it, and the image's whole list is bounded.
#[test]
fn fingerprints_are_the_same_for_the_same_secret_alone() {
    let image = ImageInput {
        names: &[],
        config: None,
        layers: &[],
        bases: &[],
        ownership: &Ownership::default(),
        dictionary: &[],
        hash_budget: Duration::ZERO,
    };
    let fact = |path: &str, content: String| LocatedFact {
        path: path.to_owned(),
        layer: None,
        removed_by: None,
        fact: crate::golden::in_pieces(Box::new(Search::default()), content.as_bytes()).facts.remove(0),
    };
    let facts = [fact("/a", checked("ghp_")), fact("/b", checked("ghp_")), fact("/c", checked("npm_"))];
    let outcome = DETECTOR.judge(&image, &facts);
    let prints: Vec<&String> = outcome.findings.iter().map(|f| &f.attributes["fingerprint"]).collect();
    assert!(prints[0] == prints[1] && prints[0] != prints[2], "{prints:?}");
    let again = DETECTOR.judge(&image, &facts);
    assert_eq!(outcome, again);

    let one: String = (0..90).map(|n| format!("AKIA{}\n", base32(n))).collect();
    let facts: Vec<LocatedFact> = (0..50).map(|n| fact(&format!("/{n}"), one.clone())).collect();
    let outcome = DETECTOR.judge(&image, &facts);
    assert_eq!(outcome.findings.len(), 2000);
    assert!(outcome.gaps[0].reason.starts_with("2500 more secrets"), "{:?}", outcome.gaps);
}
