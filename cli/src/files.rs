//! Files that users name, read whole and up to a limit.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, ensure};

/// All of a file, which errors call `named`. Pipes have no size that could be asked for before, so bytes are counted.
///
/// # Errors
/// It cannot be read, or has more than `limit` bytes.
pub(crate) fn read(path: &Path, named: &str, limit: u64) -> anyhow::Result<Vec<u8>> {
    let file = File::open(path).with_context(|| named.to_owned())?;
    read_from(file, limit).with_context(|| named.to_owned())
}

/// All of a file of UTF-8; otherwise as [`read`].
pub(crate) fn read_text(path: &Path, named: &str, limit: u64) -> anyhow::Result<String> {
    String::from_utf8(read(path, named, limit)?).with_context(|| named.to_owned())
}

/// All that comes.
///
/// # Errors
/// It cannot be read, or is more than `limit` bytes.
pub(crate) fn read_from(from: impl Read, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = from.take(limit + 1).read_to_end(&mut bytes)?;
    ensure!(count as u64 <= limit, "it has more than {limit} bytes, which is all that is read");
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_than_the_limit_is_refused_also_where_its_size_is_unknown() {
        assert_eq!(read_from(std::io::repeat(b'x').take(8), 8).expect("it fits").len(), 8);
        let error = read(Path::new("/dev/zero"), "policy /dev/zero", 8).expect_err("it never ends");
        assert_eq!(
            format!("{error:#}"),
            "policy /dev/zero: it has more than 8 bytes, which is all that is read"
        );
    }

    #[test]
    fn what_is_no_text_and_what_is_not_there_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("latin1");
        std::fs::write(&path, b"\xe9 ").expect("a file is written");
        let error = read_text(&path, "policy latin1", 8).expect_err("no UTF-8");
        assert!(format!("{error:#}").starts_with("policy latin1: invalid utf-8"), "{error:#}");
        let error = read(&folder.path().join("none"), "policy none", 8).expect_err("not there");
        assert!(format!("{error:#}").starts_with("policy none: No such file"), "{error:#}");
    }
}
