//! Files within files.

use std::io::{Cursor, Write};

use flate2::write::GzEncoder;
use pratique_core::inspect::Extent;
use pratique_core::{Category, DetectorInfo, GapKind};
use pratique_detect::{
    Detector, Fact, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome, Piece, Stream,
};
use pratique_fs::FsPath;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::fake::{FakeLayer, Item};
use crate::{Engine, LayerFacts, Limits, scan_layer};

/// A detector that notes the path and content of every file that begins with `hit`.
struct Hits;

const INFO: DetectorInfo =
    DetectorInfo { id: "hits", version: 1, category: Category::Malware, rules: &["hit"], summary: "hits" };

struct Hit {
    path: Vec<u8>,
    content: Vec<u8>,
}

impl Stream for Hit {
    fn take(&mut self, piece: &Piece<'_>) {
        self.content.extend(&piece.bytes[piece.seen..]);
    }

    fn is_done(&self) -> bool {
        !self.content.starts_with(b"hit")
    }

    fn finish(self: Box<Self>) -> FileReport {
        let mut report = FileReport::default();
        if self.content.starts_with(b"hit") {
            let length = self.content.len();
            report.facts.push(Fact([&self.path, format!(" {length}").as_bytes()].concat()));
        }
        report
    }
}

impl Detector for Hits {
    fn info(&self) -> &'static DetectorInfo {
        &INFO
    }

    fn interests(&self) -> &'static [Interest] {
        const ALL: &[Interest] =
            &[Interest { globs: &["**"], heads: &[], min_size: 0, extent: Extent::Stream(1 << 40) }];
        ALL
    }

    fn inspect(&self, _: &FileInput<'_>) -> FileReport {
        FileReport::default()
    }

    fn stream(&self, file: &FileInput<'_>) -> Option<Box<dyn Stream>> {
        Some(Box::new(Hit { path: file.path.to_owned(), content: Vec::new() }))
    }

    fn looks_into_archives(&self) -> bool {
        true
    }

    fn judge(&self, _: &ImageInput<'_>, _: &[LocatedFact]) -> Outcome {
        Outcome::default()
    }
}

fn scan(name: &str, content: Vec<u8>) -> LayerFacts {
    let mut layer = FakeLayer::new(1, vec![Item::File(FsPath::new(name), content)]);
    let engine = Engine::of(vec![&Hits], &[]).unwrap();
    scan_layer(&mut layer, &engine, &Limits::default(), None).unwrap()
}

/// Member and fact of every hit, and kinds of problems.
fn hits(facts: &LayerFacts) -> (Vec<(String, String)>, Vec<GapKind>) {
    let noted = || facts.files.iter().flat_map(|file| &file.detectors);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let hits = noted().flat_map(|noted| {
        let member = text(noted.member.as_deref().unwrap_or_default());
        noted.facts.iter().map(move |fact| (member.clone(), text(&fact.0)))
    });
    let kinds = noted().flat_map(|noted| noted.problems.iter().map(|(kind, _)| *kind));
    (hits.collect(), kinds.collect())
}

fn zip(method: CompressionMethod, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// As tools write it that cannot go back: sizes behind each file.
fn streamed_zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new_stream(Vec::new());
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).unwrap()
}

