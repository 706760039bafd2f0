//! Golden cases of detectors that interpret a system: `testdata/DETECTOR/NAME.in` is an image, `NAME.out` what is found in
//! it. A new case is these two files. With `UPDATE_GOLDEN=1` the `.out` files are written anew, to be read before they
//! are committed.
//!
//! An image is lines of its config (`user: …`, `env: …`, `entrypoint: …`, `cmd: …`, `port: …`, `step: …`, `remark: …` of the step before, `label: …`, `name: …`,
//! `healthcheck`, `config`), its layers (`layers: WORD …`) and the bases that are known or vouched for (`base: NAME = WORD …`,
//! `genuine: NAME = WORD … @WORD`; a word stands for a layer, with `@` for a manifest), each optional, then files: a line `==> etc/crontab mode=644 …` and its content. Behind a
//! path may stand `mode=`, `uid=`, `gid=`, `folder`, `link=TARGET`, `capability=HEX`, and what the package database says:
//! `genuine=PACKAGE` (one of Debian, or a package URL; with the right checksum), `changed=PACKAGE` (with another), `listed=PACKAGE` (with none), each
//! with `conffile` and `recorded=MODE`; a file that is `missing` is known to the database alone, and one that is `removed`
//! was deleted in an upper layer. The content of a file that is
//! `rot13` is written so (letters 13 places further), lest scanners take the case for what it is a sample of. Lines that begin
//! with `//` are comments, and `\xNN` in content and in the config is a byte.

use std::fmt::Write as _;
use std::path::Path;

use pratique_core::config::HistoryEntry;
use pratique_core::inspect::{Extent, pieces};
use pratique_core::lineage::KnownBase;
use pratique_core::package::{Checksum, FileFacts, OwnedFile, OwnedFiles, Ownership};
use pratique_core::{Digest, ImageConfig};

use crate::{Detector, FileInput, FileMode, FileReport, ImageInput, Kind, LocatedFact, Outcome, Stream};

#[derive(Default)]
struct Case {
    names: Vec<String>,
    config: Option<ImageConfig>,
    layers: Vec<Digest>,
    bases: Vec<KnownBase>,
    files: Vec<Entry>,
}

#[derive(Default)]
struct Entry {
    path: String,
    content: Vec<u8>,
    attributes: Vec<(String, String)>,
}

impl Entry {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn octal(&self, name: &str) -> Option<u32> {
        self.get(name).map(|mode| u32::from_str_radix(mode, 8).expect("octal digits"))
    }
}

fn bytes(line: &str) -> Vec<u8> {
    let mut parts = line.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two hexadecimal digits"));
        bytes.extend(&part.as_bytes()[2..]);
    }
    bytes
}

/// Letters 13 places further.
fn rot13(byte: u8) -> u8 {
    match byte.to_ascii_lowercase() {
        b'a'..=b'm' => byte + 13,
        b'n'..=b'z' => byte - 13,
        _ => byte,
    }
}

