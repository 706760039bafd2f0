//! The package that a package URL names.

use std::str::FromStr as _;

use packageurl::PackageUrl;
use pratique_core::package::{Ecosystem, Package, Release, Source, split_distro};

/// Why a package URL names no package.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum NoPackage {
    /// It is none.
    #[error("`{0}` is no package URL: {1}")]
    Invalid(String, String),
    /// Its type is none of those that are known.
    #[error("packages of the type {0} are not known")]
    Type(String),
}

/// The package that a package URL names. The opposite of [`crate::purl`], as far as the URL goes: what the release of a
/// system adds is kept as the attribute `distro`, and the namespace of a type that needs none as `namespace`.
///
/// # Errors
/// If it is none, or of a type that is not known.
pub(crate) fn package(text: &str) -> Result<Package, NoPackage> {
    let url = PackageUrl::from_str(text).map_err(|error| {
        let start = text.chars().take(200).filter(|character| !character.is_control()).collect();
        NoPackage::Invalid(start, error.to_string())
    })?;
    let ecosystem = match url.ty() {
        // What Bitnami builds and puts into its images.
        "bitnami" => Ecosystem::Generic,
        ty => *Ecosystem::ALL
            .iter()
            .find(|ecosystem| ecosystem.purl_type() == ty)
            .ok_or_else(|| NoPackage::Type(ty.to_owned()))?,
    };
    let qualifier = |key: &str| {
        url.qualifiers().get(key).filter(|value| !value.is_empty()).map(|value| value.clone().into_owned())
    };
    let namespace = url.namespace().filter(|namespace| !namespace.is_empty());
    let (name, namespace) = match (ecosystem, namespace) {
        (Ecosystem::Maven, Some(group)) => (format!("{group}:{}", url.name()), None),
        (
            Ecosystem::Npm
            | Ecosystem::Go
            | Ecosystem::Composer
            | Ecosystem::Swift
            | Ecosystem::Ebuild
            | Ecosystem::Conan
            | Ecosystem::GitHubActions
            | Ecosystem::Pear
            | Ecosystem::Terraform,
            Some(namespace),
        ) => (format!("{namespace}/{}", url.name()), None),
        (_, namespace) => (url.name().to_owned(), namespace),
    };
    let version = url.version().unwrap_or_default();
    let mut package = match qualifier("epoch").filter(|_| ecosystem == Ecosystem::Rpm) {
        Some(epoch) => Package::new(ecosystem, name, format!("{epoch}:{version}")),
        None => Package::new(ecosystem, name, version),
    };
    package.architecture = qualifier("arch");
    if ecosystem.is_system() {
        package.source = qualifier("upstream").map(|upstream| match upstream.rsplit_once('@') {
            Some((name, version)) => Source { name: name.to_owned(), version: version.to_owned() },
            None => Source { name: upstream, version: package.version.clone() },
        });
    }
    let kept = [("module", "rpmmod"), ("type", "type"), ("classifier", "classifier"), ("distro", "distro")];
    for (attribute, key) in kept {
        package.attributes.extend(qualifier(key).map(|value| (attribute.to_owned(), value)));
    }
    match namespace {
        Some(namespace) if !ecosystem.is_system() => {
            package.attributes.insert("namespace".to_owned(), namespace.to_owned());
        }
        Some(system) if system != super::usual_system(ecosystem) => {
            package.attributes.entry("distro".to_owned()).or_insert_with(|| system.to_owned());
        }
        _ => {}
    }
    if url.ty() != ecosystem.purl_type() {
        package.attributes.insert("vendor".to_owned(), url.ty().to_owned());
    }
    Ok(package)
}

