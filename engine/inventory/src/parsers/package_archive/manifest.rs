//! Compressed tars with a manifest in a folder of their own: crates
//! (<https://doc.rust-lang.org/cargo/reference/registry-web-api.html#publish>) and npm's packages
//! (<https://docs.npmjs.com/cli/commands/npm-pack>), and conda's older ones
//! (<https://docs.conda.io/projects/conda/en/stable/user-guide/concepts/packages.html>).

use pratique_core::package::{Ecosystem, Package, Record};
use serde::Deserialize;

use super::{Read, as_installed, in_memory, lacks, members};
use crate::parsers::{conda, node_modules};
use crate::zip::Part;
use crate::{Parsed, formats};

#[derive(Deserialize)]
struct Manifest {
    package: Crate,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    license: Option<String>,
}

pub(super) fn cargo(file: Part<'_>) -> Read {
    let is_manifest =
        |name: &[u8]| name.strip_suffix(b"/Cargo.toml").is_some_and(|folder| !folder.contains(&b'/'));
    let Some(found) = members::find(members::stream(file), is_manifest)? else {
        return lacks("Cargo.toml");
    };
    let Crate { name, version, license } =
        match in_memory("Cargo.toml", &found.bytes, formats::toml::<Manifest>) {
            Ok(manifest) => manifest.package,
            Err(problem) => return Ok(problem),
        };
    let mut package = Package::new(Ecosystem::Cargo, name, version);
    package.licenses.extend(license);
    Ok(Parsed { records: vec![Record::from(package)], problems: Vec::new() })
}

/// Any compressed tar may be called so. That of a package has all its files in `package/`: what begins otherwise is none.
pub(super) fn npm(file: Part<'_>) -> Read {
    let is_manifest = |name: &[u8]| !name.starts_with(b"package/") || name == b"package/package.json";
    match members::find(members::stream(file), is_manifest) {
        Ok(Some(found)) if found.name == b"package/package.json" => {
            Ok(as_installed(&node_modules::PARSER, "node_modules/package/package.json", &found.bytes))
        }
        Ok(_) => Ok(Parsed::default()),
        Err(problem) => Err(problem),
    }
}

/// Any tar may be called so; only conda's have such a file.
pub(super) fn conda(file: Part<'_>) -> Read {
    match members::find(members::stream(file), |name| name == b"info/index.json") {
        Ok(Some(index)) => Ok(as_installed(&conda::PARSER, "conda-meta/index.json", &index.bytes)),
        _ => Ok(Parsed::default()),
    }
}
