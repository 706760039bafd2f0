//! VEX documents in a folder, as a ConfigMap's volume gives them.

use std::path::Path;

use pratique_vulns::vex::{self, Statement};

use crate::volume;

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
    let mut paths = match volume::entries(folder) {
        Ok(paths) => paths,
        Err(error) => {
            documents.problems.push(format!("{}: {error}", folder.display()));
            return documents;
        }
    };
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
    let bytes = volume::read(path, MAX_DOCUMENT).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_DOCUMENT {
        return Err(format!("it is larger than {MAX_DOCUMENT} bytes"));
    }
    vex::read(&bytes).map_err(|error| error.to_string())
}
