//! What was compressed as one stream: gzip, bzip2, xz and Zstandard, in bounded memory.

use std::io::{self, BufRead, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use pratique_core::ArchiveFormat;

/// Bytes that unpacking may look back, as a power of two: what RFC 8878 asks every decoder for, and what xz takes unless it is
/// told otherwise.
pub const WINDOW_LOG: u32 = 23;
/// KiB of memory for that in xz, and for its tables.
const XZ_MEMORY: u32 = (1 << (WINDOW_LOG - 10)) + 1024;

/// What `file` was before it was compressed so; itself if that format holds several files. Several streams one after the
/// other count as one. Unpacking takes no more memory than a window of 2 to the power of [`WINDOW_LOG`]; what asks for
/// more fails as it is read.
///
/// # Errors
/// If there is no memory for it.
pub fn unpacked<'a>(file: impl BufRead + 'a, format: ArchiveFormat) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match format {
        ArchiveFormat::Gzip => Box::new(MultiGzDecoder::new(file)),
        // Its blocks have at most 900 kB, which take four times as much.
        ArchiveFormat::Bzip2 => Box::new(MultiBzDecoder::new(file)),
        ArchiveFormat::Xz => Box::new(XzReader::new_mem_limit(file, true, XZ_MEMORY)),
        ArchiveFormat::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(file)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Box::new(decoder)
        }
        ArchiveFormat::Zip | ArchiveFormat::Tar => Box::new(file),
    })
}
