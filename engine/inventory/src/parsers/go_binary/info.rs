//! From the list of modules in a program to packages (<https://pkg.go.dev/runtime/debug#BuildInfo>).

use pratique_core::package::{Ecosystem, Evidence, Package, Record};

/// Modules of one program that are kept; the largest programs have some thousands.
const MAX_MODULES: usize = 20_000;
/// Settings of the build that say what the program is; others (`-ldflags`) may hold anything.
const SETTINGS: &[&str] =
    &["-tags", "CGO_ENABLED", "GOARCH", "GOFIPS140", "GOOS", "vcs.modified", "vcs.revision", "vcs.time"];

/// The main module, its dependencies and the standard library.
///
/// A module that is replaced by another is listed as that other, since that is what was built; one that is replaced by
/// a folder keeps its name. A main module without a version (`(devel)`) takes it from `-ldflags`, if a variable called
/// version is set there.
pub(super) fn records(go_version: &str, modules: &str) -> Vec<Record> {
    let mut packages: Vec<Package> = Vec::new();
    let (mut settings, mut ldflags) = (Vec::new(), String::new());
    for line in modules.lines() {
        let mut fields = line.split('\t');
        let (kind, first) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let (version, sum) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        match kind {
            "mod" | "dep" if !first.is_empty() && packages.len() < MAX_MODULES => {
                let mut package = module(first, version, sum);
                if kind == "mod" {
                    package.attributes.insert("root".to_owned(), "true".to_owned());
                }
                packages.push(package);
            }
            "=>" if !first.is_empty() => {
                if let Some(package) = packages.last_mut() {
                    replace(package, first, version, sum);
                }
            }
            "build" => match first.split_once('=') {
                Some(("-ldflags", value)) => ldflags = unquoted(value),
                Some((key, value)) if SETTINGS.contains(&key) => {
                    settings.push((key.to_owned(), unquoted(value)));
                }
                _ => {}
            },
            _ => {}
        }
    }
    if let Some(root) = packages.iter_mut().find(|package| package.attributes.contains_key("root")) {
        if root.version.is_empty()
            && let Some(version) = linked_version(&ldflags)
        {
            root.version = version;
            root.attributes.insert("version-from".to_owned(), "ldflags".to_owned());
        }
        root.attributes.extend(settings);
    }
    packages.push(standard_library(go_version));
    packages.into_iter().map(Record::from).collect()
}

fn module(path: &str, version: &str, sum: &str) -> Package {
    let version = if version == "(devel)" { "" } else { version };
    let mut package = Package::new(Ecosystem::Go, path, version);
    package.evidence = Evidence::Embedded;
    if !sum.is_empty() {
        package.attributes.insert("checksum".to_owned(), sum.to_owned());
    }
    package
}

fn replace(package: &mut Package, path: &str, version: &str, sum: &str) {
    let root = package.attributes.get("root").cloned();
    let is_folder = path.starts_with(['.', '/']) || path.get(1..3) == Some(":\\");
    if is_folder {
        // Its version is what was asked for, not what was built: v0.0.0 says as much.
        if package.version == "v0.0.0" {
            package.version.clear();
        }
        package.attributes.insert("replaced-by".to_owned(), path.to_owned());
        return;
    }
    let replaces = format!("{}@{}", package.name, package.version);
    *package = module(path, version, sum);
    package.attributes.insert("replaces".to_owned(), replaces);
    package.attributes.extend(root.map(|root| ("root".to_owned(), root)));
}

/// The version as advisories for `stdlib` write it: three numbers, pre-releases as semantic versions have them
/// (`go1.21rc2` is 1.21.0-rc.2); what makers of other toolchains add behind is dropped.
pub(in crate::parsers) fn standard_library(go_version: &str) -> Package {
    let numbers = go_version.split_whitespace().find_map(|word| {
        word.strip_prefix("go").filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    });
    let text = numbers.unwrap_or_default();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let mut version = numbers.trim_end_matches('.').to_owned();
    for _ in version.matches('.').count()..2 {
        if !version.is_empty() {
            version.push_str(".0");
        }
    }
    for stage in ["rc", "beta"] {
        if let Some(rest) = rest.strip_prefix(stage) {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            version.push_str(&format!("-{stage}.{digits}"));
        }
    }
    if go_version.starts_with("devel") && !version.is_empty() {
        version.push_str("-devel");
    }
    let mut package = module("stdlib", &version, "");
    package.attributes.insert("toolchain".to_owned(), go_version.to_owned());
    package
}

