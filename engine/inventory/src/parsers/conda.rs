//! Conda: an environment has a file in `conda-meta` for each package
//! (<https://docs.conda.io/projects/conda/en/stable/dev-guide/api/conda/models/records/index.html>).

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Checksum, Ecosystem, OwnedFile, OwnedFiles, Package, Record};
use serde::Deserialize;

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Conda = Conda;

pub(super) struct Conda;

#[derive(Deserialize)]
struct Meta {
    name: String,
    version: String,
    #[serde(default)]
    build: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    subdir: String,
    license: Option<String>,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    paths_data: Paths,
}

#[derive(Deserialize, Default)]
struct Paths {
    #[serde(default)]
    paths: Vec<OnePath>,
}

#[derive(Deserialize)]
struct OnePath {
    #[serde(rename = "_path")]
    path: String,
    /// Of the file as it was installed; `sha256` is that of the file in the archive.
    sha256_in_prefix: Option<String>,
}

impl Parser for Conda {
    fn id(&self) -> &'static str {
        "conda"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/conda-meta/*.json"], 32 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let mut parsed = Parsed::default();
        parsed.note_cut(file);
        if file.is_cut() {
            return parsed;
        }
        let meta: Meta = match serde_json::from_slice(file.bytes) {
            Ok(meta) => meta,
            Err(error) => {
                return Parsed::problem(GapKind::Malformed, format!("is no package's record: {error}"));
            }
        };
        let prefix =
            file.path.windows(12).rposition(|part| part == b"/conda-meta/").map(|end| &file.path[..end]);
        let files = files(&meta, prefix.unwrap_or_default());
        let mut package = Package::new(Ecosystem::Conda, meta.name, meta.version);
        package.licenses.extend(meta.license.filter(|license| !license.is_empty()));
        for (key, value) in [("build", meta.build), ("channel", meta.channel), ("subdir", meta.subdir)] {
            if !value.is_empty() {
                package.attributes.insert(key.to_owned(), value);
            }
        }
        parsed.records.push(Record::Package { package, files });
        parsed
    }
}

/// Paths are relative to the environment.
fn files(meta: &Meta, prefix: &[u8]) -> OwnedFiles {
    let at = |path: &str| [prefix, b"/", path.as_bytes()].concat();
    let summed = meta.paths_data.paths.iter().map(|one| {
        let sum = one.sha256_in_prefix.as_deref().and_then(Checksum::from_hex);
        OwnedFile::with_checksum(at(&one.path), sum)
    });
    summed.chain(meta.files.iter().map(|path| OwnedFile::new(at(path)))).collect()
}
