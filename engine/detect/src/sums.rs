//! Checksums of a file's content, compared with what a package database says of it.

use std::fmt;

use md5::{Digest as _, Md5};
use pratique_core::package::{Checksum, Ownership};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha1::Sha1;
use sha2::Sha256;

const LENGTH: usize = 16 + 20 + 32;

/// The checksums that package databases know files by: which of them one uses is told only by the image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums([u8; LENGTH]);

/// Takes in a file piece by piece.
#[derive(Default)]
pub(crate) struct Hasher {
    md5: Md5,
    sha1: Sha1,
    sha256: Sha256,
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sha1.update(bytes);
        self.sha256.update(bytes);
    }

    pub(crate) fn finish(self) -> Sums {
        let mut sums = [0; LENGTH];
        sums[..16].copy_from_slice(&self.md5.finalize());
        sums[16..36].copy_from_slice(&self.sha1.finalize());
        sums[36..].copy_from_slice(&self.sha256.finalize());
        Sums(sums)
    }
}

impl Sums {
    /// Of a file that is in memory.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// As [`Self::as_bytes`] gave them.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn has(&self, checksum: &Checksum) -> bool {
        match checksum {
            Checksum::Md5(sum) => self.0[..16] == *sum,
            Checksum::Sha1(sum) => self.0[16..36] == *sum,
            Checksum::Sha256(sum) => self.0[36..] == *sum,
        }
    }
}

impl fmt::Debug for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Sums {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

impl<'de> Deserialize<'de> for Sums {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        let digits: Vec<u8> = hex.bytes().filter_map(|b| (b as char).to_digit(16)).map(|d| d as u8).collect();
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        bytes.try_into().map(Self).map_err(|_| serde::de::Error::custom("these are no checksums"))
    }
}

/// What the package database says of a file with this content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// There is no package database, so nobody knows.
    NoDatabase,
    /// No package brought it.
    Unowned,
    /// A package brought it, and no checksum tells whether it is still the same.
    Owned(&'a str),
    /// It is as its package brought it.
    Genuine(&'a str),
    /// It is not what its package brought.
    Changed(&'a str),
}

impl<'a> Standing<'a> {
    /// Of the file at an absolute path; without sums its content is not known.
    pub(crate) fn of(ownership: &'a Ownership, path: &str, sums: Option<&Sums>) -> Self {
        if ownership.is_empty() {
            return Self::NoDatabase;
        }
        let Some(owner) = ownership.owner(path) else { return Self::Unowned };
        match (ownership.file(path).and_then(|file| file.checksum), sums) {
            (Some(checksum), Some(sums)) if sums.has(&checksum) => Self::Genuine(owner),
            (Some(_), Some(_)) => Self::Changed(owner),
            _ => Self::Owned(owner),
        }
    }

    /// In words, to follow the name of a file.
    pub(crate) fn in_words(self) -> String {
        match self {
            Self::NoDatabase => "there is no package database to compare it with".to_owned(),
            Self::Unowned => "no package brought it".to_owned(),
            Self::Owned(owner) => format!("a file of {owner}"),
            Self::Genuine(owner) => format!("as {owner} brought it"),
            Self::Changed(owner) => format!("not as {owner} brought it"),
        }
    }
}
