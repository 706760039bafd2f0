//! How much of a hostile layer is read before giving up.

/// Limits of reading one layer. Reaching one ends the layer with [`crate::Error::Limit`], except where said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the uncompressed blob. 64 GiB.
    pub uncompressed_bytes: u64,
    /// Entries. 4,000,000.
    pub entries: u64,
    /// Bytes of one path or link target. A longer one is a gap. 64 KiB, so that folders 4,096 deep pass.
    pub path_bytes: usize,
    /// Bytes of one PAX header or GNU long name. 1 MiB, as in Go's archive/tar, which runtimes unpack with.
    pub header_bytes: u64,
    /// Bytes of memory for the layer's links. 64 MiB.
    pub link_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            uncompressed_bytes: 64 << 30,
            entries: 4_000_000,
            path_bytes: 64 << 10,
            header_bytes: 1 << 20,
            link_bytes: 64 << 20,
        }
    }
}
