//! Paths inside an image: bytes, not text.

use std::fmt;

use pratique_core::escape::Escaped;

/// A normalised path relative to a root: no leading or trailing slash, no `.`, `..` or empty part. The root itself is
/// the empty path. Names are bytes and need not be UTF-8; [`fmt::Display`] writes the absolute path with other bytes
/// and control characters escaped as `\xNN` (and a backslash as `\\`), which is the form findings carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FsPath(Vec<u8>);

impl FsPath {
    /// The root.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path that `bytes` lead to from the root. `..` stops at the root, as in a chroot.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in bytes.as_ref().split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    parts.pop();
                }
                name => parts.push(name),
            }
        }
        Self(parts.join(&b'/'))
    }

    /// The bytes, without a leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The names on the way from the root.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|b| *b == b'/').filter(|part| !part.is_empty())
    }

    /// This path with `name` (one name, no slash) below it.
    pub fn join(&self, name: &[u8]) -> Self {
        let mut bytes = self.0.clone();
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
        Self(bytes)
    }

    /// The folder it lies in; none for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|b| *b == b'/').unwrap_or(0);
        Some(Self(self.0[..cut].to_vec()))
    }

    /// The last name; none for the root.
    pub fn name(&self) -> Option<&[u8]> {
        self.0.rsplit(|b| *b == b'/').next().filter(|name| !name.is_empty())
    }

    /// Whether it is `folder` or lies below it.
    pub fn is_within(&self, folder: &FsPath) -> bool {
        folder.is_root()
            || (self.0.starts_with(&folder.0)
                && (self.0.len() == folder.0.len() || self.0[folder.0.len()] == b'/'))
    }
}

impl fmt::Display for FsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", Escaped(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_and_stay_in_the_root() {
        for (given, normal) in [
            ("etc/shadow", "/etc/shadow"),
            ("/etc//./shadow/", "/etc/shadow"),
            ("../../etc/shadow", "/etc/shadow"),
            ("a/../../b", "/b"),
            ("", "/"),
        ] {
            assert_eq!(FsPath::new(given).to_string(), normal, "{given}");
        }
    }

    #[test]
    fn strange_names_are_escaped() {
        assert_eq!(FsPath::new(b"a\xff\nb\\c\x1b").to_string(), "/a\\xff\\x0ab\\\\c\\x1b");
    }

    #[test]
    fn family() {
        let path = FsPath::new("usr/lib/x");
        assert_eq!(path.parent(), Some(FsPath::new("usr/lib")));
        assert_eq!(FsPath::new("usr").parent(), Some(FsPath::root()));
        assert_eq!(FsPath::root().parent(), None);
        assert_eq!(path.name(), Some(&b"x"[..]));
        assert!(path.is_within(&FsPath::new("usr")) && !path.is_within(&FsPath::new("us")));
        assert_eq!(FsPath::new("usr").join(b"lib"), FsPath::new("usr/lib"));
    }
}
