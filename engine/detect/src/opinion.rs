//! Another scanner that is asked about files.

use pratique_core::GapKind;

/// Another scanner, such as ClamAV's daemon. Whoever holds its connection implements this.
pub trait OtherScanner: Send + Sync {
    /// What findings and gaps call it.
    fn name(&self) -> &str;

    /// Version of itself and of what it looks for: what it found is found again by the same version.
    fn version(&self) -> &str;

    /// Begins with a file.
    fn open(&self) -> Box<dyn Opinion>;
}

/// What the other scanner makes of one file.
pub trait Opinion {
    /// Takes the next bytes of the file, in order and each once. What fails is told at the end.
    fn take(&mut self, bytes: &[u8]);

    /// What it found, by its own name for it; none: nothing.
    ///
    /// # Errors
    /// It was not asked, gave no answer, or took less than the whole file.
    fn finish(self: Box<Self>) -> Result<Option<String>, (GapKind, String)>;
}
