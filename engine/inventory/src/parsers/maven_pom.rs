//! pom.xml (<https://maven.apache.org/pom.html>): the project, marked `root`, and its direct dependencies with an exact
//! version.
//!
//! Properties and managed versions are those of the same file; what a parent or an imported file says is not known, and
//! a dependency whose version stays open is no package. Tests' dependencies are marked `dev`. Entities other than XML's
//! own are not expanded.

use std::collections::BTreeMap;

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: MavenPom = MavenPom;

pub(super) struct MavenPom;

/// Elements within elements; dependencies lie seven deep.
const MAX_DEPTH: usize = 64;
/// Rounds in which properties that name properties are resolved.
const MAX_ROUNDS: usize = 8;
/// Longest value, in bytes.
const MAX_VALUE: usize = 256;

impl Parser for MavenPom {
    fn id(&self) -> &'static str {
        "maven-pom"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/pom.xml"], 4 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = match formats::text(file) {
            Ok(text) => text,
            Err(problem) => return problem,
        };
        let mut project = Project::default();
        let problems = match project.read(text) {
            Ok(()) => Vec::new(),
            Err(problem) => vec![problem],
        };
        Parsed { records: project.packages().map(Record::from).collect(), problems }
    }
}

type Fields = BTreeMap<String, String>;

#[derive(Default)]
struct Project {
    own: Fields,
    parent: Fields,
    properties: Fields,
    licenses: Vec<String>,
    dependencies: Vec<Fields>,
    managed: Vec<Fields>,
}

impl Project {
    fn read(&mut self, text: &str) -> Result<(), (GapKind, String)> {
        let mut reader = Reader::from_str(text);
        let mut path: Vec<String> = Vec::new();
        let mut value = String::new();
        let mut foreign = false;
        loop {
            let event = reader
                .read_event()
                .map_err(|error| (GapKind::Malformed, format!("not the XML that was expected: {error}")))?;
            match event {
                Event::Start(start) => {
                    if path.len() == MAX_DEPTH {
                        return Err((
                            GapKind::Limit,
                            format!("more than {MAX_DEPTH} elements within each other"),
                        ));
                    }
                    path.push(String::from_utf8_lossy(start.local_name().as_ref().as_bytes()).into_owned());
                    value.clear();
                    self.begin(&path);
                }
                Event::Text(text) if value.len() <= MAX_VALUE => value.push_str(&text.xml10_content()),
                Event::GeneralRef(entity) => match &*entity.xml10_content() {
                    "amp" => value.push('&'),
                    "lt" | "gt" | "apos" | "quot" => {}
                    // In names of people and descriptions it does no harm.
                    _ => {
                        let own = path.last().map(String::as_str);
                        let is_property = path.get(1).is_some_and(|section| section == "properties");
                        foreign |= is_property || matches!(own, Some("groupId" | "artifactId" | "version"));
                    }
                },
                Event::End(_) => {
                    self.note(&path, value.trim());
                    value.clear();
                    path.pop();
                }
                Event::Eof => break,
                _ => {}
            }
        }
        if !path.is_empty() {
            return Err((
                GapKind::Malformed,
                "not the XML that was expected: it ends within an element".into(),
            ));
        }
        if foreign {
            return Err((GapKind::Unsupported, "entities other than XML's own are not expanded".into()));
        }
        Ok(())
    }

    fn begin(&mut self, path: &[String]) {
        match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["project", "dependencies", "dependency"] => self.dependencies.push(Fields::new()),
            ["project", "dependencyManagement", "dependencies", "dependency"] => {
                self.managed.push(Fields::new())
            }
            _ => {}
        }
    }

    fn note(&mut self, path: &[String], value: &str) {
        if value.is_empty() || value.len() > MAX_VALUE {
            return;
        }
        let fields = match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["project", _] => Some(&mut self.own),
            ["project", "parent", _] => Some(&mut self.parent),
            ["project", "properties", _] => Some(&mut self.properties),
            ["project", "dependencies", "dependency", _] => self.dependencies.last_mut(),
            ["project", "dependencyManagement", "dependencies", "dependency", _] => self.managed.last_mut(),
            ["project", "licenses", "license", "name"] => return self.licenses.push(value.to_owned()),
            _ => None,
        };
        if let (Some(fields), Some(key)) = (fields, path.last()) {
            fields.insert(key.clone(), value.to_owned());
        }
    }

    fn inherited(&self, key: &str) -> Option<&str> {
        self.own.get(key).or_else(|| self.parent.get(key)).map(String::as_str)
    }

    fn property(&self, name: &str) -> Option<&str> {
        if let Some(value) = self.properties.get(name) {
            return Some(value);
        }
        let own = name.strip_prefix("project.").or_else(|| name.strip_prefix("pom."))?;
        match own.strip_prefix("parent.") {
            Some(key) => self.parent.get(key).map(String::as_str),
            None => self.inherited(own),
        }
    }

    /// The value without variables; nothing if one stays open.
    fn resolve(&self, value: &str) -> Option<String> {
        let mut value = value.to_owned();
        for _ in 0..MAX_ROUNDS {
            let Some(start) = value.find("${") else { return Some(value) };
            let end = start + value[start..].find('}')?;
            let replacement = self.property(&value[start + 2..end])?;
            value.replace_range(start..=end, replacement);
            if value.len() > MAX_VALUE {
                return None;
            }
        }
        None
    }

    fn packages(&self) -> impl Iterator<Item = Package> {
        self.root().into_iter().chain(self.dependencies.iter().filter_map(|one| self.dependency(one)))
    }

    fn root(&self) -> Option<Package> {
        let group = self.inherited("groupId")?;
        let mut package = self.package(group, self.own.get("artifactId")?, self.inherited("version")?)?;
        package.licenses.clone_from(&self.licenses);
        package.attributes.insert("root".into(), "true".into());
        Some(package)
    }

    fn dependency(&self, fields: &Fields) -> Option<Package> {
        let (group, artifact) = (fields.get("groupId")?, fields.get("artifactId")?);
        let same =
            |one: &&Fields| one.get("groupId") == Some(group) && one.get("artifactId") == Some(artifact);
        let managed = self.managed.iter().find(same);
        let field = |key: &str| fields.get(key).or_else(|| managed?.get(key));
        let mut package = self.package(group, artifact, field("version")?)?;
        if field("scope").is_some_and(|scope| scope == "test") {
            package.attributes.insert("dev".into(), "true".into());
        }
        Some(package)
    }

    fn package(&self, group: &str, artifact: &str, version: &str) -> Option<Package> {
        let (group, artifact, version) =
            (self.resolve(group)?, self.resolve(artifact)?, self.resolve(version)?);
        // `[1.0,2.0)` is a range, LATEST no version.
        let exact =
            !version.contains(['[', ']', '(', ')', ',', ' ']) && !matches!(&*version, "LATEST" | "RELEASE");
        let mut package =
            exact.then(|| Package::new(Ecosystem::Maven, format!("{group}:{artifact}"), version))?;
        package.evidence = Evidence::Declared;
        Some(package)
    }
}