/// What `xz -0` makes of `hit` and 1,000 dots; with another size of its dictionary, which is that of `xz -9`.
fn xz(large: bool) -> Vec<u8> {
    let mut bytes = vec![
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01, 0x0c,
        0x00, 0x00, 0x00, 0x8f, 0x98, 0x41, 0x9c, 0xe0, 0x03, 0xea, 0x00, 0x0f, 0x5d, 0x00, 0x34, 0x1a, 0x4a,
        0xeb, 0x1d, 0xf0, 0x03, 0xcc, 0x13, 0x5a, 0xfe, 0xa7, 0x38, 0x9d, 0x00, 0x00, 0x00, 0x75, 0x87, 0xb2,
        0xdd, 0x85, 0x76, 0xa8, 0xc1, 0x00, 0x01, 0x2b, 0xeb, 0x07, 0x00, 0x00, 0x00, 0x5f, 0xef, 0xed, 0x6c,
        0xb1, 0xc4, 0x67, 0xfb, 0x02, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
    ];
    if large {
        let header = &[0x02, 0x00, 0x21, 0x01, 0x1c, 0x00, 0x00, 0x00, 0x10, 0xcf, 0x58, 0xcc];
        bytes[12..24].copy_from_slice(header);
    }
    bytes
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn hit(member: &str, path: &str, length: usize) -> (String, String) {
    (member.to_owned(), format!("{path} {length}"))
}

#[test]
fn every_kind_of_archive_is_looked_into() {
    let long = [b"hit".as_slice(), &vec![b'.'; 600_000]].concat();
    let files: &[(&str, &[u8])] = &[("a/no", b"miss"), ("a/x", b"hit"), ("empty", b""), ("long", &long)];
    let expected = vec![hit("a/x", "f!/a/x", 3), hit("long", "f!/long", long.len())];
    for (what, content) in [
        ("deflated", zip(CompressionMethod::Deflated, files)),
        ("stored", zip(CompressionMethod::Stored, files)),
        ("streamed", streamed_zip(files)),
        ("tar", tar(files)),
        ("tar.gz", gzip(&tar(files))),
        ("tar.zst", zstd(&tar(files))),
        ("tar.bz2", bzip2(&tar(files))),
        ("two streams in one bzip2", [bzip2(&tar(files)[..512]), bzip2(&tar(files)[512..])].concat()),
        ("two streams in one gzip", [gzip(&tar(files)[..512]), gzip(&tar(files)[512..])].concat()),
    ] {
        assert_eq!(hits(&scan("f", content)), (expected.clone(), vec![]), "{what}");
    }
    for (name, content, length) in [
        ("f.gz", gzip(b"hit"), 3),
        ("f.ko.zst", zstd(b"hit"), 3),
        ("f.ko.zst", [zstd(b"hi"), zstd(b"t")].concat(), 3),
        ("f.ko.xz", xz(false), 1003),
        ("f.ko.xz", [xz(false), xz(false)].concat(), 2006),
    ] {
        assert_eq!(hits(&scan(name, content)), (vec![hit("", name, length)], vec![]));
    }
}

/// An ELF file without anything but a table of sections, which ends at 200.
fn elf() -> Vec<u8> {
    let mut bytes = vec![0; 200];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[0x28] = 136;
    bytes[0x3a] = 64;
    bytes[0x3c] = 1;
    bytes
}

#[test]
fn an_archive_behind_a_program_is_looked_into() {
    let zipped = zip(CompressionMethod::Deflated, &[("x", b"hit"), ("long", &[b'.'; 600_000])]);
    let launcher = [b"#!/bin/sh\n".as_slice(), &b"# starts it\n".repeat(2000), b"exit 0\n"].concat();
    let hits_in_zip = vec![hit("x", "f!/x", 3)];
    let large = [elf().as_slice(), &[0; 1 << 20]].concat();
    let mut sections_last = large.clone();
    sections_last[0x28..0x2c].copy_from_slice(&((large.len() - 64) as u32).to_le_bytes());
    for (what, program) in [
        ("a zipapp", b"#!/usr/bin/env python3\n".to_vec()),
        ("an executable jar", launcher.clone()),
        ("a program that unpacks it", elf()),
        ("a large program that unpacks it", sections_last.clone()),
    ] {
        assert_eq!(
            hits(&scan("f", [program, zipped.clone()].concat())),
            (hits_in_zip.clone(), vec![]),
            "{what}"
        );
    }
    let outer = tar(&[("app", &[launcher.as_slice(), &gzip(&tar(&[("x", b"hit")]))].concat())]);
    assert_eq!(hits(&scan("f", outer)), (vec![hit("app!/x", "f!/app!/x", 3)], vec![]));
    let cut = [launcher.clone(), zipped[..40].to_vec()].concat();
    assert_eq!(hits(&scan("f", cut)).1, vec![GapKind::Malformed]);
    // What only speaks of archives, or has nothing behind it.
    for program in
        [launcher, elf(), sections_last, [b"#!/bin/sh\0".as_slice(), &zipped].concat(), elf()[..100].to_vec()]
    {
        assert_eq!(hits(&scan("f", program)), (vec![], vec![]));
    }
}

#[test]
fn archives_in_archives_are_looked_into_to_a_depth() {
    let inner = zip(CompressionMethod::Deflated, &[("x", b"hit")]);
    let outer = gzip(&tar(&[("in.zip", &inner), ("y", b"hit")]));
    let expected = vec![hit("in.zip!/x", "f!/in.zip!/x", 3), hit("y", "f!/y", 3)];
    assert_eq!(hits(&scan("f", outer)), (expected, vec![]));
    let mut deep = zip(CompressionMethod::Stored, &[("x", b"hit")]);
    for _ in 0..10 {
        deep = zip(CompressionMethod::Stored, &[("z", &deep)]);
    }
    assert_eq!(hits(&scan("f", deep)), (vec![], vec![GapKind::Limit]));
}

#[test]
fn what_cannot_be_looked_into_is_a_problem_and_what_comes_before_it_is_found() {
    let whole = zip(CompressionMethod::Deflated, &[("x", b"hit"), ("y", &[7; 1000])]);
    let first = vec![hit("x", "f!/x", 3)];
    let cut = whole[..50].to_vec();
    assert_eq!(hits(&scan("f", cut)), (first.clone(), vec![GapKind::Malformed]));
    let mut damaged = tar(&[("x", b"hit"), ("y", b"hit")]);
    damaged[1024 + 150] ^= 0xff;
    assert_eq!(hits(&scan("f", damaged)), (first.clone(), vec![GapKind::Malformed]));
    let mut encrypted = whole;
    let second = encrypted.windows(4).rposition(|bytes| bytes == b"PK\x03\x04").unwrap();
    encrypted[second + 6] |= 1;
    assert_eq!(hits(&scan("f", encrypted)), (first, vec![GapKind::Unsupported]));
    // An archive that is broken, within one that is not.
    let outer = tar(&[("in.gz", &gzip(b"hit")[..15]), ("x", b"hit")]);
    let both = vec![hit("in.gz", "f!/in.gz", 3), hit("x", "f!/x", 3)];
    assert_eq!(hits(&scan("f", outer)), (both, vec![GapKind::Malformed]));
    for cut in [xz(false)[..50].to_vec(), zstd(b"hit")[..8].to_vec(), bzip2(b"hit")[..20].to_vec()] {
        assert_eq!(hits(&scan("f", cut)).1, vec![GapKind::Malformed]);
    }
    // What is packed by what we do not have.
    for sign in [b"7z\xbc\xaf\x27\x1c".as_slice(), b"Rar!\x1a\x07\x01\0", b"\x04\x22\x4d\x18"] {
        let outer = tar(&[("in", sign), ("x", b"hit")]);
        assert_eq!(hits(&scan("f", outer)), (vec![hit("x", "f!/x", 3)], vec![GapKind::Unsupported]));
        assert_eq!(hits(&scan("f", sign.to_vec())), (vec![], vec![GapKind::Unsupported]));
    }
}

#[test]
fn a_bomb_ends_in_a_problem() {
    let layer = gzip(&vec![0; 64 << 20]);
    let many: Vec<(String, &[u8])> = (0..40).map(|number| (number.to_string(), layer.as_slice())).collect();
    let files: Vec<(&str, &[u8])> = many.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    let bomb = zip(CompressionMethod::Stored, &files);
    assert!(bomb.len() < 16 << 20);
    assert_eq!(hits(&scan("f", bomb)), (vec![], vec![GapKind::Limit]));
    let zeros = std::io::Read::take(std::io::repeat(0), 2 << 30);
    assert_eq!(hits(&scan("f", zstd::encode_all(zeros, 1).unwrap())), (vec![], vec![GapKind::Limit]));
}

#[test]
fn more_files_than_are_looked_at_are_a_problem() {
    let names: Vec<String> = (0..100_001).map(|number| number.to_string()).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    let archive =
        tar(&[("first", b"hit"), ("in.zip", &zip(CompressionMethod::Stored, &files)), ("last", b"hit")]);
    assert_eq!(hits(&scan("f", archive)), (vec![hit("first", "f!/first", 3)], vec![GapKind::Limit]));
}

#[test]
fn what_takes_much_memory_to_unpack_is_a_problem() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&tar(&[("x", &[0; 1 << 20])])).unwrap();
    for archive in [xz(true), encoder.finish().unwrap()] {
        // As it is, and within another, of which the rest is looked at.
        let outer = tar(&[("in", &archive), ("x", b"hit")]);
        assert_eq!(hits(&scan("f", archive)), (vec![], vec![GapKind::Limit]));
        let (found, problems) = hits(&scan("f", outer));
        assert!(found.contains(&hit("x", "f!/x", 3)), "{found:?}");
        assert_eq!(problems, vec![GapKind::Limit]);
    }
}

