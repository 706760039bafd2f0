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
    /// One file by bzip2 (<https://sourceware.org/bzip2/>): blocks that begin with the digits of pi.
    Bzip2,
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
        // Of its three letters alone a text could begin.
        let is_bzip2 = head.starts_with(b"BZh") && head.get(4..10) == Some(b"1AY&SY");
        by_sign
            .or_else(|| is_bzip2.then_some(Self::Bzip2))
            .or_else(|| (head.get(257..262)? == b"ustar").then_some(Self::Tar))
    }

    /// By what a file is packed that begins so, if it is an archive that is not looked into.
    pub fn unread(head: &[u8]) -> Option<&'static str> {
        const SIGNS: [(&[u8], &str); 3] =
            [(b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"Rar!\x1a\x07", "RAR"), (b"\x04\x22\x4d\x18", "LZ4")];
        SIGNS.into_iter().find(|(sign, _)| head.starts_with(sign)).map(|(_, name)| name)
    }
}
