//! Gradle's lock files (<https://docs.gradle.org/current/userguide/dependency_locking.html>): `gradle.lockfile`,
//! `buildscript-gradle.lockfile` and the older files per configuration in `gradle/dependency-locks`.
//!
//! What only configurations of tests use is marked `dev`.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: GradleLock = GradleLock;

pub(super) struct GradleLock;

impl Parser for GradleLock {
    fn id(&self) -> &'static str {
        "gradle-lock"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest::head(
                &["**/gradle.lockfile", "**/*-gradle.lockfile", "**/gradle/dependency-locks/*.lockfile"],
                4 << 20,
            )]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        match formats::text(file) {
            Ok(text) => {
                let is_entry =
                    |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.starts_with("empty=");
                let lines = text.lines().map(str::trim).filter(is_entry);
                formats::entries(lines.map(|line| (line, locked(line))))
            }
            Err(problem) => problem,
        }
    }
}

/// `group:artifact:version=configuration,…`; older files have no configurations. `empty=…` is none.
fn locked(line: &str) -> Option<Package> {
    let (coordinates, configurations) = line.split_once('=').unwrap_or((line, ""));
    let (name, version) = coordinates.rsplit_once(':')?;
    let (group, artifact) = name.split_once(':')?;
    if [group, artifact, version].iter().any(|part| part.is_empty() || part.contains([' ', ':'])) {
        return None;
    }
    let mut package = Package::new(Ecosystem::Maven, name, version);
    package.evidence = Evidence::Locked;
    if !configurations.is_empty() && configurations.split(',').all(|one| one.starts_with("test")) {
        package.attributes.insert("dev".into(), "true".into());
    }
    Some(package)
}
