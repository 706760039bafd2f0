//! conda's environment files
//! (<https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html>): what is pinned exactly, also of
//! what pip shall install in it. `name=1.2` means any version that begins so and is no pin.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use serde::Deserialize;

use super::python_requirements;
use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: CondaEnvironment = CondaEnvironment;

pub(super) struct CondaEnvironment;

#[derive(Deserialize)]
struct Environment {
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Dependency {
    Named(String),
    Pip { pip: Vec<String> },
    Other(serde::de::IgnoredAny),
}

impl Parser for CondaEnvironment {
    fn id(&self) -> &'static str {
        "conda-environment"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/environment*.{yml,yaml}", "**/conda*.{yml,yaml}"], 1 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        // Other programs call their settings so.
        if !formats::has_mark(file, &["dependencies:"]) {
            return Parsed::default();
        }
        let environment: Environment = match formats::yaml(file) {
            Ok(environment) => environment,
            Err(problem) => return problem,
        };
        let mut parsed = Parsed::default();
        for dependency in environment.dependencies {
            match dependency {
                Dependency::Named(text) => parsed.records.extend(pin(&text).map(Record::from)),
                Dependency::Pip { pip } => {
                    let pins = pip.iter().filter_map(|line| python_requirements::pin(line));
                    parsed.records.extend(pins.map(Record::from));
                }
                Dependency::Other(_) => {}
            }
        }
        parsed
    }
}

/// `channel::name=version=build` or `name==version`.
fn pin(text: &str) -> Option<Package> {
    let (channel, text) = match text.split_once("::") {
        Some((channel, text)) => (Some(channel.trim()), text),
        None => (None, text),
    };
    let (name, version, build) = match text.split_once("==") {
        Some((name, version)) => (name, version, None),
        None => {
            let mut parts = text.splitn(3, '=');
            (parts.next()?, parts.next()?, Some(parts.next()?.trim()))
        }
    };
    let (name, version) = (name.trim(), version.trim());
    let is_exact = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-!+".contains(&byte))
    };
    if !is_exact(name) || !is_exact(version) {
        return None;
    }
    let mut package = Package::new(Ecosystem::Conda, name, version);
    package.evidence = Evidence::Declared;
    for (key, value) in [("channel", channel), ("build", build)] {
        package.attributes.extend(value.map(|value| (key.to_owned(), value.to_owned())));
    }
    Some(package)
}
