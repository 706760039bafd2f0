//! What an image is made of: packages, the system's release, the files that packages own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Digest;
pub use crate::owned::{Checksum, FileFacts, OwnedFile, OwnedFiles};
pub use crate::ownership::Ownership;

/// The world a package comes from: it decides how its versions are ordered and whose advisories speak of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ecosystem {
    /// dpkg: Debian, Ubuntu and what derives from them.
    Deb,
    /// apk: Alpine, Wolfi, Chainguard.
    Apk,
    /// RPM: the RHEL family, Fedora, SUSE, Amazon, Photon, Azure Linux.
    Rpm,
    /// pacman: Arch.
    Alpm,
    /// Portage: Gentoo.
    Ebuild,
    /// opkg: OpenWrt, Yocto.
    Opkg,
    /// snap.
    Snap,
    /// Flatpak.
    Flatpak,
    /// The Nix store.
    Nix,
    /// conda.
    Conda,
    /// Python: PyPI.
    PyPi,
    /// JavaScript: npm.
    Npm,
    /// Java and the JVM: Maven; the name is `group:artifact`.
    Maven,
    /// Go modules; the standard library is called `stdlib`.
    Go,
    /// Rust: crates.io.
    Cargo,
    /// RubyGems.
    Gem,
    /// PHP: Packagist.
    Composer,
    /// .NET: NuGet.
    NuGet,
    /// Elixir and Erlang: Hex.
    Hex,
    /// Dart: pub.
    Pub,
    /// Swift packages; the name is the repository's URL without its scheme.
    Swift,
    /// CocoaPods.
    CocoaPods,
    /// C and C++: Conan.
    Conan,
    /// Haskell: Hackage.
    Hackage,
    /// R: CRAN.
    Cran,
    /// Julia.
    Julia,
    /// Perl: CPAN.
    Cpan,
    /// LuaRocks.
    LuaRocks,
    /// WordPress plugins and themes.
    WordPress,
    /// Repositories of GitHub, `owner/repository`: actions and workflows that others use.
    GitHubActions,
    /// PHP: PEAR and PECL; the name is `channel/package`.
    Pear,
    /// Applications of Erlang/OTP.
    Otp,
    /// Providers of Terraform; the name is `namespace/type`.
    Terraform,
    /// OCaml: opam.
    Opam,
    /// Homebrew.
    Brew,
    /// C and C++: vcpkg; the version has the port's after a `#`.
    Vcpkg,
    /// A program that no package manager installed.
    Generic,
}

impl Ecosystem {
    /// All there are.
    pub const ALL: [Ecosystem; 37] = [
        Self::Deb,
        Self::Apk,
        Self::Rpm,
        Self::Alpm,
        Self::Ebuild,
        Self::Opkg,
        Self::Snap,
        Self::Flatpak,
        Self::Nix,
        Self::Conda,
        Self::PyPi,
        Self::Npm,
        Self::Maven,
        Self::Go,
        Self::Cargo,
        Self::Gem,
        Self::Composer,
        Self::NuGet,
        Self::Hex,
        Self::Pub,
        Self::Swift,
        Self::CocoaPods,
        Self::Conan,
        Self::Hackage,
        Self::Cran,
        Self::Julia,
        Self::Cpan,
        Self::LuaRocks,
        Self::WordPress,
        Self::GitHubActions,
        Self::Pear,
        Self::Otp,
        Self::Terraform,
        Self::Opam,
        Self::Brew,
        Self::Vcpkg,
        Self::Generic,
    ];

