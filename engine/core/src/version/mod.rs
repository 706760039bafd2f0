//! The order of versions, one file per ecosystem.
//!
//! A [`Scheme`] is chosen by [`Ecosystem`] or by the name that the OSV project gives an ecosystem, and then compares two
//! versions as that ecosystem's own tool does. Nothing here panics and nothing is cut: numbers have any length, and what
//! a scheme cannot read is an [`InvalidVersion`] that says why. What each scheme takes for a version stands at the top
//! of its file.

mod alpm;
mod apk;
mod conan;
mod cran;
mod digits;
mod dpkg;
mod go;
mod hackage;
mod maven;
mod nuget;
mod packagist;
mod pep440;
mod portage;
mod pubdev;
pub mod requirement;
mod rpm;
mod rubygems;
mod semver;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use crate::package::Ecosystem;

/// Longest version that is read, in bytes. The longest real ones have about a hundred.
pub const LIMIT: usize = 1024;

/// A text that is no version in its scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{version}` is no {scheme} version: {reason}")]
pub struct InvalidVersion {
    /// The scheme that could not read it.
    pub scheme: Scheme,
    /// The version, cut to a length that fits a line.
    pub version: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Why a version could not be read; [`Scheme::compare`] adds which one.
type Reason = &'static str;

macro_rules! schemes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal in $module:ident,)*) => {
        /// How versions are ordered.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scheme {
            $($(#[$doc])* $variant,)*
        }

        impl Scheme {
            /// All there are.
            pub const ALL: &[Scheme] = &[$(Self::$variant,)*];

            /// The name for people.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            fn order(self, a: &str, b: &str) -> Result<Ordering, (bool, Reason)> {
                match self {
                    $(Self::$variant => {
                        let a = $module::Version::parse(a).map_err(|reason| (false, reason))?;
                        let b = $module::Version::parse(b).map_err(|reason| (true, reason))?;
                        Ok(a.cmp(&b))
                    })*
                }
            }

            fn read(self, version: &str) -> Result<(), Reason> {
                match self {
                    $(Self::$variant => $module::Version::parse(version).map(|_| ()),)*
                }
            }
        }
    };
}

schemes! {
    /// Arch Linux: `vercmp`.
    Alpm = "pacman" in alpm,
    /// Alpine and other systems of apk.
    Apk = "apk" in apk,
    /// Conan.
    Conan = "Conan" in conan,
    /// R.
    Cran = "CRAN" in cran,
    /// Debian and other systems of dpkg; also opkg and opam.
    Dpkg = "dpkg" in dpkg,
    /// Go modules, and Go's own releases.
    Go = "Go" in go,
    /// Haskell.
    Hackage = "Hackage" in hackage,
    /// Java.
    Maven = "Maven" in maven,
    /// .NET.
    NuGet = "NuGet" in nuget,
    /// PHP: Composer.
    Packagist = "Packagist" in packagist,
    /// Python.
    Pep440 = "PEP 440" in pep440,
    /// Gentoo.
    Portage = "Portage" in portage,
    /// Dart, and Julia, where build metadata take part.
    Pub = "Pub" in pubdev,
    /// Systems of RPM.
    Rpm = "RPM" in rpm,
    /// Ruby, and CocoaPods, which took its order over.
    RubyGems = "RubyGems" in rubygems,
    /// Semantic Versioning 2.0: npm, Cargo, Hex, Swift and many more.
    SemVer = "SemVer" in semver,
}

