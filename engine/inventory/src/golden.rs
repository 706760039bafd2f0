//! Golden cases: `testdata/<parser>/NAME.in` is a list of files, `NAME.out` the records that this parser reads in them.
//! A new case is these two files. With `UPDATE_GOLDEN=1` the `.out` files are written anew, to be read before they are
//! committed.
//!
//! A file begins with a line `==> etc/os-release`; what follows, up to the next such line, is its text. `==> base64 PATH`
//! announces content in base64 (binary formats); in it, a line `zeros N` stands for N zero bytes. Lines before the first
//! file are comments.

use std::fmt::Write as _;
use std::path::Path;

use pratique_core::inspect::{Extent, FileInput, FileMode};
use pratique_core::package::{OwnedFiles, Record};

use crate::{PARSERS, Parser};

pub(crate) fn files(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, bool, String)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("==> ") {
            match name.strip_prefix("base64 ") {
                Some(name) => files.push((name.to_owned(), true, String::new())),
                None => files.push((name.to_owned(), false, String::new())),
            }
        } else if let Some((_, _, content)) = files.last_mut() {
            content.push_str(line);
            content.push('\n');
        }
    }
    files
        .into_iter()
        .map(|(name, encoded, content)| (name, if encoded { base64(&content) } else { content.into_bytes() }))
        .collect()
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for line in text.lines() {
        if let Some(zeros) = line.strip_prefix("zeros ") {
            bytes.resize(bytes.len() + zeros.parse::<usize>().expect("a number"), 0);
            (bits, count) = (0, 0);
            continue;
        }
        for byte in line.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
            let value = ALPHABET.iter().position(|own| *own == byte).expect("base64");
            bits = bits << 6 | value as u32;
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push((bits >> count) as u8);
            }
        }
    }
    bytes
}

/// Whether the walk would hand this file to the parser.
fn is_wanted(parser: &dyn Parser, path: &str, bytes: &[u8]) -> bool {
    parser.interests().iter().any(|interest| {
        let glob = |glob: &&str| {
            let glob = globset::GlobBuilder::new(glob).literal_separator(true).build().unwrap();
            glob.compile_matcher().is_match(path)
        };
        let fits = match interest.extent {
            Extent::Metadata | Extent::Head(_) => true,
            Extent::Whole(limit) => bytes.len() as u64 <= limit,
            // Parsers take no streams.
            Extent::Stream(_) => false,
        };
        interest.globs.iter().any(glob)
            && (interest.heads.is_empty() || interest.heads.iter().any(|head| bytes.starts_with(head)))
            && bytes.len() as u64 >= interest.min_size
            && fits
    })
}

fn render_files(text: &mut String, files: &OwnedFiles) {
    for file in files {
        let config = if file.facts.config { " config" } else { "" };
        let mode = file.facts.permissions.map(|mode| format!(" {mode:o}")).unwrap_or_default();
        let sum = file.facts.checksum.map(|sum| format!(" {sum}")).unwrap_or_default();
        writeln!(text, "    {}{config}{mode}{sum}", file.path).unwrap();
    }
}

fn render(parser: &dyn Parser, path: &str, bytes: &Vec<u8>) -> String {
    let mut text = format!("{path}\n");
    if !is_wanted(parser, path, bytes) {
        text.push_str("  not wanted\n");
        return text;
    }
    let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
    let parsed = parser.parse(&FileInput::in_memory(path.as_bytes(), mode, bytes));
    for record in &parsed.records {
        match record {
            Record::Release(release) => writeln!(text, "  release {release:?}").unwrap(),
            Record::Package { package, files } => {
                write!(text, "  {} {} {}", package.ecosystem.purl_type(), package.name, package.version)
                    .unwrap();
                if let Some(architecture) = &package.architecture {
                    write!(text, " [{architecture}]").unwrap();
                }
                if let Some(source) = &package.source {
                    write!(text, " from {} {}", source.name, source.version).unwrap();
                }
                write!(text, " ({:?})", package.evidence).unwrap();
                if !package.licenses.is_empty() {
                    write!(text, " licences: {}", package.licenses.join("; ")).unwrap();
                }
                for (key, value) in &package.attributes {
                    write!(text, " {key}={value}").unwrap();
                }
                text.push('\n');
                render_files(&mut text, files);
            }
            Record::Files { owner, files } => {
                let architecture = owner.architecture.as_deref().unwrap_or("-");
                writeln!(text, "  files of {} {} [{architecture}]", owner.ecosystem.purl_type(), owner.name)
                    .unwrap();
                render_files(&mut text, files);
            }
            Record::Licenses { owner, licenses } => {
                let kind = owner.ecosystem.purl_type();
                writeln!(text, "  licences of {kind} {}: {}", owner.name, licenses.join("; ")).unwrap();
            }
        }
    }
    for (kind, reason) in &parsed.problems {
        writeln!(text, "  problem {kind}: {reason}").unwrap();
    }
    if text.lines().count() == 1 {
        text.push_str("  nothing\n");
    }
    text
}

#[test]
fn golden_cases() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut wrong = Vec::new();
    for parser in PARSERS {
        let mut cases = 0;
        let folder = root.join(parser.id());
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "in") {
                continue;
            }
            cases += 1;
            let input = std::fs::read_to_string(&path).unwrap();
            let actual: String =
                files(&input).iter().map(|(name, bytes)| render(*parser, name, bytes)).collect();
            let golden = path.with_extension("out");
            if update {
                std::fs::write(&golden, actual).unwrap();
            } else {
                let expected = std::fs::read_to_string(&golden).unwrap_or_default();
                if actual != expected {
                    wrong.push(format!("{}\nexpected\n{expected}\nactual\n{actual}", path.display()));
                }
            }
        }
        assert!(cases > 0, "{} has no case", folder.display());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No parser panics on what is not its format, or on its format broken off anywhere.
#[test]
fn broken_input_never_panics() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mode = FileMode { permissions: 0o644, uid: 0, gid: 0 };
    // Whose case it is, its path and its bytes.
    let mut samples = vec![("", "any".to_owned(), Vec::new()), ("", "any".to_owned(), vec![0xff; 4096])];
    for parser in PARSERS {
        for entry in std::fs::read_dir(root.join(parser.id())).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "in") {
                let files = files(&std::fs::read_to_string(&path).unwrap());
                samples.extend(files.into_iter().map(|(name, bytes)| (parser.id(), name, bytes)));
            }
        }
    }
    for (own, name, bytes) in &samples {
        for parser in PARSERS {
            // What is not its format, a parser soon gives up.
            let steps = if parser.id() == *own { 23 } else { 2 }.min(bytes.len());
            for step in 0..=steps {
                let cut = bytes[..bytes.len() * step / steps.max(1)].to_vec();
                parser.parse(&FileInput::in_memory(name.as_bytes(), mode, &cut));
            }
        }
    }
}
