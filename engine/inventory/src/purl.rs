//! Package URLs (<https://github.com/package-url/purl-spec>).

mod read;

use packageurl::PackageUrl;
use pratique_core::package::{Ecosystem, Package, Release, split_distro};

pub(crate) use read::{NoPackage, package, release};

/// The package URL of a package in a system of this release. Namespaces and qualifiers are those that the purl types
/// define; `upstream` names the source package, as scanners agree to write it.
pub fn purl(package: &Package, release: Option<&Release>) -> String {
    let (namespace, name) = split(package, release);
    let kind = package.ecosystem.purl_type();
    let Ok(mut url) = PackageUrl::new(kind.to_owned(), name.clone()) else {
        // An empty name is all that can be wrong here.
        return format!("pkg:{kind}/unknown");
    };
    if let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) {
        let _ = url.with_namespace(namespace);
    }
    let (epoch, version) = version(package);
    if !version.is_empty() {
        let _ = url.with_version(version);
    }
    let mut qualifier = |key: &str, value: String| {
        if !value.is_empty() {
            // The keys are constants of the right form.
            let _ = url.add_qualifier(key.to_owned(), value);
        }
    };
    if let Some(architecture) = &package.architecture {
        qualifier("arch", architecture.clone());
    }
    if package.ecosystem.is_system() {
        if let Some((_, distro)) = system(package, release) {
            qualifier("distro", distro);
        }
        if let Some(source) = &package.source {
            let upstream = if source.version == package.version || source.version.is_empty() {
                source.name.clone()
            } else {
                format!("{}@{}", source.name, source.version)
            };
            qualifier("upstream", upstream);
        }
    }
    if let Some(epoch) = epoch {
        qualifier("epoch", epoch);
    }
    for (key, attribute) in [("rpmmod", "module"), ("type", "type"), ("classifier", "classifier")] {
        if let Some(value) = package.attributes.get(attribute) {
            qualifier(key, value.clone());
        }
    }
    url.to_string()
}

/// The system that a package was made for, and its `distro`: that of the release, unless an SBOM says that it came from
/// another, as libraries in Python's wheels do.
fn system(package: &Package, release: Option<&Release>) -> Option<(String, String)> {
    let release = release.filter(|release| !release.id.is_empty());
    if let Some(distro) = package.attributes.get("distro") {
        let (id, _) = split_distro(distro);
        if !id.is_empty() && release.is_none_or(|release| release.id != id) {
            return Some((id.to_owned(), distro.clone()));
        }
    }
    release.map(|Release { id, version, .. }| {
        (id.clone(), if version.is_empty() { id.clone() } else { format!("{id}-{version}") })
    })
}

/// The system whose packages have this form, if it is one.
fn usual_system(ecosystem: Ecosystem) -> &'static str {
    match ecosystem {
        Ecosystem::Deb => "debian",
        Ecosystem::Apk => "alpine",
        Ecosystem::Alpm => "arch",
        Ecosystem::Opkg => "openwrt",
        _ => "",
    }
}

/// Namespace and name.
fn split(package: &Package, release: Option<&Release>) -> (Option<String>, String) {
    let name = package.name.as_str();
    let at_last = |separator: char| match name.rsplit_once(separator) {
        Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
        None => (None, name.to_owned()),
    };
    match package.ecosystem {
        Ecosystem::Deb | Ecosystem::Apk | Ecosystem::Rpm | Ecosystem::Alpm | Ecosystem::Opkg => {
            let vendor = system(package, release).map(|(id, _)| id);
            let usual = usual_system(package.ecosystem).to_owned();
            (vendor.or(Some(usual)), name.to_owned())
        }
        Ecosystem::Maven => at_last(':'),
        Ecosystem::Npm
        | Ecosystem::Go
        | Ecosystem::Composer
        | Ecosystem::Swift
        | Ecosystem::Ebuild
        | Ecosystem::GitHubActions
        | Ecosystem::Pear
        | Ecosystem::Terraform => at_last('/'),
        // <https://github.com/package-url/purl-spec/blob/main/types-doc/pypi-definition.md>: `_` is written as `-`.
        Ecosystem::PyPi => (None, name.to_lowercase().replace('_', "-")),
        Ecosystem::Otp => (None, name.to_lowercase()),
        Ecosystem::Conan => match name.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
            None => (None, name.to_owned()),
        },
        _ => (None, name.to_owned()),
    }
}

