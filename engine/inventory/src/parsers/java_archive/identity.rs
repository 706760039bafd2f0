//! Which package an archive is, as its metadata and its name tell.

use std::collections::BTreeMap;

use super::groups;

/// Maven's coordinates, from a `pom.properties`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Coordinates {
    pub(super) group: String,
    pub(super) artifact: String,
    pub(super) version: String,
}

impl Coordinates {
    /// Nothing if one lacks or still is a variable.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let value = |wanted: &str| {
            let fields = text.lines().filter(|line| !line.starts_with(['#', '!']));
            let value = fields
                .filter_map(|line| line.split_once('='))
                .find(|(key, _)| key.trim() == wanted)?
                .1
                .trim();
            (!value.is_empty() && !value.contains(['$', ':', '/', ' '])).then(|| value.to_owned())
        };
        Some(Self { group: value("groupId")?, artifact: value("artifactId")?, version: value("version")? })
    }

    /// Whether an archive of one of these names is this artifact.
    fn is_named(&self, names: &[&str]) -> bool {
        names.iter().any(|name| match name.strip_prefix(self.artifact.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with(['-', '_', '.']),
            None => false,
        })
    }

    /// Which of several is the archive itself: the one that it is named after, or the only one.
    pub(super) fn own(all: &[Self], stem: &str, manifest: &Manifest) -> Option<usize> {
        let title = manifest.get("implementation-title").unwrap_or_default();
        let named = all.iter().enumerate().filter(|(_, one)| one.is_named(&[stem, title]));
        let longest = named.max_by_key(|(_, one)| one.artifact.len()).map(|(place, _)| place);
        let only = all.len() == 1 && guess(stem, manifest).is_none();
        longest.or(only.then_some(0))
    }
}

/// The main section of a manifest (<https://docs.oracle.com/en/java/javase/21/docs/specs/jar/jar.html>), its keys in
/// lower case.
#[derive(Debug, Default)]
pub(super) struct Manifest(BTreeMap<String, String>);

impl Manifest {
    pub(super) fn parse(text: &str) -> Self {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in text.lines().take_while(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix(' ') {
                if let Some((_, value)) = fields.last_mut() {
                    value.push_str(rest);
                }
            } else if let Some((key, value)) = line.split_once(':') {
                fields.push((key.to_ascii_lowercase(), value.trim_start().to_owned()));
            }
        }
        Self(fields.into_iter().collect())
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.trim()).filter(|value| !value.is_empty() && !value.contains("${"))
    }

    fn version(&self) -> Option<&str> {
        ["plugin-version", "implementation-version", "bundle-version", "specification-version"]
            .iter()
            .filter_map(|key| self.get(key)?.split_whitespace().next())
            .find(|version| version.starts_with(|first: char| first.is_ascii_alphanumeric()))
    }

    fn symbolic_name(&self) -> Option<&str> {
        self.get("bundle-symbolicname")?.split(';').next().map(str::trim)
    }

    fn artifact(&self) -> Option<&str> {
        let title = self.get("implementation-title").filter(|title| !title.contains(char::is_whitespace));
        self.get("short-name").or(title).or(self.symbolic_name()).filter(|name| !name.contains(['/', ':']))
    }

    fn group(&self) -> Option<&str> {
        let is_group = |name: &&str| {
            name.contains('.')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let told =
            ["group-id", "implementation-vendor-id"].iter().find_map(|key| self.get(key).filter(is_group));
        let parent = || {
            let name = self.symbolic_name().or(self.get("automatic-module-name")).filter(is_group)?;
            name.rsplit_once('.').map(|(parent, _)| parent).filter(|parent| is_domain(parent))
        };
        told.or_else(parent)
    }

    /// `Bundle-License`, without attributes.
    pub(super) fn licenses(&self) -> Vec<String> {
        let listed = self.get("bundle-license").unwrap_or_default().split(',');
        let names = listed.filter_map(|one| one.split(';').next()).map(|one| one.trim().trim_matches('"'));
        names.filter(|one| !one.is_empty() && *one != "<<EXTERNAL>>").map(str::to_owned).collect()
    }
}

/// Whether it begins as a domain read backwards: modules are named `spring.core` too.
fn is_domain(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default();
    first.len() == 2
        || matches!(first, "com" | "org" | "net" | "edu" | "gov" | "dev" | "app" | "fish" | "info")
}