fn parse(text: &str) -> Case {
    let mut case = Case::default();
    for line in text.lines().filter(|line| !line.starts_with("//")) {
        if let Some(head) = line.strip_prefix("==> ") {
            let mut words = head.split_whitespace();
            let path = words.next().expect("a path").to_owned();
            let attribute = |word: &str| match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None => (word.to_owned(), String::new()),
            };
            case.files.push(Entry { path, attributes: words.map(attribute).collect(), ..Entry::default() });
        } else if let Some(file) = case.files.last_mut() {
            file.content.extend(bytes(line));
            file.content.push(b'\n');
        } else {
            let (key, value) = line.split_once(": ").unwrap_or((line, ""));
            let value = String::from_utf8(bytes(value)).expect("text");
            let words = || value.split(' ').map(str::to_owned).collect::<Vec<_>>();
            match key {
                "name" => case.names.push(value.clone()),
                "layers" => case.layers = words().iter().map(|word| digest(word)).collect(),
                "base" | "genuine" => case.bases.push(base(&value, key == "genuine")),
                _ => {}
            }
            if matches!(key, "name" | "layers" | "base" | "genuine") {
                continue;
            }
            let config = case.config.get_or_insert_default();
            match key {
                "user" => config.user = value,
                "env" => config.env.push(value),
                "entrypoint" => config.entrypoint = words(),
                "cmd" => config.cmd = words(),
                "port" => config.exposed_ports.push(value),
                "step" => config.history.push(HistoryEntry { created_by: value, ..HistoryEntry::default() }),
                "remark" => config.history.last_mut().expect("a step").comment = value,
                "label" => {
                    let (name, label) = value.split_once('=').expect("name=value");
                    config.labels.insert(name.to_owned(), label.to_owned());
                }

                "healthcheck" => config.healthcheck = true,
                "config" => {}
                other => panic!("what is `{other}`?"),
            }
        }
    }
    for file in case.files.iter_mut().filter(|file| file.get("rot13").is_some()) {
        file.content.iter_mut().for_each(|byte| *byte = rot13(*byte));
    }
    case
}

/// A digest that stands for a word.
fn digest(word: &str) -> Digest {
    let mut bytes = word.bytes().cycle();
    Digest::sha256(std::array::from_fn(|_| bytes.next().expect("a word")))
}

fn base(text: &str, genuine: bool) -> KnownBase {
    let (name, words) = text.split_once(" = ").expect("NAME = WORD …");
    let of = |manifests: bool| {
        let words = words.split(' ').filter(move |word| word.starts_with('@') == manifests);
        words.map(|word| digest(word.trim_start_matches('@'))).collect()
    };
    KnownBase { name: name.to_owned(), layers: of(false), digests: of(true), genuine }
}

fn ownership(case: &Case) -> Ownership {
    let mut ownership = Ownership::default();
    for file in &case.files {
        let (package, content) = match (file.get("genuine"), file.get("changed"), file.get("listed")) {
            (Some(package), ..) => (package, Some(file.content.clone())),
            (_, Some(package), _) => (package, Some(b"what the package brought".to_vec())),
            (.., Some(package)) => (package, None),
            _ => continue,
        };
        let checksum = content.and_then(|content| {
            use md5::Digest as _;
            Checksum::from_bytes(&md5::Md5::digest(&content))
        });
        let facts = FileFacts {
            checksum,
            config: file.get("conffile").is_some(),
            permissions: file.octal("recorded").map(|mode| mode as u16),
        };
        let files: OwnedFiles = [OwnedFile::with(&file.path, facts)].into_iter().collect();
        let purl = match package.starts_with("pkg:") {
            true => package.to_owned(),
            false => format!("pkg:deb/debian/{package}@1"),
        };
        ownership.add(&purl, &files);
    }
    ownership
}

