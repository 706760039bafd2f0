//! The files that packages brought, kept small: an image has hundreds of thousands of them.

use serde::{Deserialize, Serialize};

use crate::escape::Escaped;

/// A file that a package brought.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OwnedFile {
    /// Path relative to the root, without a leading slash, escaped as in [`crate::Finding::path`].
    pub path: String,
    /// What the package database says of it.
    pub facts: FileFacts,
}

impl OwnedFile {
    /// A file of which nothing but the path is known. The path may begin with `/` or `./`; `..` stops at the root.
    pub fn new(path: impl AsRef<[u8]>) -> Self {
        Self::with(path, FileFacts::default())
    }

    /// A file and the checksum of its content.
    pub fn with_checksum(path: impl AsRef<[u8]>, checksum: Option<Checksum>) -> Self {
        Self::with(path, FileFacts { checksum, ..FileFacts::default() })
    }

    /// A file and all that is known of it.
    pub fn with(path: impl AsRef<[u8]>, facts: FileFacts) -> Self {
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in path.as_ref().split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(parts.pop()),
                name => parts.push(name),
            }
        }
        Self { path: Escaped(&parts.join(&b'/')).to_string(), facts }
    }
}

/// What a package database says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileFacts {
    /// The checksum of its content.
    pub checksum: Option<Checksum>,
    /// Whether it is configuration, which people change.
    pub config: bool,
    /// Permission bits (the lower 12 bits of `st_mode`).
    pub permissions: Option<u16>,
}

impl FileFacts {
    /// These facts, completed by what `other` knows of the same file.
    fn or(self, other: Self) -> Self {
        Self {
            checksum: self.checksum.or(other.checksum),
            config: self.config || other.config,
            permissions: self.permissions.or(other.permissions),
        }
    }
}

/// A checksum of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Checksum {
    /// dpkg, older RPM, pacman, Portage.
    Md5([u8; 16]),
    /// apk.
    Sha1([u8; 20]),
    /// RPM, wheels, pacman. Longer ones are rare, and not kept: each file would have room for one.
    Sha256([u8; 32]),
}

impl Checksum {
    /// The checksum that has as many bytes; the length tells the algorithm.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            16 => bytes.try_into().ok().map(Self::Md5),
            20 => bytes.try_into().ok().map(Self::Sha1),
            32 => bytes.try_into().ok().map(Self::Sha256),
            _ => None,
        }
    }

    /// The checksum that is written with as many hexadecimal digits.
    pub fn from_hex(hex: &str) -> Option<Self> {
        if hex.len() > 64 || !hex.len().is_multiple_of(2) {
            return None;
        }
        let digit = |byte: u8| (byte as char).to_digit(16);
        let pairs = hex.as_bytes().chunks_exact(2);
        let bytes: Option<Vec<u8>> =
            pairs.map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8)).collect();
        Self::from_bytes(&bytes?)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Md5(bytes) => bytes,
            Self::Sha1(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
        }
    }

    /// The algorithm's name, such as `sha256`.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Md5(_) => "md5",
            Self::Sha1(_) => "sha1",
            Self::Sha256(_) => "sha256",
        }
    }
}

impl std::fmt::Display for Checksum {
    /// `sha256:` and lower-case hexadecimal digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.algorithm())?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Files by path, each once: some 35 bytes a file, whatever the depth of its path.
///
/// Made by collecting [`OwnedFile`]s in any order; facts about one path are merged, the first that knows something
/// wins.
///
/// Each entry is the length of the prefix it shares with the path before it, the rest of the path, and its facts.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OwnedFiles(Vec<u8>);

/// The bits that hold the checksum's length, in units of four bytes.
const CHECKSUM: u8 = 0x0f;
/// Set for configuration.
const CONFIG: u8 = 0x20;
/// Set if permissions follow the checksum.
const PERMISSIONS: u8 = 0x40;

impl OwnedFiles {
    /// The files, by path.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.0, path: Vec::new() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<OwnedFile> for OwnedFiles {
    fn from_iter<I: IntoIterator<Item = OwnedFile>>(files: I) -> Self {
        let mut files: Vec<OwnedFile> = files.into_iter().collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|later, kept| {
            let same = later.path == kept.path;
            if same {
                kept.facts = kept.facts.or(later.facts);
            }
            same
        });
        let mut bytes = Vec::new();
        let mut before: &[u8] = &[];
        for OwnedFile { path, facts } in &files {
            let path = path.as_bytes();
            let shared = before.iter().zip(path).take_while(|(a, b)| a == b).count();
            put(&mut bytes, shared);
            put(&mut bytes, path.len() - shared);
            bytes.extend_from_slice(&path[shared..]);
            let sum = facts.checksum.as_ref().map(Checksum::as_bytes).unwrap_or_default();
            let config = if facts.config { CONFIG } else { 0 };
            let permissions = if facts.permissions.is_some() { PERMISSIONS } else { 0 };
            bytes.push((sum.len() / 4) as u8 | config | permissions);
            bytes.extend_from_slice(sum);
            bytes.extend(facts.permissions.into_iter().flat_map(u16::to_le_bytes));
            before = path;
        }
        bytes.shrink_to_fit();
        Self(bytes)
    }
}

