//! Where records come from: a folder laid out as the OSV project publishes (`<ecosystem>/all.zip`), with the records
//! themselves in `<ecosystem>/*.json`, or with both: then the files are what changed since the archive was made.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest file that is read. The largest records of OSV have a few MB; a year of NVD has 150.
pub const MAX_RECORD: u64 = 256 << 20;

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or folder could not be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// An archive is damaged or cut.
    #[error("{}: not a whole zip archive: {error}; fetch it again", path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// Why.
        error: zip::result::ZipError,
    },
    /// A record is larger than [`MAX_RECORD`].
    #[error("{}: {name} is larger than 256 MiB", path.display())]
    TooLarge {
        /// The archive or folder.
        path: PathBuf,
        /// The record's file.
        name: String,
    },
}

/// The ecosystems of a folder, sorted.
///
/// # Errors
/// If the folder cannot be read.
pub fn ecosystems(folder: &Path) -> Result<Vec<String>, SourceError> {
    let failed = |error| SourceError::Io { path: folder.to_owned(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Hands every record of one ecosystem to `each`, with its file's name: those in files of their own first.
///
/// # Errors
/// If one cannot be read whole: what was handed over until then is not all.
pub fn records(folder: &Path, ecosystem: &str, mut each: impl FnMut(&str, &[u8])) -> Result<(), SourceError> {
    let folder = folder.join(ecosystem);
    let path = folder.join("all.zip");
    let failed = |error| SourceError::Io { path: path.clone(), error };
    loose(&folder, &mut each)?;
    if !path.exists() {
        return Ok(());
    }
    let broken = |error| SourceError::Archive { path: path.clone(), error };
    let mut archive = zip::ZipArchive::new(File::open(&path).map_err(failed)?).map_err(broken)?;
    let mut bytes = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        if !name.ends_with(".json") {
            continue;
        }
        bytes.clear();
        (&mut entry).take(MAX_RECORD + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_RECORD {
            return Err(SourceError::TooLarge { path: path.clone(), name });
        }
        each(&name, &bytes);
    }
    Ok(())
}

fn loose(folder: &Path, each: &mut impl FnMut(&str, &[u8])) -> Result<(), SourceError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| SourceError::Io { path, error }
    };
    let entries = fs::read_dir(folder).map_err(failed(folder))?.collect::<Result<Vec<_>, _>>();
    let mut files: Vec<_> = entries.map_err(failed(folder))?.into_iter().map(|entry| entry.path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let mut bytes = Vec::new();
        let open = File::open(file).map_err(failed(file))?;
        open.take(MAX_RECORD + 1).read_to_end(&mut bytes).map_err(failed(file))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if bytes.len() as u64 > MAX_RECORD {
            return Err(SourceError::TooLarge { path: folder.to_owned(), name });
        }
        each(&name, &bytes);
    }
    Ok(())
}
