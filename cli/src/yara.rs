//! The user's YARA rules, from files and folders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use pratique_detect::YaraRules;

use crate::files;

/// Folders in folders.
const MAX_DEPTH: usize = 16;
/// Bytes of a file: more than all rules together may have.
const MAX_FILE: u64 = 64 << 20;

/// The compiled rules of these files, and of the `.yar` and `.yara` files in these folders and the folders in them.
///
/// # Errors
/// A path cannot be read, a folder has no rules, or one of them has an error, which is named with its file and line.
pub(crate) fn rules(paths: &[PathBuf]) -> anyhow::Result<YaraRules> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            collect(path, 0, &mut files)?;
            ensure!(files.len() > before, "YARA rules {}: no .yar or .yara file is in it", path.display());
        } else {
            files.push(path.clone());
        }
    }
    let sources = files.iter().map(|path| Ok((path.display().to_string(), read(path)?)));
    YaraRules::compile(&sources.collect::<anyhow::Result<Vec<_>>>()?).context("YARA rules")
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    files::read(path, &format!("YARA rules {}", path.display()), MAX_FILE)
}

/// In the order of their names. Links to folders are not followed.
fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let named = || format!("YARA rules {}", folder.display());
    ensure!(depth < MAX_DEPTH, "{}: it is deeper than {MAX_DEPTH} folders", named());
    let entries = fs::read_dir(folder).with_context(named)?.collect::<Result<Vec<_>, _>>();
    let mut entries = entries.with_context(named)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().with_context(named)?.is_dir() {
            collect(&path, depth + 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yar" || extension == "yara") {
            files.push(path);
        }
    }
    Ok(())
}
