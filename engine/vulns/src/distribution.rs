//! Which of OSV's ecosystems speak of a package, and by which name.

use pratique_core::package::{Ecosystem, Package, Release, split_distro};

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

/// How OSV's ecosystems of fixes begin that only subscribers of Ubuntu Pro get.
const UBUNTU_PRO: &str = "Ubuntu:Pro:";

/// Whether only subscribers get an ecosystem's fixes, and this version is not one of theirs.
pub fn is_for_subscribers(ecosystem: &str, version: &str) -> bool {
    let version = version.to_lowercase();
    ecosystem.starts_with(UBUNTU_PRO) && !["esm", "fips"].iter().any(|mark| version.contains(mark))
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
        // Applications have the names of the packages that they are fetched as.
        Ecosystem::Hex | Ecosystem::Otp => language("Hex"),
        Ecosystem::GitHubActions => {
            let mut scope = language("GitHub Actions")?;
            // `v4` is whatever 4.x was the last, and a commit has no place in an order.
            if scope.version.split('.').count() < 3 {
                scope.version = format!("{} (no full version)", scope.version);
            }
            Ok(scope)
        }
        Ecosystem::Pub => language("Pub"),
        Ecosystem::Swift => language("SwiftURL"),
        Ecosystem::Conan => language("ConanCenter"),
        Ecosystem::Hackage => language("Hackage"),
        Ecosystem::Cran => language("CRAN"),
        Ecosystem::Julia => language("Julia"),
        Ecosystem::Opam => language("opam"),
        Ecosystem::Deb | Ecosystem::Apk | Ecosystem::Rpm => system(package, release),
        other => Err(format!("no advisories in OSV's form speak of packages of type {}", other.purl_type())),
    }
}