/// What a detector finds in a case; problems of files become gaps, as in the walk.
fn scan(detector: &dyn Detector, case: &Case) -> Outcome {
    let mut facts = Vec::new();
    let mut problems = Vec::new();
    for file in case.files.iter().filter(|file| file.get("missing").is_none()) {
        let mode = FileMode {
            permissions: file.octal("mode").unwrap_or(0o644),
            uid: file.get("uid").map_or(0, |uid| uid.parse().expect("a number")),
            gid: file.get("gid").map_or(0, |gid| gid.parse().expect("a number")),
        };
        let kind = match (file.get("folder"), file.get("link")) {
            (Some(_), _) => Kind::Folder,
            (_, Some(target)) => Kind::Link(target.as_bytes()),
            _ => Kind::File,
        };
        let capability = file.get("capability").map(|hex| {
            (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
                .collect::<Vec<_>>()
        });
        let wants = |metadata: bool| {
            detector.interests().iter().any(|interest| {
                (interest.extent == Extent::Metadata) == metadata
                    && interest.globs.iter().any(|glob| {
                        let glob =
                            globset::GlobBuilder::new(glob).literal_separator(true).build().expect("a glob");
                        glob.compile_matcher().is_match(&file.path)
                    })
                    && (interest.heads.is_empty()
                        || interest.heads.iter().any(|head| file.content.starts_with(head)))
            })
        };
        let read = kind == Kind::File && wants(false);
        if !read && !wants(true) {
            continue;
        }
        let content = if read { file.content.clone() } else { Vec::new() };
        let whole = FileInput::in_memory(file.path.as_bytes(), mode, &content);
        let size = if kind == Kind::File { file.content.len() as u64 } else { 0 };
        let input = FileInput { kind, size, capability: capability.as_deref(), ..whole };
        let report = match read.then(|| detector.stream(&FileInput { bytes: &[], ..input })) {
            Some(Some(stream)) => in_pieces(stream, &content),
            _ => detector.inspect(&input),
        };
        let path = format!("/{}", file.path);
        problems.extend(
            report.problems.into_iter().map(|(kind, reason)| format!("problem {kind} {path}: {reason}")),
        );
        let removed_by = file.get("removed").map(|_| Digest::sha256([0xdd; 32]));
        let located =
            |fact| LocatedFact { path: path.clone(), layer: None, removed_by: removed_by.clone(), fact };
        facts.extend(report.facts.into_iter().map(located));
    }
    let ownership = ownership(case);
    let input = ImageInput {
        names: &case.names,
        config: case.config.as_ref(),
        layers: &case.layers,
        bases: &case.bases,
        ownership: &ownership,
        ..ImageInput::default()
    };
    let outcome = detector.judge(&input, &facts);
    assert_eq!(problems, Vec::<String>::new(), "problems are tested beside the parsers");
    outcome
}

/// What a stream notes of a file, which gets it as the walk would hand it over.
pub(crate) fn in_pieces(mut stream: Box<dyn Stream>, content: &[u8]) -> FileReport {
    pieces(content).for_each(|piece| stream.take(&piece));
    stream.finish()
}

fn render(detector: &dyn Detector, outcome: &Outcome) -> String {
    let info = detector.info();
    let mut text = String::new();
    for finding in &outcome.findings {
        assert_eq!((finding.detector.as_str(), finding.category), (info.id, info.category));
        assert!(info.rules.contains(&finding.rule.as_str()), "{} is no rule of {}", finding.rule, info.id);
        let path = finding.path.as_deref().unwrap_or("-");
        let line = finding.attributes.get("line").map(|line| format!(":{line}")).unwrap_or_default();
        writeln!(text, "{} {} {path}{line}: {}", finding.severity, finding.rule, finding.message)
            .expect("memory");
    }
    for gap in &outcome.gaps {
        assert_eq!(gap.detector.as_deref(), Some(info.id));
        writeln!(text, "gap {} {}: {}", gap.kind, gap.path.as_deref().unwrap_or("-"), gap.reason)
            .expect("memory");
    }
    if text.is_empty() { "nothing\n".to_owned() } else { text }
}

/// Checks every case of a detector; each rule is found in at least one.
pub(crate) fn check(detector: &dyn Detector) {
    let name = detector.info().id.replace('-', "_");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let (mut wrong, mut all) = (Vec::new(), String::new());
    for entry in std::fs::read_dir(&folder).expect("cases") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "in") {
            continue;
        }
        let case = parse(&std::fs::read_to_string(&path).expect("a case"));
        let (actual, golden) = (render(detector, &scan(detector, &case)), path.with_extension("out"));
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if update {
            std::fs::write(&golden, &actual).expect("a golden file");
        } else if actual != expected {
            wrong.push(format!("{}\nexpected\n{expected}\nactual\n{actual}", path.display()));
        }
        all.push_str(&actual);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for rule in detector.info().rules {
        assert!(all.contains(&format!(" {rule} ")), "no case finds {rule}");
    }
}