/// The value of a variable called version that the linker was told to set (`-X main.version=1.2.3`).
fn linked_version(ldflags: &str) -> Option<String> {
    let mut found = None;
    let mut words = ldflags.split_whitespace();
    while let Some(word) = words.next() {
        let word = word.trim_start_matches(['\'', '"']);
        let set = match word.strip_prefix("-X").or_else(|| word.strip_prefix("--X")) {
            Some("") => words.next().unwrap_or_default(),
            Some(rest) => rest.trim_start_matches('='),
            None => continue,
        };
        let Some((variable, value)) = set.trim_matches(['\'', '"']).split_once('=') else { continue };
        let value = value.trim_matches(['\'', '"']);
        let number = value.strip_prefix('v').unwrap_or(value);
        let (package, name) = variable.rsplit_once('.').unwrap_or_default();
        let is_version = number.starts_with(|first: char| first.is_ascii_digit())
            && number.contains('.')
            && matches!(
                name.to_ascii_lowercase().as_str(),
                "version" | "gitversion" | "buildversion" | "appversion" | "semver" | "releaseversion"
            );
        if is_version && (found.is_none() || package == "main") {
            found = Some(format!("v{number}"));
        }
    }
    found
}

/// A value as `strconv.Quote` wrote it, or as it is.
fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(go_version: &str, modules: &str) -> Vec<Package> {
        let package = |record| match record {
            Record::Package { package, .. } => package,
            other => panic!("{other:?}"),
        };
        records(go_version, modules).into_iter().map(package).collect()
    }

    fn short(modules: &str) -> Vec<(String, String)> {
        packages("go1.22.1", modules).into_iter().map(|package| (package.name, package.version)).collect()
    }

    #[test]
    fn go_versions_become_semantic_versions() {
        for (go, expected) in [
            ("go1.22.1", "1.22.1"),
            ("go1.20", "1.20.0"),
            ("go1.21rc2", "1.21.0-rc.2"),
            ("go1.18beta1", "1.18.0-beta.1"),
            ("go1.19.13 X:boringcrypto", "1.19.13"),
            ("go1.20.12-fips", "1.20.12"),
            ("devel go1.23-0a1b2c Mon Jan 1", "1.23.0-devel"),
            ("devel +0a1b2c Mon Jan 1", ""),
            ("", ""),
            ("gopher", ""),
        ] {
            assert_eq!(packages(go, "")[0].version, expected, "{go}");
        }
    }

    #[test]
    fn what_replaces_a_module_is_listed_instead_of_it() {
        let list = "mod\texample.com/m\tv1.0.0\t\ndep\ta.example/a\tv1.0.0\n=>\tb.example/fork\tv1.0.1\th1:x=\n\
                    dep\tk8s.io/api\tv0.0.0\n=>\t./staging/api\t(devel)\t\n=>\n";
        let own = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(
            short(list),
            [
                own("example.com/m", "v1.0.0"),
                own("b.example/fork", "v1.0.1"),
                own("k8s.io/api", ""),
                own("stdlib", "1.22.1")
            ]
        );
    }

    #[test]
    fn a_version_is_taken_from_the_linkers_flags_only_where_there_is_none() {
        let with = |version: &str, flags: &str| {
            short(&format!("mod\texample.com/m\t{version}\t\nbuild\t-ldflags=\"{flags}\"\n"))[0].1.clone()
        };
        assert_eq!(with("(devel)", "-s -w -X main.Version=1.2.3"), "v1.2.3");
        assert_eq!(with("(devel)", "-X 'k8s.io/version.gitVersion=v1.30.1' -X a.gitCommit=1.0"), "v1.30.1");
        assert_eq!(with("(devel)", "-X a/b.version=2.0.0 -X main.version=v1.0.0-rc1"), "v1.0.0-rc1");
        assert_eq!(with("(devel)", "-X main.minVersion=1.2.3 -X main.version=dev"), "");
        assert_eq!(with("v1.0.0", "-X main.version=1.2.3"), "v1.0.0");
    }
}