fn system(package: &Package, release: Option<&Release>) -> Result<Scope, String> {
    let own = other_release(package, release);
    let Some(release) = own.as_ref().or(release) else {
        return Err("the image does not say which distribution it is (no os-release)".to_owned());
    };
    let major = release.version.split('.').next().unwrap_or_default();
    let exactly = |name: String| Pattern::Exactly(name);
    let (ecosystem, by_source) = match release.id.as_str() {
        "debian" | "raspbian" => (exactly(format!("Debian:{major}")), true),
        "ubuntu" => {
            let version = &release.version;
            let mut names = vec![
                format!("Ubuntu:{version}:LTS"),
                format!("Ubuntu:{version}"),
                // What Ubuntu Pro alone has fixed is a flaw without it too.
                format!("{UBUNTU_PRO}{version}:LTS"),
            ];
            if package.version.to_lowercase().contains("fips") {
                let variants = ["FIPS", "FIPS-updates"];
                names.extend(variants.map(|variant| format!("{UBUNTU_PRO}{variant}:{version}:LTS")));
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

/// The release that a package was made for, if it says that it is that of another distribution than the image's: a library
/// that a wheel carries along, a program that was copied.
fn other_release(package: &Package, release: Option<&Release>) -> Option<Release> {
    let (id, version) = split_distro(package.attributes.get("distro")?);
    let is_other = !id.is_empty() && release.is_none_or(|release| release.id != id);
    is_other.then(|| Release { id: id.to_owned(), version: version.to_owned(), ..Release::default() })
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
    use pratique_core::version::Scheme;

    use super::*;

    #[test]
    fn an_action_is_judged_by_a_full_version_alone() {
        for (reference, expected) in [
            ("v4.1.7", "v4.1.7"),
            ("4.1.7", "4.1.7"),
            ("v4", "v4 (no full version)"),
            ("8f4b7f", "8f4b7f (no full version)"),
        ] {
            let package = Package::new(Ecosystem::GitHubActions, "Actions/Checkout", reference);
            let scope = scope(&package, None).unwrap();
            assert_eq!((scope.name.as_str(), scope.version.as_str()), ("actions/checkout", expected));
            assert_eq!(Scheme::SemVer.check(&scope.version).is_ok(), !expected.contains(' '));
        }
    }

    #[test]
    fn a_package_is_looked_for_where_its_distribution_speaks_of_it() {
        let ubuntu = "Ubuntu:22.04:LTS, Ubuntu:22.04, Ubuntu:Pro:22.04:LTS";
        let fips = format!("{ubuntu}, Ubuntu:Pro:FIPS:22.04:LTS, Ubuntu:Pro:FIPS-updates:22.04:LTS");
        for (kind, id, version, installed, ecosystem, name) in [
            (Ecosystem::Deb, "debian", "12", "1", "Debian:12", "source"),
            (Ecosystem::Deb, "raspbian", "11", "1", "Debian:11", "source"),
            (Ecosystem::Deb, "ubuntu", "22.04", "1", ubuntu, "source"),
            (Ecosystem::Deb, "ubuntu", "22.04", "1+Fips1", fips.as_str(), "source"),
            (Ecosystem::Apk, "alpine", "3.19.1", "1", "Alpine:v3.19", "source"),
            (Ecosystem::Apk, "alpine", "3.3.0", "1", "Alpine:v3.3", "source"),
            (Ecosystem::Apk, "alpine", "3.21_alpha20240807", "1", "Alpine:edge", "source"),
            (Ecosystem::Apk, "wolfi", "20230201", "1", "Wolfi", "source"),
            (Ecosystem::Apk, "chainguard", "20230214", "1", "Chainguard", "source"),
            (Ecosystem::Rpm, "almalinux", "9.4", "1", "AlmaLinux:9", "binary"),
            (Ecosystem::Rpm, "rocky", "8.9", "1", "Rocky Linux:8", "source"),
            (Ecosystem::Rpm, "rhel", "9.3", "1", "Red Hat:enterprise_linux:9::…", "binary"),
            (Ecosystem::Rpm, "sles", "15.5", "1", "SUSE:… 15 SP5", "source"),
            (Ecosystem::Rpm, "sles", "15", "1", "SUSE:… 15", "source"),
            (Ecosystem::Rpm, "opensuse-leap", "15.6", "1", "openSUSE:Leap 15.6", "source"),
            (Ecosystem::Rpm, "opensuse-tumbleweed", "20240501", "1", "openSUSE:Tumbleweed", "source"),
            (Ecosystem::Rpm, "mageia", "9", "1", "Mageia:9", "source"),
            (Ecosystem::Rpm, "photon", "5.0", "1", "Photon OS:5.0", "source"),
            (Ecosystem::Rpm, "azurelinux", "3.0", "1", "Azure Linux:3", "source"),
            (Ecosystem::Rpm, "openEuler", "22.03", "1", "openEuler:22.03…", "source"),
            // A language is the same everywhere.
            (Ecosystem::PyPi, "debian", "12", "1", "PyPI", "binary"),
        ] {
            let mut package = Package::new(kind, "binary", installed);
            package.source =
                Some(pratique_core::package::Source { name: "source".to_owned(), version: String::new() });
            let release = Release { id: id.to_owned(), version: version.to_owned(), ..Release::default() };
            let found = scope(&package, Some(&release)).unwrap();
            let shown = (found.ecosystem.to_string(), found.name.as_str());
            assert_eq!(shown, (ecosystem.to_owned(), name), "{id} {version}");
        }
        // Nobody publishes OSV records of them: a gap, never clean.
        for id in ["amzn", "fedora", "ol", "arch", "gentoo"] {
            let release = Release { id: id.to_owned(), version: "1".to_owned(), ..Release::default() };
            let error = scope(&Package::new(Ecosystem::Rpm, "a", "1"), Some(&release)).unwrap_err();
            assert!(error.contains(id), "{error}");
        }
        assert!(scope(&Package::new(Ecosystem::Rpm, "a", "1"), None).unwrap_err().contains("os-release"));
    }

    #[test]
    fn names_are_compared_as_their_ecosystem_does() {
        for (ecosystem, name, normal) in [
            ("PyPI", "Foo__Bar.baz", "foo-bar-baz"),
            ("NuGet", "Newtonsoft.Json", "newtonsoft.json"),
            ("Packagist", "Vendor/Package", "vendor/package"),
            ("SwiftURL", "https://github.com/Apple/swift-nio.git", "github.com/apple/swift-nio"),
            ("Go", "github.com/Masterminds/semver", "github.com/Masterminds/semver"),
            ("npm", "@Scope/Name", "@Scope/Name"),
            ("Debian:12", "Foo_bar", "Foo_bar"),
        ] {
            assert_eq!(normal_name(ecosystem, name), normal, "{ecosystem}");
        }
    }

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
