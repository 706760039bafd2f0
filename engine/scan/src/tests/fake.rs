//! A detector, a layer and a root made for tests.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;

use pratique_core::{Category, DetectorInfo, Digest, Finding, Gap, GapKind, Severity};
use pratique_detect::{
    Detector, Fact, FileInput, FileReport, ImageInput, Interest, Links, LocatedFact, Outcome,
};
use pratique_fs::{
    Change, Content, DirEntry, EntryKind, Error, File, FileSystem, FsPath, Layer, LayerEntry, LayerVisitor,
    Metadata, Opacity, Result, Stream,
};

use crate::inspect::{Inspected, Inspector};
use crate::{Engine, FileFacts, Followed, LayerFacts, LayerState, Limits, follow, merge, scan_layer};

/// What a test's detector is like.
#[derive(Clone, Copy)]
pub(crate) struct Fake {
    pub(crate) id: &'static str,
    pub(crate) version: u32,
    pub(crate) globs: &'static [&'static str],
    pub(crate) window: usize,
    /// Whether it judges removed files.
    pub(crate) removed: bool,
    pub(crate) links: Links,
}

impl Fake {
    pub(crate) const DEFAULT: Self = Self {
        id: "fake",
        version: 1,
        globs: &["etc/shadow"],
        window: 100,
        removed: false,
        links: Links::Followed,
    };
}

struct FakeDetector {
    info: &'static DetectorInfo,
    interests: &'static [Interest],
    removed: bool,
    links: Links,
}

/// A detector that lives as long as the test process. Each file gives one fact, its bytes, and each fact one finding
/// that quotes it; but a file `panic` makes it fail, `nothing` gives no fact and `odd` is a problem. A fact
/// `judge-panic` makes the judging fail.
pub(crate) fn detector(fake: Fake) -> &'static dyn Detector {
    let info = DetectorInfo {
        id: fake.id,
        version: fake.version,
        category: Category::Secret,
        rules: &["content"],
        summary: "whatever a test wants",
    };
    let interests = vec![Interest::head(fake.globs, fake.window)];
    Box::leak(Box::new(FakeDetector {
        info: Box::leak(Box::new(info)),
        interests: interests.leak(),
        removed: fake.removed,
        links: fake.links,
    }))
}

/// An engine with one such detector.
pub(crate) fn engine(globs: &'static [&'static str]) -> Engine {
    Engine::of(vec![detector(Fake { globs, ..Fake::DEFAULT })], &[]).unwrap()
}

/// What was noted of a file, whoever has to look into it.
pub(crate) fn looked(inspector: &mut Inspector<'_>, inspected: Inspected) -> FileFacts {
    let facts = match inspected {
        Inspected::Done(facts) => facts,
        Inspected::Loaded(file) => inspector.look_into(file).facts,
    };
    facts.unwrap()
}

/// What the links of these layers lead to in `root`.
pub(crate) fn followed(
    engine: &Engine,
    layers: &[LayerState],
    root: &dyn FileSystem,
    limits: &Limits,
) -> Followed {
    let facts: Vec<&LayerFacts> = layers.iter().filter_map(LayerState::facts).collect();
    follow(engine, &merge(engine, &facts).redirects, root, limits)
}

impl Detector for FakeDetector {
    fn info(&self) -> &'static DetectorInfo {
        self.info
    }

    fn interests(&self) -> &'static [Interest] {
        self.interests
    }

    fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        let mut report = FileReport::default();
        match file.bytes {
            b"panic" => panic!("as the test asked"),
            b"nothing" => {}
            b"odd" => report.problems.push((GapKind::Malformed, "odd".to_owned())),
            bytes => report.facts.push(Fact(bytes.to_vec())),
        }
        report
    }

    fn judges_removed(&self) -> bool {
        self.removed
    }

    fn links(&self) -> Links {
        self.links
    }

    fn judge(&self, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
        let finding = |located: &LocatedFact| {
            let text = String::from_utf8_lossy(&located.fact.0).into_owned();
            assert_ne!(text, "judge-panic");
            Finding {
                detector: self.info.id.to_owned(),
                rule: "content".to_owned(),
                category: Category::Secret,
                severity: if text.starts_with("bad") { Severity::High } else { Severity::Low },
                message: format!("{text} in {}", image.names.join(" ")),
                path: Some(located.path.clone()),
                layer: located.layer.clone(),
                attributes: image
                    .config
                    .map(|config| ("user".to_owned(), config.user.clone()))
                    .into_iter()
                    .chain(located.removed_by.as_ref().map(|by| ("removed-by".to_owned(), by.to_string())))
                    .collect(),
            }
        };
        Outcome { findings: facts.iter().map(finding).collect(), ..Outcome::default() }
    }
}