    /// The type of its package URLs (<https://github.com/package-url/purl-spec/blob/main/PURL-TYPES.rst>).
    pub fn purl_type(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Alpm => "alpm",
            Self::Ebuild => "ebuild",
            Self::Opkg => "opkg",
            Self::Snap => "snap",
            Self::Flatpak => "flatpak",
            Self::Nix => "nix",
            Self::Conda => "conda",
            Self::PyPi => "pypi",
            Self::Npm => "npm",
            Self::Maven => "maven",
            Self::Go => "golang",
            Self::Cargo => "cargo",
            Self::Gem => "gem",
            Self::Composer => "composer",
            Self::NuGet => "nuget",
            Self::Hex => "hex",
            Self::Pub => "pub",
            Self::Swift => "swift",
            Self::CocoaPods => "cocoapods",
            Self::Conan => "conan",
            Self::Hackage => "hackage",
            Self::Cran => "cran",
            Self::Julia => "julia",
            Self::Cpan => "cpan",
            Self::LuaRocks => "luarocks",
            Self::WordPress => "wordpress",
            Self::GitHubActions => "github",
            Self::Pear => "pear",
            Self::Otp => "otp",
            Self::Terraform => "terraform",
            Self::Opam => "opam",
            Self::Brew => "brew",
            Self::Vcpkg => "vcpkg",
            Self::Generic => "generic",
        }
    }

    /// Whether its packages belong to the operating system: they own files that others lie in.
    pub fn is_system(self) -> bool {
        matches!(self, Self::Deb | Self::Apk | Self::Rpm | Self::Alpm | Self::Ebuild | Self::Opkg)
    }
}

/// How it is known that a package is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Evidence {
    /// A package manager's record of what it installed, or the package's own metadata beside its files.
    Installed,
    /// Built into a program (Go build information, cargo-auditable, a jar inside a jar).
    Embedded,
    /// A lock file: the exact version that an installation would take.
    Locked,
    /// A manifest that names an exact version without being a lock file (`==1.2` in requirements.txt, pom.xml).
    Declared,
    /// A version string inside a program that no package manager installed.
    Binary,
    /// An SBOM that lies in the image says so.
    Sbom,
    /// A package's own archive (`.deb`, `.whl`): what it would bring. It is not installed.
    Archived,
}

impl Evidence {
    /// All there are.
    pub const ALL: [Evidence; 7] = [
        Self::Installed,
        Self::Embedded,
        Self::Locked,
        Self::Declared,
        Self::Binary,
        Self::Sbom,
        Self::Archived,
    ];

    /// The name as it is written in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Installed => "Installed",
            Self::Embedded => "Embedded",
            Self::Locked => "Locked",
            Self::Declared => "Declared",
            Self::Binary => "Binary",
            Self::Sbom => "Sbom",
            Self::Archived => "Archived",
        }
    }
}

/// A package as its metadata describe it, independent of where they were found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    /// Its world.
    pub ecosystem: Ecosystem,
    /// Its name as that world's advisories write it: `@scope/name`, `group:artifact`, a Go module's path.
    pub name: String,
    /// Its whole version as that world writes it, with epoch and revision.
    pub version: String,
    /// `amd64`, `noarch`…; none where packages have none.
    pub architecture: Option<String>,
    /// The source package it was built from, if that has another name or version.
    pub source: Option<Source>,
    /// Licences: SPDX identifiers or expressions where the metadata use them, else the metadata's words.
    pub licenses: Vec<String>,
    /// How it is known.
    pub evidence: Evidence,
    /// More by name: `module` (RPM modularity label), `vendor`, `checksum`, `repository`, `root` (`true`: the main
    /// module or project itself)…
    pub attributes: BTreeMap<String, String>,
}

impl Package {
    /// An installed package without any of the optional parts.
    pub fn new(ecosystem: Ecosystem, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            ecosystem,
            name: name.into(),
            version: version.into(),
            architecture: None,
            source: None,
            licenses: Vec::new(),
            evidence: Evidence::Installed,
            attributes: BTreeMap::new(),
        }
    }
}

/// The package that others were built from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The operating system's release, from os-release or a file that stands in for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Release {
    /// `ID`, such as `debian`.
    pub id: String,
    /// `VERSION_ID`, such as `12` or `3.19.1`; empty for rolling distributions.
    pub version: String,
    /// `VERSION_CODENAME`, such as `bookworm`; empty where there is none.
    pub codename: String,
    /// `ID_LIKE`, split at spaces.
    pub like: Vec<String>,
    /// `PRETTY_NAME`.
    pub name: String,
    /// `VARIANT_ID`, such as `coreos`; empty where there is none.
    pub variant: String,
}

