//! Gems (<https://guides.rubygems.org/specification-reference/>): a tar with the specification as YAML in `metadata.gz`.

use flate2::read::MultiGzDecoder;
use pratique_core::package::{Ecosystem, Package, Record};
use serde::Deserialize;

use super::{Read, members};
use crate::formats::Text;
use crate::zip::Part;
use crate::{Parsed, formats};

#[derive(Deserialize)]
struct Specification<'a> {
    name: String,
    version: Version,
    #[serde(default, borrow)]
    platform: Text<'a>,
    #[serde(default)]
    licenses: Vec<String>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

pub(super) fn read(file: Part<'_>) -> Read {
    let found = members::find(members::stream(file), |name| name == b"metadata.gz");
    // Other files have this ending too: a tar with such a member is a gem.
    let Ok(Some(packed)) = found else { return Ok(Parsed::default()) };
    let bytes = members::metadata(MultiGzDecoder::new(packed.bytes.as_slice()))?;
    let specification: Specification<'_> = match super::in_memory("metadata", &bytes, formats::yaml) {
        Ok(specification) => specification,
        Err(problem) => return Ok(problem),
    };
    let mut package = Package::new(Ecosystem::Gem, specification.name, specification.version.version);
    package.licenses = specification.licenses;
    let platform = specification.platform.get().filter(|platform| *platform != "ruby");
    package.attributes.extend(platform.map(|platform| ("platform".to_owned(), platform.to_owned())));
    Ok(Parsed { records: vec![Record::from(package)], problems: Vec::new() })
}