/// One change of a test's layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    File(FsPath, Vec<u8>),
    /// A file that says it has this many bytes, and gives zeros.
    Zeros(FsPath, u64),
    /// A file that says it has this many bytes, and breaks off with an error after the given ones.
    Broken(FsPath, u64, Vec<u8>),
    Dir(FsPath),
    Device(FsPath),
    Symlink(FsPath, Vec<u8>),
    HardLink(FsPath, FsPath),
    Whiteout(FsPath),
    Opaque(FsPath),
}

impl Item {
    /// From a line: `f path=content`, `d path`, `c path` (a device), `l path>target`, `h path>target` (a hard link),
    /// `w path`, `o path`.
    pub(crate) fn parse(line: &str) -> Self {
        let (kind, rest) = line.split_once(' ').unwrap();
        let pair = |at: char| rest.split_once(at).unwrap();
        match kind {
            "f" => Self::File(FsPath::new(pair('=').0), pair('=').1.into()),
            "d" => Self::Dir(FsPath::new(rest)),
            "c" => Self::Device(FsPath::new(rest)),
            "l" => Self::Symlink(FsPath::new(pair('>').0), pair('>').1.into()),
            "h" => Self::HardLink(FsPath::new(pair('>').0), FsPath::new(pair('>').1)),
            "w" => Self::Whiteout(FsPath::new(rest)),
            "o" => Self::Opaque(FsPath::new(rest)),
            other => panic!("unknown kind {other}"),
        }
    }
}

/// A layer in memory that behaves as [`Layer`] says.
pub(crate) struct FakeLayer {
    pub(crate) diff_id: Digest,
    pub(crate) opacity: Opacity,
    pub(crate) items: Vec<Item>,
    /// What it says it could not read.
    pub(crate) gaps: Vec<Gap>,
    /// How often each file's content was read.
    pub(crate) reads: BTreeMap<FsPath, u32>,
}

impl FakeLayer {
    /// A layer read from its blob, with a diff ID made of `number`.
    pub(crate) fn new(number: u8, items: Vec<Item>) -> Self {
        let diff_id = Digest::sha256([number; 32]);
        Self { diff_id, opacity: Opacity::FromBlob, items, gaps: Vec::new(), reads: BTreeMap::new() }
    }

    /// Such a layer from lines as [`Item::parse`] takes them, separated by `; `.
    pub(crate) fn of(number: u8, lines: &str) -> Self {
        Self::new(number, lines.split("; ").map(Item::parse).collect())
    }

    pub(crate) fn facts(mut self, engine: &Engine) -> LayerFacts {
        scan_layer(&mut self, engine, &Limits::default(), None).unwrap()
    }
}

fn metadata(kind: EntryKind, size: u64) -> Metadata {
    Metadata { kind, permissions: 0o640, uid: 0, gid: 42, size, mtime: 0, capability: None, layer: None }
}

fn entry<R: Read>(
    path: &FsPath,
    kind: EntryKind,
    size: u64,
    content: Option<&mut R>,
    target: Option<&[u8]>,
    visitor: &mut LayerVisitor<'_>,
) -> ControlFlow<()> {
    let metadata = metadata(kind, size);
    let mut content = content.map(Stream);
    let content = content.as_mut().map(|content| content as &mut dyn Content);
    visitor(LayerEntry { path, position: 0, change: Change::Entry { metadata: &metadata, content, target } })
}

/// Notes that it was read, whatever the number of pieces.
struct Counted<'c, R> {
    reader: R,
    read: &'c mut bool,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        *self.read = true;
        self.reader.read(buffer)
    }
}

/// Gives its bytes, then an error.
struct BreaksOff(Cursor<Vec<u8>>);

impl Read for BreaksOff {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is gone")),
            read => Ok(read),
        }
    }
}

impl Layer for FakeLayer {
    fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    fn opacity(&self) -> Opacity {
        self.opacity
    }

