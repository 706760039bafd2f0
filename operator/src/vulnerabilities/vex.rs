//! VEX documents in a folder, as a ConfigMap's volume gives them.

use std::fs;
use std::io::Read;
use std::path::Path;

use pratique_vulns::vex::{self, Statement};

/// Bytes of one document at most.
const MAX_DOCUMENT: u64 = 16 << 20;

/// Documents at most.
const MAX_DOCUMENTS: usize = 1_000;

/// What a folder's documents say, in the order of their names, and what is wrong with others.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Documents {
    pub(super) statements: Vec<Statement>,
    pub(super) problems: Vec<String>,
}

/// Reads a folder; one that is not there says nothing.
pub(super) fn read(folder: &Path) -> Documents {
    let mut documents = Documents::default();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            documents.problems.push(format!("{}: {error}", folder.display()));
            return documents;
        }
    };
    // A volume keeps its own files under names with a dot.
    let visible = |name: &std::ffi::OsStr| !name.as_encoded_bytes().starts_with(b".");
    let mut paths: Vec<_> =
        entries.flatten().filter(|entry| visible(&entry.file_name())).map(|entry| entry.path()).collect();
    paths.sort();
    if paths.len() > MAX_DOCUMENTS {
        let (there, folder) = (paths.len(), folder.display());
        documents.problems.push(format!("{folder}: {there} documents, of which {MAX_DOCUMENTS} are read"));
        paths.truncate(MAX_DOCUMENTS);
    }
    for path in paths.iter().filter(|path| path.is_file()) {
        match document(path) {
            Ok(statements) => documents.statements.extend(statements),
            Err(reason) => documents.problems.push(format!("{}: {reason}", path.display())),
        }
    }
    documents
}

fn document(path: &Path) -> Result<Vec<Statement>, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_DOCUMENT {
        return Err(format!("it is larger than {MAX_DOCUMENT} bytes"));
    }
    vex::read(&bytes).map_err(|error| error.to_string())
}
