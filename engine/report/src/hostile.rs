//! Whatever foreign text says, documents stay well-formed and terminals obey none of it.

use proptest::prelude::*;
use quick_xml::events::Event;

use crate::golden::{options, rendered};
use crate::samples::{HOSTILE, image, with_text};
use crate::text::is_plain;
use crate::{Format, Report};

/// A report with one of each thing, in which whatever an attacker names freely is very long.
pub(crate) fn long(text: &str) -> Report {
    let mut report = image();
    report.inventory.packages.truncate(1);
    report.findings.truncate(1);
    report.gaps.truncate(1);
    text.clone_into(&mut report.inventory.packages[0].package.name);
    text.clone_into(&mut report.inventory.packages[0].package.version);
    text.clone_into(&mut report.inventory.packages[0].purl);
    text.clone_into(&mut report.findings[0].message);
    text.clone_into(&mut report.gaps[0].reason);
    report
}

/// The document in a form that its consumers read, checked as far as one can without its schema.
fn check(format: &Format, text: &str) {
    assert!(text.chars().all(|c| c == '\n' || is_plain(c)), "{format:?} has control characters: {text:?}");
    match format.name() {
        "json" | "cyclonedx" | "spdx" | "sarif" => {
            serde_json::from_str::<serde_json::Value>(text)
                .unwrap_or_else(|error| panic!("{format:?}: {error}"));
        }
        "cyclonedx-xml" => check_xml(text),
        "spdx-tag" => {
            for line in text.lines().filter(|line| !line.is_empty()) {
                let (tag, value) = line.split_once(": ").unwrap_or_else(|| panic!("no tag: {line:?}"));
                assert!(tag.bytes().all(|b| b.is_ascii_alphanumeric()), "{line:?}");
                let inner = match value.strip_prefix("<text>") {
                    Some(value) => value.strip_suffix("</text>").unwrap_or_else(|| panic!("open: {line:?}")),
                    None => value,
                };
                assert!(!inner.contains("<text>") && !inner.contains("</text>"), "{line:?}");
                assert!(!value.trim().is_empty(), "no value: {line:?}");
            }
        }
        "table" | "purls" | "template" => {}
        other => panic!("{other} has no check"),
    }
}

fn check_xml(text: &str) {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut depth, mut components) = (0, 0);
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}\n{text}")) {
            Event::Start(start) => {
                depth += 1;
                components += usize::from(start.name().as_ref() == "component");
                for attribute in start.attributes() {
                    attribute.unwrap();
                }
            }
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            Event::Comment(_) | Event::CData(_) | Event::DocType(_) | Event::PI(_) => {
                panic!("injected: {text}")
            }
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    // Tool, target, system and packages.
    assert!(components == 10 || components == 4, "{components} components: {text}");
}

#[test]
fn hostile_text_stays_text_in_every_format() {
    for text in HOSTILE {
        for format in Format::ALL {
            check(format, &rendered(format, &[with_text(text)], &options()));
        }
    }
}

#[test]
fn a_name_of_a_mebibyte_is_carried_whole_but_in_the_table() {
    let text = "a\u{1b}<&ä".repeat((1 << 20) / 6);
    let report = long(&text);
    for format in Format::ALL {
        let written = rendered(format, std::slice::from_ref(&report), &options());
        check(format, &written);
        match format.name() {
            "table" => assert!(written.len() < 1 << 16, "{}", written.len()),
            _ => assert!(written.len() > 1 << 20, "{format:?}: {}", written.len()),
        }
    }
}

#[test]
fn our_own_json_carries_every_string_unchanged() {
    for text in HOSTILE {
        let json = rendered(Format::parse("json").unwrap(), &[with_text(text)], &options());
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let report = &value["reports"][0];
        for found in
            [&report["target"]["reference"], &report["packages"][0]["name"], &report["gaps"][0]["reason"]]
        {
            assert_eq!(found, text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_comes_out_well_formed(text in any::<String>()) {
        let report = with_text(&text);
        for format in Format::ALL {
            check(format, &rendered(format, std::slice::from_ref(&report), &options()));
        }
    }
}
