//! Java itself: the file `release` at the root of a JDK or JRE (<https://openjdk.org/jeps/223>).

use std::collections::BTreeMap;

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Package, Record};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: Jdk = Jdk;

pub(super) struct Jdk;

impl Parser for Jdk {
    fn id(&self) -> &'static str {
        "jdk"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/release"], 64 << 10)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        // Many files have this name; only those that speak of Java count.
        if !file.bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"JAVA_VERSION=")) {
            return Parsed::default();
        }
        let text = match formats::text(file) {
            Ok(text) => text,
            Err(problem) => return problem,
        };
        Parsed { records: java(text).map(Record::from).into_iter().collect(), problems: Vec::new() }
    }
}

fn java(text: &str) -> Option<Package> {
    let fields: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key, value.trim().trim_matches('"')))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    // With the build, as `java -version` says it; before Java 9 in another form.
    let version = fields.get("JAVA_RUNTIME_VERSION").or_else(|| fields.get("JAVA_VERSION"))?;
    let name = if fields.get("BUILD_TYPE") == Some(&"commercial") { "oracle-jdk" } else { "openjdk" };
    let mut package = Package::new(Ecosystem::Generic, name, *version);
    package.architecture = fields.get("OS_ARCH").map(|&architecture| architecture.to_owned());
    for (attribute, key) in [("vendor", "IMPLEMENTOR"), ("image", "IMAGE_TYPE"), ("java", "JAVA_VERSION")] {
        if let Some(&value) = fields.get(key) {
            package.attributes.insert(attribute.to_owned(), value.to_owned());
        }
    }
    Some(package)
}
