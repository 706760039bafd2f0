//! Golden cases: what each format makes of a few results, in `testdata/CASE.FORMAT`. With `UPDATE_GOLDEN=1` the files are
//! written anew, to be read before they are committed. `make test-reports` validates them against the formats' official
//! schemas.

#![allow(clippy::disallowed_methods, reason = "tests read and write golden files")]

use crate::samples::{assert_golden, empty, failed, image, licensed, with_text};
use crate::{Error, Format, Options, Report, Template, samples, write};

/// Options that show the most.
pub(crate) fn options() -> Options {
    let text = include_str!("../testdata/summary.md.j2").to_owned();
    Options {
        width: Some(110),
        colours: false,
        packages: true,
        template: Some(Template { name: "summary.md.j2".into(), text }),
    }
}

pub(crate) fn rendered(format: &Format, reports: &[Report], options: &Options) -> String {
    let mut out = Vec::new();
    write(format, reports, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn golden_cases() {
    let (name, control) = ("hostile", samples::HOSTILE[4]);
    let cases = [
        ("image", vec![image()]),
        ("empty", vec![empty()]),
        ("failed", vec![failed()]),
        ("several", vec![image(), empty()]),
        (name, vec![with_text(control)]),
    ];
    for (case, reports) in &cases {
        for format in Format::ALL.iter().filter(|format| reports.len() == 1 || format.holds_many()) {
            let text = rendered(format, reports, &options());
            assert_eq!(
                text,
                rendered(format, reports, &options()),
                "{format:?}: the same result, other bytes"
            );
            assert_golden(&format!("testdata/{case}.{}", format.name()), &text);
        }
    }
}

#[test]
fn a_table_is_coloured_and_lists_packages_only_when_told() {
    let table = Format::parse("table").unwrap();
    let plain = rendered(table, &[image()], &Options::default());
    assert!(!plain.contains('\u{1b}') && !plain.contains("busybox"), "{plain}");
    assert!(plain.contains("GAP") && plain.contains("permission denied"), "{plain}");
    let coloured = rendered(table, &[image()], &Options { colours: true, ..Options::default() });
    assert!(coloured.contains("\u{1b}[1;31mCritical\u{1b}[0m"), "{coloured:?}");
    let mut stripped = coloured;
    for sequence in ["\u{1b}[1;31m", "\u{1b}[31m", "\u{1b}[33m", "\u{1b}[32m", "\u{1b}[1m", "\u{1b}[0m"] {
        stripped = stripped.replace(sequence, "");
    }
    assert_eq!(stripped, plain, "colours move columns");
}

/// No format that can carry them loses what was not looked at.
#[test]
fn gaps_and_errors_are_told_in_every_format_but_bare_lists() {
    let mut report = image();
    report.error = Some("the daemon went away".into());
    for format in Format::ALL.iter().filter(|format| format.name() != "purls") {
        let text = rendered(format, &[report.clone()], &options());
        for told in ["permission denied", "the hash scheme $zz$ is unknown", "the daemon went away"] {
            assert!(text.contains(told), "{format:?} lacks `{told}`\n{text}");
        }
    }
    let bom = rendered(Format::parse("cyclonedx").unwrap(), &[report], &options());
    assert!(bom.contains("\"aggregate\": \"incomplete\""), "{bom}");
}

#[test]
fn documents_of_one_target_refuse_several_and_nothing_is_refused_by_all() {
    for format in Format::ALL {
        let mut out = Vec::new();
        let nothing = write(format, &[], &options(), &mut out).unwrap_err();
        assert!(matches!(nothing, Error::NoTarget), "{format:?}: {nothing}");
        let several = write(format, &[image(), empty()], &options(), &mut out);
        assert_eq!(several.is_ok(), format.holds_many(), "{format:?}");
        if let Err(error) = several {
            assert!(error.to_string().contains("there are 2") && out.is_empty(), "{error}");
        }
    }
}

#[test]
fn a_wrong_template_is_an_error_with_its_line_and_writes_nothing() {
    let format = Format::parse("template").unwrap();
    for (text, line, reason) in [
        ("one\ntwo {{ reports | nofilter }}", "in line 2", "nofilter"),
        ("one\n\n{% for %}", "in line 3", "unexpected"),
        ("{{ reports[0].target.referense }}", "in line 1", "undefined"),
    ] {
        let template = Some(Template { name: "mine.j2".into(), text: text.to_owned() });
        let mut out = Vec::new();
        let error =
            write(format, &[image()], &Options { template, ..Options::default() }, &mut out).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("mine.j2") && message.contains(line) && message.contains(reason),
            "{message}"
        );
        assert!(out.is_empty());
    }
    let error = write(format, &[image()], &Options::default(), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("--template FILE"), "{error}");
}

#[test]
fn a_templates_ending_says_how_values_are_escaped() {
    let format = Format::parse("template").unwrap();
    for (name, expected) in [("a.html", "&lt;b&gt;"), ("a.txt", "<b>")] {
        let mut report = empty();
        report.target.reference = "<b>".into();
        let text = "{{ reports[0].target.reference }}".to_owned();
        let options = Options { template: Some(Template { name: name.into(), text }), ..Options::default() };
        assert_eq!(rendered(format, &[report], &options), expected);
    }
}

#[test]
fn a_writer_that_fails_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no space left"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in Format::ALL {
        let error = write(format, &[image()], &options(), &mut Full).unwrap_err().to_string();
        assert!(error.contains("no space left"), "{format:?}: {error}");
    }
}

/// What is too large to be committed, for `make test-reports` to validate.
#[test]
fn samples_for_the_official_schemas() {
    let Some(folder) = std::env::var_os("PRATIQUE_REPORT_SAMPLES") else { return };
    let folder = std::path::Path::new(&folder);
    let hostile =
        samples::HOSTILE.iter().enumerate().map(|(n, text)| (format!("hostile-{n}"), with_text(text)));
    let long = crate::hostile::long(&"long \u{1b}<&".repeat(1 << 17));
    let more = [("licensed".to_owned(), licensed()), ("long".to_owned(), long)];
    for (name, report) in hostile.chain(more) {
        for format in Format::ALL.iter().filter(|format| format.name() != "template") {
            // SPDX's validator knows the licences of an older list.
            if name == "licensed" && !format.name().starts_with("cyclonedx") {
                continue;
            }
            let text = rendered(format, std::slice::from_ref(&report), &options());
            std::fs::write(folder.join(format!("{name}.{}", format.name())), text).unwrap();
        }
    }
}