impl Scheme {
    /// How this ecosystem orders versions; none where nobody has said (snap, Nix store paths, any program).
    pub fn of(ecosystem: Ecosystem) -> Option<Self> {
        Some(match ecosystem {
            Ecosystem::Deb | Ecosystem::Opkg | Ecosystem::Opam => Self::Dpkg,
            Ecosystem::Apk => Self::Apk,
            Ecosystem::Rpm => Self::Rpm,
            Ecosystem::Alpm => Self::Alpm,
            Ecosystem::Ebuild => Self::Portage,
            Ecosystem::PyPi => Self::Pep440,
            Ecosystem::Npm
            | Ecosystem::Cargo
            | Ecosystem::Hex
            | Ecosystem::Swift
            | Ecosystem::GitHubActions
            | Ecosystem::Otp => Self::SemVer,
            Ecosystem::Maven => Self::Maven,
            Ecosystem::Go => Self::Go,
            Ecosystem::Gem | Ecosystem::CocoaPods => Self::RubyGems,
            Ecosystem::Composer => Self::Packagist,
            Ecosystem::NuGet => Self::NuGet,
            Ecosystem::Pub | Ecosystem::Julia => Self::Pub,
            Ecosystem::Conan => Self::Conan,
            Ecosystem::Hackage => Self::Hackage,
            Ecosystem::Cran => Self::Cran,
            Ecosystem::Snap
            | Ecosystem::Flatpak
            | Ecosystem::Nix
            | Ecosystem::Conda
            | Ecosystem::Cpan
            | Ecosystem::LuaRocks
            | Ecosystem::WordPress
            | Ecosystem::Pear
            | Ecosystem::Terraform
            | Ecosystem::Brew
            | Ecosystem::Vcpkg
            | Ecosystem::Generic => return None,
        })
    }

    /// How the ecosystem of this OSV name orders versions, such as `Debian:12` or `crates.io`: what follows the first
    /// colon is a release and does not matter (<https://ossf.github.io/osv-schema/#defined-ecosystems>).
    pub fn of_osv(ecosystem: &str) -> Option<Self> {
        let name = ecosystem.split_once(':').map_or(ecosystem, |(name, _)| name);
        Some(match name {
            "Debian" | "Ubuntu" | "Echo" | "opam" => Self::Dpkg,
            "Alpaquita"
            | "Alpine"
            | "BellSoft Hardened Containers"
            | "Chainguard"
            | "CleanStart"
            | "MinimOS"
            | "Wolfi" => Self::Apk,
            "AlmaLinux" | "Amazon Linux" | "Azure Linux" | "CentOS" | "Fedora" | "Mageia"
            | "Oracle Linux" | "Photon OS" | "Red Hat" | "Rocky Linux" | "SUSE" | "openEuler"
            | "openSUSE" => Self::Rpm,
            "Arch Linux" => Self::Alpm,
            "Gentoo" => Self::Portage,
            "PyPI" => Self::Pep440,
            "Bitnami" | "GitHub Actions" | "Hex" | "Kubernetes" | "SwiftURL" | "VSCode" | "crates.io"
            | "npm" => Self::SemVer,
            "Maven" => Self::Maven,
            "Go" => Self::Go,
            "RubyGems" => Self::RubyGems,
            "Packagist" => Self::Packagist,
            "NuGet" => Self::NuGet,
            "Julia" | "Pub" => Self::Pub,
            "ConanCenter" => Self::Conan,
            "GHC" | "Hackage" => Self::Hackage,
            "Bioconductor" | "CRAN" => Self::Cran,
            _ => return None,
        })
    }

    /// Which of two versions is older.
    ///
    /// # Errors
    /// If one of them is no version in this scheme.
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        for version in [a, b] {
            if version.len() > LIMIT {
                return Err(self.invalid(version, "it is longer than 1024 bytes"));
            }
        }
        self.order(a, b).map_err(|(second, reason)| self.invalid(if second { b } else { a }, reason))
    }

    /// Whether this is a version in this scheme.
    ///
    /// # Errors
    /// If it is none.
    pub fn check(self, version: &str) -> Result<(), InvalidVersion> {
        if version.len() > LIMIT {
            return Err(self.invalid(version, "it is longer than 1024 bytes"));
        }
        self.read(version).map_err(|reason| self.invalid(version, reason))
    }

    fn invalid(self, version: &str, reason: Reason) -> InvalidVersion {
        InvalidVersion { scheme: self, version: version.chars().take(80).collect(), reason }
    }
}

impl std::fmt::Display for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
