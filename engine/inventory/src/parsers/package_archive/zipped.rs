//! Packages that are zip files: of Python (wheels,
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/>, and eggs), of .NET
//! (<https://learn.microsoft.com/en-us/nuget/reference/nuspec>) and of conda
//! (<https://docs.conda.io/projects/conda/en/stable/user-guide/concepts/packages.html>).

use pratique_core::GapKind;
use pratique_core::package::{Ecosystem, Package, Record};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::{METADATA, Read, as_installed, lacks, members};
use crate::Parsed;
use crate::parsers::{conda, python_installed};
use crate::zip::{Archive, Budget, Part, Problem};

pub(super) fn wheel(file: Part<'_>) -> Read {
    let is_metadata =
        |name: &[u8]| name.strip_suffix(b".dist-info/METADATA").is_some_and(|folder| !folder.contains(&b'/'));
    python(file, is_metadata, "a.dist-info/METADATA")
}

pub(super) fn egg(file: Part<'_>) -> Read {
    python(file, |name| name == b"EGG-INFO/PKG-INFO", "EGG-INFO/PKG-INFO")
}

fn python(file: Part<'_>, wanted: impl Fn(&[u8]) -> bool, path: &str) -> Read {
    match find(file, wanted, METADATA)? {
        Some(bytes) => Ok(as_installed(&python_installed::PARSER, path, &bytes)),
        None => lacks("metadata"),
    }
}

pub(super) fn conda(file: Part<'_>) -> Read {
    let is_info = |name: &[u8]| name.starts_with(b"info-") && name.ends_with(b".tar.zst");
    let Some(info) = find(file, is_info, 16 << 20)? else { return lacks("info") };
    match members::find(info.as_slice(), |name| name == b"info/index.json")? {
        Some(index) => Ok(as_installed(&conda::PARSER, "conda-meta/index.json", &index.bytes)),
        None => lacks("info/index.json"),
    }
}

pub(super) fn nuget(file: Part<'_>) -> Read {
    let is_specification = |name: &[u8]| name.ends_with(b".nuspec") && !name.contains(&b'/');
    let Some(bytes) = find(file, is_specification, METADATA)? else { return lacks("specification") };
    let text = String::from_utf8_lossy(&bytes);
    let [name, version, license] = nuspec(&text)?;
    if name.is_empty() || version.is_empty() {
        return lacks("id or version");
    }
    let mut package = Package::new(Ecosystem::NuGet, name, version);
    package.licenses.extend(Some(license).filter(|license| !license.is_empty()));
    Ok(Parsed { records: vec![Record::from(package)], problems: Vec::new() })
}

/// Identity, version and the expression of the licence, from `package/metadata`.
fn nuspec(text: &str) -> Result<[String; 3], Problem> {
    let mut found = [const { String::new() }; 3];
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    loop {
        let event = reader.read_event();
        match event.map_err(|error| (GapKind::Malformed, format!("its specification: {error}")))? {
            Event::Start(start) if path.len() < 64 => path.push(start.local_name().as_ref().to_owned()),
            Event::Start(_) => {
                return Err((GapKind::Limit, "its specification is nested too deep".to_owned()));
            }
            Event::End(_) => drop(path.pop()),
            Event::Text(text) => {
                let [package, metadata, field] = &path[..] else { continue };
                let names = ["id", "version", "license"];
                let place = names.iter().position(|name| name == field);
                if let (Some(place), "package", "metadata") = (place, package.as_str(), metadata.as_str()) {
                    found[place].push_str(text.trim());
                }
            }
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

/// The bytes of the first entry that is wanted, if they are at most `limit`.
fn find(file: Part<'_>, wanted: impl Fn(&[u8]) -> bool, limit: u64) -> Result<Option<Vec<u8>>, Problem> {
    let mut budget = Budget::WHOLE;
    let archive = Archive::open(file)?;
    let (entries, problem) = archive.entries(wanted, &mut budget);
    match (entries.first(), problem) {
        (Some(entry), _) => archive.read(entry, limit, &mut budget).map(Some),
        (None, Some(problem)) => Err(problem),
        (None, None) => Ok(None),
    }
}