/// Epoch and version: RPM's purl has the epoch apart.
fn version(package: &Package) -> (Option<String>, String) {
    match package.version.split_once(':') {
        Some((epoch, rest)) if package.ecosystem == Ecosystem::Rpm => {
            ((epoch != "0").then(|| epoch.to_owned()), rest.to_owned())
        }
        _ => (None, package.version.clone()),
    }
}

#[cfg(test)]
mod tests {
    use pratique_core::package::Source;

    use super::*;

    #[test]
    fn each_type_is_written_as_its_definition_says() {
        let debian = Release { id: "debian".into(), version: "12".into(), ..Release::default() };
        let rocky = Release { id: "rocky".into(), version: "9.3".into(), ..Release::default() };
        let with = |ecosystem,
                    name: &str,
                    version: &str,
                    architecture: Option<&str>,
                    source: Option<(&str, &str)>| {
            let mut package = Package::new(ecosystem, name, version);
            package.architecture = architecture.map(str::to_owned);
            package.source =
                source.map(|(name, version)| Source { name: name.to_owned(), version: version.to_owned() });
            package
        };
        for (package, release, expected) in [
            (
                with(Ecosystem::GitHubActions, "Actions/Checkout", "v4.1.7", None, None),
                None,
                "pkg:github/actions/checkout@v4.1.7",
            ),
            (
                with(Ecosystem::Pear, "pecl.php.net/APCu", "5.1.23", None, None),
                None,
                "pkg:pear/pecl.php.net/APCu@5.1.23",
            ),
            (with(Ecosystem::Otp, "Elixir.Tide", "1.0.0", None, None), None, "pkg:otp/elixir.tide@1.0.0"),
            (
                with(Ecosystem::Terraform, "hashicorp/aws", "6.0.0", None, None),
                None,
                "pkg:terraform/hashicorp/aws@6.0.0",
            ),
            (
                with(
                    Ecosystem::Deb,
                    "libc6",
                    "2.36-9+deb12u10",
                    Some("amd64"),
                    Some(("glibc", "2.36-9+deb12u10")),
                ),
                Some(&debian),
                "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12&upstream=glibc",
            ),
            (
                with(Ecosystem::Rpm, "openssl-libs", "1:3.0.7-25.el9", Some("x86_64"), None),
                Some(&rocky),
                "pkg:rpm/rocky/openssl-libs@3.0.7-25.el9?arch=x86_64&distro=rocky-9.3&epoch=1",
            ),
            (
                with(Ecosystem::Npm, "@babel/core", "7.1.0", None, None),
                Some(&debian),
                "pkg:npm/%40babel/core@7.1.0",
            ),
            (
                with(Ecosystem::Maven, "org.slf4j:slf4j-api", "2.0.1", None, None),
                None,
                "pkg:maven/org.slf4j/slf4j-api@2.0.1",
            ),
            (
                with(Ecosystem::Go, "golang.org/x/net", "v0.1.0", None, None),
                None,
                "pkg:golang/golang.org/x/net@v0.1.0",
            ),
            (with(Ecosystem::PyPi, "Flask_Login", "0.6", None, None), None, "pkg:pypi/flask-login@0.6"),
            (with(Ecosystem::Npm, "", "1", None, None), None, "pkg:npm/unknown"),
        ] {
            assert_eq!(purl(&package, release), expected);
        }
    }
}
