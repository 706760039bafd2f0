//! apk: Alpine, Wolfi, Chainguard (<https://wiki.alpinelinux.org/wiki/Apk_spec>).
//!
//! A package is a paragraph of lines `X:value`. Folders (`F`) are followed by the files in them (`R`), files by their
//! owner and mode (`a`) and checksum (`Z`). Virtual packages (`apk add -t .build …`) are no packages: they bring nothing.

use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use base64::{Engine as _, alphabet};
use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Checksum, Ecosystem, FileFacts, OwnedFile, Package, Record, Source};

use crate::stanza::whole_stanzas;
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Apk = Apk;

pub(super) struct Apk;

impl Parser for Apk {
    fn id(&self) -> &'static str {
        "apk"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["lib/apk/db/installed", "usr/lib/apk/db/installed"], 64 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let mut parsed = Parsed::default();
        parsed.note_cut(file);
        for paragraph in whole_stanzas(file).split("\n\n").filter(|text| !text.trim().is_empty()) {
            match package(paragraph) {
                Ok(record) => parsed.records.extend(record),
                Err(reason) => parsed.problems.push((GapKind::Malformed, reason)),
            }
        }
        parsed
    }
}

/// The package of a paragraph; none for a virtual one.
fn package(paragraph: &str) -> Result<Option<Record>, String> {
    let mut package = Package::new(Ecosystem::Apk, "", "");
    let mut origin = "";
    let mut folder = "";
    let mut files: Vec<OwnedFile> = Vec::new();
    for line in paragraph.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        match key {
            "P" => package.name = value.to_owned(),
            "V" => package.version = value.to_owned(),
            "A" => package.architecture = Some(value.to_owned()),
            "L" if !value.is_empty() => package.licenses = vec![value.to_owned()],
            "o" => origin = value,
            "F" => folder = value,
            "R" => {
                let path = format!("{folder}/{value}");
                // apk never overwrites what was changed below /etc.
                let config = folder == "etc" || folder.starts_with("etc/");
                files.push(OwnedFile::with(path, FileFacts { config, ..FileFacts::default() }));
            }
            "a" => {
                if let Some(file) = files.last_mut() {
                    let mode = value.rsplit(':').next().unwrap_or_default();
                    file.facts.permissions = u16::from_str_radix(mode, 8).ok().map(|mode| mode & 0o7777);
                }
            }
            "Z" => {
                if let Some(file) = files.last_mut() {
                    file.facts.checksum = checksum(value);
                }
            }
            _ => {}
        }
    }
    if package.name.starts_with('.') {
        return Ok(None);
    }
    if package.name.is_empty() || package.version.is_empty() {
        return Err(format!("a paragraph lacks P or V (P: {:?})", package.name));
    }
    if !origin.is_empty() && origin != package.name {
        package.source = Some(Source { name: origin.to_owned(), version: package.version.clone() });
    }
    Ok(Some(Record::Package { package, files: files.into_iter().collect() }))
}

/// Without padding; bits behind the last byte say nothing.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, NO_PAD.with_decode_allow_trailing_bits(true));

/// `Q1` and SHA-1, `Q2` and SHA-256, in base64; without the prefix hexadecimal MD5.
fn checksum(value: &str) -> Option<Checksum> {
    match value.strip_prefix("Q1").or_else(|| value.strip_prefix("Q2")) {
        Some(encoded) => Checksum::from_bytes(&base64(encoded)?),
        None => Checksum::from_hex(value),
    }
}

/// Decodes base64 as long as a checksum may be.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.len() > 64 {
        return None;
    }
    BASE64.decode(text).ok()
}