#[test]
fn names_say_where_a_file_lies_and_its_removal_is_its_archives() {
    let facts = scan("opt/x.zip", zip(CompressionMethod::Deflated, &[("a\nb", b"hit")]));
    assert_eq!(facts.files[0].path, FsPath::new("opt/x.zip"));
    assert_eq!(facts.files[0].detectors[0].member.as_deref(), Some(&b"a\nb"[..]));
}

#[test]
fn the_test_file_is_found_in_a_zip_and_in_a_layer_that_is_deleted() {
    let golden = include_str!("../../../detect/testdata/malware/removed.in");
    let escaped = golden.lines().find(|line| line.starts_with("\\x")).unwrap();
    let bytes: Vec<u8> =
        escaped.split("\\x").skip(1).map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect();
    let engine = Engine::new(&["malware".to_owned()], &[]).unwrap();
    let read = |mut layer: FakeLayer| {
        crate::LayerState::Read(scan_layer(&mut layer, &engine, &Limits::default(), None).unwrap().into())
    };
    let zipped = zip(CompressionMethod::Deflated, &[("mail/eicar.com", &bytes)]);
    let items = [("srv/in.zip", zipped), ("srv/in.zst", zstd(&bytes)), ("srv/gone.com", bytes)];
    let base = FakeLayer::new(1, items.map(|(name, content)| Item::File(FsPath::new(name), content)).into());
    let states = [read(base), read(FakeLayer::of(2, "w srv/gone.com"))];
    let findings = super::judging::judge(&engine, &states, None).findings;
    let told: Vec<(&str, bool)> = findings
        .iter()
        .map(|finding| (finding.path.as_deref().unwrap(), finding.message.contains("deletes it")))
        .collect();
    let expected = [("/srv/in.zip!/mail/eicar.com", false), ("/srv/in.zst", false), ("/srv/gone.com", true)];
    assert_eq!(told, expected, "{findings:?}");
}

