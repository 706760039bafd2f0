//! How much of an image is read and kept.

/// Bounds that hold whatever an image contains. Whatever is beyond one ends as a gap of kind `Limit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Entries of one layer, or of one live root, that are looked at.
    pub entries: u64,
    /// Paths of one layer kept for merging (16 bytes each), and as many links, and as many folders, kept to tell
    /// whether entries lie where their names say.
    pub paths: usize,
    /// Bytes of facts, their paths and problems kept of one layer, or of one live root.
    pub fact_bytes: usize,
    /// Files of one image that are read again because only a link leads to them.
    pub redirects: usize,
    /// Findings of one image; the worst are kept.
    pub findings: usize,
    /// Gaps of one layer and of one image.
    pub gaps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 10_000_000,
            paths: 2_000_000,
            fact_bytes: 32 << 20,
            redirects: 10_000,
            findings: 10_000,
            gaps: 1_000,
        }
    }
}
