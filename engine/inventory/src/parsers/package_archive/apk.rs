//! Alpine's packages (<https://wiki.alpinelinux.org/wiki/Apk_spec>): gzip streams one after the other, which together are a tar of
//! signature, `.PKGINFO` and files.

use pratique_core::GapKind;
use pratique_core::package::{Ecosystem, Package, Record, Source};

use super::{Read, lacks, members};
use crate::Parsed;
use crate::zip::Part;

/// How packages of apk's version 3 begin.
pub(super) const VERSION_3: &[u8] = b"ADB";

pub(super) fn read(file: Part<'_>) -> Read {
    let Some(info) = members::find(members::stream(file), |name| name == b".PKGINFO")? else {
        return lacks(".PKGINFO");
    };
    let info = String::from_utf8_lossy(&info.bytes);
    let value = |key: &str| {
        let values = info.lines().filter_map(|line| line.split_once('='));
        values.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| *name == key)
    };
    let text = |key: &str| value(key).map(|(_, text)| text.to_owned()).filter(|text| !text.is_empty());
    let (Some(name), Some(version)) = (text("pkgname"), text("pkgver")) else {
        return Err((GapKind::Malformed, ".PKGINFO lacks pkgname or pkgver".to_owned()));
    };
    let mut package = Package::new(Ecosystem::Apk, name, version);
    package.architecture = text("arch");
    package.licenses.extend(text("license"));
    let origin = text("origin").filter(|origin| *origin != package.name);
    package.source = origin.map(|name| Source { name, version: package.version.clone() });
    Ok(Parsed { records: vec![Record::from(package)], problems: Vec::new() })
}