/// The release of the system that a package URL's `distro` names: `debian-12`, or a version alone (`3.20.1`), whose
/// system is the namespace.
pub(crate) fn release(text: &str) -> Option<Release> {
    let url = PackageUrl::from_str(text).ok()?;
    let distro = url.qualifiers().get("distro").filter(|distro| !distro.is_empty())?;
    let (id, version) = match split_distro(distro) {
        ("", version) => (url.namespace()?, version),
        parts => parts,
    };
    Some(Release { id: id.to_owned(), version: version.to_owned(), ..Release::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_scanners_write_is_read() {
        for (text, expected) in [
            (
                "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12&upstream=glibc",
                "deb libc6 2.36-9+deb12u10",
            ),
            (
                "pkg:rpm/rocky/openssl-libs@3.0.7-25.el9?arch=x86_64&epoch=1",
                "rpm openssl-libs 1:3.0.7-25.el9",
            ),
            ("pkg:npm/%40babel/core@7.1.0", "npm @babel/core 7.1.0"),
            ("pkg:npm/left-pad", "npm left-pad "),
            ("pkg:maven/org.slf4j/slf4j-api@2.0.1?type=jar", "maven org.slf4j:slf4j-api 2.0.1"),
            ("pkg:golang/golang.org/x/net@v0.1.0#html", "golang golang.org/x/net v0.1.0"),
            ("pkg:bitnami/postgresql@16.2.0-1?arch=amd64&distro=debian-12", "generic postgresql 16.2.0-1"),
        ] {
            let package = package(text).unwrap();
            let read = format!("{} {} {}", package.ecosystem.purl_type(), package.name, package.version);
            assert_eq!(read, expected, "{text}");
        }
        let glibc = package("pkg:deb/debian/libc6@2.36?upstream=glibc%402.35&arch=amd64").unwrap();
        assert_eq!(glibc.source, Some(Source { name: "glibc".into(), version: "2.35".into() }));
        assert_eq!(glibc.architecture.as_deref(), Some("amd64"));
        let foreign = "pkg:rpm/almalinux/libXau@1.0.9-3.el8?distro=almalinux";
        let versioned = "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=3.20.1";
        let alpine = Release { id: "alpine".into(), version: "3.20.1".into(), ..Release::default() };
        let whole = versioned.replace("distro=", "distro=alpine-");
        assert_eq!(crate::purl(&package(versioned).unwrap(), Some(&alpine)), whole);
        let debian = Release { id: "debian".into(), version: "12".into(), ..Release::default() };
        assert_eq!(crate::purl(&package(foreign).unwrap(), Some(&debian)), foreign);
    }

    #[test]
    fn what_names_no_package_is_told() {
        for text in ["", "pkg:", "npm/left-pad@1", "pkg:npm/", "https://example.com", "pkg:npm/a%ff@1"] {
            assert!(matches!(package(text), Err(NoPackage::Invalid(..))), "{text}: {:?}", package(text));
        }
        assert_eq!(package("pkg:oci/app@sha256:00"), Err(NoPackage::Type("oci".into())));
    }

    proptest! {
        #[test]
        fn a_package_has_the_same_url_after_a_round_trip(
            ecosystem in prop::sample::select(&Ecosystem::ALL[..]),
            group in "[a-z][a-z0-9.-]{0,8}",
            name in "[a-zA-Z][a-zA-Z0-9._+@ %-]{0,12}",
            version in "[0-9a-zA-Z.+~^ @%-]{0,12}",
            epoch in 0..3u8,
            architecture in prop::option::of("[a-z0-9_]{1,8}"),
            source in prop::option::of(("[a-z][a-z0-9.+-]{0,8}", "[0-9][0-9a-z.+~-]{0,8}")),
            module in prop::option::of("[a-z0-9:.]{1,12}"),
        ) {
            let name = match ecosystem {
                Ecosystem::Maven => format!("{group}:{name}"),
                Ecosystem::Npm => format!("@{group}/{name}"),
                Ecosystem::Go | Ecosystem::Composer | Ecosystem::Swift | Ecosystem::Ebuild => format!("{group}/{name}"),
                _ => name,
            };
            let is_rpm = ecosystem == Ecosystem::Rpm;
            let version = if is_rpm && epoch > 0 { format!("{epoch}:{version}") } else { version };
            let mut written = Package::new(ecosystem, name, version);
            written.architecture = architecture;
            if ecosystem.is_system() {
                written.source = source.map(|(name, version)| Source { name, version });
            }
            written.attributes.extend(module.map(|module| ("module".to_owned(), module)));
            let release = Release { id: "debian".into(), version: "12".into(), ..Release::default() };
            let url = crate::purl(&written, Some(&release));
            if let Ok(read) = package(&url) {
                prop_assert_eq!(crate::purl(&read, Some(&release)), url);
                prop_assert_eq!(read.ecosystem, written.ecosystem);
                prop_assert_eq!(read.version, written.version);
                prop_assert_eq!(read.architecture, written.architecture);
                prop_assert_eq!(read.source, written.source);
            } else {
                // Some types ask for more than a name.
                prop_assert!(matches!(ecosystem, Ecosystem::Cpan | Ecosystem::Conan | Ecosystem::Julia | Ecosystem::Cran), "{}", url);
            }
        }
    }

    #[test]
    fn the_release_is_what_distro_says() {
        for (text, id, version) in [
            ("pkg:deb/debian/a@1?distro=debian-12", "debian", "12"),
            ("pkg:apk/alpine/a@1?distro=3.20.1", "alpine", "3.20.1"),
            ("pkg:rpm/opensuse/a@1?distro=opensuse-leap-15.6", "opensuse-leap", "15.6"),
            ("pkg:apk/wolfi/a@1?distro=wolfi-20230201", "wolfi", "20230201"),
            ("pkg:rpm/opensuse/a@1?distro=opensuse-tumbleweed", "opensuse-tumbleweed", ""),
        ] {
            let release = release(text).unwrap();
            assert_eq!((release.id.as_str(), release.version.as_str()), (id, version), "{text}");
        }
        assert_eq!(release("pkg:deb/debian/a@1"), None);
    }
}