/// System and version of a package's attribute `distro`, such as `fedora-40`; either can be empty.
pub fn split_distro(distro: &str) -> (&str, &str) {
    let is_version = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    match distro.rsplit_once('-') {
        Some((id, version)) if is_version(version) => (id, version),
        _ if is_version(distro) => ("", distro),
        _ => (distro, ""),
    }
}

/// One thing that a package parser read in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Record {
    /// The system's release.
    Release(Release),
    /// A package, with the files that it owns as far as the same file names them.
    Package {
        /// The package.
        package: Package,
        /// Its files.
        files: OwnedFiles,
    },
    /// Files of a package that another file describes (`/var/lib/dpkg/info/*.list`, `*.md5sums`).
    Files {
        /// The package.
        owner: Owner,
        /// Its files; those that several records name are merged.
        files: OwnedFiles,
    },
    /// Licences of a package that another file describes (`/usr/share/doc/*/copyright`).
    Licenses {
        /// The package.
        owner: Owner,
        /// The licences.
        licenses: Vec<String>,
    },
}

impl From<Package> for Record {
    /// A package of whose files nothing is said.
    fn from(package: Package) -> Self {
        Self::Package { package, files: OwnedFiles::default() }
    }
}

/// Names a package that another file describes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// Its world.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub name: String,
    /// Its version, if the file says it: several versions of a package may be installed beside each other.
    pub version: Option<String>,
    /// Its architecture, if the file says it.
    pub architecture: Option<String>,
}

impl Owner {
    /// The package of this name, whatever its version and architecture.
    pub fn new(ecosystem: Ecosystem, name: impl Into<String>) -> Self {
        Self { ecosystem, name: name.into(), version: None, architecture: None }
    }

    /// Whether it may be that package.
    pub fn is(&self, package: &Package) -> bool {
        self.ecosystem == package.ecosystem
            && self.name == package.name
            && self.version.as_ref().is_none_or(|version| *version == package.version)
            && (self.architecture.is_none() || self.architecture == package.architecture)
    }
}

/// A package where it was found in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LocatedPackage {
    /// What it is.
    pub package: Package,
    /// Its package URL.
    pub purl: String,
    /// Absolute path of the file that says so, escaped as in [`crate::Finding::path`].
    pub path: String,
    /// The layer (diff ID) that brought that file; none in a plain folder or a live container.
    pub layer: Option<Digest>,
    /// Package URL of the system package that owns `path`: this one is then a part of that one, and advisories of
    /// the distribution speak for it.
    pub owned_by: Option<String>,
    /// How many files it owns.
    pub files: u64,
}

/// All that an image is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Inventory {
    /// The system's release; none if there is no system in it.
    pub release: Option<Release>,
    /// The packages, sorted, each once per place.
    pub packages: Vec<LocatedPackage>,
    /// Packages of lower layers that an upper one removed: anyone who pulls the image still has them.
    pub removed: Vec<RemovedPackage>,
}

/// A package that a lower layer has and the image has not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RemovedPackage {
    /// What it was, and where.
    pub package: LocatedPackage,
    /// The layer (diff ID) that removed it.
    pub removed_by: Digest,
}

/// How many packages an inventory has, without those that were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct PackageCounts {
    /// All of them.
    pub total: u64,
    /// By ecosystem, without those that have none.
    pub ecosystems: BTreeMap<Ecosystem, u64>,
}

impl PackageCounts {
    /// Counts an inventory's packages.
    pub fn of(inventory: &Inventory) -> Self {
        let mut counts = Self::default();
        for located in &inventory.packages {
            counts.total += 1;
            *counts.ecosystems.entry(located.package.ecosystem).or_default() += 1;
        }
        counts
    }
}