/// Name and version of an archive without `pom.properties`, and which file told the version. The group is that of a known
/// artifact, or a guess from the manifest; without one the name is the artifact alone.
pub(super) fn guess(stem: &str, manifest: &Manifest) -> Option<(String, String, &'static str)> {
    let (artifact, version, source) = match split(stem) {
        Some((artifact, version)) => (artifact, version, "file-name"),
        None => {
            let version = manifest.version()?.to_owned();
            (manifest.artifact().unwrap_or(stem).to_owned(), version, "manifest")
        }
    };
    let name = match groups::of(&artifact).or(manifest.group()) {
        Some(group) => format!("{group}:{artifact}"),
        None => artifact,
    };
    Some((name, version, source))
}

/// `log4j-1.2-api-2.17.1` is `log4j-1.2-api` of version `2.17.1`: the version is the last run of parts that begins with a
/// digit; a classifier can follow.
fn split(stem: &str) -> Option<(String, String)> {
    let parts: Vec<&str> = stem.split('-').collect();
    let is_number = |part: &str| part.starts_with(|first: char| first.is_ascii_digit());
    let last = parts.iter().rposition(|part| is_number(part))?;
    let mut start = last;
    while start > 0 && is_version_part(parts[start - 1]) && parts[..start].iter().any(|part| is_number(part))
    {
        start -= 1;
    }
    while !is_number(parts[start]) {
        start += 1;
    }
    let tail = parts[last + 1..].iter().take_while(|part| is_version_part(part)).count();
    (start > 0).then(|| (parts[..start].join("-"), parts[start..=last + tail].join("-")))
}

/// A number or what qualifies one.
fn is_version_part(part: &str) -> bool {
    let lower = part.to_ascii_lowercase();
    let word = lower.trim_end_matches(|last: char| last.is_ascii_digit() || last == '.');
    part.starts_with(|first: char| first.is_ascii_digit())
        || matches!(
            word,
            "snapshot"
                | "rc"
                | "cr"
                | "m"
                | "alpha"
                | "beta"
                | "final"
                | "ga"
                | "release"
                | "incubating"
                | "jre"
                | "android"
                | "redhat"
                | "sp"
                | "b"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_that_of_a_known_artifact_or_what_the_manifest_says() {
        for (stem, manifest, expected) in [
            ("spring-core-6.2.1", "Automatic-Module-Name: spring.core", "org.springframework:spring-core"),
            (
                "spring-boot-starter-web-3.4.1",
                "Automatic-Module-Name: spring.boot.starter.web",
                "org.springframework.boot:spring-boot-starter-web",
            ),
            (
                "tomcat-embed-core-10.1.34",
                "Implementation-Vendor-Id: org.apache",
                "org.apache.tomcat.embed:tomcat-embed-core",
            ),
            ("kafka_2.13-3.9.0", "", "org.apache.kafka:kafka_2.13"),
            ("xz-1.9", "Bundle-SymbolicName: org.tukaani.xz", "org.tukaani:xz"),
            ("shop-1.0", "Automatic-Module-Name: shop.web", "shop"),
            ("kafka-avro-serializer-7.5.0", "", "kafka-avro-serializer"),
        ] {
            let name = guess(stem, &Manifest::parse(manifest)).map(|(name, ..)| name);
            assert_eq!(name.as_deref(), Some(expected), "{stem}");
        }
    }

    #[test]
    fn file_names_tell_artifact_and_version() {
        for (stem, expected) in [
            ("commons-lang3-3.12.0", Some(("commons-lang3", "3.12.0"))),
            ("log4j-1.2-api-2.17.1", Some(("log4j-1.2-api", "2.17.1"))),
            ("guava-31.1-jre", Some(("guava", "31.1-jre"))),
            ("netty-transport-4.1.86.Final-linux-x86_64", Some(("netty-transport", "4.1.86.Final"))),
            ("app-0.0.1-SNAPSHOT", Some(("app", "0.0.1-SNAPSHOT"))),
            ("saxon-9.9.1-8", Some(("saxon", "9.9.1-8"))),
            ("app", None),
            ("1.0", None),
            ("", None),
        ] {
            let found = split(stem);
            let found = found.as_ref().map(|(artifact, version)| (artifact.as_str(), version.as_str()));
            assert_eq!(found, expected, "{stem}");
        }
    }
}
