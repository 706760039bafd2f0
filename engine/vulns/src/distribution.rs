//! Which of OSV's ecosystems speak of a package, and by which name.

use pratique_core::package::{Ecosystem, Package, Release};

/// An ecosystem's name without its release.
pub fn base(ecosystem: &str) -> &str {
    ecosystem.split_once(':').map_or(ecosystem, |(base, _)| base)
}

/// A package's name as its ecosystem compares names: PyPI's of any spelling are one, and so on.
pub fn normal_name(ecosystem: &str, name: &str) -> String {
    match base(ecosystem) {
        "PyPI" => {
            let mut normal = String::with_capacity(name.len());
            for letter in name.chars() {
                if matches!(letter, '-' | '_' | '.') {
                    if !normal.ends_with('-') {
                        normal.push('-');
                    }
                } else {
                    normal.push(letter.to_ascii_lowercase());
                }
            }
            normal
        }
        "NuGet" | "Packagist" | "Hex" | "GitHub Actions" => name.to_lowercase(),
        "SwiftURL" => {
            let bare = name.split_once("://").map_or(name, |(_, rest)| rest);
            bare.strip_suffix(".git").unwrap_or(bare).to_lowercase()
        }
        _ => name.to_owned(),
    }
}

/// Where to look for a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// OSV's ecosystem, or several: all of those in a database that begin or end so.
    pub ecosystem: Pattern,
    /// The name that its advisories use, in normal form.
    pub name: String,
    /// The version that is compared with theirs.
    pub version: String,
}

/// Names of ecosystems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// This one.
    Exactly(String),
    /// Any of these.
    AnyOf(Vec<String>),
    /// Those that begin so, such as Red Hat's repositories of one release.
    StartsWith(String),
    /// Those that begin and end so, such as SUSE's products of one release.
    Between(String, String),
}

impl Pattern {
    /// Whether it means this ecosystem.
    pub fn matches(&self, ecosystem: &str) -> bool {
        match self {
            Self::Exactly(name) => name == ecosystem,
            Self::AnyOf(names) => names.iter().any(|name| name == ecosystem),
            Self::StartsWith(start) => ecosystem.starts_with(start),
            Self::Between(start, end) => ecosystem.starts_with(start) && ecosystem.ends_with(end),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(name) => f.write_str(name),
            Self::AnyOf(names) => f.write_str(&names.join(", ")),
            Self::StartsWith(start) => write!(f, "{start}…"),
            Self::Between(start, end) => write!(f, "{start}…{end}"),
        }
    }
}

/// Where to look for a package of a system of this release.
///
/// # Errors
/// A reason for people if no advisories speak of such packages.
pub fn scope(package: &Package, release: Option<&Release>) -> Result<Scope, String> {
    let language = |osv: &str| {
        Ok(Scope {
            ecosystem: Pattern::Exactly(osv.to_owned()),
            name: normal_name(osv, &package.name),
            version: package.version.clone(),
        })
    };
    match package.ecosystem {
        Ecosystem::PyPi => language("PyPI"),
        Ecosystem::Npm => language("npm"),
        Ecosystem::Maven => language("Maven"),
        Ecosystem::Go => language("Go"),
        Ecosystem::Cargo => language("crates.io"),
        Ecosystem::Gem => language("RubyGems"),
        Ecosystem::Composer => language("Packagist"),
        Ecosystem::NuGet => language("NuGet"),
        Ecosystem::Hex => language("Hex"),
        Ecosystem::Pub => language("Pub"),
        Ecosystem::Swift => language("SwiftURL"),
        Ecosystem::Conan => language("ConanCenter"),
        Ecosystem::Hackage => language("Hackage"),
        Ecosystem::Cran => language("CRAN"),
        Ecosystem::Julia => language("Julia"),
        Ecosystem::Deb | Ecosystem::Apk | Ecosystem::Rpm => system(package, release),
        other => Err(format!("no advisories in OSV's form speak of packages of type {}", other.purl_type())),
    }
}

