use pratique_core::inspect::FileMode;

use super::*;

/// A zip of stored entries, made by hand so that it can lie.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let offset = bytes.len() as u32;
        let size = (content.len() as u32).to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend(size.iter().chain(&size));
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04".iter().chain(&common).chain(name.as_bytes()).chain(*content));
        directory.extend(b"PK\x01\x02\x14\x00".iter().chain(&common));
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    end(&mut bytes, entries.len() as u16, directory.len() as u32, start);
    bytes
}

fn end(bytes: &mut Vec<u8>, count: u16, length: u32, start: u32) {
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count.to_le_bytes().iter().chain(&count.to_le_bytes()));
    bytes.extend(length.to_le_bytes().iter().chain(&start.to_le_bytes()).chain(&[0, 0]));
}

fn parse(path: &str, bytes: &Vec<u8>) -> Parsed {
    let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
    PARSER.parse(&FileInput::in_memory(path.as_bytes(), mode, bytes))
}

fn packages(parsed: &Parsed) -> Vec<String> {
    let packages = parsed.records.iter().filter_map(|record| match record {
        Record::Package { package, .. } => Some(package),
        _ => None,
    });
    packages
        .map(|package| {
            let within = package.attributes.get("within").map(|within| format!(" in {within}"));
            let identity = package.attributes.get("identity").map(|by| format!(" by {by}"));
            format!(
                "{} {} {:?}{}{}",
                package.name,
                package.version,
                package.evidence,
                within.unwrap_or_default(),
                identity.unwrap_or_default()
            )
        })
        .collect()
}

const GSON: &str = "META-INF/maven/com.google.code.gson/gson/pom.properties";
const GSON_TEXT: &[u8] = b"#made\ngroupId=com.google.code.gson\nartifactId=gson\nversion=2.10.1\n";

#[test]
fn an_archive_is_what_its_properties_say_if_it_is_named_so() {
    let gson = zip(&[(GSON, GSON_TEXT)]);
    let expected = ["com.google.code.gson:gson 2.10.1 Installed"];
    assert_eq!(packages(&parse("opt/gson-2.10.1.jar", &gson)), expected);
    assert_eq!(packages(&parse("opt/app.jar", &gson)), expected);
}

#[test]
fn what_was_shaded_into_an_archive_is_embedded() {
    let manifest = b"Manifest-Version: 1.0\r\nBundle-SymbolicName: com.example.harbour\r\nBundle-License: \"MIT\";link=x\r\n\r\n";
    let shaded = zip(&[("META-INF/MANIFEST.MF", manifest), (GSON, GSON_TEXT)]);
    assert_eq!(
        packages(&parse("opt/harbour-1.0.jar", &shaded)),
        ["com.google.code.gson:gson 2.10.1 Embedded", "com.example:harbour 1.0 Installed by file-name"]
    );
}

#[test]
fn a_manifest_tells_what_the_file_name_does_not() {
    let manifest = b"Implementation-Title: harbour\nImplementation-Version: 3.\n 1\nImplementation-Vendor-Id: com.example\n\nName: x\nImplementation-Version: 9\n";
    let jar = zip(&[("META-INF/MANIFEST.MF", manifest)]);
    assert_eq!(packages(&parse("opt/x.jar", &jar)), ["com.example:harbour 3.1 Installed by manifest"]);
    assert_eq!(parse("opt/x.jar", &zip(&[("a.class", b"x")])), Parsed::default());
}

#[test]
fn a_boot_archive_behind_a_script_is_read_with_what_is_nested() {
    let gson = zip(&[(GSON, GSON_TEXT)]);
    let mut boot = b"#!/bin/bash\nexit 0\n".to_vec();
    boot.extend(zip(&[("BOOT-INF/lib/gson-2.10.1.jar", &gson)]));
    let parsed = parse("app.jar", &boot);
    let expected = ["com.google.code.gson:gson 2.10.1 Embedded in BOOT-INF/lib/gson-2.10.1.jar"];
    assert_eq!(packages(&parsed), expected, "{:?}", parsed.problems);
    assert!(parsed.problems.is_empty());
}

#[test]
fn nesting_ends_at_the_limit_and_is_told() {
    let mut jar = zip(&[(GSON, GSON_TEXT)]);
    for _ in 0..=MAX_DEPTH {
        jar = zip(&[("a.jar", &jar)]);
    }
    let parsed = parse("a.jar", &jar);
    assert!(packages(&parsed).is_empty());
    assert_eq!(parsed.problems.len(), 1);
    assert_eq!(parsed.problems[0].0, GapKind::Limit);
}

#[test]
fn a_bomb_is_a_limit_and_not_memory() {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 40 << 20]).unwrap();
    let mut jar = zip(&[("a.jar", &encoder.finish().unwrap())]);
    // Both headers say deflate.
    jar[8] = 8;
    let directory = jar.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    jar[directory + 10] = 8;
    let parsed = parse("x.jar", &jar);
    assert_eq!(parsed.problems[0].0, GapKind::Limit, "{:?}", parsed.problems);
}

#[test]
fn a_directory_that_lies_is_told() {
    let good = zip(&[(GSON, GSON_TEXT)]);
    let directory = good.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    for place in [directory + 20, directory + 42] {
        let mut lying = good.clone();
        lying[place..place + 4].copy_from_slice(&[0xfe, 0xff, 0xff, 0x7f]);
        let parsed = parse("gson-2.10.1.jar", &lying);
        assert_eq!(parsed.problems[0].0, GapKind::Malformed, "{place}");
    }
    let cut = good[..good.len() - 30].to_vec();
    assert_eq!(parse("gson-2.10.1.jar", &cut).problems[0].0, GapKind::Malformed);
}

#[test]
fn a_million_entries_are_a_limit() {
    let one = zip(&[("a", b"")]);
    let start = one.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    let entry = &one[start..start + 47];
    let mut bytes = one[..start].to_vec();
    let count = 1_000_001usize;
    bytes.extend(entry.iter().copied().cycle().take(47 * count));
    end(&mut bytes, u16::MAX - 1, (47 * count) as u32, start as u32);
    let parsed = parse("x-1.0.jar", &bytes);
    assert_eq!(parsed.problems[0].0, GapKind::Limit, "{:?}", parsed.problems);
    assert_eq!(packages(&parsed), ["x 1.0 Installed by file-name"]);
}
