//! The folder in which a runtime keeps what it knows, read behind its back: everything is opened below it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

use crate::{Error, Result};

/// A folder and what lies below it. Links on the way to the folder itself are followed, as whoever runs the machine may
/// have put it elsewhere; links in it stay in it.
pub(crate) struct StateFolder {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The folder, as a place.
    pub(crate) place: OwnedFd,
}

impl StateFolder {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(CWD, path, flags, Mode::empty()) {
            Ok(place) => Ok(Self { path: path.to_owned(), place }),
            Err(error) => Err(Error::io(path.display().to_string(), error.into())),
        }
    }

    /// A name in it, for messages.
    pub(crate) fn describe(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// Opens something below it.
    pub(crate) fn at(&self, name: &str, flags: OFlags) -> Result<OwnedFd> {
        let stay = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.place, name, flags | OFlags::CLOEXEC, Mode::empty(), stay)
            .map_err(|error| Error::io(self.describe(name), error.into()))
    }

    /// Opens a folder below it, one whose names may be read.
    pub(crate) fn folder(&self, name: &str) -> Result<OwnedFd> {
        self.at(name, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// A whole regular file of at most `limit` bytes.
    pub(crate) fn document(&self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let what = || self.describe(name);
        let file = File::from(self.at(name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?);
        let is_file = file.metadata().map_err(|error| Error::io(what(), error))?.is_file();
        let mut bytes = Vec::new();
        let read = if is_file {
            file.take(limit + 1).read_to_end(&mut bytes)
        } else {
            Err(io::Error::other("it is no regular file"))
        };
        read.map_err(|error| Error::io(what(), error))?;
        if bytes.len() as u64 > limit {
            return Err(Error::Limit { what: what(), limit: format!("it has more than {limit} bytes") });
        }
        Ok(bytes)
    }
}

/// An id becomes a part of a path, so it has to be one name.
pub(crate) fn check_id(id: &str) -> Result<()> {
    if !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let what = format!("the id `{}`", id.chars().take(64).collect::<String>().escape_debug());
    Err(Error::Malformed { what, reason: "it is no id of an image or a layer".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_name() {
        assert!(check_id("4f1b").is_ok());
        for id in ["", "..", "a/b", "a\0b", &"a".repeat(129)] {
            assert!(check_id(id).is_err(), "{id:?}");
        }
    }

    #[test]
    fn links_lead_to_the_folder_and_never_out_of_it() {
        let scratch = tempfile::tempdir().expect("a folder");
        let at = |name: &str| scratch.path().join(name);
        std::fs::create_dir(at("real")).expect("a folder");
        std::fs::write(at("real/list"), "[]").expect("a file");
        std::fs::write(at("outside"), "secret").expect("a file");
        std::os::unix::fs::symlink("real", at("link")).expect("a link");
        std::os::unix::fs::symlink("../outside", at("real/out")).expect("a link");
        let folder = StateFolder::open(&at("link")).expect("followed");
        assert_eq!(folder.document("list", 10).expect("read"), b"[]");
        assert!(matches!(folder.document("list", 1), Err(Error::Limit { .. })));
        assert!(folder.document("out", 10).is_err());
        assert!(folder.document(".", 10).is_err());
    }
}