/// What a tar holds is seen in its own bytes, too, and is told once.
#[test]
fn secrets_in_archives_are_told_by_both_names() {
    let token = format!("sk_{}_{}", "live", "Uig43kiJfahqSIjOugM1yTMA");
    let settings = format!("PAYMENTS={token}\n").into_bytes();
    let files: &[(&str, &[u8])] = &[("a/readme", b"nothing to see"), ("a/.env", &settings)];
    let nested = zip(CompressionMethod::Deflated, &[("in.tar.gz", &gzip(&tar(files)))]);
    let archives = [("x.jar", nested), ("x.tar", tar(files)), ("x.gz", gzip(&settings))];
    let items = archives.map(|(name, content)| Item::File(FsPath::new(name), content));
    let engine = Engine::new(&["secret".to_owned()], &[]).unwrap();
    let mut layer = FakeLayer::new(1, items.into());
    let facts = scan_layer(&mut layer, &engine, &Limits::default(), None).unwrap();
    let findings = super::judging::judge(&engine, &[crate::LayerState::Read(facts.into())], None).findings;
    let mut paths: Vec<&str> = findings.iter().map(|finding| finding.path.as_deref().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/x.gz", "/x.jar!/in.tar.gz!/a/.env", "/x.tar!/a/.env"], "{findings:?}");
}