    fn visit(&mut self, visitor: &mut LayerVisitor<'_>) -> Result<Vec<Gap>> {
        let mut wanted_links = Vec::new();
        for item in &self.items {
            let mut read = false;
            let (path, flow) = match item {
                Item::File(path, bytes) => {
                    let mut content = Counted { reader: Cursor::new(bytes), read: &mut read };
                    (
                        path,
                        entry(path, EntryKind::File, bytes.len() as u64, Some(&mut content), None, visitor),
                    )
                }
                Item::Zeros(path, size) => {
                    let mut content = Counted { reader: io::repeat(0).take(*size), read: &mut read };
                    (path, entry(path, EntryKind::File, *size, Some(&mut content), None, visitor))
                }
                Item::Broken(path, size, bytes) => {
                    let reader = BreaksOff(Cursor::new(bytes.clone()));
                    let mut content = Counted { reader, read: &mut read };
                    (path, entry(path, EntryKind::File, *size, Some(&mut content), None, visitor))
                }
                Item::Dir(path) => {
                    (path, entry(path, EntryKind::Directory, 0, None::<&mut io::Empty>, None, visitor))
                }
                Item::Device(path) => {
                    (path, entry(path, EntryKind::Device, 0, None::<&mut io::Empty>, None, visitor))
                }
                Item::Symlink(path, target) => {
                    (path, entry(path, EntryKind::Symlink, 0, None::<&mut io::Empty>, Some(target), visitor))
                }
                Item::HardLink(path, target) => {
                    let mut wanted = false;
                    let change = Change::HardLink { target, wanted: &mut wanted };
                    let flow = visitor(LayerEntry { path, position: 0, change });
                    if wanted {
                        wanted_links.push((path.clone(), target.clone()));
                    }
                    (path, flow)
                }
                Item::Whiteout(path) => {
                    (path, visitor(LayerEntry { path, position: 0, change: Change::Whiteout }))
                }
                Item::Opaque(path) => {
                    (path, visitor(LayerEntry { path, position: 0, change: Change::Opaque }))
                }
            };
            if read {
                *self.reads.entry(path.clone()).or_default() += 1;
            }
            if flow == ControlFlow::Break(()) {
                return Ok(self.gaps.clone());
            }
        }
        let mut gaps = self.gaps.clone();
        for (path, target) in wanted_links {
            let content = self.items.iter().find_map(|item| match item {
                Item::File(path, bytes) if *path == target => Some(bytes),
                _ => None,
            });
            match content {
                Some(bytes) => {
                    let _ = entry(
                        &path,
                        EntryKind::File,
                        bytes.len() as u64,
                        Some(&mut &bytes[..]),
                        None,
                        visitor,
                    );
                }
                None => gaps.push(Gap {
                    path: Some(path.to_string()),
                    ..Gap::of_layer(
                        GapKind::Unreadable,
                        self.diff_id.clone(),
                        "the link's content is not here",
                    )
                }),
            }
        }
        Ok(gaps)
    }

    fn open(&self, path: &FsPath, _position: u64) -> Result<Box<dyn File>> {
        Err(Error::NotFound { path: path.to_string() })
    }
}

/// A root whose paths are what the test says; folders and links on the way are not looked at.
#[derive(Default)]
pub(crate) struct FakeRoot {
    pub(crate) files: BTreeMap<FsPath, Vec<u8>>,
    /// Paths that give an error of the disk.
    pub(crate) broken: Vec<FsPath>,
    /// The layer all files come from.
    pub(crate) layer: Option<Digest>,
}

impl FakeRoot {
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, content)| (FsPath::new(path), content.as_bytes().to_vec()));
        Self { files: files.collect(), ..Self::default() }
    }

    fn file(&self, path: &FsPath) -> Result<&Vec<u8>> {
        if self.broken.contains(path) {
            return Err(Error::io(path.to_string(), io::Error::other("the disk is gone")));
        }
        self.files.get(path).ok_or_else(|| Error::NotFound { path: path.to_string() })
    }
}

impl FileSystem for FakeRoot {
    fn open(&self, path: &FsPath) -> Result<Box<dyn File>> {
        Ok(Box::new(Cursor::new(self.file(path)?.clone())))
    }

    fn metadata(&self, path: &FsPath) -> Result<Metadata> {
        let size = self.file(path)?.len() as u64;
        Ok(Metadata { layer: self.layer.clone(), ..metadata(EntryKind::File, size) })
    }

    fn symlink_metadata(&self, path: &FsPath) -> Result<Metadata> {
        self.metadata(path)
    }

    fn read_link(&self, path: &FsPath) -> Result<Vec<u8>> {
        Err(Error::WrongKind { path: path.to_string(), reason: "no link" })
    }

    fn read_dir(&self, folder: &FsPath) -> Result<Vec<DirEntry>> {
        let mut entries: BTreeMap<Vec<u8>, EntryKind> = BTreeMap::new();
        for path in self.files.keys().chain(&self.broken).filter(|path| path.is_within(folder)) {
            let below: Vec<&[u8]> = path.parts().skip(folder.parts().count()).collect();
            let kind = if below.len() > 1 { EntryKind::Directory } else { EntryKind::File };
            entries.insert(below[0].to_vec(), kind);
        }
        let listed = entries.into_iter().map(|(name, kind)| {
            let known = self.metadata(&folder.join(&name)).ok().filter(|_| kind == EntryKind::File);
            DirEntry { name, metadata: known.unwrap_or_else(|| metadata(kind, 0)) }
        });
        Ok(listed.collect())
    }

    fn resolve(&self, path: &FsPath) -> Result<FsPath> {
        Ok(path.clone())
    }

    fn walk(&self, folder: &FsPath) -> Result<pratique_fs::Walk<'_>> {
        let mut entries = Vec::new();
        for entry in self.read_dir(folder)? {
            let path = folder.join(&entry.name);
            let kind = entry.metadata.kind;
            entries.push(Ok(pratique_fs::WalkEntry::new(self, path.clone(), entry.metadata)));
            if kind == EntryKind::Directory {
                entries.extend(self.walk(&path)?);
            }
        }
        Ok(Box::new(entries.into_iter()))
    }
}