fn system(package: &Package, release: Option<&Release>) -> Result<Scope, String> {
    let Some(release) = release else {
        return Err("the image does not say which distribution it is (no os-release)".to_owned());
    };
    let major = release.version.split('.').next().unwrap_or_default();
    let exactly = |name: String| Pattern::Exactly(name);
    let (ecosystem, by_source) = match release.id.as_str() {
        "debian" | "raspbian" => (exactly(format!("Debian:{major}")), true),
        "ubuntu" => {
            let version = &release.version;
            let names = [format!("Ubuntu:{version}:LTS"), format!("Ubuntu:{version}")];
            let mut names = names.to_vec();
            // Versions of extended maintenance are in the advisories of Ubuntu Pro alone.
            if ["esm", "fips"].iter().any(|mark| package.version.contains(mark)) {
                names.push(format!("Ubuntu:Pro:{version}:LTS"));
            }
            (Pattern::AnyOf(names), true)
        }
        "alpine" => {
            let mut parts = release.version.split('.');
            let branch = match (parts.next(), parts.next()) {
                // `3.20_alpha20240329` is the rolling branch.
                (Some(major), Some(minor)) if !release.version.contains('_') => format!("v{major}.{minor}"),
                _ => "edge".to_owned(),
            };
            (exactly(format!("Alpine:{branch}")), true)
        }
        "wolfi" => (exactly("Wolfi".to_owned()), true),
        "chainguard" => (exactly("Chainguard".to_owned()), true),
        "almalinux" => (exactly(format!("AlmaLinux:{major}")), false),
        "rocky" => (exactly(format!("Rocky Linux:{major}")), true),
        "rhel" => (Pattern::StartsWith(format!("Red Hat:enterprise_linux:{major}::")), false),
        "sles" | "sled" | "sle_hpc" | "sles_sap" => {
            let service_pack = match release.version.split_once('.') {
                Some((major, pack)) => format!(" {major} SP{pack}"),
                None => format!(" {major}"),
            };
            (Pattern::Between("SUSE:".to_owned(), service_pack), true)
        }
        "opensuse-leap" => (exactly(format!("openSUSE:Leap {}", release.version)), true),
        "opensuse-tumbleweed" => (exactly("openSUSE:Tumbleweed".to_owned()), true),
        "mageia" => (exactly(format!("Mageia:{major}")), true),
        "openEuler" => (Pattern::StartsWith(format!("openEuler:{}", release.version)), true),
        "photon" => (exactly(format!("Photon OS:{}", release.version)), true),
        "azurelinux" | "mariner" => (exactly(format!("Azure Linux:{major}")), true),
        other => return Err(format!("no advisories in OSV's form speak of the distribution `{other}`")),
    };
    let source = package.source.as_ref().filter(|source| by_source && !source.name.is_empty());
    let name = source.map_or(&package.name, |source| &source.name).clone();
    // RPM's source packages are named without their epoch; the binary has the whole version.
    let version = source
        .filter(|source| package.ecosystem != Ecosystem::Rpm && !source.version.is_empty())
        .map_or(&package.version, |source| &source.version)
        .clone();
    Ok(Scope { ecosystem, name, version })
}

/// Whether a package only describes the kernel to compilers: no kernel runs from it.
pub fn is_kernel_headers(package: &Package) -> bool {
    let name = package.name.as_str();
    let is_one_of = |names: &[&str]| names.iter().any(|known| name == *known || begins(name, known));
    match package.ecosystem {
        Ecosystem::Deb => {
            let is_headers =
                is_one_of(&["linux-headers", "linux-kbuild", "linux-compiler", "linux-libc-dev"]);
            // Ubuntu's of one flavour: `linux-aws-headers-…`, `linux-hwe-6.8-headers-…`.
            is_headers || name.starts_with("linux-") && name.contains("-headers-")
        }
        Ecosystem::Apk => {
            // Not every `linux-…-dev` is a kernel's: `linux-pam-dev`.
            let flavours =
                ["linux-lts-dev", "linux-virt-dev", "linux-edge-dev", "linux-stable-dev", "linux-rpi-dev"];
            name == "linux-headers" || flavours.contains(&name)
        }
        Ecosystem::Rpm => {
            let is_kernels =
                ["kernel-", "kernel6.", "kernel-uek-"].iter().any(|start| name.starts_with(start));
            let tells = ["devel", "headers", "macros", "source", "syms"];
            is_one_of(&["linux-glibc-devel", "glibc-kernheaders"])
                || is_kernels && name.split('-').any(|part| tells.contains(&part))
        }
        _ => false,
    }
}

/// Whether a name is another one with more after a dash.
fn begins(name: &str, start: &str) -> bool {
    name.strip_prefix(start).is_some_and(|rest| rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_describe_a_kernel_and_are_none() {
        for (kind, headers, others) in [
            (
                Ecosystem::Deb,
                &[
                    "linux-libc-dev",
                    "linux-libc-dev-arm64-cross",
                    "linux-headers-6.1.0-18-amd64",
                    "linux-headers-generic",
                    "linux-kbuild-6.1",
                    "linux-compiler-gcc-12-x86",
                    "linux-aws-headers-6.8.0-1008",
                ][..],
                &[
                    "linux-image-amd64",
                    "linux-image-6.1.0-18-amd64",
                    "linux-modules-6.8.0-31-generic",
                    "curl",
                ][..],
            ),
            (
                Ecosystem::Apk,
                &["linux-headers", "linux-lts-dev", "linux-virt-dev"],
                &["linux-lts", "linux-pam-dev", "linux-virt"],
            ),
            (
                Ecosystem::Rpm,
                &[
                    "kernel-headers",
                    "kernel-devel",
                    "kernel-devel-matched",
                    "kernel-rt-devel",
                    "kernel-64k-devel-matched",
                    "kernel-default-devel",
                    "kernel-macros",
                    "kernel6.12-headers",
                    "kernel-uek-devel",
                    "linux-glibc-devel",
                ],
                &["kernel", "kernel-core", "kernel-modules", "kernel-default", "kernel-tools", "glibc-devel"],
            ),
            (Ecosystem::PyPi, &[], &["linux-headers", "kernel-headers"]),
        ] {
            for (names, expected) in [(headers, true), (others, false)] {
                for name in names {
                    assert_eq!(is_kernel_headers(&Package::new(kind, *name, "1")), expected, "{name}");
                }
            }
        }
    }
}
