//! Which files are archives, by how they begin.

/// What an archive is, of those that the walk looks into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// Zip (APPNOTE.TXT, 4.3).
    Zip,
    /// One file by gzip (RFC 1952).
    Gzip,
    /// One file by xz (<https://tukaani.org/xz/xz-file-format.txt>).
    Xz,
    /// One file by Zstandard (RFC 8878).
    Zstd,
    /// Tar (POSIX.1, pax; `ustar` at byte 257).
    Tar,
}

impl ArchiveFormat {
    /// What begins so, with 262 bytes if the file has as many; none if it is no archive.
    pub fn of(head: &[u8]) -> Option<Self> {
        const SIGNS: [(&[u8], ArchiveFormat); 4] = [
            (b"PK\x03\x04", ArchiveFormat::Zip),
            (b"\x1f\x8b\x08", ArchiveFormat::Gzip),
            (b"\xfd7zXZ\0", ArchiveFormat::Xz),
            (b"\x28\xb5\x2f\xfd", ArchiveFormat::Zstd),
        ];
        let by_sign = SIGNS.into_iter().find(|(sign, _)| head.starts_with(sign)).map(|(_, format)| format);
        by_sign.or_else(|| (head.get(257..262)? == b"ustar").then_some(Self::Tar))
    }
}