impl<'a> IntoIterator for &'a OwnedFiles {
    type Item = OwnedFile;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl std::fmt::Debug for OwnedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// Files of an [`OwnedFiles`]. Ends early where the bytes are not what was collected (a damaged cache).
pub struct Iter<'a> {
    rest: &'a [u8],
    path: Vec<u8>,
}

impl Iter<'_> {
    fn entry(&mut self) -> Option<OwnedFile> {
        let shared = get(&mut self.rest)?;
        let length = get(&mut self.rest)?;
        let suffix = self.rest.split_off(..length)?;
        self.path.truncate(shared);
        self.path.extend_from_slice(suffix);
        let path = std::str::from_utf8(&self.path).ok()?.to_owned();
        let kinds = *self.rest.split_off_first()?;
        let sum = self.rest.split_off(..usize::from(kinds & CHECKSUM) * 4)?;
        let permissions = match kinds & PERMISSIONS {
            0 => None,
            _ => Some(u16::from_le_bytes(self.rest.split_off(..2)?.try_into().ok()?)),
        };
        let facts =
            FileFacts { checksum: Checksum::from_bytes(sum), config: kinds & CONFIG != 0, permissions };
        Some(OwnedFile { path, facts })
    }
}

impl Iterator for Iter<'_> {
    type Item = OwnedFile;

    fn next(&mut self) -> Option<OwnedFile> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_none() {
            self.rest = &[];
        }
        entry
    }
}

/// Appends a number in groups of seven bits.
fn put(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number that [`put`] wrote.
fn get(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<OwnedFile> {
        let file = |path: &str, sum: Option<&[u8]>, config, permissions| {
            let checksum = sum.and_then(Checksum::from_bytes);
            OwnedFile::with(path, FileFacts { checksum, config, permissions })
        };
        vec![
            file("", None, false, None),
            file("etc/a", Some(&[1; 16]), true, Some(0o4755)),
            file("etc/é", Some(&[2; 20]), false, Some(0)),
            file("etc/ê", Some(&[3; 32]), true, None),
            file(&"x".repeat(300), None, false, Some(0o644)),
        ]
    }

    #[test]
    fn what_was_collected_comes_back_sorted_and_merged() {
        let mut shuffled = sample();
        shuffled.reverse();
        shuffled.push(OwnedFile::new("etc/a"));
        shuffled.push(OwnedFile {
            path: String::new(),
            facts: FileFacts { config: true, ..FileFacts::default() },
        });
        let files: OwnedFiles = shuffled.into_iter().collect();
        let mut expected = sample();
        expected[0].facts.config = true;
        assert_eq!(files.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn paths_are_normalised_and_escaped() {
        for (given, path) in [
            (&b"./usr/bin/x"[..], "usr/bin/x"),
            (b"/usr//share/../lib/.", "usr/lib"),
            (b"../..", ""),
            (b"/\xff/a\\b\n", "\\xff/a\\\\b\\x0a"),
        ] {
            assert_eq!(OwnedFile::new(given).path, path);
        }
    }

    #[test]
    fn damaged_bytes_end_the_list() {
        let whole: OwnedFiles = sample().into_iter().collect();
        for length in 0..whole.0.len() {
            let cut = OwnedFiles(whole.0[..length].to_vec());
            assert!(cut.iter().count() < sample().len());
            for byte in [0, 0x7f, 0xff] {
                let mut bytes = whole.0.clone();
                bytes[length] = byte;
                assert!(OwnedFiles(bytes.clone()).iter().count() <= bytes.len());
            }
        }
        assert_eq!(OwnedFiles(vec![0xff; 64]).iter().count(), 0);
    }

    #[test]
    fn a_checksum_is_known_by_its_length() {
        let hex = "00FFabcdef0123456789abcdef012345";
        assert_eq!(
            Checksum::from_hex(hex).map(|sum| sum.to_string()),
            Some(format!("md5:{}", hex.to_lowercase()))
        );
        for wrong in ["", "00", "0g0000000000000000000000000000000", &"é".repeat(16), &"0".repeat(1000)] {
            assert_eq!(Checksum::from_hex(wrong), None, "{wrong}");
        }
    }
}
