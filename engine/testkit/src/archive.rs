//! Zip archives.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;

/// A zip of these files, packed; the same files give the same bytes.
///
/// # Panics
/// If two have one name.
pub fn zip_archive<C: AsRef<[u8]>>(files: &[(&str, C)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    for (name, content) in files {
        archive.start_file(*name, options).expect("a file begins");
        archive.write_all(content.as_ref()).expect("a file is written");
    }
    archive.finish().expect("an archive ends").into_inner()
}
