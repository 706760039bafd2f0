//! A package's header (<https://rpm-software-management.github.io/rpm/manual/format_header.html>): an index of tags and
//! the data that they point to.

use pratique_core::GapKind;
use pratique_core::package::{
    Checksum, Ecosystem, FileFacts, OwnedFile, OwnedFiles, Package, Record, Source,
};

use crate::Parsed;
use pratique_core::database::pages::at;
use pratique_core::database::{Problem, malformed};

/// Most entries in an index: RPM's own limit.
const MAX_ENTRIES: usize = 0xffff;
/// Longest path in bytes.
const MAX_PATH: usize = 4096;
/// Bit of a file's flags: configuration.
const CONFIG: u32 = 1;
/// Bit of a file's flags: owned, but not brought by the package.
const GHOST: u32 = 1 << 6;
/// Bits of a file's mode that tell what it is, and their value for a folder.
const KIND: (u16, u16) = (0o170_000, 0o040_000);

mod tag {
    pub(super) const NAME: u32 = 1000;
    pub(super) const VERSION: u32 = 1001;
    pub(super) const RELEASE: u32 = 1002;
    pub(super) const EPOCH: u32 = 1003;
    pub(super) const VENDOR: u32 = 1011;
    pub(super) const LICENSE: u32 = 1014;
    pub(super) const ARCH: u32 = 1022;
    pub(super) const OLD_FILE_NAMES: u32 = 1027;
    pub(super) const FILE_STATES: u32 = 1029;
    pub(super) const FILE_MODES: u32 = 1030;
    pub(super) const FILE_DIGESTS: u32 = 1035;
    pub(super) const FILE_FLAGS: u32 = 1037;
    pub(super) const SOURCE_RPM: u32 = 1044;
    pub(super) const DIR_INDEXES: u32 = 1116;
    pub(super) const BASE_NAMES: u32 = 1117;
    pub(super) const DIR_NAMES: u32 = 1118;
    pub(super) const MODULARITY_LABEL: u32 = 5096;
}

/// How many bytes of paths are still taken from one database: a folder's name stands once in a header, and a header that
/// lies uses it a million times.
pub(in crate::parsers) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(64 << 20)
    }
}

/// Adds the package of a header to `parsed`.
pub(in crate::parsers) fn package(bytes: &[u8], budget: &mut Budget, parsed: &mut Parsed) {
    let header = match Header::new(bytes) {
        Ok(header) => header,
        Err(problem) => return parsed.problems.push(problem),
    };
    let name = header.text(tag::NAME);
    // Public keys that signatures are checked with.
    if name == "gpg-pubkey" {
        return;
    }
    let (version, release) = (header.text(tag::VERSION), header.text(tag::RELEASE));
    if name.is_empty() || version.is_empty() {
        let reason = format!("a header lacks name or version (name: {name:?})");
        return parsed.problems.push((GapKind::Malformed, reason));
    }
    let without_epoch = if release.is_empty() { version } else { format!("{version}-{release}") };
    let whole = match header.numbers(tag::EPOCH).next() {
        Some(epoch) if epoch > 0 => format!("{epoch}:{without_epoch}"),
        _ => without_epoch.clone(),
    };
    let mut package = Package::new(Ecosystem::Rpm, name, whole);
    let some = |text: String| (!text.is_empty() && text != "(none)").then_some(text);
    package.architecture = some(header.text(tag::ARCH));
    package.source = source(&header.text(tag::SOURCE_RPM))
        .filter(|source| source.name != package.name || source.version != without_epoch);
    package.licenses.extend(some(header.text(tag::LICENSE)));
    for (attribute, tag) in [("module", tag::MODULARITY_LABEL), ("vendor", tag::VENDOR)] {
        if let Some(text) = some(header.text(tag)) {
            package.attributes.insert(attribute.to_owned(), text);
        }
    }
    let files = header.files(budget, &package.name, &mut parsed.problems);
    parsed.records.push(Record::Package { package, files });
}

/// `glibc-2.34-60.el9.src.rpm`.
fn source(file: &str) -> Option<Source> {
    let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(Source { name: name.to_owned(), version: format!("{version}-{release}") })
}

struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, Problem> {
        let entries = u32::from_be_bytes(at(bytes, 0)) as usize;
        let length = u32::from_be_bytes(at(bytes, 4)) as usize;
        if entries > MAX_ENTRIES {
            return Err((GapKind::Limit, format!("a header has {entries} entries; {MAX_ENTRIES} are read")));
        }
        let start = 8 + 16 * entries;
        let data = start.checked_add(length).and_then(|end| bytes.get(start..end));
        match (bytes.get(8..start), data) {
            (Some(index), Some(data)) => Ok(Self { index, data }),
            _ => malformed("a header is shorter than it says"),
        }
    }

    /// Type, count and data (up to the end of all data) of a tag.
    fn entry(&self, tag: u32) -> Option<(u32, usize, &'a [u8])> {
        let number = |entry: &[u8], place| u32::from_be_bytes(at(entry, place));
        let entry = self.index.chunks_exact(16).find(|entry| number(entry, 0) == tag)?;
        let data = self.data.get(number(entry, 8) as usize..)?;
        Some((number(entry, 4), number(entry, 12) as usize, data))
    }

    /// The strings of a tag. Of texts in several languages the first is the untranslated one.
    fn strings(&self, tag: u32) -> impl Iterator<Item = &'a [u8]> {
        let (kind, count, data) = self.entry(tag).unwrap_or_default();
        let count = if matches!(kind, 6 | 8 | 9) { count } else { 0 };
        let mut rest = data;
        std::iter::from_fn(move || {
            let end = rest.iter().position(|byte| *byte == 0)?;
            let string = &rest[..end];
            rest = &rest[end + 1..];
            Some(string)
        })
        .take(count)
    }

    fn text(&self, tag: u32) -> String {
        self.strings(tag).next().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    }

    /// The numbers of a tag, of whatever width up to 32 bits.
    fn numbers(&self, tag: u32) -> impl Iterator<Item = u32> {
        let (kind, count, data) = self.entry(tag).unwrap_or_default();
        let width = match kind {
            1 | 2 => 1,
            3 => 2,
            4 => 4,
            _ => 0,
        };
        let chunks = data.chunks_exact(width.max(1)).take(if width == 0 { 0 } else { count });
        chunks.map(|chunk| chunk.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    /// The files that were installed, without folders.
    fn files(&self, budget: &mut Budget, package: &str, problems: &mut Vec<Problem>) -> OwnedFiles {
        let folders: Vec<&[u8]> = self.strings(tag::DIR_NAMES).collect();
        // Of very old packages whole paths are kept.
        let whole = self.strings(tag::OLD_FILE_NAMES).map(|path| (&[][..], path));
        let split = self
            .numbers(tag::DIR_INDEXES)
            .zip(self.strings(tag::BASE_NAMES))
            .map(|(folder, name)| (folders.get(folder as usize).copied().unwrap_or_default(), name));
        let mut states = self.numbers(tag::FILE_STATES);
        let mut modes = self.numbers(tag::FILE_MODES);
        let mut flags = self.numbers(tag::FILE_FLAGS);
        let mut digests = self.strings(tag::FILE_DIGESTS);
        let mut files = Vec::new();
        let (mut strange, mut unknown) = (0u64, 0u64);
        for (folder, name) in split.chain(whole) {
            let length = folder.len() + name.len();
            let Some(left) = budget.0.checked_sub(length) else {
                let reason =
                    format!("the paths of all packages are too long together; those of {package} are cut");
                problems.push((GapKind::Limit, reason));
                break;
            };
            budget.0 = left;
            let mode = modes.next().map(|mode| mode as u16);
            let flags = flags.next().unwrap_or_default();
            let digest = digests.next().unwrap_or_default();
            let is_there = states.next().unwrap_or_default() == 0;
            if length > MAX_PATH || length == 0 {
                strange += 1;
                continue;
            }
            if !is_there || mode.is_some_and(|mode| mode & KIND.0 == KIND.1) {
                continue;
            }
            let hex = std::str::from_utf8(digest).unwrap_or("?");
            let checksum = Checksum::from_hex(hex).filter(|_| flags & GHOST == 0);
            unknown += u64::from(checksum.is_none() && !hex.is_empty() && flags & GHOST == 0);
            let facts = FileFacts {
                checksum,
                config: flags & CONFIG != 0,
                permissions: mode.filter(|_| flags & GHOST == 0).map(|mode| mode & 0o7777),
            };
            files.push(OwnedFile::with([folder, name].concat(), facts));
        }
        if strange > 0 {
            problems
                .push((GapKind::Malformed, format!("{strange} paths of {package} are empty or too long")));
        }
        if unknown > 0 {
            let reason = format!("{unknown} checksums of {package} are of an algorithm that is not compared");
            problems.push((GapKind::Unsupported, reason));
        }
        files.into_iter().collect()
    }
}
