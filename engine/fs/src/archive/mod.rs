//! Images in files: archives of `docker save`, archives and folders of the OCI layout.

mod docker;
mod index;
mod layout;

use std::path::{Path, PathBuf};

pub(crate) use docker::{open as open_index, open_docker_archive};
pub(crate) use index::{ArchiveIndex, unlinked};
pub(crate) use layout::{open_oci_archive, open_oci_folder};

use crate::{Error, Result};

/// What an archive's first documents say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArchiveKind {
    Docker,
    Oci,
}

/// Which kind of image archive an archive is; none if it is none.
pub(crate) fn kind(index: &ArchiveIndex) -> Option<ArchiveKind> {
    match (index.contains("manifest.json") || index.contains("repositories"), index.contains("index.json")) {
        // Both: what Docker writes since 25. The layout says more.
        (_, true) => Some(ArchiveKind::Oci),
        (true, false) => Some(ArchiveKind::Docker),
        (false, false) => None,
    }
}

/// Whether a file may be a tar, plain or compressed, by its first bytes.
pub(crate) fn is_tar(path: &Path) -> bool {
    let mut start = [0; 512];
    let read =
        std::fs::File::open(path).and_then(|file| std::os::unix::fs::FileExt::read_at(&file, &mut start, 0));
    read.is_ok_and(|read| read == 512)
        && (&start[257..262] == b"ustar" || index::is_gzip(&start) || index::is_zstd(&start))
}

/// A path and, behind `:` or `@`, which image in it. The longest part that exists is the path, as both may have colons.
pub(crate) fn split_path(target: &str) -> Result<(PathBuf, Option<&str>)> {
    if let Some(rest) =
        target.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with([':', '@']))
    {
        return Ok((PathBuf::from("-"), rest.get(1..).filter(|query| !query.is_empty())));
    }
    let reason = match std::fs::metadata(target) {
        Ok(_) => return Ok((PathBuf::from(target), None)),
        Err(reason) => reason,
    };
    let ends = target.char_indices().rev().filter(|(_, c)| matches!(c, ':' | '@')).map(|(at, _)| at);
    for at in ends {
        let path = PathBuf::from(&target[..at]);
        if path.exists() {
            return Ok((path, Some(&target[at + 1..]).filter(|query| !query.is_empty())));
        }
    }
    Err(Error::io(target, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_longest_part_that_exists() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("a"), "").expect("a file");
        std::fs::write(path("a:1"), "").expect("a file");
        for (target, split, query) in [
            (path("a"), path("a"), None),
            (path("a:1"), path("a:1"), None),
            (path("a:1:2"), path("a:1"), Some("2")),
            (path("a:nginx:1.27"), path("a"), Some("nginx:1.27")),
            (path("a@sha256:12"), path("a"), Some("sha256:12")),
            (path("a:"), path("a"), None),
            ("-".to_owned(), "-".to_owned(), None),
            ("-:nginx:1".to_owned(), "-".to_owned(), Some("nginx:1")),
        ] {
            assert_eq!(split_path(&target).expect("a path"), (PathBuf::from(split), query), "{target}");
        }
        assert!(matches!(split_path(&path("none:1")), Err(Error::Io { .. })));
    }
}
