//! What stands in where os-release is missing or says too little. Which file is believed first is decided where an
//! image's records come together.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Record, Release};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: StandIn = StandIn;

pub(super) struct StandIn;

impl Parser for StandIn {
    fn id(&self) -> &'static str {
        "release"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest::head(
                &[
                    "etc/debian_version",
                    "etc/lsb-release",
                    "etc/openwrt_release",
                    "etc/SuSE-release",
                    "etc/system-release-cpe",
                    "etc/alpine-release",
                    "etc/arch-release",
                    "etc/gentoo-release",
                    "etc/system-release",
                    "etc/redhat-release",
                    "etc/centos-release",
                    "etc/fedora-release",
                    "etc/rocky-release",
                    "etc/almalinux-release",
                    "etc/oracle-release",
                    "etc/photon-release",
                    "etc/mariner-release",
                    "etc/azurelinux-release",
                ],
                16 << 10,
            )]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = String::from_utf8_lossy(file.bytes);
        let path = String::from_utf8_lossy(file.path);
        let release = match path.rsplit('/').next().unwrap_or_default() {
            "debian_version" => debian(text.trim()),
            "lsb-release" | "openwrt_release" => lsb(&text),
            "SuSE-release" => suse(&text),
            "system-release-cpe" => cpe(text.trim()),
            "alpine-release" => plain("alpine", text.trim()),
            // An empty file: Arch has no versions.
            "arch-release" => plain("arch", ""),
            _ => sentence(text.lines().next().unwrap_or_default()),
        };
        Parsed { records: release.map(Record::Release).into_iter().collect(), problems: Vec::new() }
    }
}

fn plain(id: &str, version: &str) -> Option<Release> {
    Some(Release { id: id.to_owned(), version: version.to_owned(), ..Release::default() })
}

/// `12.5`, of which os-release has the `12`; before a release `trixie/sid`.
fn debian(text: &str) -> Option<Release> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return plain("debian", text.split('.').next()?);
    }
    let codename = text.split('/').next().filter(|name| !name.is_empty())?.to_owned();
    Some(Release { id: "debian".to_owned(), codename, ..Release::default() })
}

/// `DISTRIB_ID=Ubuntu` and so on.
fn lsb(text: &str) -> Option<Release> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches(['"', '\'', ' ']).to_owned()
    };
    let release = Release {
        id: value("DISTRIB_ID").to_lowercase(),
        version: value("DISTRIB_RELEASE"),
        codename: value("DISTRIB_CODENAME"),
        name: value("DISTRIB_DESCRIPTION"),
        ..Release::default()
    };
    (!release.id.is_empty()).then_some(release)
}

/// `SUSE Linux Enterprise Server 11 (x86_64)`, then `VERSION = 11` and `PATCHLEVEL = 4`.
fn suse(text: &str) -> Option<Release> {
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('=')).map(str::trim)
    };
    let name = text.lines().next()?.trim();
    let id = match name {
        _ if name.starts_with("openSUSE") => "opensuse",
        _ if name.contains("Desktop") => "sled",
        _ => "sles",
    };
    let version = value("VERSION")?;
    let version = match value("PATCHLEVEL").filter(|level| *level != "0") {
        Some(level) => format!("{version}.{level}"),
        None => version.to_owned(),
    };
    Some(Release { id: id.to_owned(), version, name: name.to_owned(), ..Release::default() })
}

/// `cpe:/o:redhat:enterprise_linux:8.4:ga` or `cpe:2.3:o:amazon:amazon_linux:2023`
/// (<https://nvlpubs.nist.gov/nistpubs/Legacy/IR/nistir7695.pdf>).
fn cpe(text: &str) -> Option<Release> {
    let rest = text.strip_prefix("cpe:/o:").or_else(|| text.strip_prefix("cpe:2.3:o:"))?;
    let mut parts = rest.split(':');
    let (vendor, product) = (parts.next()?, parts.next()?);
    let id = match vendor {
        "redhat" => "rhel",
        "fedoraproject" => "fedora",
        "amazon" => "amzn",
        "oracle" => "ol",
        "centos" | "rocky" | "almalinux" => vendor,
        _ => product,
    };
    plain(id, parts.next().unwrap_or_default())
}

/// Names as release files write them, and their ids.
const NAMES: [(&str, &str); 14] = [
    ("Red Hat Enterprise Linux", "rhel"),
    ("CentOS", "centos"),
    ("Fedora", "fedora"),
    ("Rocky Linux", "rocky"),
    ("AlmaLinux", "almalinux"),
    ("Oracle Linux", "ol"),
    ("Amazon Linux", "amzn"),
    ("Scientific Linux", "scientific"),
    ("VMware Photon", "photon"),
    ("Photon", "photon"),
    ("CBL-Mariner", "mariner"),
    ("Microsoft Azure Linux", "azurelinux"),
    ("Azure Linux", "azurelinux"),
    ("Gentoo", "gentoo"),
];

/// `CentOS Linux release 7.9.2009 (Core)`, `VMware Photon OS 4.0`: a name, a version, perhaps a codename.
fn sentence(line: &str) -> Option<Release> {
    let line = line.trim();
    let (_, id) = NAMES.iter().find(|(name, _)| line.starts_with(name))?;
    let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    let mut version = line.split_whitespace().find(is_version).unwrap_or_default();
    if matches!(*id, "mariner" | "azurelinux")
        && let Some((place, _)) = version.match_indices('.').nth(1)
    {
        // The date of the build, which os-release leaves out.
        version = &version[..place];
    }
    let codename = line.rsplit_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or_default();
    Some(Release {
        id: (*id).to_owned(),
        version: version.to_owned(),
        codename: codename.to_owned(),
        name: line.to_owned(),
        ..Release::default()
    })
}
